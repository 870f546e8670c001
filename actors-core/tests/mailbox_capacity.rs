//! Bounded mailboxes: what does not fit comes back, or waits.

mod common;

use std::time::Duration;

use actors_core::{
    Actor, BoxFuture, CallError, Context, ExitReason, Handler, Link, Message, ReplyTo, SendError,
    System,
};
use common::{Record, Recorded, Recorder, everywhere, real_hosts};
use crossbeam_channel::{Sender, unbounded};
use futures_lite::future::poll_once;

/// Keeps the recorder busy until the gate opens.
struct Hold(BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(gate): Hold, _cx: &mut Context<Self>) {
        let _ = gate.await;
    }
}

/// The gate, once the actor waits before it.
async fn hold(actor: &Link<Recorder>) -> ReplyTo<()> {
    let (gate, opened) = ReplyTo::channel();
    let (entered, inside) = ReplyTo::channel();
    let first = async move {
        entered.answer(());
        opened.await
    };
    actor.send_wait(Hold(Box::pin(first)), LONG).await.unwrap();
    inside.await.unwrap();
    gate
}

const LONG: Duration = Duration::from_secs(3600);
const SHORT: Duration = Duration::from_millis(20);

/// A full mailbox gives messages and questions back; signals pass it.
#[test]
fn core_15_what_does_not_fit_comes_back() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 3);
        let gate = hold(&actor).await;
        for n in 0..3 {
            actor.send(Record(n)).unwrap();
        }
        assert_eq!(actor.info().mailbox_len, 3);
        let Err(SendError::Full(Record(3))) = actor.send(Record(3)) else {
            panic!("there is no room")
        };
        assert_eq!(actor.call(Recorded).await, Err(CallError::Full));
        let Err(SendError::Full(Record(4))) = actor.send_wait(Record(4), SHORT).await else {
            panic!("nothing made room")
        };
        let down = actor.down();
        actor.stop(ExitReason::Shutdown);
        gate.answer(());
        assert_eq!(down.await.reason, ExitReason::Shutdown);
    });
}

/// A sender that waits comes in when there is room, and its messages keep their order.
#[test]
fn core_15_a_sender_waits_for_room() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 4);
        let gate = hold(&actor).await;
        let sender = actor.clone();
        let (done, waited) = ReplyTo::channel();
        system.spawn_task(async move {
            for n in 0..200 {
                sender.send_wait(Record(n), LONG).await.unwrap();
            }
            done.answer(());
        });
        gate.answer(());
        waited.await.unwrap();
        let seen = loop {
            match actor.call(Recorded).await {
                Err(CallError::Full) => actor.send_wait(Record(999), LONG).await.unwrap(),
                seen => break seen.unwrap(),
            }
        };
        let seen: Vec<_> = seen.into_iter().filter(|n| *n != 999).collect();
        assert_eq!(seen, (0..200).collect::<Vec<_>>());
    });
}

/// Whoever waits for room in the mailbox of an actor that dies hears of it.
#[test]
fn core_15_waiting_ends_with_the_actor() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 1);
        let _gate = hold(&actor).await;
        actor.send(Record(0)).unwrap();
        let mut waiting = Box::pin(actor.send_wait(Record(1), LONG));
        assert!(poll_once(&mut waiting).await.is_none(), "there is no room");
        actor.kill();
        let refused = waiting.await;
        assert!(matches!(refused, Err(SendError::Closed(Record(1)))), "{refused:?}");
    });
}

/// Fills the mailbox of its peer, and writes down what it handles itself.
struct Filler(Sender<u32>);

impl Actor for Filler {}

struct Fill {
    peer: Link<Filler>,
    entered: ReplyTo<()>,
    go_on: BoxFuture<'static, Result<(), CallError>>,
}

impl Message for Fill {
    /// Whether there was room for one more in time.
    type Reply = bool;
}

impl Handler<Fill> for Filler {
    async fn handle(&mut self, fill: Fill, _cx: &mut Context<Self>) -> bool {
        fill.entered.answer(());
        fill.go_on.await.unwrap();
        for n in 0..2 {
            fill.peer.send(Record(n)).unwrap();
        }
        match fill.peer.send_wait(Record(2), SHORT).await {
            Ok(()) => true,
            Err(SendError::Full(Record(2))) => false,
            Err(error) => panic!("{error:?}"),
        }
    }
}

impl Handler<Record> for Filler {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        self.0.send(n).unwrap();
    }
}

/// Two actors that wait for room at each other: the first to give up gets its message back, both go on,
/// and each handles what it has accepted.
#[test]
fn core_15_mutual_back_pressure_ends() {
    everywhere(|system| async move {
        let (log_a, seen_a) = unbounded();
        let (log_b, seen_b) = unbounded();
        let a = system.spawn_bounded(Filler(log_a), 2);
        let b = system.spawn_bounded(Filler(log_b), 2);
        let (mut gates, mut waits) = (Vec::new(), Vec::new());
        for (filler, peer) in [(&a, &b), (&b, &a)] {
            let (gate, go_on) = ReplyTo::channel();
            let (entered, inside) = ReplyTo::channel();
            waits.push(filler.call(Fill { peer: peer.clone(), entered, go_on }).forever());
            inside.await.unwrap();
            gates.push(gate);
        }
        gates.into_iter().for_each(|gate| gate.answer(()));
        let mut had_room = Vec::new();
        for wait in waits {
            had_room.push(wait.await.unwrap());
        }
        assert_ne!(had_room, [true, true], "the first to end has found no room");
        for (peer, seen, had_room) in [(b, seen_b, had_room[0]), (a, seen_a, had_room[1])] {
            let down = peer.down();
            peer.stop(ExitReason::Normal);
            down.await;
            let expected: &[u32] = if had_room { &[0, 1, 2] } else { &[0, 1] };
            assert_eq!(seen.try_iter().collect::<Vec<_>>(), expected);
        }
    });
}

/// On a thread that drives actors a blocking send is refused; elsewhere it waits.
#[test]
fn core_42_a_blocking_send_is_refused_inside_actors() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 1);
        let (done, answer) = ReplyTo::channel();
        let link = actor.clone();
        system.spawn_task(async move {
            let refused = link.send_blocking(Record(1), SHORT);
            done.answer(matches!(refused, Err(SendError::WouldBlock(Record(1)))));
        });
        assert_eq!(answer.await, Ok(true));
    });
}

/// A recipient waits for room like a link, asks, and is refused where it could deadlock.
#[test]
fn core_15_core_42_a_recipient_waits_for_room() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 1);
        let recipient = actor.recipient::<Record>();
        let gate = hold(&actor).await;
        recipient.send_wait(Record(0), SHORT).await.unwrap();
        let refused = recipient.send_wait(Record(1), Duration::ZERO).await;
        assert!(matches!(refused, Err(SendError::Full(Record(1)))));
        let mut waiting = Box::pin(recipient.send_wait(Record(1), LONG));
        assert!(poll_once(&mut waiting).await.is_none());
        gate.answer(());
        waiting.await.unwrap();
        let (done, inside) = ReplyTo::channel();
        system.spawn_task(async move {
            let sent = recipient.send_blocking(Record(2), SHORT);
            let called = recipient.call_blocking(Record(2), SHORT);
            done.answer(
                matches!(sent, Err(SendError::WouldBlock(Record(2))))
                    && called == Err(CallError::WouldBlock),
            );
        });
        assert_eq!(inside.await, Ok(true));
    });
}

/// From a plain thread it blocks until there is room.
#[test]
fn core_15_a_blocking_send_waits_for_room() {
    for (_, host) in real_hosts() {
        let system = System::builder().host(host).build();
        let actor = system.spawn_bounded(Recorder::default(), 1);
        let recipient = actor.recipient::<Record>();
        for n in 0..50 {
            match n % 2 {
                0 => actor.send_blocking(Record(n), LONG).unwrap(),
                _ => recipient.send_blocking(Record(n), LONG).unwrap(),
            }
        }
        let down = actor.down();
        let gate = system.block_on(hold(&actor));
        let full = recipient.send_blocking(Record(50), Duration::ZERO);
        assert!(full.is_ok(), "one may wait");
        let full = recipient.send_blocking(Record(51), Duration::ZERO);
        assert!(matches!(full, Err(SendError::Full(Record(51)))));
        gate.answer(());
        drop((actor, recipient));
        assert_eq!(system.block_on(down).reason, ExitReason::Normal);
    }
}
