//! Which end is followed by a restart.

mod common;

use std::time::Duration;

use actors_core::ExitReason;
use actors_supervise::{
    ChildSpec, ChildStatus, Event,
    RestartPolicy::{self, *},
    Strategy, Supervisor,
};
use common::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Restarted,
    Kept,
    Removed,
}
use Then::*;

/// The table of docs/semantics/supervise.md: a policy, what follows an orderly end, and any other one.
const TABLE: [(RestartPolicy, Then, Then); 3] = [
    (Permanent, Restarted, Restarted),
    (Transient, Kept, Restarted),
    (Temporary, Removed, Removed),
];

#[test]
fn sup_3_truth_table() {
    everywhere(|system| async move {
        let orderly =
            [ExitReason::Normal, ExitReason::Shutdown, ExitReason::ShutdownWith("done".into())];
        let other = [
            error(),
            ExitReason::Killed,
            ExitReason::TimedOut,
            ExitReason::Panic { message: "as asked".into(), during: "a test".into() },
            ExitReason::NodeFailure { node: "n".into() },
        ];
        for (policy, after_orderly, after_other) in TABLE {
            let orderly = orderly.iter().map(|reason| (reason, after_orderly));
            for (reason, then) in orderly.chain(other.iter().map(|reason| (reason, after_other))) {
                let diary = Diary::new();
                let spec = worker("a", &diary).restart(policy);
                let run =
                    start(&system, Supervisor::builder(Strategy::OneForOne).child(spec)).await;
                let link = run.link("a").await;
                assert_eq!(run.started("a").await, 1);
                link.send(End(reason.clone())).unwrap();
                assert_eq!(run.exited("a").await, *reason);
                match then {
                    Restarted => {
                        assert_eq!(run.started("a").await, 2, "{policy:?} {reason}");
                        assert_eq!(run.call(&link, Life).await, 2);
                    }
                    Kept => {
                        assert_eq!(
                            run.status("a").await,
                            Some(ChildStatus::Stopped),
                            "{policy:?} {reason}"
                        );
                    }
                    Removed => assert_eq!(run.status("a").await, None, "{policy:?} {reason}"),
                }
            }
        }
    });
}

/// The row of tasks: one that is done or late is removed, whatever its policy; one that fails is restarted,
/// unless it is temporary.
#[test]
fn sup_3_sup_27_truth_table_of_tasks() {
    everywhere(|system| async move {
        for (policy, _, after_failure) in TABLE {
            let done = ChildSpec::task("done", || std::future::ready(()));
            let late = ChildSpec::task_within(
                "late",
                Duration::from_millis(1),
                std::future::pending::<()>,
            );
            let mut starts = 0;
            let fails = ChildSpec::task("fails", move || {
                starts += 1;
                let first = starts == 1;
                async move {
                    assert!(!first, "as asked");
                    std::future::pending::<()>().await;
                }
            });
            let tasks = [done, late, fails].map(|task| task.restart(policy));
            let [done, late, fails] = tasks;
            let tasks =
                Supervisor::builder(Strategy::OneForOne).child(done).child(late).child(fails);
            let run = start(&system, tasks).await;
            let mut removed = Vec::new();
            let gone = if after_failure == Removed { 3 } else { 2 };
            while removed.len() < gone {
                removed.push(
                    run.wait("removal", |event| match event {
                        Event::ChildRemoved { id } => Some(id.clone()),
                        _ => None,
                    })
                    .await,
                );
            }
            assert!(
                removed.contains(&"done".into()) && removed.contains(&"late".into()),
                "{removed:?}"
            );
            let mut info = run.info("fails").await;
            while after_failure == Restarted && info.as_ref().unwrap().incarnation < 2 {
                futures_lite::future::yield_now().await;
                info = run.info("fails").await;
            }
            assert_eq!(info.is_none(), after_failure == Removed, "{policy:?}");
        }
    });
}

#[test]
fn sup_3_a_panic_and_a_kill_are_abnormal() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary)).await;
        let link = run.link("a").await;
        link.send(Crash).unwrap();
        assert!(matches!(run.exited("a").await, ExitReason::Panic { .. }));
        assert_eq!(run.started("a").await, 2);
        link.kill();
        assert_eq!(run.exited("a").await, ExitReason::Killed);
        assert_eq!(run.started("a").await, 3);
    });
}

#[test]
fn sup_4_a_transient_child_that_ends_normally_is_restartable_by_hand() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let run = start(&system, tree(Strategy::OneForOne, &["a"], &diary)).await;
        let link = run.link("a").await;
        link.send(End(ExitReason::Normal)).unwrap();
        run.exited("a").await;
        let info = run.supervisor.restart_child("a").await.unwrap();
        assert_eq!((info.status, info.incarnation), (ChildStatus::Running, 2));
        assert_eq!(run.call(&link, Life).await, 2);
    });
}

#[test]
fn sup_4_a_temporary_child_that_ends_is_gone_with_its_address() {
    everywhere(|system| async move {
        let diary = Diary::new();
        let spec = worker("a", &diary).restart(Temporary);
        let run = start(&system, Supervisor::builder(Strategy::OneForOne).child(spec)).await;
        let link = run.link("a").await;
        link.send(End(ExitReason::Normal)).unwrap();
        run.wait("removal", |event| {
            (*event == Event::ChildRemoved { id: "a".into() }).then_some(())
        })
        .await;
        assert!(run.which().await.is_empty());
        assert!(link.send(Add(1)).is_err());
    });
}
