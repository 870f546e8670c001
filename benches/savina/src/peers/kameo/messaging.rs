//! The actors of the workloads that send and ask.

use std::{sync::mpsc, time::Instant};

use futures_channel::oneshot;
use kameo::{
    Actor,
    actor::{ActorRef, Spawn as _},
    mailbox,
    message::{Context, Message},
};

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

/// Starts an actor whose mailbox has no bound.
pub(super) fn start<A: Actor<Args = A>>(actor: A) -> ActorRef<A> {
    A::spawn_with_mailbox(actor, mailbox::unbounded())
}

pub(super) struct Go(pub(super) u64);
pub(super) struct Hold(pub(super) oneshot::Receiver<()>, pub(super) &'static Latch);

// pingpong, ring

#[derive(Actor)]
pub(super) struct Node {
    pub(super) next: Option<ActorRef<Self>>,
    pub(super) done: &'static Latch,
}

pub(super) struct Next(pub(super) ActorRef<Node>);
pub(super) struct Token(pub(super) u64);

impl Message<Next> for Node {
    type Reply = ();

    async fn handle(&mut self, Next(next): Next, _: &mut Context<Self, Self::Reply>) {
        self.next = Some(next);
    }
}

impl Message<Token> for Node {
    type Reply = ();

    async fn handle(&mut self, Token(left): Token, _: &mut Context<Self, Self::Reply>) {
        match &self.next {
            Some(next) if left > 0 => next.tell(Token(left - 1)).try_send().expect("it lives"),
            _ => self.done.arrive(),
        }
    }
}

// counting

#[derive(Actor)]
pub(super) struct Counter {
    pub(super) left: Countdown,
}

#[derive(Actor)]
pub(super) struct Producer {
    pub(super) counter: ActorRef<Counter>,
}

#[expect(dead_code, reason = "a message has a payload")]
pub(super) struct Count(pub(super) u64);

impl Message<Count> for Counter {
    type Reply = ();

    async fn handle(&mut self, _: Count, _: &mut Context<Self, Self::Reply>) {
        self.left.count();
    }
}

/// As `Go`, waiting for room.
pub(super) struct Wait(pub(super) u64);

impl Message<Wait> for Producer {
    type Reply = ();

    async fn handle(&mut self, Wait(n): Wait, _: &mut Context<Self, Self::Reply>) {
        for i in 0..n {
            self.counter.tell(Count(i)).send().await.expect("it lives");
        }
    }
}

impl Message<Go> for Producer {
    type Reply = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self, Self::Reply>) {
        for i in 0..n {
            self.counter.tell(Count(i)).try_send().expect("it lives");
        }
    }
}

// fan-in

#[derive(Actor)]
pub(super) struct Source {
    pub(super) id: u32,
    pub(super) sink: ActorRef<Sink>,
    pub(super) batches: Countdown,
}

#[derive(Actor)]
pub(super) struct Sink {
    pub(super) sources: Vec<ActorRef<Source>>,
    pub(super) left: Countdown,
}

pub(super) struct Sources(pub(super) Vec<ActorRef<Source>>);

impl Message<Go> for Source {
    type Reply = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self, Self::Reply>) {
        if self.batches.is_over() {
            return;
        }
        for item in Item::batch(self.id, n) {
            self.sink.tell(item).try_send().expect("it lives");
        }
        self.batches.count();
    }
}

impl Message<Sources> for Sink {
    type Reply = ();

    async fn handle(&mut self, Sources(sources): Sources, _: &mut Context<Self, Self::Reply>) {
        self.sources = sources;
    }
}

impl Message<Hold> for Sink {
    type Reply = ();

    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self, Self::Reply>) {
        held.arrive();
        gate.await.expect("it is opened");
    }
}

impl Message<Item> for Sink {
    type Reply = ();

    async fn handle(&mut self, item: Item, _: &mut Context<Self, Self::Reply>) {
        if self.left.count() && item.last && !self.sources.is_empty() {
            self.sources[item.source as usize].tell(Go(BATCH)).try_send().expect("it lives");
        }
    }
}

// ask

#[derive(Actor)]
pub(super) struct Service;

#[derive(Actor)]
pub(super) struct Asker {
    pub(super) service: ActorRef<Service>,
    pub(super) laps: mpsc::Sender<Laps>,
}

pub(super) struct Question(pub(super) u64);

impl Message<Question> for Service {
    type Reply = u64;

    async fn handle(&mut self, Question(i): Question, _: &mut Context<Self, Self::Reply>) -> u64 {
        i
    }
}

impl Message<Go> for Asker {
    type Reply = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self, Self::Reply>) {
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            self.service.ask(Question(i)).send().await.expect("an answer");
            laps.push(start.elapsed());
        }
        self.laps.send(laps).expect("the main thread waits");
    }
}

// big

#[derive(Actor)]
pub(super) struct Big {
    pub(super) id: u32,
    pub(super) all: Vec<ActorRef<Self>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) struct All(pub(super) Vec<ActorRef<Big>>);
struct Ping(u32);
pub(super) struct Pong;

impl Message<All> for Big {
    type Reply = ();

    async fn handle(&mut self, All(all): All, _: &mut Context<Self, Self::Reply>) {
        self.all = all;
    }
}

impl Message<Ping> for Big {
    type Reply = ();

    async fn handle(&mut self, Ping(from): Ping, _: &mut Context<Self, Self::Reply>) {
        self.all[from as usize].tell(Pong).try_send().expect("it lives");
    }
}

impl Message<Pong> for Big {
    type Reply = ();

    async fn handle(&mut self, _: Pong, _: &mut Context<Self, Self::Reply>) {
        if self.left.count() {
            self.all[self.partners.pick()].tell(Ping(self.id)).try_send().expect("it lives");
        }
    }
}

// fork-join

#[derive(Actor)]
pub(super) struct Dealer {
    pub(super) workers: Vec<ActorRef<Worker>>,
}

#[derive(Actor)]
pub(super) struct Worker {
    pub(super) left: Countdown,
}

struct Work(u64);

impl Message<Go> for Dealer {
    type Reply = ();

    async fn handle(&mut self, Go(rounds): Go, _: &mut Context<Self, Self::Reply>) {
        for i in 0..rounds {
            for worker in &self.workers {
                worker.tell(Work(i)).try_send().expect("it lives");
            }
        }
    }
}

impl Message<Work> for Worker {
    type Reply = ();

    async fn handle(&mut self, Work(i): Work, _: &mut Context<Self, Self::Reply>) {
        some_work(i);
        self.left.count();
    }
}

// philosophers

#[derive(Actor)]
pub(super) struct Arbiter {
    pub(super) forks: Forks,
    pub(super) philosophers: Vec<ActorRef<Philosopher>>,
}

#[derive(Actor)]
pub(super) struct Philosopher {
    pub(super) id: u32,
    pub(super) arbiter: ActorRef<Arbiter>,
    pub(super) left: Countdown,
}

pub(super) struct Table(pub(super) Vec<ActorRef<Philosopher>>);
struct Hungry(u32);
struct Finished(u32);
pub(super) struct Denied;
struct Eat;

impl Message<Table> for Arbiter {
    type Reply = ();

    async fn handle(&mut self, Table(philosophers): Table, _: &mut Context<Self, Self::Reply>) {
        self.philosophers = philosophers;
    }
}

impl Message<Hungry> for Arbiter {
    type Reply = ();

    async fn handle(&mut self, Hungry(id): Hungry, _: &mut Context<Self, Self::Reply>) {
        let philosopher = &self.philosophers[id as usize];
        let told = if self.forks.take(id) {
            philosopher.tell(Eat).try_send().is_ok()
        } else {
            philosopher.tell(Denied).try_send().is_ok()
        };
        assert!(told, "it lives");
    }
}

impl Message<Finished> for Arbiter {
    type Reply = ();

    async fn handle(&mut self, Finished(id): Finished, _: &mut Context<Self, Self::Reply>) {
        self.forks.put(id);
    }
}

impl Message<Denied> for Philosopher {
    type Reply = ();

    async fn handle(&mut self, _: Denied, _: &mut Context<Self, Self::Reply>) {
        self.arbiter.tell(Hungry(self.id)).try_send().expect("it lives");
    }
}

impl Message<Eat> for Philosopher {
    type Reply = ();

    async fn handle(&mut self, _: Eat, _: &mut Context<Self, Self::Reply>) {
        self.arbiter.tell(Finished(self.id)).try_send().expect("it lives");
        if self.left.count() {
            self.arbiter.tell(Hungry(self.id)).try_send().expect("it lives");
        }
    }
}
