//! Messages that are sent later.

mod common;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use actors_core::{BoxFuture, CallError, Context, ExitReason, Handler, Message, ReplyTo, System};
use common::{Record, Recorded, Recorder, everywhere};

const TICK: Duration = Duration::from_millis(2);

async fn recorded(system: &System, actor: &actors_core::Link<Recorder>, n: usize) -> Vec<u32> {
    loop {
        let recorded = actor.call(Recorded).await.unwrap();
        if recorded.len() >= n {
            return recorded;
        }
        system.host().clock.sleep(Duration::from_micros(100)).await;
    }
}

/// Without a delay it is sent at once, before what is sent next; else once, and not before the delay.
#[test]
fn core_12_a_message_is_sent_once_after_its_delay() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        system.send_after(&actor, Duration::ZERO, Record(1));
        actor.send(Record(2)).unwrap();
        assert_eq!(actor.call(Recorded).await, Ok(vec![1, 2]));

        let clock = system.host().clock.clone();
        let set = clock.now();
        system.send_after(&actor, 3 * TICK, Record(4));
        system.send_after(&actor, TICK, Record(3));
        assert_eq!(recorded(&system, &actor, 3).await[2], 3);
        assert!(clock.now().since(set) >= TICK);
        assert_eq!(recorded(&system, &actor, 4).await[3], 4);
        assert!(clock.now().since(set) >= 3 * TICK);
        clock.sleep(4 * TICK).await;
        assert_eq!(actor.call(Recorded).await, Ok(vec![1, 2, 3, 4]), "once each");
    });
}

/// An interval sends once a period until it is cancelled; a cancelled message is not sent.
#[test]
fn core_12_an_interval_ticks_until_it_is_cancelled() {
    everywhere(|system| async move {
        let actor = system.spawn(Recorder::default());
        let (clock, set) = (system.host().clock.clone(), system.host().clock.now());
        let never = system.send_after(&actor, TICK, Record(99));
        never.cancel();
        let ticks = system.send_interval(&actor, TICK, || Record(1));
        recorded(&system, &actor, 5).await;
        assert!(clock.now().since(set) >= 5 * TICK, "the first after one period");
        ticks.cancel();
        // One that fires at this moment may still send.
        let mut sent = Vec::new();
        loop {
            clock.sleep(5 * TICK).await;
            let before = std::mem::replace(&mut sent, actor.call(Recorded).await.unwrap());
            if before == sent {
                break;
            }
        }
        assert!(sent.iter().all(|n| *n == 1));
    });
}

/// An interval goes on over a full mailbox; what there was no room for is dropped. Recipients have timers
/// too, which keep nobody alive.
#[test]
fn core_12_core_15_an_interval_goes_on_over_a_full_mailbox() {
    everywhere(|system| async move {
        let actor = system.spawn_bounded(Recorder::default(), 1);
        let (entered, inside) = ReplyTo::channel();
        let (gate, opened) = ReplyTo::channel();
        actor.send(Hold(entered, opened)).unwrap();
        inside.await.unwrap();
        let ticked = Arc::new(AtomicU32::new(0));
        let count = ticked.clone();
        let ticks = system.send_interval(&actor.recipient::<Record>(), TICK, move || {
            Record(count.fetch_add(1, Ordering::Relaxed))
        });
        while ticked.load(Ordering::Relaxed) < 3 {
            system.host().clock.sleep(TICK).await;
        }
        gate.answer(());
        while actor.query(|recorder| recorder.0.len()).await.unwrap_or_default() < 5 {
            system.host().clock.sleep(TICK).await;
        }
        let down = actor.down();
        drop(actor);
        assert_eq!(down.await.reason, ExitReason::Normal);
        ticks.cancel();
    });
}

struct Hold(ReplyTo<()>, BoxFuture<'static, Result<(), CallError>>);

impl Message for Hold {
    type Reply = ();
}

impl Handler<Hold> for Recorder {
    async fn handle(&mut self, Hold(entered, opened): Hold, _cx: &mut Context<Self>) {
        entered.answer(());
        opened.await.unwrap();
    }
}

/// An actor's own timers.
struct Start;

impl Message for Start {
    type Reply = ();
}

impl Handler<Start> for Recorder {
    async fn handle(&mut self, _: Start, cx: &mut Context<Self>) {
        cx.send_after(TICK, Record(1));
        cx.send_interval(TICK, || Record(2));
    }
}

/// A dead target is harmless, and a timer keeps nobody alive.
#[test]
fn core_12_a_dead_target_is_harmless() {
    everywhere(|system| async move {
        let (dead, dropped) =
            (system.spawn(Recorder::default()), system.spawn(Recorder::default()));
        for actor in [&dead, &dropped] {
            actor.call(Start).await.unwrap();
        }
        let down = dead.down();
        dead.stop(ExitReason::Normal);
        down.await;
        system.send_after(&dead, Duration::ZERO, Record(1));
        system.send_interval(&dead, TICK, || Record(1));
        let down = dropped.down();
        drop(dropped);
        assert_eq!(down.await.reason, ExitReason::Normal);
        let letters = system.dead_letters();
        system.host().clock.sleep(3 * TICK).await;
        assert!(letters.is_empty());
    });
}
