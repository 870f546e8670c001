//! Ours: a node as it comes. One actor at the other side; askers are actors too.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use actors_core::{Actor, Context, Handler, Link, Message, System, host::Host};
use actors_node::{Node, NodeEvent};
use serde::{Deserialize, Serialize};

use super::{PATIENCE, Server};
use crate::{
    child,
    measure::{Arrived, Sample},
    workload::{CALLERS, LONG, Workload},
};

/// Counts what comes.
#[derive(Default)]
struct Sink(Arrived);

impl Actor for Sink {}

/// 64 bytes.
#[derive(Serialize, Deserialize)]
struct Short([u64; 8]);

#[derive(Serialize, Deserialize)]
struct Long(#[serde(with = "serde_bytes")] Vec<u8>);

#[derive(Serialize, Deserialize)]
struct Ask(u64);

/// What has arrived.
#[derive(Serialize, Deserialize)]
struct Seen;

impl Message for Short {
    type Reply = ();
}

impl Message for Long {
    type Reply = ();
}

impl Message for Ask {
    type Reply = u64;
}

impl Message for Seen {
    type Reply = Arrived;
}

impl Handler<Short> for Sink {
    async fn handle(&mut self, short: Short, _: &mut Context<Self>) {
        self.0.count(short.0[0]);
    }
}

impl Handler<Long> for Sink {
    async fn handle(&mut self, _: Long, _: &mut Context<Self>) {
        let next = self.0.messages;
        self.0.count(next);
    }
}

impl Handler<Ask> for Sink {
    async fn handle(&mut self, ask: Ask, _: &mut Context<Self>) -> u64 {
        ask.0 + 1
    }
}

impl Handler<Seen> for Sink {
    async fn handle(&mut self, _: Seen, _: &mut Context<Self>) -> Arrived {
        std::mem::take(&mut self.0)
    }
}

fn system(host: Host, name: &str) -> System {
    let system = System::builder().host(host).name(name).build();
    system
        .export::<Sink>("sink")
        .message::<Short>("short")
        .message::<Long>("long")
        .message::<Ask>("ask")
        .message::<Seen>("seen")
        .constructor(|(): (), _| async { Ok(Sink::default()) });
    system
}

pub(super) fn serve(host: Host) -> anyhow::Result<Server> {
    let system = system(host, "server");
    let node = system.block_on(Node::builder(&system).start())?;
    let address = node.member().address.clone();
    Ok((Box::new(node), address))
}

pub(super) fn work(
    host: Host,
    workload: Workload,
    address: &str,
    n: u64,
) -> anyhow::Result<Sample> {
    let system = system(host, "client");
    let (node, sink) = system.block_on(async {
        let node = Node::builder(&system).start().await?;
        let server = node.join(address, Duration::from_secs(5)).await?;
        let sink: Link<Sink> = node.spawn(server.id, "sink", &()).await?;
        anyhow::Ok((node, sink))
    })?;
    match workload {
        Workload::OneWay => {
            let began = Instant::now();
            for i in 0..n {
                sink.send(Short([i; 8]))?;
            }
            let arrived = system.block_on(async { sink.call(Seen).await })?;
            Ok(Sample::time(n, began.elapsed()).arrived(arrived))
        }
        Workload::Bulk => {
            let began = Instant::now();
            system.block_on(async {
                for _ in 0..n {
                    sink.send_wait(Long(vec![7; LONG]), PATIENCE).await?;
                }
                let arrived = sink.call(Seen).await?;
                Ok(Sample::time(n, began.elapsed()).arrived(arrived))
            })
        }
        Workload::Call => Ok(Sample::laps(ask(&system, &sink, 1, n))),
        Workload::Callers => {
            let began = Instant::now();
            let laps = ask(&system, &sink, CALLERS, n / CALLERS);
            let elapsed = began.elapsed();
            Ok(Sample { p99_ns: Sample::laps(laps).p99_ns, ..Sample::time(n, elapsed) })
        }
        Workload::Killed | Workload::Stopped => {
            let events = node.events();
            child::ready();
            let deadline = Instant::now() + PATIENCE;
            while let Ok(event) = events.recv_deadline(deadline) {
                if matches!(event, NodeEvent::Down { .. }) {
                    return Ok(Sample::told());
                }
            }
            Ok(Sample::never())
        }
    }
}

/// Asks one question after the other.
struct Asker {
    sink: Link<Sink>,
    laps: mpsc::Sender<Vec<Duration>>,
}

impl Actor for Asker {}

struct Go(u64);

impl Message for Go {
    type Reply = ();
}

impl Handler<Go> for Asker {
    async fn handle(&mut self, go: Go, _: &mut Context<Self>) {
        let mut laps = Vec::with_capacity(go.0 as usize);
        for i in 0..go.0 {
            let began = Instant::now();
            self.sink.call(Ask(i)).await.expect("it is answered");
            laps.push(began.elapsed());
        }
        drop(self.laps.send(laps));
    }
}

fn ask(system: &System, sink: &Link<Sink>, askers: u64, n: u64) -> Vec<Duration> {
    let (laps, done) = mpsc::channel();
    for _ in 0..askers {
        let asker = system.spawn(Asker { sink: sink.clone(), laps: laps.clone() });
        asker.send(Go(n)).expect("it lives");
    }
    drop(laps);
    done.iter().flatten().collect()
}
