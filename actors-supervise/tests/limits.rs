//! Too many failures end the supervisor; failed starts count.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{ExitReason, StartError};
use actors_supervise::{
    ChildError, ChildSpec, ChildStatus, Event, Limit, Strategy, Supervisor, SupervisorError,
};
use common::*;

const HOUR: Duration = Duration::from_secs(3600);

fn limit(max_restarts: u32) -> Limit {
    Limit { max_restarts, period: HOUR }
}

#[test]
fn sup_11_restart_n_is_done_and_n_plus_1_shuts_down_in_reverse() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run =
            start(&system, tree(Strategy::OneForOne, &["a", "b", "c"], &diary).limit(limit(3)))
                .await;
        let down = run.supervisor.link().down();
        let b = run.link("b").await;
        for _ in 0..3 {
            b.send(Crash).unwrap();
            run.restarted().await;
        }
        diary.read();
        b.send(Crash).unwrap();
        let exceeded = run
            .wait("limit", |event| match event {
                Event::LimitExceeded { id, reason } => Some((id.clone(), reason.clone())),
                _ => None,
            })
            .await;
        assert_eq!(exceeded.0.as_deref(), Some("b"));
        assert!(matches!(exceeded.1, ExitReason::Panic { .. }));
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        assert_eq!(diary.read(), ["-b", "-c", "-a"]);
        assert!(b.send(Add(1)).is_err(), "its address is gone");
    });
}

#[test]
fn sup_11_zero_shuts_down_at_the_first_failure() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary).limit(limit(0))).await;
        let down = run.supervisor.link().down();
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
        assert_eq!(diary.read(), ["+a", "-a"]);
    });
}

#[test]
fn sup_11_the_limit_is_of_the_supervisor_not_of_a_child() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run =
            start(&system, tree(Strategy::OneForOne, &["a", "b"], &diary).limit(limit(1))).await;
        let down = run.supervisor.link().down();
        run.link("a").await.send(Crash).unwrap();
        run.restarted().await;
        run.link("b").await.send(Crash).unwrap();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

#[test]
fn sup_11_spaced_failures_never_trip() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let period = Duration::from_nanos(1);
        let limit = Limit { max_restarts: 1, period };
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary).limit(limit)).await;
        for life in 1..50 {
            assert_eq!(run.started("a").await, life);
            // In the simulation time does not pass by itself.
            system.host().clock.sleep(2 * period).await;
            run.link("a").await.send(End(error())).unwrap();
        }
    });
}

#[test]
fn sup_11_a_kill_by_hand_and_a_normal_end_do_not_count() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary).limit(limit(0))).await;
        for _ in 0..5 {
            run.supervisor.stop_child("a").await.unwrap();
            run.supervisor.restart_child("a").await.unwrap();
        }
        run.link("a").await.send(End(ExitReason::Normal)).unwrap();
        run.wait("the normal end", |event| match event {
            Event::ChildExited { reason: ExitReason::Normal, .. } => Some(()),
            _ => None,
        })
        .await;
        assert_eq!(run.status("a").await, Some(ChildStatus::Stopped));
    });
}

#[test]
fn sup_12_failed_starts_are_retried_and_counted() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let spec = faulty("a", &diary, &failures);
        let run =
            start(&system, Supervisor::builder(Strategy::OneForOne).limit(limit(3)).child(spec))
                .await;
        diary.read();
        failures.store(2, Ordering::SeqCst);
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(run.restarted().await, ["a"], "the crash and two failed starts make three");
        assert_eq!(diary.read(), ["-a", "!a", "!a", "+a"]);

        let down = run.supervisor.link().down();
        failures.store(u32::MAX, Ordering::SeqCst);
        run.link("a").await.send(Crash).unwrap();
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

#[test]
fn sup_12_commands_are_served_while_a_child_restarts() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let gate = Gate::default();
        let starts = AtomicU32::new(0);
        let (lines, held) = (diary.clone(), gate.clone());
        let slow = ChildSpec::fallible("slow", move || {
            let first = starts.fetch_add(1, Ordering::SeqCst) == 0;
            let made = Worker::new("slow", &lines);
            let held = held.clone();
            async move {
                if !first {
                    held.opened().await;
                }
                Ok(made)
            }
        });
        let builder =
            Supervisor::builder(Strategy::OneForOne).child(slow).child(worker("b", &diary));
        let run = start(&system, builder).await;
        run.link("slow").await.send(Crash).unwrap();
        run.wait("round", |event| match event {
            Event::RoundStarted { children, .. } if children == &["slow"] => Some(()),
            _ => None,
        })
        .await;
        assert_eq!(run.status("slow").await, Some(ChildStatus::Restarting));
        let counts = run.supervisor.count_children().await.unwrap();
        assert_eq!((counts.specs, counts.workers), (2, 2));
        let restart = run.supervisor.restart_child("slow").await;
        assert_eq!(restart, Err(ChildError::Restarting("slow".into())));
        let delete = run.supervisor.delete_child("slow").await;
        assert_eq!(delete, Err(ChildError::Restarting("slow".into())));
        run.supervisor.stop_child("b").await.unwrap();
        assert_eq!(run.status("b").await, Some(ChildStatus::Stopped));
        run.supervisor.terminate_child("slow").await.unwrap();
        assert_eq!(run.status("slow").await, None);
        gate.open();
    });
}

#[test]
fn sup_15_the_kth_initial_start_fails_and_the_earlier_ones_are_stopped_in_reverse() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let always = Arc::new(AtomicU32::new(u32::MAX));
        let builder = tree(Strategy::OneForOne, &["a", "b"], &diary)
            .child(faulty("c", &diary, &always))
            .child(worker("d", &diary));
        let error = builder.start(&system).await.unwrap_err();
        let expected =
            SupervisorError::Start { child: "c".into(), error: StartError::failed("not yet") };
        assert_eq!(error, expected);
        assert_eq!(diary.read(), ["+a", "+b", "!c", "-b", "-a"]);
    });
}

#[test]
fn sup_14_a_child_that_never_starts_again_escalates_and_the_static_subtree_is_rebuilt() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let below = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(2))
            .child(faulty("a", &diary, &failures))
            .child(worker("b", &diary));
        let run = start(
            &system,
            Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below)),
        )
        .await;
        let below = run.supervisor.supervisor("below").await.unwrap();
        let a = below.child::<Worker>("a").await.unwrap();
        let b = below.child::<Worker>("b").await.unwrap();
        let c = below.start_actor(worker("c", &diary)).await.unwrap();
        diary.read();
        // The crash and two failed starts are one more than two.
        failures.store(2, Ordering::SeqCst);
        a.send(Crash).unwrap();
        assert_eq!(run.exited("below").await, ExitReason::Shutdown);
        assert_eq!(run.started("below").await, 2);
        assert_eq!(diary.read(), ["-a", "!a", "!a", "-c", "-b", "+a", "+b"]);
        assert_eq!(run.call(&a, Add(1)).await, 1, "the same address");
        assert_eq!(run.call(&b, Add(1)).await, 1);
        assert!(c.send(Add(1)).is_err());
        let ids = below.which_children().await.unwrap();
        assert_eq!(ids.iter().map(|info| &*info.id).collect::<Vec<_>>(), ["a", "b"]);
    });
}

#[test]
fn sup_11_a_limit_that_is_passed_while_the_supervisor_starts_fails_the_start() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let lines = diary.clone();
        let endless = ChildSpec::fallible("endless", move || {
            lines.write("starting");
            std::future::pending::<Result<Worker, StartError>>()
        });
        let builder = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(0))
            .child(worker("a", &diary).name("a"))
            .child(endless);
        let crash = async {
            diary.wait("starting").await;
            system.whereis::<Worker>("a").unwrap().send(Crash).unwrap();
        };
        let (failed, ()) = futures_lite::future::zip(builder.start(&system), crash).await;
        let shutdown = SupervisorError::Ended(actors_core::CallError::Died(ExitReason::Shutdown));
        assert_eq!(failed.unwrap_err(), shutdown);
    });
}
