//! An address over the lives of its actor, and groups that restart together.

mod common;

use std::{sync::Arc, time::Duration};

use actors_core::{
    DeadLetterCause, ExitReason, GroupEpoch, GroupId, SendError, StartError, Status, System,
    supervision::{ChildExit, Seat},
};
use common::{Crash, Record, Recorded, Recorder, everywhere};
use crossbeam_channel::{Receiver, unbounded};
use futures_lite::future::poll_once;

const LONG: Duration = Duration::from_secs(3600);

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

/// The bound of a mailbox is that of the address: what waits between two lives counts, a crash makes room
/// for who waits, and retirement gives the message back.
#[test]
fn core_35_core_15_a_bound_holds_over_lives() {
    everywhere(|system| async move {
        let seat: Seat<Recorder> = system.reserve_bounded(4, Arc::new(|_: ChildExit| {}));
        let link = seat.link();
        for n in 0..3 {
            link.send(Record(n)).unwrap();
        }
        link.send(Crash).unwrap();
        assert_eq!(link.info().mailbox_len, 4);
        assert!(
            matches!(link.send(Record(4)), Err(SendError::Full(Record(4)))),
            "before its start"
        );

        let down = link.down();
        assert_eq!(seat.start(None, |_| async { Ok(Recorder::default()) }).await, Ok(1));
        down.await;
        for n in 4..8 {
            link.send(Record(n)).unwrap();
        }
        assert!(
            matches!(link.send(Record(8)), Err(SendError::Full(Record(8)))),
            "between two lives"
        );
        let mut waiting = Box::pin(link.send_wait(Record(8), LONG));
        assert!(poll_once(&mut waiting).await.is_none());
        let last = seat.start(None, |last| async { last.ok_or(StartError::NoState) });
        assert_eq!(last.await, Ok(2));
        waiting.await.unwrap();
        let down = link.down();
        link.stop(ExitReason::Normal);
        down.await;
        let (tx, left) = unbounded();
        let next = seat.start(None, move |last| async move {
            drop(tx.send(last));
            Err(StartError::NoState)
        });
        assert_eq!(next.await, Err(StartError::NoState));
        let left = left.recv().unwrap().expect("the last life has left its state");
        assert_eq!(left.0, [0, 1, 2, 4, 5, 6, 7, 8]);
    });
}

/// Who waits for room hears of a life that ends, and of the address that does.
#[test]
fn core_15_waiting_for_room_goes_on_between_two_lives() {
    everywhere(|system| async move {
        let seat: Seat<Recorder> = system.reserve_bounded(4, Arc::new(|_: ChildExit| {}));
        let link = seat.link();
        link.send(Crash).unwrap();
        for n in 1..4 {
            link.send(Record(n)).unwrap();
        }
        let mut waiting = Box::pin(link.send_wait(Record(4), LONG));
        assert!(poll_once(&mut waiting).await.is_none());
        let down = link.down();
        assert_eq!(seat.start(None, |_| async { Ok(Recorder::default()) }).await, Ok(1));
        down.await;
        waiting.await.unwrap();
        assert_eq!((link.info().status, link.info().mailbox_len), (Status::Suspended, 4));

        let mut waiting = Box::pin(link.send_wait(Record(5), LONG));
        assert!(poll_once(&mut waiting).await.is_none());
        seat.retire(ExitReason::Shutdown);
        assert!(matches!(waiting.await, Err(SendError::Closed(Record(5)))));
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
