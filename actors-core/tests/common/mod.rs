//! Runs one scenario on every real host and under many seeds of the simulated one.
#![allow(dead_code, reason = "each test file uses its part")]

use actors_core::{Actor, Context, Handler, Message, System, host::Host, sim};

const SEEDS: u64 = 100;

/// The real hosts that are enabled, by the name of their runtime.
pub(crate) fn real_hosts() -> Vec<(&'static str, Host)> {
    vec![
        #[cfg(feature = "async-std")]
        ("async-std", Host::async_std()),
        #[cfg(feature = "smol")]
        ("smol", Host::smol()),
        #[cfg(feature = "tokio")]
        ("tokio", Host::tokio()),
    ]
}

pub(crate) fn everywhere<F, Fut>(scenario: F)
where
    F: Fn(System) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    for (name, host) in real_hosts() {
        println!("on {name}");
        let system = System::builder().name(name).host(host).build();
        system.block_on(scenario(system.clone()));
    }
    println!("in the simulation");
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
