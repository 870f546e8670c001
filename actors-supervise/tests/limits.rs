//! Too many failures end the supervisor; failed starts count.

#[path = "blocking/mod.rs"]
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
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a", "b", "c"], &diary).limit(limit(3)));
    let down = run.supervisor.link().down();
    let b = run.link("b");
    for _ in 0..3 {
        b.send(Crash).unwrap();
        run.restarted();
    }
    diary.read();
    b.send(Crash).unwrap();
    let exceeded = run.wait("limit", |event| match event {
        Event::LimitExceeded { id, reason } => Some((id.clone(), reason.clone())),
        _ => None,
    });
    assert_eq!(exceeded.0.as_deref(), Some("b"));
    assert!(matches!(exceeded.1, ExitReason::Panic { .. }));
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
    assert_eq!(diary.read(), ["-b", "-c", "-a"]);
    assert!(b.send(Add(1)).is_err(), "its address is gone");
}

#[test]
fn sup_11_zero_shuts_down_at_the_first_failure() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary).limit(limit(0)));
    let down = run.supervisor.link().down();
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
    assert_eq!(diary.read(), ["+a", "-a"]);
}

#[test]
fn sup_11_the_limit_is_of_the_supervisor_not_of_a_child() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a", "b"], &diary).limit(limit(1)));
    let down = run.supervisor.link().down();
    run.link("a").send(Crash).unwrap();
    run.restarted();
    run.link("b").send(Crash).unwrap();
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
}

#[test]
fn sup_11_spaced_failures_never_trip() {
    let diary = Diary::new();
    let period = Duration::from_nanos(1);
    let limit = Limit { max_restarts: 1, period };
    let run = start(tree(Strategy::OneForOne, &["a"], &diary).limit(limit));
    for life in 1..50 {
        assert_eq!(run.started("a"), life);
        run.link("a").send(Crash).unwrap();
    }
}

#[test]
fn sup_11_a_kill_by_hand_and_a_normal_end_do_not_count() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary).limit(limit(0)));
    for _ in 0..5 {
        run.system.block_on(run.supervisor.stop_child("a")).unwrap();
        run.system.block_on(run.supervisor.restart_child("a")).unwrap();
    }
    run.link("a").send(End(ExitReason::Normal)).unwrap();
    run.wait("the normal end", |event| match event {
        Event::ChildExited { reason: ExitReason::Normal, .. } => Some(()),
        _ => None,
    });
    assert_eq!(run.status("a"), Some(ChildStatus::Stopped));
}

#[test]
fn sup_12_failed_starts_are_retried_and_counted() {
    let diary = Diary::new();
    let failures = Arc::new(AtomicU32::new(0));
    let spec = faulty("a", &diary, &failures);
    let run = start(Supervisor::builder(Strategy::OneForOne).limit(limit(3)).child(spec));
    diary.read();
    failures.store(2, Ordering::SeqCst);
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.restarted(), ["a"], "the crash and two failed starts make three");
    assert_eq!(diary.read(), ["-a", "!a", "!a", "+a"]);

    let down = run.supervisor.link().down();
    failures.store(u32::MAX, Ordering::SeqCst);
    run.link("a").send(Crash).unwrap();
    assert_eq!(run.system.block_on(down).reason, ExitReason::Shutdown);
}

#[test]
fn sup_12_commands_are_served_while_a_child_restarts() {
    let diary = Diary::new();
    let (hold, held) = crossbeam_channel::bounded::<()>(0);
    let starts = AtomicU32::new(0);
    let lines = diary.clone();
    let slow = ChildSpec::fallible("slow", move || {
        let first = starts.fetch_add(1, Ordering::SeqCst) == 0;
        let made = Worker::new("slow", &lines);
        let held = held.clone();
        async move {
            if !first {
                made_slowly(&held).await;
            }
            Ok(made)
        }
    });
    let builder = Supervisor::builder(Strategy::OneForOne).child(slow).child(worker("b", &diary));
    let run = start(builder);
    run.link("slow").send(Crash).unwrap();
    run.wait("round", |event| match event {
        Event::RoundStarted { children, .. } if children == &["slow"] => Some(()),
        _ => None,
    });
    assert_eq!(run.status("slow"), Some(ChildStatus::Restarting));
    let counts = run.system.block_on(run.supervisor.count_children()).unwrap();
    assert_eq!((counts.specs, counts.workers), (2, 2));
    let restart = run.system.block_on(run.supervisor.restart_child("slow"));
    assert_eq!(restart, Err(ChildError::Restarting("slow".into())));
    let delete = run.system.block_on(run.supervisor.delete_child("slow"));
    assert_eq!(delete, Err(ChildError::Restarting("slow".into())));
    run.system.block_on(run.supervisor.stop_child("b")).unwrap();
    assert_eq!(run.status("b"), Some(ChildStatus::Stopped));
    run.system.block_on(run.supervisor.terminate_child("slow")).unwrap();
    assert_eq!(run.status("slow"), None);
    drop(hold);
}

/// Goes on when the other end of the channel is dropped.
async fn made_slowly(held: &crossbeam_channel::Receiver<()>) {
    while held.try_recv() != Err(crossbeam_channel::TryRecvError::Disconnected) {
        futures_lite::future::yield_now().await;
    }
}

#[test]
fn sup_15_the_kth_initial_start_fails_and_the_earlier_ones_are_stopped_in_reverse() {
    let diary = Diary::new();
    let always = Arc::new(AtomicU32::new(u32::MAX));
    let builder = tree(Strategy::OneForOne, &["a", "b"], &diary)
        .child(faulty("c", &diary, &always))
        .child(worker("d", &diary));
    let system = actors_core::System::new();
    let error = system.block_on(builder.start(&system)).unwrap_err();
    let expected =
        SupervisorError::Start { child: "c".into(), error: StartError::failed("not yet") };
    assert_eq!(error, expected);
    assert_eq!(diary.read(), ["+a", "+b", "!c", "-b", "-a"]);
}

#[test]
fn sup_14_a_child_that_never_starts_again_escalates_and_the_static_subtree_is_rebuilt() {
    let diary = Diary::new();
    let failures = Arc::new(AtomicU32::new(0));
    let below = Supervisor::builder(Strategy::OneForOne)
        .limit(limit(2))
        .child(faulty("a", &diary, &failures))
        .child(worker("b", &diary));
    let run = start(
        Supervisor::builder(Strategy::OneForOne).child(ChildSpec::supervisor("below", below)),
    );
    let below = run.system.block_on(run.supervisor.supervisor("below")).unwrap();
    let a = run.system.block_on(below.child::<Worker>("a")).unwrap();
    let b = run.system.block_on(below.child::<Worker>("b")).unwrap();
    let c = run.system.block_on(below.start_actor(worker("c", &diary))).unwrap();
    diary.read();
    // The crash and two failed starts are one more than two.
    failures.store(2, Ordering::SeqCst);
    a.send(Crash).unwrap();
    assert_eq!(run.exited("below"), ExitReason::Shutdown);
    assert_eq!(run.started("below"), 2);
    assert_eq!(diary.read(), ["-a", "!a", "!a", "-c", "-b", "+a", "+b"]);
    assert_eq!(run.call(&a, Add(1)), 1, "the same address");
    assert_eq!(run.call(&b, Add(1)), 1);
    assert!(c.send(Add(1)).is_err());
    let ids = run.system.block_on(below.which_children()).unwrap();
    assert_eq!(ids.iter().map(|info| &*info.id).collect::<Vec<_>>(), ["a", "b"]);
}

#[test]
fn sup_11_a_limit_that_is_passed_while_the_supervisor_starts_fails_the_start() {
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
    let system = actors_core::System::new();
    let failed = std::thread::scope(|scope| {
        let starting = scope.spawn(|| system.block_on(builder.start(&system)));
        diary.wait("starting");
        system.whereis::<Worker>("a").unwrap().send(Crash).unwrap();
        starting.join().unwrap()
    });
    let shutdown = SupervisorError::Ended(actors_core::CallError::Died(ExitReason::Shutdown));
    assert_eq!(failed.unwrap_err(), shutdown);
}
