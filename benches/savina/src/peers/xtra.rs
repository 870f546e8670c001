//! xtra, on Tokio with two worker threads. Mailboxes have no bound but in `bounded`; a message is sent
//! when `detach` has been awaited, which is at once if there is room.
//!
//! It has neither restarts nor timers.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use futures_lite::future::block_on;
use xtra::{Address, Mailbox, spawn_tokio};

use self::{lives::*, messaging::*};
use super::{Peer, raw_tokio::runtime};
use crate::{
    measure::{Laps, Latch, Sample, Samples, SpawnRound, resident, spawn_rounds, time, timed},
    parts::{Countdown, Forks, Partners},
    workload::{BATCH, BIG, BOUND, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Xtra;

impl Peer for Xtra {
    fn name(&self) -> &'static str {
        "xtra"
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = start(Counter { left: Countdown::new(n, done) });
        let producer = start(Producer { counter });
        let elapsed = time(|| {
            block_on(tell(&producer, Go(n)));
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = start(Counter { left: Countdown::new(n, done) });
        let elapsed = time(|| {
            for i in 0..n {
                block_on(tell(&counter, Count(i)));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let _in = runtime.enter();
        let (sink, sources) = fan_in(n, n / SOURCES / BATCH, done, sent);
        block_on(tell(&sink, Sources(sources.clone())));
        let elapsed = time(|| {
            for source in &sources {
                block_on(tell(source, Go(BATCH)));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let _in = runtime.enter();
        let (sink, sources) = fan_in(n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        block_on(tell(&sink, Hold(gate, held)));
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                block_on(tell(source, Go(n / SOURCES)));
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
        let _in = runtime.enter();
        let service = start(Service);
        let asker = start(Asker { service, laps });
        block_on(tell(&asker, Go(n)));
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let service = start(Service);
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            block_on(service.send(Question(i))).expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let spawner = start(Spawner::default());
        let round = SpawnRound {
            spawn: &|n, lives| block_on(tell(&spawner, Spawn(n, lives))),
            touch: &|| block_on(tell(&spawner, TouchAll)),
            stop: &|| block_on(tell(&spawner, StopAll)),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let holder = start(Holder);
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        block_on(tell(&holder, Hold(gate, held)));
        held.wait();
        let before = resident();
        for i in 0..n {
            block_on(tell(&holder, Pair(i, i)));
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(BIG));
        let _in = runtime.enter();
        let actor = |id| {
            let left = Countdown::new(n / BIG + 1, done);
            start(Big { id, all: Vec::new(), partners: Partners::of(id), left })
        };
        let all: Vec<_> = (0..BIG as u32).map(actor).collect();
        for actor in &all {
            block_on(tell(actor, All(all.clone())));
        }
        let elapsed = time(|| {
            for actor in &all {
                block_on(tell(actor, Pong));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (runtime, done, rounds) = (runtime(), Latch::new(WORKERS), n / WORKERS);
        let _in = runtime.enter();
        let worker = |_| start(Worker { left: Countdown::new(rounds, done) });
        let dealer = start(Dealer { workers: (0..WORKERS).map(worker).collect() });
        let elapsed = time(|| {
            block_on(tell(&dealer, Go(rounds)));
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(PHILOSOPHERS));
        let _in = runtime.enter();
        let arbiter = start(Arbiter { forks: Forks::default(), philosophers: Vec::new() });
        let philosopher = |id| {
            let (arbiter, left) = (arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
            start(Philosopher { id, arbiter, left })
        };
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        block_on(tell(&arbiter, Table(all.clone())));
        let elapsed = time(|| {
            for philosopher in &all {
                block_on(tell(philosopher, Denied));
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn bounded(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = Counter { left: Countdown::new(n, done) };
        let counter = spawn_tokio(counter, Mailbox::bounded(BOUND));
        let producer = start(Producer { counter });
        let elapsed = time(|| {
            block_on(tell(&producer, Go(n)));
            done.wait();
        });
        timed(n, elapsed)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (runtime, done) = (runtime(), Latch::new(1));
    let _in = runtime.enter();
    let all: Vec<_> = (0..nodes).map(|_| start(Node { next: None, done })).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        block_on(tell(node, Next(next.clone())));
    }
    time(|| {
        block_on(tell(&all[0], Token(hops)));
        done.wait();
    })
}

fn fan_in(
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (Address<Sink>, Vec<Address<Source>>) {
    let sink = start(Sink { sources: Vec::new(), left: Countdown::new(n, done) });
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        start(Source { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}
