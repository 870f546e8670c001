//! The actors of the workloads that start, restart and set timers.

use std::{hint::black_box, time::Duration};

use async_trait::async_trait;
use coerce::actor::{
    Actor, LocalActorRef,
    context::ActorContext,
    message::{Handler, Message},
};

use super::messaging::*;
use crate::{
    measure::Latch,
    parts::{Due, Lateness, Lives},
};

// spawn, queued

#[derive(Default)]
pub(super) struct Spawner(Vec<LocalActorRef<Idle>>);
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

#[async_trait]
impl Actor for Idle {
    async fn started(&mut self, _: &mut ActorContext) {
        self.0.started.arrive();
    }

    async fn stopped(&mut self, _: &mut ActorContext) {
        self.0.stopped.arrive();
    }
}

#[async_trait]
impl Handler<Spawn> for Spawner {
    async fn handle(&mut self, Spawn(n, lives): Spawn, cx: &mut ActorContext) {
        self.0 = Vec::with_capacity(n as usize);
        for _ in 0..n {
            self.0.push(start(cx.system(), Idle(lives)).await);
        }
    }
}

#[async_trait]
impl Handler<TouchAll> for Spawner {
    async fn handle(&mut self, _: TouchAll, _: &mut ActorContext) {
        for idle in &self.0 {
            idle.notify(Touch).expect("it lives");
        }
    }
}

#[async_trait]
impl Handler<StopAll> for Spawner {
    async fn handle(&mut self, _: StopAll, _: &mut ActorContext) {
        for idle in self.0.drain(..) {
            idle.notify_stop().expect("it lives");
        }
    }
}

#[async_trait]
impl Handler<Touch> for Idle {
    async fn handle(&mut self, _: Touch, _: &mut ActorContext) {
        self.0.touched.arrive();
    }
}

#[async_trait]
impl Handler<Hold> for Holder {
    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut ActorContext) {
        held.arrive();
        let _ = gate.await;
    }
}

#[async_trait]
impl Handler<Pair> for Holder {
    async fn handle(&mut self, Pair(a, b): Pair, _: &mut ActorContext) {
        black_box((a, b));
    }
}

// timers

pub(super) struct Setter(pub(super) LocalActorRef<Ringing>);

pub(super) struct Ringing(pub(super) Lateness);

pub(super) struct Cancel(pub(super) Vec<Duration>, pub(super) &'static Latch);
pub(super) struct Fire(pub(super) Vec<Duration>);
messages!(Cancel => (), Fire => (), Due => ());

impl Actor for Setter {}
impl Actor for Ringing {}

#[async_trait]
impl Handler<Cancel> for Setter {
    async fn handle(&mut self, Cancel(delays, cancelled): Cancel, _: &mut ActorContext) {
        let set = |delay| self.0.scheduled_notify(Due::after(delay), delay);
        let timers: Vec<_> = delays.into_iter().map(set).collect();
        for timer in timers {
            timer.cancel();
        }
        cancelled.arrive();
    }
}

#[async_trait]
impl Handler<Fire> for Setter {
    async fn handle(&mut self, Fire(delays): Fire, _: &mut ActorContext) {
        for delay in delays {
            self.0.scheduled_notify(Due::after(delay), delay);
        }
    }
}

#[async_trait]
impl Handler<Due> for Ringing {
    async fn handle(&mut self, due: Due, _: &mut ActorContext) {
        self.0.hear(due);
    }
}
