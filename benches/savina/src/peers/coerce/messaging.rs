//! The actors of the workloads that send and ask.

use std::{sync::mpsc, time::Instant};

use async_trait::async_trait;
use coerce::actor::{
    Actor, LocalActorRef,
    context::ActorContext,
    message::{Handler, Message},
    new_actor_id,
    scheduler::ActorType,
    system::ActorSystem,
};
use futures_channel::oneshot;

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

macro_rules! messages {
    ($($message:ty => $reply:ty),* $(,)?) => {
        $(impl Message for $message { type Result = $reply; })*
    };
}
pub(super) use messages;

/// Starts an actor that the system does not keep, and does not wait until it runs.
pub(super) async fn start<A: Actor>(system: &ActorSystem, actor: A) -> LocalActorRef<A> {
    system.new_actor_deferred(new_actor_id(), actor, ActorType::Anonymous).await
}

pub(super) struct Go(pub(super) u64);
pub(super) struct Hold(pub(super) oneshot::Receiver<()>, pub(super) &'static Latch);
messages!(Go => (), Hold => ());

// pingpong, ring

pub(super) struct Node {
    pub(super) next: Option<LocalActorRef<Self>>,
    pub(super) done: &'static Latch,
}

pub(super) struct Next(pub(super) LocalActorRef<Node>);
pub(super) struct Token(pub(super) u64);
messages!(Next => (), Token => ());

impl Actor for Node {}

#[async_trait]
impl Handler<Next> for Node {
    async fn handle(&mut self, Next(next): Next, _: &mut ActorContext) {
        self.next = Some(next);
    }
}

#[async_trait]
impl Handler<Token> for Node {
    async fn handle(&mut self, Token(left): Token, _: &mut ActorContext) {
        match &self.next {
            Some(next) if left > 0 => next.notify(Token(left - 1)).expect("it lives"),
            _ => self.done.arrive(),
        }
    }
}

// counting

pub(super) struct Counter {
    pub(super) left: Countdown,
}

pub(super) struct Producer {
    pub(super) counter: LocalActorRef<Counter>,
}

#[expect(dead_code, reason = "a message has a payload")]
pub(super) struct Count(pub(super) u64);
messages!(Count => ());

impl Actor for Counter {}
impl Actor for Producer {}

#[async_trait]
impl Handler<Count> for Counter {
    async fn handle(&mut self, _: Count, _: &mut ActorContext) {
        self.left.count();
    }
}

#[async_trait]
impl Handler<Go> for Producer {
    async fn handle(&mut self, Go(n): Go, _: &mut ActorContext) {
        for i in 0..n {
            self.counter.notify(Count(i)).expect("it lives");
        }
    }
}

// fan-in

pub(super) struct Source {
    pub(super) id: u32,
    pub(super) sink: LocalActorRef<Sink>,
    pub(super) batches: Countdown,
}

pub(super) struct Sink {
    pub(super) sources: Vec<LocalActorRef<Source>>,
    pub(super) left: Countdown,
}

pub(super) struct Sources(pub(super) Vec<LocalActorRef<Source>>);
messages!(Sources => (), Item => ());

impl Actor for Source {}
impl Actor for Sink {}

#[async_trait]
impl Handler<Go> for Source {
    async fn handle(&mut self, Go(n): Go, _: &mut ActorContext) {
        if self.batches.is_over() {
            return;
        }
        for item in Item::batch(self.id, n) {
            self.sink.notify(item).expect("it lives");
        }
        self.batches.count();
    }
}

#[async_trait]
impl Handler<Sources> for Sink {
    async fn handle(&mut self, Sources(sources): Sources, _: &mut ActorContext) {
        self.sources = sources;
    }
}

#[async_trait]
impl Handler<Hold> for Sink {
    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut ActorContext) {
        held.arrive();
        gate.await.expect("it is opened");
    }
}

#[async_trait]
impl Handler<Item> for Sink {
    async fn handle(&mut self, item: Item, _: &mut ActorContext) {
        if self.left.count() && item.last && !self.sources.is_empty() {
            self.sources[item.source as usize].notify(Go(BATCH)).expect("it lives");
        }
    }
}

// ask

pub(super) struct Service;

pub(super) struct Asker {
    pub(super) service: LocalActorRef<Service>,
    pub(super) laps: mpsc::Sender<Laps>,
}

pub(super) struct Question(pub(super) u64);
messages!(Question => u64);

impl Actor for Service {}
impl Actor for Asker {}

#[async_trait]
impl Handler<Question> for Service {
    async fn handle(&mut self, Question(i): Question, _: &mut ActorContext) -> u64 {
        i
    }
}

#[async_trait]
impl Handler<Go> for Asker {
    async fn handle(&mut self, Go(n): Go, _: &mut ActorContext) {
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            self.service.send(Question(i)).await.expect("an answer");
            laps.push(start.elapsed());
        }
        self.laps.send(laps).expect("the main thread waits");
    }
}

// big

pub(super) struct Big {
    pub(super) id: u32,
    pub(super) all: Vec<LocalActorRef<Self>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) struct All(pub(super) Vec<LocalActorRef<Big>>);
struct Ping(u32);
pub(super) struct Pong;
messages!(All => (), Ping => (), Pong => ());

impl Actor for Big {}

#[async_trait]
impl Handler<All> for Big {
    async fn handle(&mut self, All(all): All, _: &mut ActorContext) {
        self.all = all;
    }
}

#[async_trait]
impl Handler<Ping> for Big {
    async fn handle(&mut self, Ping(from): Ping, _: &mut ActorContext) {
        self.all[from as usize].notify(Pong).expect("it lives");
    }
}

#[async_trait]
impl Handler<Pong> for Big {
    async fn handle(&mut self, _: Pong, _: &mut ActorContext) {
        if self.left.count() {
            self.all[self.partners.pick()].notify(Ping(self.id)).expect("it lives");
        }
    }
}

// fork-join

pub(super) struct Dealer {
    pub(super) workers: Vec<LocalActorRef<Worker>>,
}

pub(super) struct Worker {
    pub(super) left: Countdown,
}

struct Work(u64);
messages!(Work => ());

impl Actor for Dealer {}
impl Actor for Worker {}

#[async_trait]
impl Handler<Go> for Dealer {
    async fn handle(&mut self, Go(rounds): Go, _: &mut ActorContext) {
        for i in 0..rounds {
            for worker in &self.workers {
                worker.notify(Work(i)).expect("it lives");
            }
        }
    }
}

#[async_trait]
impl Handler<Work> for Worker {
    async fn handle(&mut self, Work(i): Work, _: &mut ActorContext) {
        some_work(i);
        self.left.count();
    }
}

// philosophers

pub(super) struct Arbiter {
    pub(super) forks: Forks,
    pub(super) philosophers: Vec<LocalActorRef<Philosopher>>,
}

pub(super) struct Philosopher {
    pub(super) id: u32,
    pub(super) arbiter: LocalActorRef<Arbiter>,
    pub(super) left: Countdown,
}

pub(super) struct Table(pub(super) Vec<LocalActorRef<Philosopher>>);
struct Hungry(u32);
struct Finished(u32);
pub(super) struct Denied;
struct Eat;
messages!(Table => (), Hungry => (), Finished => (), Denied => (), Eat => ());

impl Actor for Arbiter {}
impl Actor for Philosopher {}

#[async_trait]
impl Handler<Table> for Arbiter {
    async fn handle(&mut self, Table(philosophers): Table, _: &mut ActorContext) {
        self.philosophers = philosophers;
    }
}

#[async_trait]
impl Handler<Hungry> for Arbiter {
    async fn handle(&mut self, Hungry(id): Hungry, _: &mut ActorContext) {
        let philosopher = &self.philosophers[id as usize];
        let told = if self.forks.take(id) {
            philosopher.notify(Eat).is_ok()
        } else {
            philosopher.notify(Denied).is_ok()
        };
        assert!(told, "it lives");
    }
}

#[async_trait]
impl Handler<Finished> for Arbiter {
    async fn handle(&mut self, Finished(id): Finished, _: &mut ActorContext) {
        self.forks.put(id);
    }
}

#[async_trait]
impl Handler<Denied> for Philosopher {
    async fn handle(&mut self, _: Denied, _: &mut ActorContext) {
        self.arbiter.notify(Hungry(self.id)).expect("it lives");
    }
}

#[async_trait]
impl Handler<Eat> for Philosopher {
    async fn handle(&mut self, _: Eat, _: &mut ActorContext) {
        self.arbiter.notify(Finished(self.id)).expect("it lives");
        if self.left.count() {
            self.arbiter.notify(Hungry(self.id)).expect("it lives");
        }
    }
}
