//! The actors of the workloads that send and ask.

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use actors_core::{Actor, Context, Handler, Link, Message};
use futures_channel::oneshot;

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

macro_rules! messages {
    ($($message:ty => $reply:ty),* $(,)?) => {
        $(impl Message for $message { type Reply = $reply; })*
    };
}
pub(super) use messages;

const PATIENCE: Duration = Duration::from_secs(5);

pub(super) struct Go(pub(super) u64);
pub(super) struct Hold(pub(super) oneshot::Receiver<()>, pub(super) &'static Latch);
messages!(Go => (), Hold => ());

// pingpong, ring

pub(super) struct Node {
    pub(super) next: Option<Link<Self>>,
    pub(super) done: &'static Latch,
}

pub(super) struct Next(pub(super) Link<Node>);
pub(super) struct Token(pub(super) u64);
messages!(Next => (), Token => ());

impl Actor for Node {}

impl Handler<Next> for Node {
    async fn handle(&mut self, Next(next): Next, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Token> for Node {
    async fn handle(&mut self, Token(left): Token, _: &mut Context<Self>) {
        match &self.next {
            Some(next) if left > 0 => next.send(Token(left - 1)).expect("it lives"),
            _ => self.done.arrive(),
        }
    }
}

// counting

pub(super) struct Counter {
    pub(super) left: Countdown,
}

pub(super) struct Producer {
    pub(super) counter: Link<Counter>,
}

#[expect(dead_code, reason = "a message has a payload")]
pub(super) struct Count(pub(super) u64);
messages!(Count => ());

impl Actor for Counter {}
impl Actor for Producer {}

impl Handler<Count> for Counter {
    async fn handle(&mut self, _: Count, _: &mut Context<Self>) {
        self.left.count();
    }
}

impl Handler<Go> for Producer {
    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        for i in 0..n {
            self.counter.send(Count(i)).expect("it lives");
        }
    }
}

// bounded

pub(super) struct Fill(pub(super) u64);
messages!(Fill => ());

impl Handler<Fill> for Producer {
    async fn handle(&mut self, Fill(n): Fill, _: &mut Context<Self>) {
        for i in 0..n {
            self.counter.send_wait(Count(i), PATIENCE).await.expect("it lives");
        }
    }
}

// fan-in

pub(super) struct Source {
    pub(super) id: u32,
    pub(super) sink: Link<Sink>,
    pub(super) batches: Countdown,
}

pub(super) struct Sink {
    pub(super) sources: Vec<Link<Source>>,
    pub(super) left: Countdown,
}

pub(super) struct Sources(pub(super) Vec<Link<Source>>);
messages!(Sources => (), Item => ());

impl Actor for Source {}
impl Actor for Sink {}

impl Handler<Go> for Source {
    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        if self.batches.is_over() {
            return;
        }
        for item in Item::batch(self.id, n) {
            self.sink.send(item).expect("it lives");
        }
        self.batches.count();
    }
}

impl Handler<Sources> for Sink {
    async fn handle(&mut self, Sources(sources): Sources, _: &mut Context<Self>) {
        self.sources = sources;
    }
}

impl Handler<Hold> for Sink {
    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self>) {
        held.arrive();
        gate.await.expect("it is opened");
    }
}

impl Handler<Item> for Sink {
    async fn handle(&mut self, item: Item, _: &mut Context<Self>) {
        if self.left.count() && item.last && !self.sources.is_empty() {
            self.sources[item.source as usize].send(Go(BATCH)).expect("it lives");
        }
    }
}

// ask

pub(super) struct Service;

pub(super) struct Asker {
    pub(super) service: Link<Service>,
    pub(super) laps: mpsc::Sender<Laps>,
}

pub(super) struct Question(pub(super) u64);
messages!(Question => u64);

impl Actor for Service {}
impl Actor for Asker {}

impl Handler<Question> for Service {
    async fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

impl Handler<Go> for Asker {
    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            self.service.call(Question(i)).await.expect("an answer");
            laps.push(start.elapsed());
        }
        self.laps.send(laps).expect("the main thread waits");
    }
}

// big

pub(super) struct Big {
    pub(super) id: u32,
    pub(super) all: Vec<Link<Self>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) struct All(pub(super) Vec<Link<Big>>);
struct Ping(u32);
pub(super) struct Pong;
messages!(All => (), Ping => (), Pong => ());

impl Actor for Big {}

impl Handler<All> for Big {
    async fn handle(&mut self, All(all): All, _: &mut Context<Self>) {
        self.all = all;
    }
}

impl Handler<Ping> for Big {
    async fn handle(&mut self, Ping(from): Ping, _: &mut Context<Self>) {
        self.all[from as usize].send(Pong).expect("it lives");
    }
}

impl Handler<Pong> for Big {
    async fn handle(&mut self, _: Pong, _: &mut Context<Self>) {
        if self.left.count() {
            self.all[self.partners.pick()].send(Ping(self.id)).expect("it lives");
        }
    }
}

// fork-join

pub(super) struct Dealer {
    pub(super) workers: Vec<Link<Worker>>,
}

pub(super) struct Worker {
    pub(super) left: Countdown,
}

struct Work(u64);
messages!(Work => ());

impl Actor for Dealer {}
impl Actor for Worker {}

impl Handler<Go> for Dealer {
    async fn handle(&mut self, Go(rounds): Go, _: &mut Context<Self>) {
        for i in 0..rounds {
            for worker in &self.workers {
                worker.send(Work(i)).expect("it lives");
            }
        }
    }
}

impl Handler<Work> for Worker {
    async fn handle(&mut self, Work(i): Work, _: &mut Context<Self>) {
        some_work(i);
        self.left.count();
    }
}

// philosophers

pub(super) struct Arbiter {
    pub(super) forks: Forks,
    pub(super) philosophers: Vec<Link<Philosopher>>,
}

pub(super) struct Philosopher {
    pub(super) id: u32,
    pub(super) arbiter: Link<Arbiter>,
    pub(super) left: Countdown,
}

pub(super) struct Table(pub(super) Vec<Link<Philosopher>>);
struct Hungry(u32);
struct Finished(u32);
pub(super) struct Denied;
struct Eat;
messages!(Table => (), Hungry => (), Finished => (), Denied => (), Eat => ());

impl Actor for Arbiter {}
impl Actor for Philosopher {}

impl Handler<Table> for Arbiter {
    async fn handle(&mut self, Table(philosophers): Table, _: &mut Context<Self>) {
        self.philosophers = philosophers;
    }
}

impl Handler<Hungry> for Arbiter {
    async fn handle(&mut self, Hungry(id): Hungry, _: &mut Context<Self>) {
        let philosopher = &self.philosophers[id as usize];
        let told = if self.forks.take(id) {
            philosopher.send(Eat).is_ok()
        } else {
            philosopher.send(Denied).is_ok()
        };
        assert!(told, "it lives");
    }
}

impl Handler<Finished> for Arbiter {
    async fn handle(&mut self, Finished(id): Finished, _: &mut Context<Self>) {
        self.forks.put(id);
    }
}

impl Handler<Denied> for Philosopher {
    async fn handle(&mut self, _: Denied, _: &mut Context<Self>) {
        self.arbiter.send(Hungry(self.id)).expect("it lives");
    }
}

impl Handler<Eat> for Philosopher {
    async fn handle(&mut self, _: Eat, _: &mut Context<Self>) {
        self.arbiter.send(Finished(self.id)).expect("it lives");
        if self.left.count() {
            self.arbiter.send(Hungry(self.id)).expect("it lives");
        }
    }
}
