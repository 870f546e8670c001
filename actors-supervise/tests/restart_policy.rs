//! Which end is followed by a restart.

mod common;

use actors_core::ExitReason;
use actors_supervise::{ChildStatus, Event, RestartPolicy::*, Strategy, Supervisor};
use common::*;

#[derive(Clone, Copy, Debug, PartialEq)]
enum Then {
    Restarted,
    Kept,
    Removed,
}
use Then::*;

#[test]
fn sup_3_truth_table() {
    let normal = || ExitReason::Normal;
    let shutdown = || ExitReason::Shutdown;
    let with = || ExitReason::ShutdownWith("done".into());
    let rows = [
        (Permanent, normal(), Restarted),
        (Permanent, shutdown(), Restarted),
        (Permanent, with(), Restarted),
        (Permanent, error(), Restarted),
        (Permanent, ExitReason::Killed, Restarted),
        (Transient, normal(), Kept),
        (Transient, shutdown(), Kept),
        (Transient, with(), Kept),
        (Transient, error(), Restarted),
        (Transient, ExitReason::Killed, Restarted),
        (Temporary, normal(), Removed),
        (Temporary, shutdown(), Removed),
        (Temporary, with(), Removed),
        (Temporary, error(), Removed),
        (Temporary, ExitReason::Killed, Removed),
    ];
    for (policy, reason, then) in rows {
        let diary = Diary::new();
        let spec = worker("a", &diary).restart(policy);
        let run = start(Supervisor::builder(Strategy::OneForOne).child(spec));
        let link = run.link("a");
        assert_eq!(run.started("a"), 1);
        link.send(End(reason.clone())).unwrap();
        assert_eq!(run.exited("a"), reason);
        match then {
            Restarted => {
                assert_eq!(run.started("a"), 2, "{policy:?} {reason}");
                assert_eq!(run.call(&link, Life), 2);
            }
            Kept => assert_eq!(run.status("a"), Some(ChildStatus::Stopped), "{policy:?} {reason}"),
            Removed => assert_eq!(run.status("a"), None, "{policy:?} {reason}"),
        }
    }
}

#[test]
fn sup_3_a_panic_and_a_kill_are_abnormal() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary));
    let link = run.link("a");
    link.send(Crash).unwrap();
    assert!(matches!(run.exited("a"), ExitReason::Panic { .. }));
    assert_eq!(run.started("a"), 2);
    link.kill();
    assert_eq!(run.exited("a"), ExitReason::Killed);
    assert_eq!(run.started("a"), 3);
}

#[test]
fn sup_4_a_transient_child_that_ends_normally_is_restartable_by_hand() {
    let diary = Diary::new();
    let run = start(tree(Strategy::OneForOne, &["a"], &diary));
    let link = run.link("a");
    link.send(End(ExitReason::Normal)).unwrap();
    run.exited("a");
    let info = run.system.block_on(run.supervisor.restart_child("a")).unwrap();
    assert_eq!((info.status, info.incarnation), (ChildStatus::Running, 2));
    assert_eq!(run.call(&link, Life), 2);
}

#[test]
fn sup_4_a_temporary_child_that_ends_is_gone_with_its_address() {
    let diary = Diary::new();
    let spec = worker("a", &diary).restart(Temporary);
    let run = start(Supervisor::builder(Strategy::OneForOne).child(spec));
    let link = run.link("a");
    link.send(End(ExitReason::Normal)).unwrap();
    run.wait("removal", |event| (*event == Event::ChildRemoved { id: "a".into() }).then_some(()));
    assert!(run.which().is_empty());
    assert!(link.send(Add(1)).is_err());
}
