//! coerce with its default features, on Tokio with two worker threads. Mailboxes have no bound.
//!
//! It has no restarts.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use coerce::actor::{Actor, LocalActorRef, system::ActorSystem};
use futures_channel::oneshot;
use tokio::runtime::Runtime;

use self::{lives::*, messaging::*};
use super::{Peer, raw_tokio::runtime};
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{Countdown, Forks, Lateness, Partners},
    workload::{BATCH, BIG, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Coerce;

fn start<A: Actor>(runtime: &Runtime, system: &ActorSystem, actor: A) -> LocalActorRef<A> {
    runtime.block_on(messaging::start(system, actor))
}

impl Peer for Coerce {
    fn name(&self) -> &'static str {
        "coerce"
    }

    fn is_heavy(&self) -> bool {
        true
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let system = runtime.block_on(async { ActorSystem::new() });
        let counter = start(&runtime, &system, Counter { left: Countdown::new(n, done) });
        let producer = start(&runtime, &system, Producer { counter });
        let elapsed = time(|| {
            producer.notify(Go(n)).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let system = runtime.block_on(async { ActorSystem::new() });
        let counter = start(&runtime, &system, Counter { left: Countdown::new(n, done) });
        let elapsed = time(|| {
            for i in 0..n {
                counter.notify(Count(i)).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let system = runtime.block_on(async { ActorSystem::new() });
        let (sink, sources) = fan_in(&runtime, &system, n, n / SOURCES / BATCH, done, sent);
        sink.notify(Sources(sources.clone())).expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.notify(Go(BATCH)).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let system = runtime.block_on(async { ActorSystem::new() });
        let (sink, sources) = fan_in(&runtime, &system, n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        sink.notify(Hold(gate, held)).expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.notify(Go(n / SOURCES)).expect("it lives");
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
        let (runtime, (laps, result)) = (runtime(), mpsc::channel());
        let system = runtime.block_on(async { ActorSystem::new() });
        let service = start(&runtime, &system, Service);
        let asker = start(&runtime, &system, Asker { service, laps });
        asker.notify(Go(n)).expect("it lives");
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let runtime = runtime();
        let system = runtime.block_on(async { ActorSystem::new() });
        let service = start(&runtime, &system, Service);
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            runtime.block_on(service.send(Question(i))).expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let runtime = runtime();
        let system = runtime.block_on(async { ActorSystem::new() });
        let spawner = start(&runtime, &system, Spawner::default());
        let round = SpawnRound {
            spawn: &|n, lives| spawner.notify(Spawn(n, lives)).expect("it lives"),
            touch: &|| spawner.notify(TouchAll).expect("it lives"),
            stop: &|| spawner.notify(StopAll).expect("it lives"),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let runtime = runtime();
        let system = runtime.block_on(async { ActorSystem::new() });
        let holder = start(&runtime, &system, Holder);
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        holder.notify(Hold(gate, held)).expect("it lives");
        held.wait();
        let before = resident();
        for i in 0..n {
            holder.notify(Pair(i, i)).expect("it lives");
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(BIG));
        let system = runtime.block_on(async { ActorSystem::new() });
        let actor = |id| {
            let left = Countdown::new(n / BIG + 1, done);
            start(&runtime, &system, Big { id, all: Vec::new(), partners: Partners::of(id), left })
        };
        let all: Vec<_> = (0..BIG as u32).map(actor).collect();
        for actor in &all {
            actor.notify(All(all.clone())).expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.notify(Pong).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (runtime, done, rounds) = (runtime(), Latch::new(WORKERS), n / WORKERS);
        let system = runtime.block_on(async { ActorSystem::new() });
        let worker = |_| start(&runtime, &system, Worker { left: Countdown::new(rounds, done) });
        let dealer =
            start(&runtime, &system, Dealer { workers: (0..WORKERS).map(worker).collect() });
        let elapsed = time(|| {
            dealer.notify(Go(rounds)).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(PHILOSOPHERS));
        let system = runtime.block_on(async { ActorSystem::new() });
        let arbiter =
            start(&runtime, &system, Arbiter { forks: Forks::default(), philosophers: Vec::new() });
        let philosopher = |id| {
            let (arbiter, left) = (arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
            start(&runtime, &system, Philosopher { id, arbiter, left })
        };
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.notify(Table(all.clone())).expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.notify(Denied).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn timers(&self, n: u64) -> Samples {
        let (runtime, (tell, late)) = (runtime(), mpsc::channel());
        let system = runtime.block_on(async { ActorSystem::new() });
        let ringing = start(&runtime, &system, Ringing(Lateness::new(n, tell)));
        let setter = start(&runtime, &system, Setter(ringing));
        let round = TimerRound {
            cancel: &|delays, done| setter.notify(Cancel(delays, done)).expect("it lives"),
            fire: &|delays| setter.notify(Fire(delays)).expect("it lives"),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (runtime, done) = (runtime(), Latch::new(1));
    let system = runtime.block_on(async { ActorSystem::new() });
    let all: Vec<_> =
        (0..nodes).map(|_| start(&runtime, &system, Node { next: None, done })).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.notify(Next(next.clone())).expect("it lives");
    }
    time(|| {
        all[0].notify(Token(hops)).expect("it lives");
        done.wait();
    })
}

fn fan_in(
    runtime: &Runtime,
    system: &ActorSystem,
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (LocalActorRef<Sink>, Vec<LocalActorRef<Source>>) {
    let sink = start(runtime, system, Sink { sources: Vec::new(), left: Countdown::new(n, done) });
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        start(runtime, system, Source { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}
