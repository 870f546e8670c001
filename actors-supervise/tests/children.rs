//! Adding, stopping, restarting, removing and counting children.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::ExitReason;
use actors_supervise::{
    ChildError, ChildKind, ChildSpec, ChildStatus, Counts, Event, Limit, RestartPolicy, SpecError,
    Strategy, Supervisor, SupervisorError,
};
use common::*;

#[test]
fn sup_1_a_new_supervisor_is_one_for_one_3_in_5_s_and_empty() {
    everywhere(|system| async move {
        assert_eq!(Strategy::default(), Strategy::OneForOne);
        assert_eq!(Limit::default(), Limit { max_restarts: 3, period: Duration::from_secs(5) });
        let run = start(&system, Supervisor::builder(Strategy::default())).await;
        assert!(run.which().await.is_empty());
        assert_eq!(run.supervisor.count_children().await, Ok(Counts::default()));
    });
}

#[test]
fn sup_1_sup_24_wrong_specs_are_rejected_with_what_is_wrong() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = |id: &str| worker(id, &diary);
        let empty = || Supervisor::builder(Strategy::OneForOne);
        let bad_below = empty().child(spec(""));
        let permanent = spec("a").restart(RestartPolicy::Permanent).significant(true);
        let rows = [
            (empty().child(spec("")), SpecError::EmptyId),
            (empty().child(spec("a")).child(spec("a")), SpecError::DuplicateId("a".into())),
            (empty().child(permanent), SpecError::SignificantPermanent("a".into())),
            (empty().child(spec("a").significant(true)), SpecError::SignificantNever("a".into())),
            (empty().child(spec("a").mailbox_capacity(0)), SpecError::ZeroCapacity("a".into())),
            (
                empty().limit(Limit { max_restarts: 1, period: Duration::ZERO }),
                SpecError::ZeroPeriod,
            ),
            (empty().max_parallel_starts(0), SpecError::ZeroStarts),
            (empty().child(ChildSpec::supervisor("below", bad_below)), SpecError::EmptyId),
        ];
        for (builder, wrong) in rows {
            let error = builder.start(&system).await.unwrap_err();
            assert_eq!(error, SupervisorError::Spec(wrong));
        }
        assert!(diary.read().is_empty(), "nothing was started");
    });
}

#[test]
fn sup_2_an_added_child_is_transient_and_terminate_removes_it() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        let link = run.supervisor.start_actor(worker("a", &diary)).await.unwrap();
        link.send(Crash).unwrap();
        assert_eq!(run.started("a").await, 1);
        assert_eq!(run.started("a").await, 2);
        run.supervisor.terminate_child("a").await.unwrap();
        assert!(run.which().await.is_empty());
        assert!(link.send(Add(1)).is_err());
        assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
        assert_eq!(run.supervisor.terminate_child("a").await, Ok(()), "twice is fine");
    });
}

#[test]
fn sup_2_unsupervise_leaves_the_child_running() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary)).await;
        let a = run.link("a").await;
        let link = run.supervisor.unsupervise("a").await.unwrap();
        assert_eq!(link, Some(a.erase()));
        assert!(run.which().await.is_empty());
        run.supervisor.shutdown(ExitReason::Shutdown).await;
        assert_eq!(run.call(&a, Add(2)).await, 2);
        let down = a.down();
        a.send(Crash).unwrap();
        down.await;
        assert!(a.send(Add(1)).is_err(), "nobody restarts it");
    });
}

#[test]
fn sup_19_ids_are_checked() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary)).await;
        let supervisor = &run.supervisor;
        let add = async || supervisor.start_child(worker("a", &diary)).await.map(drop);
        let restart = async || supervisor.restart_child("a").await.map(drop);
        let delete = || supervisor.delete_child("a");
        let stop = || supervisor.stop_child("a");

        assert_eq!(add().await, Err(ChildError::AlreadyStarted("a".into())));
        assert_eq!(restart().await, Err(ChildError::Running("a".into())));
        assert_eq!(delete().await, Err(ChildError::Running("a".into())));
        assert_eq!(stop().await, Ok(()));
        assert_eq!(stop().await, Ok(()), "stopping twice is fine");
        assert_eq!(add().await, Err(ChildError::AlreadyPresent("a".into())));
        assert_eq!(restart().await, Ok(()));
        assert_eq!(stop().await, Ok(()));
        assert_eq!(delete().await, Ok(()));
        for unknown in [delete().await, restart().await, stop().await] {
            assert_eq!(unknown, Err(ChildError::NotFound("a".into())));
        }
        assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
    });
}

#[test]
fn sup_21_a_name_that_is_taken_changes_nothing() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(
            &system,
            Supervisor::builder(Strategy::OneForOne).child(worker("a", &diary).name("w")),
        )
        .await;
        let second = run.supervisor.start_child(worker("b", &diary).name("w")).await;
        assert!(matches!(second, Err(ChildError::Start { child, .. }) if child == "b"));
        assert_eq!(run.which().await.len(), 1);
        assert_eq!(run.system.whereis("w"), Ok(run.link("a").await));
    });
}

#[test]
fn sup_19_an_added_child_that_does_not_start_is_not_kept() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let always = Arc::new(AtomicU32::new(u32::MAX));
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        let added = run.supervisor.start_child(faulty("a", &diary, &always)).await;
        assert!(matches!(added, Err(ChildError::Start { child, .. }) if child == "a"));
        assert!(run.which().await.is_empty());
    });
}

#[test]
fn sup_12_one_restarted_by_hand_that_does_not_start_stays_present() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let failures = Arc::new(AtomicU32::new(0));
        let spec = faulty("a", &diary, &failures);
        let run = start(&system, Supervisor::builder(Strategy::OneForOne).child(spec)).await;
        run.supervisor.stop_child("a").await.unwrap();
        failures.store(1, Ordering::SeqCst);
        let restarted = run.supervisor.restart_child("a").await;
        assert!(matches!(restarted, Err(ChildError::Start { .. })), "{restarted:?}");
        assert_eq!(run.status("a").await, Some(ChildStatus::Stopped));
        run.supervisor.restart_child("a").await.unwrap();
    });
}

#[test]
fn sup_22_counts_are_right() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let below = tree(Strategy::OneForOne, &["x"], &diary);
        let builder = tree(Strategy::OneForOne, &["a", "b"], &diary)
            .child(ChildSpec::supervisor("below", below))
            .child(ChildSpec::task("task", std::future::pending));
        let run = start(&system, builder).await;
        let count = async || run.supervisor.count_children().await.unwrap();
        let all = Counts { specs: 4, active: 4, supervisors: 1, workers: 2, tasks: 1 };
        assert_eq!(count().await, all);
        run.supervisor.stop_child("a").await.unwrap();
        assert_eq!(count().await, Counts { active: 3, ..all });
        let info = run.info("a").await.unwrap();
        assert_eq!((info.status, info.kind), (ChildStatus::Stopped, ChildKind::Worker));
        assert_eq!(info.link.unwrap().info().status, actors_core::Status::Suspended);
    });
}

#[test]
fn sup_18_sup_28_a_child_that_crashes_at_once_is_handled_as_a_child() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        let link = run.supervisor.start_actor(worker("a", &diary)).await.unwrap();
        link.kill();
        assert_eq!(run.exited("a").await, ExitReason::Killed);
        assert_eq!(run.started("a").await, 2);
        // Its end and the order to terminate it cross.
        link.kill();
        run.supervisor.terminate_child("a").await.unwrap();
        assert!(run.which().await.is_empty());
    });
}

#[test]
fn sup_27_a_task_that_is_done_is_removed() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        let lines = diary.clone();
        let task = ChildSpec::task("task", move || {
            lines.write("ran");
            async {}
        });
        run.supervisor.start_child(task).await.unwrap();
        assert_eq!(run.exited("task").await, ExitReason::Normal);
        run.wait("removal", removed).await;
        assert!(run.which().await.is_empty());
        assert_eq!(diary.read(), ["ran"]);
    });
}

#[test]
fn sup_27_a_task_that_panics_is_restarted() {
    everywhere(|system| async move {
        let run = start(&system, Supervisor::builder(Strategy::OneForOne)).await;
        let tries = AtomicU32::new(0);
        let task = ChildSpec::task("task", move || {
            let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
            async move { assert!(!first, "as asked") }
        });
        run.supervisor.start_child(task).await.unwrap();
        assert!(matches!(run.exited("task").await, ExitReason::Panic { .. }));
        assert_eq!(run.started("task").await, 2);
        assert_eq!(run.exited("task").await, ExitReason::Normal);
    });
}

#[test]
fn sup_27_a_task_that_takes_too_long_is_removed_and_the_supervisor_never_blocks() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary)).await;
        let endless = ChildSpec::task("endless", std::future::pending);
        run.supervisor.start_child(endless).await.unwrap();
        let late = ChildSpec::task_within("late", Duration::from_millis(1), std::future::pending);
        run.supervisor.start_child(late).await.unwrap();
        assert_eq!(run.exited("late").await, ExitReason::TimedOut);
        run.wait("removal", removed).await;
        let ids: Vec<_> =
            run.which().await.into_iter().map(|info| (info.id, info.status)).collect();
        let running = |id: &str| (id.to_owned(), ChildStatus::Running);
        assert_eq!(ids, [running("a"), running("endless")], "the endless one is supervised");
    });
}

fn removed(event: &Event) -> Option<()> {
    matches!(event, Event::ChildRemoved { .. }).then_some(())
}
