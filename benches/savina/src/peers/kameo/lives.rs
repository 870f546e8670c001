//! The actors of the workloads that start, restart and set timers.

use std::{hint::black_box, time::Duration};

use kameo::{
    Actor,
    actor::{ActorRef, WeakActorRef},
    error::{ActorStopReason, Infallible},
    message::{Context, Message},
};

use super::messaging::*;
use crate::{
    measure::Latch,
    parts::{Due, Lateness, Lives},
};

// spawn, queued

#[derive(Actor, Default)]
pub(super) struct Spawner(Vec<ActorRef<Idle>>);
struct Idle(&'static Lives);
#[derive(Actor)]
pub(super) struct Holder;

pub(super) struct Spawn(pub(super) u64, pub(super) &'static Lives);
pub(super) struct TouchAll;
pub(super) struct StopAll;
struct Touch;
pub(super) struct Pair(pub(super) u64, pub(super) u64);

impl Actor for Idle {
    type Args = Self;
    type Error = Infallible;

    async fn on_start(idle: Self, _: ActorRef<Self>) -> Result<Self, Infallible> {
        idle.0.started.arrive();
        Ok(idle)
    }

    async fn on_stop(
        &mut self,
        _: WeakActorRef<Self>,
        _: ActorStopReason,
    ) -> Result<(), Infallible> {
        self.0.stopped.arrive();
        Ok(())
    }
}

impl Message<Spawn> for Spawner {
    type Reply = ();

    async fn handle(&mut self, Spawn(n, lives): Spawn, _: &mut Context<Self, Self::Reply>) {
        self.0 = (0..n).map(|_| start(Idle(lives))).collect();
    }
}

impl Message<TouchAll> for Spawner {
    type Reply = ();

    async fn handle(&mut self, _: TouchAll, _: &mut Context<Self, Self::Reply>) {
        for idle in &self.0 {
            idle.tell(Touch).try_send().expect("it lives");
        }
    }
}

impl Message<StopAll> for Spawner {
    type Reply = ();

    async fn handle(&mut self, _: StopAll, _: &mut Context<Self, Self::Reply>) {
        for idle in self.0.drain(..) {
            idle.stop_gracefully().await.expect("it lives");
        }
    }
}

impl Message<Touch> for Idle {
    type Reply = ();

    async fn handle(&mut self, _: Touch, _: &mut Context<Self, Self::Reply>) {
        self.0.touched.arrive();
    }
}

impl Message<Hold> for Holder {
    type Reply = ();

    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self, Self::Reply>) {
        held.arrive();
        let _ = gate.await;
    }
}

impl Message<Pair> for Holder {
    type Reply = ();

    async fn handle(&mut self, Pair(a, b): Pair, _: &mut Context<Self, Self::Reply>) {
        black_box((a, b));
    }
}

// restart

#[derive(Actor, Clone)]
pub(super) struct Fragile;

#[derive(Actor, Default)]
pub(super) struct Watching;

pub(super) struct Crash(pub(super) fn() -> Crashed);
pub(super) type Crashed = Result<(), &'static str>;

impl Message<Crash> for Fragile {
    type Reply = Crashed;

    async fn handle(&mut self, Crash(crash): Crash, _: &mut Context<Self, Crashed>) -> Crashed {
        crash()
    }
}

impl Message<Question> for Fragile {
    type Reply = u64;

    async fn handle(&mut self, Question(i): Question, _: &mut Context<Self, Self::Reply>) -> u64 {
        i
    }
}

// timers

#[derive(Actor)]
pub(super) struct Setter(pub(super) ActorRef<Ringing>);

#[derive(Actor)]
pub(super) struct Ringing(pub(super) Lateness);

pub(super) struct Cancel(pub(super) Vec<Duration>, pub(super) &'static Latch);
pub(super) struct Fire(pub(super) Vec<Duration>);

impl Message<Cancel> for Setter {
    type Reply = ();

    async fn handle(
        &mut self,
        Cancel(delays, cancelled): Cancel,
        _: &mut Context<Self, Self::Reply>,
    ) {
        let set = |delay| self.0.tell(Due::after(delay)).send_after(delay);
        let timers: Vec<_> = delays.into_iter().map(set).collect();
        for timer in timers {
            timer.abort();
        }
        cancelled.arrive();
    }
}

impl Message<Fire> for Setter {
    type Reply = ();

    async fn handle(&mut self, Fire(delays): Fire, _: &mut Context<Self, Self::Reply>) {
        for delay in delays {
            self.0.tell(Due::after(delay)).send_after(delay);
        }
    }
}

impl Message<Due> for Ringing {
    type Reply = ();

    async fn handle(&mut self, due: Due, _: &mut Context<Self, Self::Reply>) {
        self.0.hear(due);
    }
}
