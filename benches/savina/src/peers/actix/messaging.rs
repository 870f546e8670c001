//! The actors of the workloads that send and ask.

use std::{sync::mpsc, time::Instant};

use actix::{
    Actor, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler, Message, ResponseFuture,
    WrapFuture as _,
};
use futures_channel::oneshot;

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

/// A message that is only sent.
macro_rules! messages {
    ($($message:ty),* $(,)?) => {
        $(impl Message for $message { type Result = (); })*
    };
}
pub(super) use messages;

/// An actor without hooks.
macro_rules! actors {
    ($($actor:ty),* $(,)?) => {
        $(impl Actor for $actor { type Context = Context<Self>; })*
    };
}
pub(super) use actors;

pub(super) struct Go(pub(super) u64);
pub(super) struct Hold(pub(super) oneshot::Receiver<()>, pub(super) &'static Latch);
messages!(Go, Hold);

// pingpong, ring

pub(super) struct Node {
    pub(super) next: Option<Addr<Self>>,
    pub(super) done: &'static Latch,
}

pub(super) struct Next(pub(super) Addr<Node>);
pub(super) struct Token(pub(super) u64);
messages!(Next, Token);

actors!(Node);

impl Handler<Next> for Node {
    type Result = ();

    fn handle(&mut self, Next(next): Next, _: &mut Context<Self>) {
        self.next = Some(next);
    }
}

impl Handler<Token> for Node {
    type Result = ();

    fn handle(&mut self, Token(left): Token, _: &mut Context<Self>) {
        match &self.next {
            Some(next) if left > 0 => next.do_send(Token(left - 1)),
            _ => self.done.arrive(),
        }
    }
}

// counting

pub(super) struct Counter {
    pub(super) left: Countdown,
}

pub(super) struct Producer {
    pub(super) counter: Addr<Counter>,
}

#[expect(dead_code, reason = "a message has a payload")]
pub(super) struct Count(pub(super) u64);
messages!(Count);

actors!(Counter);
actors!(Producer);

impl Handler<Count> for Counter {
    type Result = ();

    fn handle(&mut self, _: Count, _: &mut Context<Self>) {
        self.left.count();
    }
}

impl Handler<Go> for Producer {
    type Result = ();

    fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        for i in 0..n {
            self.counter.do_send(Count(i));
        }
    }
}

// fan-in

pub(super) struct Source {
    pub(super) id: u32,
    pub(super) sink: Addr<Sink>,
    pub(super) batches: Countdown,
}

pub(super) struct Sink {
    pub(super) sources: Vec<Addr<Source>>,
    pub(super) left: Countdown,
}

pub(super) struct Sources(pub(super) Vec<Addr<Source>>);
messages!(Sources, Item);

actors!(Source);
actors!(Sink);

impl Handler<Go> for Source {
    type Result = ();

    fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) {
        if self.batches.is_over() {
            return;
        }
        for item in Item::batch(self.id, n) {
            self.sink.do_send(item);
        }
        self.batches.count();
    }
}

impl Handler<Sources> for Sink {
    type Result = ();

    fn handle(&mut self, Sources(sources): Sources, _: &mut Context<Self>) {
        self.sources = sources;
    }
}

impl Handler<Hold> for Sink {
    type Result = ();

    fn handle(&mut self, Hold(gate, held): Hold, cx: &mut Context<Self>) {
        held.arrive();
        cx.wait(gate.into_actor(self).map(|open, _, _| open.expect("it is opened")));
    }
}

impl Handler<Item> for Sink {
    type Result = ();

    fn handle(&mut self, item: Item, _: &mut Context<Self>) {
        if self.left.count() && item.last && !self.sources.is_empty() {
            self.sources[item.source as usize].do_send(Go(BATCH));
        }
    }
}

// ask

pub(super) struct Service;

pub(super) struct Asker {
    pub(super) service: Addr<Service>,
    pub(super) laps: mpsc::Sender<Laps>,
}

pub(super) struct Question(pub(super) u64);

impl Message for Question {
    type Result = u64;
}

actors!(Service);
actors!(Asker);

impl Handler<Question> for Service {
    type Result = u64;

    fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

impl Handler<Go> for Asker {
    type Result = ResponseFuture<()>;

    fn handle(&mut self, Go(n): Go, _: &mut Context<Self>) -> ResponseFuture<()> {
        let (service, tell) = (self.service.clone(), self.laps.clone());
        Box::pin(async move {
            let mut laps = Laps::with_capacity(n);
            for i in 0..n {
                let start = Instant::now();
                service.send(Question(i)).await.expect("an answer");
                laps.push(start.elapsed());
            }
            tell.send(laps).expect("the main thread waits");
        })
    }
}

// big

pub(super) struct Big {
    pub(super) id: u32,
    pub(super) all: Vec<Addr<Self>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) struct All(pub(super) Vec<Addr<Big>>);
struct Ping(u32);
pub(super) struct Pong;
messages!(All, Ping, Pong);

actors!(Big);

impl Handler<All> for Big {
    type Result = ();

    fn handle(&mut self, All(all): All, _: &mut Context<Self>) {
        self.all = all;
    }
}

impl Handler<Ping> for Big {
    type Result = ();

    fn handle(&mut self, Ping(from): Ping, _: &mut Context<Self>) {
        self.all[from as usize].do_send(Pong);
    }
}

impl Handler<Pong> for Big {
    type Result = ();

    fn handle(&mut self, _: Pong, _: &mut Context<Self>) {
        if self.left.count() {
            self.all[self.partners.pick()].do_send(Ping(self.id));
        }
    }
}

// fork-join

pub(super) struct Dealer {
    pub(super) workers: Vec<Addr<Worker>>,
}

pub(super) struct Worker {
    pub(super) left: Countdown,
}

struct Work(u64);
messages!(Work);

actors!(Dealer);
actors!(Worker);

impl Handler<Go> for Dealer {
    type Result = ();

    fn handle(&mut self, Go(rounds): Go, _: &mut Context<Self>) {
        for i in 0..rounds {
            for worker in &self.workers {
                worker.do_send(Work(i));
            }
        }
    }
}

impl Handler<Work> for Worker {
    type Result = ();

    fn handle(&mut self, Work(i): Work, _: &mut Context<Self>) {
        some_work(i);
        self.left.count();
    }
}

// philosophers

pub(super) struct Arbiter {
    pub(super) forks: Forks,
    pub(super) philosophers: Vec<Addr<Philosopher>>,
}

pub(super) struct Philosopher {
    pub(super) id: u32,
    pub(super) arbiter: Addr<Arbiter>,
    pub(super) left: Countdown,
}

pub(super) struct Table(pub(super) Vec<Addr<Philosopher>>);
struct Hungry(u32);
struct Finished(u32);
pub(super) struct Denied;
struct Eat;
messages!(Table, Hungry, Finished, Denied, Eat);

actors!(Arbiter);
actors!(Philosopher);

impl Handler<Table> for Arbiter {
    type Result = ();

    fn handle(&mut self, Table(philosophers): Table, _: &mut Context<Self>) {
        self.philosophers = philosophers;
    }
}

impl Handler<Hungry> for Arbiter {
    type Result = ();

    fn handle(&mut self, Hungry(id): Hungry, _: &mut Context<Self>) {
        let philosopher = &self.philosophers[id as usize];
        if self.forks.take(id) {
            philosopher.do_send(Eat);
        } else {
            philosopher.do_send(Denied);
        }
    }
}

impl Handler<Finished> for Arbiter {
    type Result = ();

    fn handle(&mut self, Finished(id): Finished, _: &mut Context<Self>) {
        self.forks.put(id);
    }
}

impl Handler<Denied> for Philosopher {
    type Result = ();

    fn handle(&mut self, _: Denied, _: &mut Context<Self>) {
        self.arbiter.do_send(Hungry(self.id));
    }
}

impl Handler<Eat> for Philosopher {
    type Result = ();

    fn handle(&mut self, _: Eat, _: &mut Context<Self>) {
        self.arbiter.do_send(Finished(self.id));
        if self.left.count() {
            self.arbiter.do_send(Hungry(self.id));
        }
    }
}
