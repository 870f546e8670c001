//! Messages that are sent later.

mod common;

use std::time::Duration;

use actors_core::{Context, ExitReason, Handler, Message, System};
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
