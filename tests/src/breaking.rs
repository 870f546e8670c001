//! What goes over connections that break, and what the nodes say of it.

use std::{
    io,
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{Actor, Context, ExitReason, Handler, Link, Message, System, sim::Sim};
use actors_node::Node;
use serde::{Deserialize, Serialize};

use crate::{
    calculator::{Add, Calculator},
    cluster::connect,
};

/// Takes numbered entries: each once, and in order.
#[derive(Default)]
pub struct Ledger(u64);

impl Actor for Ledger {}

/// An entry of a ledger.
#[derive(Serialize, Deserialize)]
pub struct Entry {
    number: u64,
    #[serde(with = "serde_bytes")]
    load: Vec<u8>,
}

impl Entry {
    /// With so many bytes, which depend on the number.
    pub fn new(number: u64, length: usize) -> Self {
        Self { number, load: (0..length).map(|n| (n as u64 * 7 + number) as u8).collect() }
    }
}

impl Message for Entry {
    type Reply = ();
}

impl Handler<Entry> for Ledger {
    async fn handle(&mut self, entry: Entry, _: &mut Context<Self>) {
        assert_eq!(entry.number, self.0, "each once, and in order");
        let whole = Entry::new(entry.number, entry.load.len());
        assert!(entry.load == whole.load, "entry {} was changed", entry.number);
        self.0 += 1;
    }
}

/// How many entries came.
#[derive(Serialize, Deserialize)]
pub struct Seen;

impl Message for Seen {
    type Reply = u64;
}

impl Handler<Seen> for Ledger {
    async fn handle(&mut self, _: Seen, _: &mut Context<Self>) -> u64 {
        self.0
    }
}

/// A system of a simulation, with this crate's actors.
pub fn system(sim: &Sim, name: &str) -> System {
    let system = System::builder().name(name).host(sim.node(name)).build();
    crate::export(&system);
    system
}

pub(crate) fn export(system: &System) {
    let ledger = system.export::<Ledger>("ledger").message::<Entry>("entry");
    ledger.message::<Seen>("seen").constructor(|(): (), _| async { Ok(Ledger::default()) });
}

/// A node of a simulation.
pub async fn node(sim: &Sim, name: &str) -> Node {
    Node::builder(&system(sim, name)).start().await.expect("a free port")
}

/// Two nodes `a` and `b` that are connected.
pub async fn pair(sim: &Sim) -> (Node, Node) {
    let (a, b) = (node(sim, "a").await, node(sim, "b").await);
    connect(&[&a, &b]).await;
    (a, b)
}

/// A new ledger on another node.
pub async fn spawn(from: &Node, on: &Node) -> Link<Ledger> {
    from.spawn::<Ledger>(on.member().id, "ledger", &()).await.expect("it starts")
}

/// One side of the talk: all that one node may have to say to another.
pub async fn talk(sim: &Sim, from: &Node, to: &Node) {
    let ledger = spawn(from, to).await;
    let calculator = from.spawn::<Calculator>(to.member().id, "calculator", &0_i64).await.unwrap();
    let (mut entries, mut sum) = (0, 0);
    for _ in 0..80 {
        match sim.random() % 12 {
            0 => {
                sum += 1;
                assert_eq!(calculator.call(Add(1)).await, Ok(sum), "each question once");
            }
            1 => exits(sim, &spawn(from, to).await).await,
            kind => {
                let length = if kind == 2 { 1_500_000 } else { sim.random() as usize % 70_000 };
                ledger.send(Entry::new(entries, length)).expect("there is room");
                entries += 1;
            }
        }
        sim.sleep(Duration::from_micros(sim.random() % 3000)).await;
    }
    assert_eq!(ledger.call(Seen).forever().await, Ok(entries));
}

/// Signals: a stop comes after the messages before it, and every monitor is told, once.
async fn exits(sim: &Sim, ledger: &Link<Ledger>) {
    let (one, two) = (ledger.down(), ledger.down());
    if sim.random().is_multiple_of(2) {
        for n in 0..5 {
            ledger.send(Entry::new(n, 30_000)).expect("there is room");
        }
        let seen = ledger.call(Seen);
        ledger.stop(ExitReason::Normal);
        assert_eq!(seen.await, Ok(5));
        assert_eq!((one.await.reason, two.await.reason), (ExitReason::Normal, ExitReason::Normal));
    } else {
        ledger.kill();
        assert_eq!((one.await.reason, two.await.reason), (ExitReason::Killed, ExitReason::Killed));
    }
}

/// Does something while the two nodes are not connected, which they are again when they can be.
pub async fn with_window<T>(sim: &Sim, a: &str, b: &str, inside: impl AsyncFnOnce() -> T) -> T {
    sim.cut(a, b);
    sim.cut(b, a);
    sim.break_connections(a, b);
    // By then both have tried to say that they are there, and know that there is no connection.
    sim.sleep(Duration::from_millis(1400)).await;
    let result = inside().await;
    sim.sleep(Duration::from_millis(sim.random() % 200)).await;
    sim.heal(a, b);
    sim.heal(b, a);
    result
}

/// What the nodes write to the log.
#[derive(Clone, Default)]
pub struct Log(Arc<Mutex<Vec<u8>>>);

impl Log {
    /// Does something and writes down what is logged meanwhile.
    pub fn watch(&self, f: impl FnOnce()) {
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(tracing::Level::DEBUG)
            .with_writer(self.clone())
            .with_ansi(false)
            .finish();
        tracing::subscriber::with_default(subscriber, f);
    }

    /// Those with this text.
    pub fn lines(&self, text: &str) -> Vec<String> {
        let log = self.0.lock().expect("no panic holds it");
        let log = String::from_utf8_lossy(&log);
        log.lines().filter(|line| line.contains(text)).map(str::to_owned).collect()
    }
}

/// The values of a field in lines of the log.
pub fn fields(lines: &[String], name: &str) -> impl Iterator<Item = u64> {
    let start = format!(" {name}=");
    lines.iter().filter_map(move |line| {
        let value = line.split_once(&start)?.1;
        value.split(' ').next()?.parse().ok()
    })
}

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().expect("no panic holds it").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl tracing_subscriber::fmt::MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}
