//! The actors of the workloads that start, restart and set timers.

use std::hint::black_box;

use xtra::{Actor, Address, Context, Handler, Mailbox};

use super::messaging::*;
use crate::parts::Lives;

// spawn, queued

#[derive(xtra::Actor, Default)]
pub(super) struct Spawner(Vec<Address<Idle>>);
struct Idle(&'static Lives);
#[derive(xtra::Actor)]
pub(super) struct Holder;

pub(super) struct Spawn(pub(super) u64, pub(super) &'static Lives);
pub(super) struct TouchAll;
pub(super) struct StopAll;
struct Touch;
pub(super) struct Pair(pub(super) u64, pub(super) u64);

impl Actor for Idle {
    type Stop = ();

    async fn started(&mut self, _: &Mailbox<Self>) -> Result<(), ()> {
        self.0.started.arrive();
        Ok(())
    }

    async fn stopped(self) {
        self.0.stopped.arrive();
    }
}

impl Handler<Spawn> for Spawner {
    type Return = ();

    async fn handle(&mut self, Spawn(n, lives): Spawn, _: &mut Context<Self>) {
        self.0 = (0..n).map(|_| start(Idle(lives))).collect();
    }
}

impl Handler<TouchAll> for Spawner {
    type Return = ();

    async fn handle(&mut self, _: TouchAll, _: &mut Context<Self>) {
        for idle in &self.0 {
            tell(idle, Touch).await;
        }
    }
}

impl Handler<StopAll> for Spawner {
    type Return = ();

    async fn handle(&mut self, _: StopAll, _: &mut Context<Self>) {
        // An actor without addresses stops.
        self.0.clear();
    }
}

impl Handler<Touch> for Idle {
    type Return = ();

    async fn handle(&mut self, _: Touch, _: &mut Context<Self>) {
        self.0.touched.arrive();
    }
}

impl Handler<Hold> for Holder {
    type Return = ();

    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self>) {
        held.arrive();
        let _ = gate.await;
    }
}

impl Handler<Pair> for Holder {
    type Return = ();

    async fn handle(&mut self, Pair(a, b): Pair, _: &mut Context<Self>) {
        black_box((a, b));
    }
}
