//! The actors of the workloads that start, restart and set timers.

use std::{hint::black_box, time::Duration};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler,
    Message, Supervised, WrapFuture as _, clock::sleep,
};
use tokio::task::JoinHandle;

use super::messaging::*;
use crate::{
    measure::Latch,
    parts::{Due, Lateness, Lives},
};

// spawn, queued

#[derive(Default)]
pub(super) struct Spawner(Vec<Addr<Idle>>);
struct Idle(&'static Lives);
pub(super) struct Holder;

pub(super) struct Spawn(pub(super) u64, pub(super) &'static Lives);
pub(super) struct TouchAll;
pub(super) struct StopAll;
struct Touch;
pub(super) struct Pair(pub(super) u64, pub(super) u64);
messages!(Spawn, TouchAll, StopAll, Touch, Pair);

actors!(Spawner);
actors!(Holder);

impl Actor for Idle {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.0.started.arrive();
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.0.stopped.arrive();
    }
}

impl Handler<Spawn> for Spawner {
    type Result = ();

    fn handle(&mut self, Spawn(n, lives): Spawn, _: &mut Context<Self>) {
        self.0 = (0..n).map(|_| Idle(lives).start()).collect();
    }
}

impl Handler<TouchAll> for Spawner {
    type Result = ();

    fn handle(&mut self, _: TouchAll, _: &mut Context<Self>) {
        for idle in &self.0 {
            idle.do_send(Touch);
        }
    }
}

impl Handler<StopAll> for Spawner {
    type Result = ();

    fn handle(&mut self, _: StopAll, _: &mut Context<Self>) {
        // An actor without addresses stops.
        self.0.clear();
    }
}

impl Handler<Touch> for Idle {
    type Result = ();

    fn handle(&mut self, _: Touch, _: &mut Context<Self>) {
        self.0.touched.arrive();
    }
}

impl Handler<Hold> for Holder {
    type Result = ();

    fn handle(&mut self, Hold(gate, held): Hold, cx: &mut Context<Self>) {
        held.arrive();
        cx.wait(gate.into_actor(self).map(|_, _, _| ()));
    }
}

impl Handler<Pair> for Holder {
    type Result = ();

    fn handle(&mut self, Pair(a, b): Pair, _: &mut Context<Self>) {
        black_box((a, b));
    }
}

// restart

pub(super) struct Fragile;

pub(super) struct Crash;
messages!(Crash);

actors!(Fragile);
impl Supervised for Fragile {}

impl Handler<Crash> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Crash, cx: &mut Context<Self>) {
        cx.stop();
    }
}

impl Handler<Question> for Fragile {
    type Result = u64;

    fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

// timers

pub(super) struct Setter(pub(super) Addr<Ringing>);

pub(super) struct Ringing(pub(super) Lateness);

pub(super) struct Cancel(pub(super) Vec<Duration>, pub(super) &'static Latch);
pub(super) struct Fire(pub(super) Vec<Duration>);
messages!(Cancel, Fire, Due);

actors!(Setter);
actors!(Ringing);

impl Setter {
    /// Not `notify_later`: an actor looks through all that it has at every wake.
    fn set(&self, delay: Duration) -> JoinHandle<()> {
        let (ringing, due) = (self.0.clone(), Due::after(delay));
        actix::spawn(async move {
            sleep(delay).await;
            ringing.do_send(due);
        })
    }
}

impl Handler<Cancel> for Setter {
    type Result = ();

    fn handle(&mut self, Cancel(delays, cancelled): Cancel, _: &mut Context<Self>) {
        let timers: Vec<_> = delays.into_iter().map(|delay| self.set(delay)).collect();
        timers.iter().for_each(JoinHandle::abort);
        cancelled.arrive();
    }
}

impl Handler<Fire> for Setter {
    type Result = ();

    fn handle(&mut self, Fire(delays): Fire, _: &mut Context<Self>) {
        delays.into_iter().for_each(|delay| drop(self.set(delay)));
    }
}

impl Handler<Due> for Ringing {
    type Result = ();

    fn handle(&mut self, due: Due, _: &mut Context<Self>) {
        self.0.hear(due);
    }
}
