//! How long a child waits for its next life, in virtual time.

mod common;

use std::time::Duration;

use actors_core::{Link, System, sim};
use actors_supervise::{Backoff, Event, Strategy, Supervisor, SupervisorLink};
use common::*;
use crossbeam_channel::Receiver;

const fn seconds(n: u64) -> Duration {
    Duration::from_secs(n)
}

struct Patient {
    system: System,
    worker: Link<Worker>,
    events: Receiver<Event>,
    _supervisor: SupervisorLink,
}

impl Patient {
    async fn new(sim: &sim::Sim, backoff: Backoff) -> Self {
        let system = System::builder().host(sim.node("a")).build();
        let diary = Diary::new();
        let supervisor = Supervisor::builder(Strategy::OneForOne)
            .limit(limit(u32::MAX))
            .child(worker("a", &diary).backoff(backoff))
            .start(&system)
            .await
            .unwrap();
        let worker = supervisor.child::<Worker>("a").await.unwrap();
        let events = supervisor.subscribe();
        Self { system, worker, events, _supervisor: supervisor }
    }

    async fn runs_for(&self, time: Duration) {
        self.system.host().clock.sleep(time).await;
    }

    /// From a crash until it runs again.
    async fn crash(&self) -> Duration {
        let life = self.worker.info().incarnation;
        self.worker.send(Crash).unwrap();
        assert_eq!(self.worker.call(Life).forever().await, Ok(life + 1));
        let restarted = |event| match event {
            Event::Restarted { took, .. } => Some(took),
            _ => None,
        };
        self.events.try_iter().find_map(restarted).expect("it was restarted")
    }
}

#[test]
fn sup_33_waits_grow_and_begin_anew_when_the_child_has_run_long_enough() {
    sim::search(0..seeds(), |sim| async move {
        let backoff = Backoff::exponential(seconds(1), seconds(4)).jitter(0);
        let child = Patient::new(&sim, backoff.reset_after(seconds(60))).await;
        for wait in [1, 2, 4, 4] {
            assert_eq!(child.crash().await, seconds(wait));
        }
        child.runs_for(seconds(60) - Duration::from_millis(1)).await;
        assert_eq!(child.crash().await, seconds(4), "not yet");
        child.runs_for(seconds(60)).await;
        assert_eq!(child.crash().await, seconds(1));
        assert_eq!(child.crash().await, seconds(2));
    });
}

#[test]
fn sup_33_without_more_ten_seconds_are_long_enough() {
    sim::search(0..seeds(), |sim| async move {
        let backoff = Backoff::exponential(seconds(1), seconds(4)).jitter(0);
        let child = Patient::new(&sim, backoff).await;
        assert_eq!(child.crash().await, seconds(1));
        child.runs_for(seconds(9)).await;
        assert_eq!(child.crash().await, seconds(2));
        child.runs_for(seconds(10)).await;
        assert_eq!(child.crash().await, seconds(1));
    });
}

#[test]
fn sup_33_jitter_makes_waits_longer_by_chance() {
    sim::search(0..seeds(), |sim| async move {
        let child = Patient::new(&sim, Backoff::exponential(seconds(4), seconds(4))).await;
        let mut waits = Vec::new();
        for _ in 0..10 {
            waits.push(child.crash().await);
        }
        assert!(waits.iter().all(|wait| (seconds(4)..=seconds(5)).contains(wait)), "{waits:?}");
        assert!(waits.iter().any(|wait| *wait != waits[0]), "{waits:?}");
    });
}
