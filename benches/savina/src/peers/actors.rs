//! Ours: a new `System` as it comes, supervisors of `actors-supervise`.
//!
//! Threads: those of the default host, one a core or as many as `ASYNC_STD_THREAD_COUNT` says, which
//! the parent of this process has set to 2.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use actors_core::{Link, System};
use actors_supervise::{ChildSpec, Limit, Strategy, Supervisor};
use futures_channel::oneshot;

use self::{lives::*, messaging::*};
use super::Peer;
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{Countdown, Forks, Lateness, Partners},
    workload::{BATCH, BIG, BOUND, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Actors;

impl Peer for Actors {
    fn name(&self) -> &'static str {
        "actors"
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (system, done) = (System::new(), Latch::new(1));
        let counter = system.spawn(Counter { left: Countdown::new(n, done) });
        let producer = system.spawn(Producer { counter });
        let elapsed = time(|| {
            producer.send(Go(n)).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (system, done) = (System::new(), Latch::new(1));
        let counter = system.spawn(Counter { left: Countdown::new(n, done) });
        let elapsed = time(|| {
            for i in 0..n {
                counter.send(Count(i)).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (system, done, sent) = (System::new(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&system, n, n / SOURCES / BATCH, done, sent);
        sink.send(Sources(sources.clone())).expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.send(Go(BATCH)).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (system, done, sent) = (System::new(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&system, n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        sink.send(Hold(gate, held)).expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.send(Go(n / SOURCES)).expect("it lives");
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
        let (system, (laps, result)) = (System::new(), mpsc::channel());
        let service = system.spawn(Service);
        let asker = system.spawn(Asker { service, laps });
        asker.send(Go(n)).expect("it lives");
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let service = System::new().spawn(Service);
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            service.call_blocking(Question(i), Duration::from_secs(5)).expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let spawner = System::new().spawn(Spawner::default());
        let round = SpawnRound {
            spawn: &|n, lives| spawner.send(Spawn(n, lives)).expect("it lives"),
            touch: &|| spawner.send(TouchAll).expect("it lives"),
            stop: &|| spawner.send(StopAll).expect("it lives"),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let holder = System::new().spawn(Holder);
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        holder.send(Hold(gate, held)).expect("it lives");
        held.wait();
        let before = resident();
        for i in 0..n {
            holder.send(Pair(i, i)).expect("it lives");
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (system, done) = (System::new(), Latch::new(BIG));
        let actor = |id| {
            let left = Countdown::new(n / BIG + 1, done);
            system.spawn(Big { id, all: Vec::new(), partners: Partners::of(id), left })
        };
        let all: Vec<_> = (0..BIG as u32).map(actor).collect();
        for actor in &all {
            actor.send(All(all.clone())).expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.send(Pong).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (system, done, rounds) = (System::new(), Latch::new(WORKERS), n / WORKERS);
        let worker = |_| system.spawn(Worker { left: Countdown::new(rounds, done) });
        let dealer = system.spawn(Dealer { workers: (0..WORKERS).map(worker).collect() });
        let elapsed = time(|| {
            dealer.send(Go(rounds)).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (system, done) = (System::new(), Latch::new(PHILOSOPHERS));
        let arbiter = system.spawn(Arbiter { forks: Forks::default(), philosophers: Vec::new() });
        let philosopher = |id| {
            let (arbiter, left) = (arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
            system.spawn(Philosopher { id, arbiter, left })
        };
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.send(Table(all.clone())).expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.send(Denied).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn bounded(&self, n: u64) -> Samples {
        let (system, done) = (System::new(), Latch::new(1));
        let counter = system.spawn_bounded(Counter { left: Countdown::new(n, done) }, BOUND);
        let producer = system.spawn(Producer { counter });
        let elapsed = time(|| {
            producer.send(Fill(n)).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn restart_panic(&self, n: u64) -> Samples {
        timed(n, restarts(n, Crash::Panic))
    }

    fn restart_error(&self, n: u64) -> Samples {
        timed(n, restarts(n, Crash::Error))
    }

    fn timers(&self, n: u64) -> Samples {
        let (system, (tell, late)) = (System::new(), mpsc::channel());
        let setter = system.spawn(Setter(system.spawn(Ringing(Lateness::new(n, tell)))));
        let round = TimerRound {
            cancel: &|delays, done| setter.send(Cancel(delays, done)).expect("it lives"),
            fire: &|delays| setter.send(Fire(delays)).expect("it lives"),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (system, done) = (System::new(), Latch::new(1));
    let all: Vec<_> = (0..nodes).map(|_| system.spawn(Node { next: None, done })).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.send(Next(next.clone())).expect("it lives");
    }
    time(|| {
        all[0].send(Token(hops)).expect("it lives");
        done.wait();
    })
}

fn fan_in(
    system: &System,
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (Link<Sink>, Vec<Link<Source>>) {
    let sink = system.spawn(Sink { sources: Vec::new(), left: Countdown::new(n, done) });
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        system.spawn(Source { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}

fn restarts(n: u64, crash: Crash) -> Duration {
    let (system, (tell, elapsed)) = (System::new(), mpsc::channel());
    let limit = Limit { max_restarts: u32::MAX, period: Duration::from_secs(1) };
    let supervisor = Supervisor::builder(Strategy::OneForOne)
        .limit(limit)
        .child(ChildSpec::new("fragile", || Fragile));
    let supervisor = system.block_on(supervisor.start(&system)).expect("it starts");
    let fragile = system.block_on(supervisor.child::<Fragile>("fragile")).expect("it is a child");
    let tester = system.spawn(Tester { fragile, tell });
    tester.send(Restarts(n, crash)).expect("it lives");
    elapsed.recv().expect("the tester tells")
}
