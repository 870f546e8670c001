//! The actors of the workloads for actix.

use std::{
    hint::black_box,
    sync::mpsc,
    time::{Duration, Instant},
};

use actix::{
    Actor, ActorContext as _, ActorFutureExt as _, Addr, AsyncContext as _, Context, Handler,
    Message, ResponseFuture, Supervised, WrapFuture as _, clock::sleep,
};
use futures_channel::oneshot;
use tokio::task::JoinHandle;

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Due, Forks, Item, Lateness, Lives, Partners, some_work},
    workload::BATCH,
};

/// A message that is only sent.
macro_rules! messages {
    ($($message:ty),* $(,)?) => {
        $(impl Message for $message { type Result = (); })*
    };
}

/// An actor without hooks.
macro_rules! actors {
    ($($actor:ty),* $(,)?) => {
        $(impl Actor for $actor { type Context = Context<Self>; })*
    };
}

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

// spawn, queued

#[derive(Default)]
pub(super) struct Spawner(Vec<Addr<Idle>>);
struct Idle(&'static Lives);
pub(super) struct Holder;

pub(super) struct Spawn(pub(super) u64, pub(super) &'static Lives);
pub(super) struct TouchAll;
pub(super) struct StopAll;
struct Touch;
pub(super) struct Pair(pub(super) u64, pub(super) u64);
messages!(Spawn, TouchAll, StopAll, Touch, Pair);

actors!(Spawner);
actors!(Holder);

impl Actor for Idle {
    type Context = Context<Self>;

    fn started(&mut self, _: &mut Context<Self>) {
        self.0.started.arrive();
    }

    fn stopped(&mut self, _: &mut Context<Self>) {
        self.0.stopped.arrive();
    }
}

impl Handler<Spawn> for Spawner {
    type Result = ();

    fn handle(&mut self, Spawn(n, lives): Spawn, _: &mut Context<Self>) {
        self.0 = (0..n).map(|_| Idle(lives).start()).collect();
    }
}

impl Handler<TouchAll> for Spawner {
    type Result = ();

    fn handle(&mut self, _: TouchAll, _: &mut Context<Self>) {
        for idle in &self.0 {
            idle.do_send(Touch);
        }
    }
}

impl Handler<StopAll> for Spawner {
    type Result = ();

    fn handle(&mut self, _: StopAll, _: &mut Context<Self>) {
        // An actor without addresses stops.
        self.0.clear();
    }
}

impl Handler<Touch> for Idle {
    type Result = ();

    fn handle(&mut self, _: Touch, _: &mut Context<Self>) {
        self.0.touched.arrive();
    }
}

impl Handler<Hold> for Holder {
    type Result = ();

    fn handle(&mut self, Hold(gate, held): Hold, cx: &mut Context<Self>) {
        held.arrive();
        cx.wait(gate.into_actor(self).map(|_, _, _| ()));
    }
}

impl Handler<Pair> for Holder {
    type Result = ();

    fn handle(&mut self, Pair(a, b): Pair, _: &mut Context<Self>) {
        black_box((a, b));
    }
}

// restart

pub(super) struct Fragile;

pub(super) struct Crash;
messages!(Crash);

actors!(Fragile);
impl Supervised for Fragile {}

impl Handler<Crash> for Fragile {
    type Result = ();

    fn handle(&mut self, _: Crash, cx: &mut Context<Self>) {
        cx.stop();
    }
}

impl Handler<Question> for Fragile {
    type Result = u64;

    fn handle(&mut self, Question(i): Question, _: &mut Context<Self>) -> u64 {
        i
    }
}

// timers

pub(super) struct Setter(pub(super) Addr<Ringing>);

pub(super) struct Ringing(pub(super) Lateness);

pub(super) struct Cancel(pub(super) Vec<Duration>, pub(super) &'static Latch);
pub(super) struct Fire(pub(super) Vec<Duration>);
messages!(Cancel, Fire, Due);

actors!(Setter);
actors!(Ringing);

impl Setter {
    /// Not `notify_later`: an actor looks through all that it has at every wake.
    fn set(&self, delay: Duration) -> JoinHandle<()> {
        let (ringing, due) = (self.0.clone(), Due::after(delay));
        actix::spawn(async move {
            sleep(delay).await;
            ringing.do_send(due);
        })
    }
}

impl Handler<Cancel> for Setter {
    type Result = ();

    fn handle(&mut self, Cancel(delays, cancelled): Cancel, _: &mut Context<Self>) {
        let timers: Vec<_> = delays.into_iter().map(|delay| self.set(delay)).collect();
        timers.iter().for_each(JoinHandle::abort);
        cancelled.arrive();
    }
}

impl Handler<Fire> for Setter {
    type Result = ();

    fn handle(&mut self, Fire(delays): Fire, _: &mut Context<Self>) {
        delays.into_iter().for_each(|delay| drop(self.set(delay)));
    }
}

impl Handler<Due> for Ringing {
    type Result = ();

    fn handle(&mut self, due: Due, _: &mut Context<Self>) {
        self.0.hear(due);
    }
}
