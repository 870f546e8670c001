//! Bounded mailboxes: what does not fit comes back, or waits.

mod common;

use std::time::Duration;

use actors_core::{
    Actor, BoxFuture, CallError, Context, ExitReason, Handler, Link, Message, ReplyTo, SendError,
};
use common::{Record, Recorded, Recorder, everywhere};

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
    actor.send(Hold(Box::pin(first))).unwrap();
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
        let sender = actor.clone();
        let (done, waited) = ReplyTo::channel();
        system.spawn_task(async move {
            let refused = sender.send_wait(Record(1), LONG).await;
            done.answer(matches!(refused, Err(SendError::Closed(Record(1)))));
        });
        system.host().clock.sleep(SHORT).await;
        actor.kill();
        assert_eq!(waited.await, Ok(true));
    });
}

/// Fills the mailbox of its peer.
struct Filler {
    peer: Option<Link<Self>>,
    full: u32,
}

impl Actor for Filler {}

struct Fill(Option<Link<Filler>>);

impl Message for Fill {
    type Reply = ();
}

struct Drop;

impl Message for Drop {
    type Reply = ();
}

struct HowOften;

impl Message for HowOften {
    type Reply = u32;
}

impl Handler<Fill> for Filler {
    async fn handle(&mut self, Fill(peer): Fill, _cx: &mut Context<Self>) {
        self.peer = peer;
        let Some(peer) = &self.peer else { return };
        for _ in 0..10 {
            if let Err(SendError::Full(Drop)) = peer.send_wait(Drop, SHORT).await {
                self.full += 1;
            }
        }
    }
}

impl Handler<Drop> for Filler {
    async fn handle(&mut self, _: Drop, _cx: &mut Context<Self>) {}
}

impl Handler<HowOften> for Filler {
    async fn handle(&mut self, _: HowOften, _cx: &mut Context<Self>) -> u32 {
        self.full
    }
}

/// Two actors that wait for room at each other get their messages back, and go on.
#[test]
fn core_15_mutual_back_pressure_ends() {
    everywhere(|system| async move {
        let pair: [_; 2] =
            std::array::from_fn(|_| system.spawn_bounded(Filler { peer: None, full: 0 }, 2));
        pair[0].send(Fill(Some(pair[1].clone()))).unwrap();
        pair[1].send(Fill(Some(pair[0].clone()))).unwrap();
        for filler in &pair {
            let full = loop {
                match filler.call(HowOften).forever().await {
                    Err(CallError::Full) => system.host().clock.sleep(SHORT).await,
                    full => break full.unwrap(),
                }
            };
            assert!(full <= 10, "{full}");
            filler.send_wait(Fill(None), LONG).await.unwrap();
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
