//! An address over the lives of its actor, and groups that restart together.

mod common;

use std::sync::Arc;

use actors_core::{
    DeadLetterCause, ExitReason, GroupEpoch, GroupId, StartError, Status, System,
    supervision::{ChildExit, Seat},
};
use common::{Crash, Record, Recorded, Recorder, everywhere};
use crossbeam_channel::{Receiver, unbounded};

fn reserve(system: &System) -> (Seat<Recorder>, Receiver<ChildExit>) {
    let (tx, rx) = unbounded();
    (system.reserve(Arc::new(move |exit| drop(tx.send(exit)))), rx)
}

/// Every copy of a link reaches the restarted actor, queued messages stay in order, the incarnation
/// counts, the identity stays.
#[test]
fn core_35_an_address_survives_restart() {
    everywhere(|system| async move {
        let (seat, exits) = reserve(&system);
        let (link, copy) = (seat.link(), seat.link());
        assert_eq!(seat.start(None, |_| async { Ok(Recorder::default()) }).await, Ok(1));
        let again = seat.start(None, |_| async { Ok(Recorder::default()) }).await;
        assert_eq!(again, Err(StartError::AlreadyRunning));

        let down = link.down();
        link.send(Record(1)).unwrap();
        link.send(Crash).unwrap();
        link.send(Record(2)).unwrap();
        let reason = down.await.reason;
        let exit = exits.try_recv().unwrap();
        assert_eq!((exit.actor, exit.incarnation, exit.reason), (link.id(), 1, reason));
        assert_eq!(link.info().status, Status::Suspended);
        copy.send(Record(3)).unwrap();

        let last = seat.start(None, |last| async { last.ok_or(StartError::NoState) });
        assert_eq!(last.await, Ok(2));
        assert_eq!(copy.call(Recorded).await, Ok(vec![1, 2, 3]));
        assert_eq!((link.info().incarnation, link.id()), (2, copy.id()));

        seat.retire(ExitReason::Shutdown);
        link.stop(ExitReason::Normal);
        copy.down().await;
        assert_eq!(exits.try_iter().count(), 0, "retired: nobody supervises it");
        assert!(matches!(link.info().status, Status::Dead(ExitReason::Normal)));
    });
}

/// A start that fails or panics leaves the address standing.
#[test]
fn core_35_a_failed_start_leaves_the_address() {
    everywhere(|system| async move {
        let (seat, exits) = reserve(&system);
        let failed = seat.start(None, |_| async { Err(StartError::failed("no luck")) }).await;
        assert_eq!(failed, Err(StartError::Failed("no luck".into())));
        let panicked = seat.start(None, |_| async { panic!("at start") }).await;
        assert!(matches!(panicked, Err(StartError::Exited(ExitReason::Panic { .. }))));
        assert_eq!(exits.try_iter().map(|exit| exit.incarnation).collect::<Vec<_>>(), [1, 2]);
        seat.link().send(Record(4)).unwrap();
        assert_eq!(seat.start(None, |_| async { Ok(Recorder::default()) }).await, Ok(3));
        assert_eq!(seat.link().call(Recorded).await, Ok(vec![4]));
    });
}

/// Nothing of a rolled-back run is handled; what a restarted peer sends early waits.
#[test]
fn frame_11_messages_of_a_rolled_back_run_are_fenced() {
    everywhere(|system| async move {
        let epoch = |restart| Some(GroupEpoch { group: GroupId(1), restart });
        let (sender, _) = reserve(&system);
        let (receiver, _) = reserve(&system);
        let to = receiver.link();
        let forward = |n: u32, to: actors_core::Link<Recorder>| {
            move |_: &mut Recorder| to.send(Record(n)).unwrap()
        };
        let letters = system.dead_letters();
        sender.start(epoch(0), |_| async { Ok(Recorder::default()) }).await.unwrap();
        sender.link().exec(forward(1, to.clone())).await.unwrap();
        let down = sender.link().down();
        sender.link().kill();
        down.await;
        sender.start(epoch(1), |_| async { Ok(Recorder::default()) }).await.unwrap();
        sender.link().exec(forward(2, to.clone())).await.unwrap();

        receiver.start(epoch(0), |_| async { Ok(Recorder::default()) }).await.unwrap();
        assert_eq!(to.call(Recorded).await, Ok(vec![1]), "the newer message waits");
        let down = to.down();
        to.kill();
        down.await;
        sender.link().exec(forward(3, to.clone())).await.unwrap();
        receiver.start(epoch(1), |_| async { Ok(Recorder::default()) }).await.unwrap();
        assert_eq!(to.call(Recorded).await, Ok(vec![2, 3]));

        to.erase().set_group(epoch(2));
        sender.link().exec(forward(4, to.clone())).await.unwrap();
        assert_eq!(to.call(Recorded).await, Ok(vec![2, 3]));
        let fenced = letters.try_iter().filter(|l| l.cause == DeadLetterCause::Fenced).count();
        assert_eq!(fenced, 1);
    });
}
