//! Runs one scenario on the real host and under many seeds of the simulated one.
#![allow(dead_code, reason = "each test file uses its part")]

use actors_core::{Actor, Context, Handler, Message, System, sim};

const SEEDS: u64 = 100;

pub(crate) fn everywhere<F, Fut>(scenario: F)
where
    F: Fn(System) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    let system = System::new();
    system.block_on(scenario(system.clone()));
    sim::search(0..SEEDS, |sim| scenario(System::builder().host(sim.node("a")).build()));
}

/// Keeps what it was sent, in order.
#[derive(Default)]
pub(crate) struct Recorder(pub(crate) Vec<u32>);

impl Actor for Recorder {}

pub(crate) struct Record(pub(crate) u32);

impl Message for Record {
    type Reply = ();
}

impl Handler<Record> for Recorder {
    async fn handle(&mut self, Record(n): Record, _cx: &mut Context<Self>) {
        self.0.push(n);
    }
}

pub(crate) struct Recorded;

impl Message for Recorded {
    type Reply = Vec<u32>;
}

impl Handler<Recorded> for Recorder {
    async fn handle(&mut self, _: Recorded, _cx: &mut Context<Self>) -> Vec<u32> {
        self.0.clone()
    }
}

pub(crate) struct Crash;

impl Message for Crash {
    type Reply = ();
}

impl Handler<Crash> for Recorder {
    async fn handle(&mut self, _: Crash, _cx: &mut Context<Self>) {
        panic!("as asked");
    }
}
