//! The actors of the workloads that start, restart and set timers.

use std::{
    hint::black_box,
    sync::mpsc,
    time::{Duration, Instant},
};

use actors_core::{Actor, Context, ExitReason, Handler, Link, Message, StartError};

use super::messaging::*;
use crate::{
    measure::Latch,
    parts::{AS_TOLD, Due, Lateness, Lives},
};

// spawn, queued

#[derive(Default)]
pub(super) struct Spawner(Vec<Link<Idle>>);
struct Idle(&'static Lives);
pub(super) struct Holder;

pub(super) struct Spawn(pub(super) u64, pub(super) &'static Lives);
pub(super) struct TouchAll;
pub(super) struct StopAll;
struct Touch;
pub(super) struct Pair(pub(super) u64, pub(super) u64);
messages!(Spawn => (), TouchAll => (), StopAll => (), Touch => (), Pair => ());

impl Actor for Spawner {}
impl Actor for Holder {}

impl Actor for Idle {
    async fn init(&mut self, _: &mut Context<Self>) -> Result<(), StartError> {
        self.0.started.arrive();
        Ok(())
    }

    async fn term(&mut self, _: &ExitReason) {
        self.0.stopped.arrive();
    }
}

impl Handler<Spawn> for Spawner {
    async fn handle(&mut self, Spawn(n, lives): Spawn, cx: &mut Context<Self>) {
        self.0 = (0..n).map(|_| cx.system().spawn(Idle(lives))).collect();
    }
}

impl Handler<TouchAll> for Spawner {
    async fn handle(&mut self, _: TouchAll, _: &mut Context<Self>) {
        for idle in &self.0 {
            idle.send(Touch).expect("it lives");
        }
    }
}

impl Handler<StopAll> for Spawner {
    async fn handle(&mut self, _: StopAll, _: &mut Context<Self>) {
        for idle in self.0.drain(..) {
            idle.stop(ExitReason::Normal);
        }
    }
}

impl Handler<Touch> for Idle {
    async fn handle(&mut self, _: Touch, _: &mut Context<Self>) {
        self.0.touched.arrive();
    }
}

impl Handler<Hold> for Holder {
    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self>) {
        held.arrive();
        let _ = gate.await;
    }
}

impl Handler<Pair> for Holder {
    async fn handle(&mut self, Pair(a, b): Pair, _: &mut Context<Self>) {
        black_box((a, b));
    }
}

// restart

pub(super) struct Fragile;

#[derive(Clone, Copy)]
pub(super) enum Crash {
    Panic,
    Error,
}
messages!(Crash => ());

impl Actor for Fragile {}

impl Handler<Crash> for Fragile {
    async fn handle(&mut self, crash: Crash, cx: &mut Context<Self>) {
        match crash {
            Crash::Panic => panic!("{AS_TOLD}"),
            Crash::Error => cx.stop(ExitReason::Error(AS_TOLD.into())),
        }
    }
}

impl Handler<Question> for Fragile {
    async fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

/// Makes the other fail, and waits for the answer of its next life.
pub(super) struct Tester {
    pub(super) fragile: Link<Fragile>,
    pub(super) tell: mpsc::Sender<Duration>,
}

pub(super) struct Restarts(pub(super) u64, pub(super) Crash);
messages!(Restarts => ());

impl Actor for Tester {}

impl Handler<Restarts> for Tester {
    async fn handle(&mut self, Restarts(n, crash): Restarts, _: &mut Context<Self>) {
        let start = Instant::now();
        for i in 0..n {
            // The question waits in the mailbox for the next life.
            self.fragile.send(crash).expect("the address stands");
            self.fragile.call(Question(i)).await.expect("an answer of the next life");
        }
        self.tell.send(start.elapsed()).expect("the main thread waits");
    }
}

// timers

pub(super) struct Setter(pub(super) Link<Ringing>);

pub(super) struct Ringing(pub(super) Lateness);

pub(super) struct Cancel(pub(super) Vec<Duration>, pub(super) &'static Latch);
pub(super) struct Fire(pub(super) Vec<Duration>);
messages!(Cancel => (), Fire => (), Due => ());

impl Actor for Setter {}
impl Actor for Ringing {}

impl Handler<Cancel> for Setter {
    async fn handle(&mut self, Cancel(delays, cancelled): Cancel, cx: &mut Context<Self>) {
        let set = |delay| cx.system().send_after(&self.0, delay, Due::after(delay));
        let timers: Vec<_> = delays.into_iter().map(set).collect();
        for timer in timers {
            timer.cancel();
        }
        cancelled.arrive();
    }
}

impl Handler<Fire> for Setter {
    async fn handle(&mut self, Fire(delays): Fire, cx: &mut Context<Self>) {
        for delay in delays {
            cx.system().send_after(&self.0, delay, Due::after(delay));
        }
    }
}

impl Handler<Due> for Ringing {
    async fn handle(&mut self, due: Due, _: &mut Context<Self>) {
        self.0.hear(due);
    }
}
