//! actix: all actors of a `System` run on one thread, its default. Here that is not the main thread,
//! so that `counting-thread` and `ask-thread` mean the same as elsewhere.
//!
//! `do_send` does not heed the capacity of a mailbox, so none has a bound. Its supervisor restarts an
//! actor that stops; a panic ends the thread.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use actix::{Actor, Addr, ArbiterHandle, Context, Supervisor, System};
use futures_channel::oneshot;
use futures_lite::future::block_on;

use self::{lives::*, messaging::*};
use super::Peer;
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{Countdown, Forks, Lateness, Partners},
    workload::{BATCH, BIG, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Actix;

/// The thread of a new system.
fn system() -> ArbiterHandle {
    let (tell, handle) = mpsc::channel();
    thread::spawn(move || {
        let system = System::new();
        tell.send(actix::Arbiter::current()).expect("the main thread waits");
        system.run().expect("it runs");
    });
    handle.recv().expect("it starts")
}

/// Starts an actor there and waits until it has its address.
fn start<A: Actor<Context = Context<A>> + Send>(system: &ArbiterHandle, actor: A) -> Addr<A> {
    A::start_in_arbiter(system, |_| actor)
}

impl Peer for Actix {
    fn name(&self) -> &'static str {
        "actix"
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (system, done) = (system(), Latch::new(1));
        let counter = start(&system, Counter { left: Countdown::new(n, done) });
        let producer = start(&system, Producer { counter });
        let elapsed = time(|| {
            producer.do_send(Go(n));
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (system, done) = (system(), Latch::new(1));
        let counter = start(&system, Counter { left: Countdown::new(n, done) });
        let elapsed = time(|| {
            for i in 0..n {
                counter.do_send(Count(i));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (system, done, sent) = (system(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&system, n, n / SOURCES / BATCH, done, sent);
        sink.do_send(Sources(sources.clone()));
        let elapsed = time(|| {
            for source in &sources {
                source.do_send(Go(BATCH));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (system, done, sent) = (system(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&system, n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        sink.do_send(Hold(gate, held));
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.do_send(Go(n / SOURCES));
            }
            sent.wait();
            open.send(()).expect("the sink waits");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn ring(&self, n: u64) -> Samples {
        timed(n, ring(RING, n))
    }

    fn ask(&self, n: u64) -> Samples {
        let (system, (laps, result)) = (system(), mpsc::channel());
        let service = start(&system, Service);
        let asker = start(&system, Asker { service, laps });
        asker.do_send(Go(n));
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let service = start(&system(), Service);
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            block_on(service.send(Question(i))).expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let spawner = start(&system(), Spawner::default());
        let round = SpawnRound {
            spawn: &|n, lives| spawner.do_send(Spawn(n, lives)),
            touch: &|| spawner.do_send(TouchAll),
            stop: &|| spawner.do_send(StopAll),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let holder = start(&system(), Holder);
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        holder.do_send(Hold(gate, held));
        held.wait();
        let before = resident();
        for i in 0..n {
            holder.do_send(Pair(i, i));
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (system, done) = (system(), Latch::new(BIG));
        let actor = |id| {
            let left = Countdown::new(n / BIG + 1, done);
            start(&system, Big { id, all: Vec::new(), partners: Partners::of(id), left })
        };
        let all: Vec<_> = (0..BIG as u32).map(actor).collect();
        for actor in &all {
            actor.do_send(All(all.clone()));
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.do_send(Pong);
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (system, done, rounds) = (system(), Latch::new(WORKERS), n / WORKERS);
        let worker = |_| start(&system, Worker { left: Countdown::new(rounds, done) });
        let dealer = start(&system, Dealer { workers: (0..WORKERS).map(worker).collect() });
        let elapsed = time(|| {
            dealer.do_send(Go(rounds));
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (system, done) = (system(), Latch::new(PHILOSOPHERS));
        let arbiter = start(&system, Arbiter { forks: Forks::default(), philosophers: Vec::new() });
        let philosopher = |id| {
            let (arbiter, left) = (arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
            start(&system, Philosopher { id, arbiter, left })
        };
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.do_send(Table(all.clone()));
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.do_send(Denied);
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn restart_error(&self, n: u64) -> Samples {
        let (system, (tell, elapsed)) = (system(), mpsc::channel());
        let fragile = Supervisor::start_in_arbiter(&system, |_| Fragile);
        system.spawn(async move {
            let start = Instant::now();
            for i in 0..n {
                // The question waits in the mailbox for the next life.
                fragile.do_send(Crash);
                fragile.send(Question(i)).await.expect("an answer of the next life");
            }
            tell.send(start.elapsed()).expect("the main thread waits");
        });
        timed(n, elapsed.recv().expect("the task tells"))
    }

    fn timers(&self, n: u64) -> Samples {
        let (system, (tell, late)) = (system(), mpsc::channel());
        let setter = start(&system, Setter(start(&system, Ringing(Lateness::new(n, tell)))));
        let round = TimerRound {
            cancel: &|delays, done| setter.do_send(Cancel(delays, done)),
            fire: &|delays| setter.do_send(Fire(delays)),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (system, done) = (system(), Latch::new(1));
    let all: Vec<_> = (0..nodes).map(|_| start(&system, Node { next: None, done })).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.do_send(Next(next.clone()));
    }
    time(|| {
        all[0].do_send(Token(hops));
        done.wait();
    })
}

fn fan_in(
    system: &ArbiterHandle,
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (Addr<Sink>, Vec<Addr<Source>>) {
    let sink = start(system, Sink { sources: Vec::new(), left: Countdown::new(n, done) });
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        start(system, Source { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}
