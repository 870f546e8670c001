//! Adding, stopping, restarting, removing and counting children.

#[path = "blocking/mod.rs"]
mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{ExitReason, System};
use actors_supervise::{
    ChildError, ChildKind, ChildSpec, ChildStatus, Counts, Event, Limit, RestartPolicy, SpecError,
    Strategy, Supervisor, SupervisorError,
};
use common::*;

#[test]
fn sup_1_a_new_supervisor_is_one_for_one_3_in_5_s_and_empty() {
    assert_eq!(Strategy::default(), Strategy::OneForOne);
    assert_eq!(Limit::default(), Limit { max_restarts: 3, period: Duration::from_secs(5) });
    let run = start(Supervisor::builder(Strategy::default()));
    assert!(run.which().is_empty());
    assert_eq!(run.system.block_on(run.supervisor.count_children()), Ok(Counts::default()));
}

#[test]
fn sup_1_sup_24_wrong_specs_are_rejected_with_what_is_wrong() {
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
        (empty().limit(Limit { max_restarts: 1, period: Duration::ZERO }), SpecError::ZeroPeriod),
        (empty().max_parallel_starts(0), SpecError::ZeroStarts),
        (empty().child(ChildSpec::supervisor("below", bad_below)), SpecError::EmptyId),
    ];
    let system = System::new();
    for (builder, wrong) in rows {
        let error = system.block_on(builder.start(&system)).unwrap_err();
        assert_eq!(error, SupervisorError::Spec(wrong));
    }
    assert!(diary.read().is_empty(), "nothing was started");
}

#[test]
fn sup_2_an_added_child_is_transient_and_terminate_removes_it() {
    let diary = Diary::new();
    let run = start(Supervisor::builder(Strategy::OneForOne));
    let link = run.system.block_on(run.supervisor.start_actor(worker("a", &diary))).unwrap();
    link.send(Crash).unwrap();
    assert_eq!(run.started("a"), 1);
    assert_eq!(run.started("a"), 2);
    run.system.block_on(run.supervisor.terminate_child("a")).unwrap();
    assert!(run.which().is_empty());
    assert!(link.send(Add(1)).is_err());
    assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
    assert_eq!(run.system.block_on(run.supervisor.terminate_child("a")), Ok(()), "twice is fine");
}

#[test]
fn sup_2_unsupervise_leaves_the_child_running() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary));
    let a = run.link("a");
    let link = run.system.block_on(run.supervisor.unsupervise("a")).unwrap();
    assert_eq!(link, Some(a.erase()));
    assert!(run.which().is_empty());
    run.system.block_on(run.supervisor.shutdown(ExitReason::Shutdown));
    assert_eq!(run.call(&a, Add(2)), 2);
    let down = a.down();
    a.send(Crash).unwrap();
    run.system.block_on(down);
    assert!(a.send(Add(1)).is_err(), "nobody restarts it");
}

#[test]
fn sup_19_ids_are_checked() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary));
    let ask = |f: &dyn Fn() -> actors_core::BoxFuture<'static, Result<(), ChildError>>| {
        run.system.block_on(f())
    };
    let add = || {
        let (supervisor, spec) = (run.supervisor.clone(), worker("a", &diary));
        run.system.block_on(async move { supervisor.start_child(spec).await.map(|_| ()) })
    };
    let supervisor = run.supervisor.clone();
    let restart = |id: &'static str| {
        let supervisor = supervisor.clone();
        ask(&move || {
            let supervisor = supervisor.clone();
            Box::pin(async move { supervisor.restart_child(id).await.map(|_| ()) })
        })
    };
    let delete = |id: &str| run.system.block_on(run.supervisor.delete_child(id));
    let stop = |id: &str| run.system.block_on(run.supervisor.stop_child(id));

    assert_eq!(add(), Err(ChildError::AlreadyStarted("a".into())));
    assert_eq!(restart("a"), Err(ChildError::Running("a".into())));
    assert_eq!(delete("a"), Err(ChildError::Running("a".into())));
    assert_eq!(stop("a"), Ok(()));
    assert_eq!(stop("a"), Ok(()), "stopping twice is fine");
    assert_eq!(add(), Err(ChildError::AlreadyPresent("a".into())));
    assert_eq!(restart("a"), Ok(()));
    assert_eq!(stop("a"), Ok(()));
    assert_eq!(delete("a"), Ok(()));
    for unknown in [delete("a"), restart("a"), stop("a")] {
        assert_eq!(unknown, Err(ChildError::NotFound("a".into())));
    }
    assert_eq!(diary.read(), ["+a", "-a", "+a", "-a"]);
}

#[test]
fn sup_21_a_name_that_is_taken_changes_nothing() {
    let diary = Diary::new();
    let run = start(Supervisor::builder(Strategy::OneForOne).child(worker("a", &diary).name("w")));
    let second = run.supervisor.start_child(worker("b", &diary).name("w"));
    let second = run.system.block_on(second);
    assert!(matches!(second, Err(ChildError::Start { child, .. }) if child == "b"));
    assert_eq!(run.which().len(), 1);
    assert_eq!(run.system.whereis("w"), Ok(run.link("a")));
}

#[test]
fn sup_19_an_added_child_that_does_not_start_is_not_kept() {
    let diary = Diary::new();
    let always = Arc::new(AtomicU32::new(u32::MAX));
    let run = start(Supervisor::builder(Strategy::OneForOne));
    let added = run.system.block_on(run.supervisor.start_child(faulty("a", &diary, &always)));
    assert!(matches!(added, Err(ChildError::Start { child, .. }) if child == "a"));
    assert!(run.which().is_empty());
}

#[test]
fn sup_12_one_restarted_by_hand_that_does_not_start_stays_present() {
    let diary = Diary::new();
    let failures = Arc::new(AtomicU32::new(0));
    let spec = faulty("a", &diary, &failures);
    let run = start(Supervisor::builder(Strategy::OneForOne).child(spec));
    run.system.block_on(run.supervisor.stop_child("a")).unwrap();
    failures.store(1, Ordering::SeqCst);
    let restarted = run.system.block_on(run.supervisor.restart_child("a"));
    assert!(matches!(restarted, Err(ChildError::Start { .. })), "{restarted:?}");
    assert_eq!(run.status("a"), Some(ChildStatus::Stopped));
    run.system.block_on(run.supervisor.restart_child("a")).unwrap();
}

#[test]
fn sup_22_counts_are_right() {
    let diary = Diary::new();
    let below = tree(Strategy::OneForOne, &["x"], &diary);
    let builder = tree(Strategy::OneForOne, &["a", "b"], &diary)
        .child(ChildSpec::supervisor("below", below))
        .child(ChildSpec::task("task", std::future::pending));
    let run = start(builder);
    let count = || run.system.block_on(run.supervisor.count_children()).unwrap();
    let all = Counts { specs: 4, active: 4, supervisors: 1, workers: 2, tasks: 1 };
    assert_eq!(count(), all);
    run.system.block_on(run.supervisor.stop_child("a")).unwrap();
    assert_eq!(count(), Counts { active: 3, ..all });
    let info = run.info("a").unwrap();
    assert_eq!((info.status, info.kind), (ChildStatus::Stopped, ChildKind::Worker));
    assert_eq!(info.link.unwrap().info().status, actors_core::Status::Suspended);
}

#[test]
fn sup_18_sup_28_a_child_that_crashes_at_once_is_handled_as_a_child() {
    let diary = Diary::new();
    let run = start(Supervisor::builder(Strategy::OneForOne));
    let link = run.system.block_on(run.supervisor.start_actor(worker("a", &diary))).unwrap();
    link.kill();
    assert_eq!(run.exited("a"), ExitReason::Killed);
    assert_eq!(run.started("a"), 2);
    // Its end and the order to terminate it cross.
    link.kill();
    run.system.block_on(run.supervisor.terminate_child("a")).unwrap();
    assert!(run.which().is_empty());
}

#[test]
fn sup_27_a_task_that_is_done_is_removed() {
    let diary = Diary::new();
    let run = start(Supervisor::builder(Strategy::OneForOne));
    let lines = diary.clone();
    let task = ChildSpec::task("task", move || {
        lines.write("ran");
        async {}
    });
    run.system.block_on(run.supervisor.start_child(task)).unwrap();
    assert_eq!(run.exited("task"), ExitReason::Normal);
    run.wait("removal", removed);
    assert!(run.which().is_empty());
    assert_eq!(diary.read(), ["ran"]);
}

#[test]
fn sup_27_a_task_that_panics_is_restarted() {
    let run = start(Supervisor::builder(Strategy::OneForOne));
    let tries = AtomicU32::new(0);
    let task = ChildSpec::task("task", move || {
        let first = tries.fetch_add(1, Ordering::SeqCst) == 0;
        async move { assert!(!first, "as asked") }
    });
    run.system.block_on(run.supervisor.start_child(task)).unwrap();
    assert!(matches!(run.exited("task"), ExitReason::Panic { .. }));
    assert_eq!(run.started("task"), 2);
    assert_eq!(run.exited("task"), ExitReason::Normal);
}

#[test]
fn sup_27_a_task_that_takes_too_long_is_removed_and_the_supervisor_never_blocks() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary));
    let endless = ChildSpec::task("endless", std::future::pending);
    run.system.block_on(run.supervisor.start_child(endless)).unwrap();
    let late = ChildSpec::task_within("late", Duration::from_millis(1), std::future::pending);
    run.system.block_on(run.supervisor.start_child(late)).unwrap();
    assert_eq!(run.exited("late"), ExitReason::TimedOut);
    run.wait("removal", removed);
    let ids: Vec<_> = run.which().into_iter().map(|info| (info.id, info.status)).collect();
    let running = |id: &str| (id.to_owned(), ChildStatus::Running);
    assert_eq!(ids, [running("a"), running("endless")], "the endless one is supervised");
}

fn removed(event: &Event) -> Option<()> {
    matches!(event, Event::ChildRemoved { .. }).then_some(())
}
