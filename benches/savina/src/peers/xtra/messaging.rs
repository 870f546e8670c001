//! The actors of the workloads that send and ask.

use std::{sync::mpsc, time::Instant};

use futures_channel::oneshot;
use xtra::{Actor, Address, Context, Handler, Mailbox, spawn_tokio};

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

/// Starts an actor whose mailbox has no bound.
pub(super) fn start<A: Actor<Stop = ()>>(actor: A) -> Address<A> {
    spawn_tokio(actor, Mailbox::unbounded())
}

/// Sends when there is room, without waiting for the message to be handled.
pub(super) async fn tell<A, M>(to: &Address<A>, message: M)
where
    A: Handler<M, Return = ()>,
    M: Send + 'static,
{
    drop(to.send(message).detach().await.expect("it lives"));
}

pub(super) struct Go(pub(super) u64);
pub(super) struct Hold(pub(super) oneshot::Receiver<()>, pub(super) &'static Latch);

// pingpong, ring

#[derive(xtra::Actor)]
pub(super) struct Node {
    pub(super) next: Option<Address<Self>>,
    pub(super) done: &'static Latch,
}

pub(super) struct Next(pub(super) Address<Node>);
pub(super) struct Token(pub(super) u64);

impl Handler<Next> for Node {
    type Return = ();

    async fn handle(&mut self, Next(next): Next, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Token> for Node {
    type Return = ();

    async fn handle(&mut self, Token(left): Token, _: &mut Context<Self>) {
        match &self.next {
            Some(next) if left > 0 => tell(next, Token(left - 1)).await,
            _ => self.done.arrive(),
        }
    }
}

// counting

#[derive(xtra::Actor)]
pub(super) struct Counter {
    pub(super) left: Countdown,
}

#[derive(xtra::Actor)]
pub(super) struct Producer {
    pub(super) counter: Address<Counter>,
}

#[expect(dead_code, reason = "a message has a payload")]
pub(super) struct Count(pub(super) u64);

impl Handler<Count> for Counter {
    type Return = ();

    async fn handle(&mut self, _: Count, _: &mut Context<Self>) {
        self.left.count();
    }
}

impl Handler<Go> for Producer {
    type Return = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        for i in 0..n {
            tell(&self.counter, Count(i)).await;
        }
    }
}

// fan-in

#[derive(xtra::Actor)]
pub(super) struct Source {
    pub(super) id: u32,
    pub(super) sink: Address<Sink>,
    pub(super) batches: Countdown,
}

#[derive(xtra::Actor)]
pub(super) struct Sink {
    pub(super) sources: Vec<Address<Source>>,
    pub(super) left: Countdown,
}

pub(super) struct Sources(pub(super) Vec<Address<Source>>);

impl Handler<Go> for Source {
    type Return = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        if self.batches.is_over() {
            return;
        }
        for item in Item::batch(self.id, n) {
            tell(&self.sink, item).await;
        }
        self.batches.count();
    }
}

impl Handler<Sources> for Sink {
    type Return = ();

    async fn handle(&mut self, Sources(sources): Sources, _: &mut Context<Self>) {
        self.sources = sources;
    }
}

impl Handler<Hold> for Sink {
    type Return = ();

    async fn handle(&mut self, Hold(gate, held): Hold, _: &mut Context<Self>) {
        held.arrive();
        gate.await.expect("it is opened");
    }
}

impl Handler<Item> for Sink {
    type Return = ();

    async fn handle(&mut self, item: Item, _: &mut Context<Self>) {
        if self.left.count() && item.last && !self.sources.is_empty() {
            tell(&self.sources[item.source as usize], Go(BATCH)).await;
        }
    }
}

// ask

#[derive(xtra::Actor)]
pub(super) struct Service;

#[derive(xtra::Actor)]
pub(super) struct Asker {
    pub(super) service: Address<Service>,
    pub(super) laps: mpsc::Sender<Laps>,
}

pub(super) struct Question(pub(super) u64);

impl Handler<Question> for Service {
    type Return = u64;

    async fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

impl Handler<Go> for Asker {
    type Return = ();

    async fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
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

#[derive(xtra::Actor)]
pub(super) struct Big {
    pub(super) id: u32,
    pub(super) all: Vec<Address<Self>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) struct All(pub(super) Vec<Address<Big>>);
struct Ping(u32);
pub(super) struct Pong;

impl Handler<All> for Big {
    type Return = ();

    async fn handle(&mut self, All(all): All, _: &mut Context<Self>) {
        self.all = all;
    }
}

impl Handler<Ping> for Big {
    type Return = ();

    async fn handle(&mut self, Ping(from): Ping, _: &mut Context<Self>) {
        tell(&self.all[from as usize], Pong).await;
    }
}

impl Handler<Pong> for Big {
    type Return = ();

    async fn handle(&mut self, _: Pong, _: &mut Context<Self>) {
        if self.left.count() {
            tell(&self.all[self.partners.pick()], Ping(self.id)).await;
        }
    }
}

// fork-join

#[derive(xtra::Actor)]
pub(super) struct Dealer {
    pub(super) workers: Vec<Address<Worker>>,
}

#[derive(xtra::Actor)]
pub(super) struct Worker {
    pub(super) left: Countdown,
}

struct Work(u64);

impl Handler<Go> for Dealer {
    type Return = ();

    async fn handle(&mut self, Go(rounds): Go, _: &mut Context<Self>) {
        for i in 0..rounds {
            for worker in &self.workers {
                tell(worker, Work(i)).await;
            }
        }
    }
}

impl Handler<Work> for Worker {
    type Return = ();

    async fn handle(&mut self, Work(i): Work, _: &mut Context<Self>) {
        some_work(i);
        self.left.count();
    }
}

// philosophers

#[derive(xtra::Actor)]
pub(super) struct Arbiter {
    pub(super) forks: Forks,
    pub(super) philosophers: Vec<Address<Philosopher>>,
}

#[derive(xtra::Actor)]
pub(super) struct Philosopher {
    pub(super) id: u32,
    pub(super) arbiter: Address<Arbiter>,
    pub(super) left: Countdown,
}

pub(super) struct Table(pub(super) Vec<Address<Philosopher>>);
struct Hungry(u32);
struct Finished(u32);
pub(super) struct Denied;
struct Eat;

impl Handler<Table> for Arbiter {
    type Return = ();

    async fn handle(&mut self, Table(philosophers): Table, _: &mut Context<Self>) {
        self.philosophers = philosophers;
    }
}

impl Handler<Hungry> for Arbiter {
    type Return = ();

    async fn handle(&mut self, Hungry(id): Hungry, _: &mut Context<Self>) {
        let philosopher = &self.philosophers[id as usize];
        if self.forks.take(id) {
            tell(philosopher, Eat).await;
        } else {
            tell(philosopher, Denied).await;
        }
    }
}

impl Handler<Finished> for Arbiter {
    type Return = ();

    async fn handle(&mut self, Finished(id): Finished, _: &mut Context<Self>) {
        self.forks.put(id);
    }
}

impl Handler<Denied> for Philosopher {
    type Return = ();

    async fn handle(&mut self, _: Denied, _: &mut Context<Self>) {
        tell(&self.arbiter, Hungry(self.id)).await;
    }
}

impl Handler<Eat> for Philosopher {
    type Return = ();

    async fn handle(&mut self, _: Eat, _: &mut Context<Self>) {
        tell(&self.arbiter, Finished(self.id)).await;
        if self.left.count() {
            tell(&self.arbiter, Hungry(self.id)).await;
        }
    }
}
