//! Tokio without an actor library: an actor is a task, its mailbox an unbounded `mpsc` channel, its
//! address a sender.
//!
//! Two worker threads. A question carries a `oneshot`. A task is restarted by another one that watches
//! its `JoinHandle`; as its channel ends with it, the new one's address is handed out.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use tokio::{
    runtime::{Builder, Runtime},
    sync::{
        mpsc::{UnboundedSender, channel, unbounded_channel},
        oneshot,
    },
    task::JoinHandle,
};

use self::{lives::*, messaging::*};
use super::Peer;
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{AS_TOLD, Countdown, Due, Lateness},
    workload::{BATCH, BIG, BOUND, PHILOSOPHERS, RING, SOURCES, THREADS, WORKERS},
};

pub(super) struct RawTokio;

/// The runtime of all systems that are built on Tokio.
pub(super) fn runtime() -> Runtime {
    Builder::new_multi_thread().worker_threads(THREADS).enable_all().build().expect("it starts")
}

impl Peer for RawTokio {
    fn name(&self) -> &'static str {
        "tokio"
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = counter(n, done);
        let producer = actor(move |n| {
            for i in 0..n {
                counter.send(i).expect("it lives");
            }
        });
        let elapsed = time(|| {
            producer.send(n).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = counter(n, done);
        let elapsed = time(|| {
            for i in 0..n {
                counter.send(i).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let _in = runtime.enter();
        let (sink, sources) = fan_in(n, n / SOURCES / BATCH, done, sent);
        sink.send(ToSink::Sources(sources.clone())).expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.send(BATCH).expect("it lives");
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
        sink.send(ToSink::Hold(gate, held)).expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.send(n / SOURCES).expect("it lives");
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
        let (runtime, (tell, result)) = (runtime(), mpsc::channel());
        let _in = runtime.enter();
        let service = service();
        tokio::spawn(async move {
            let mut laps = Laps::with_capacity(n);
            for i in 0..n {
                let start = Instant::now();
                let (reply, answer) = oneshot::channel();
                service.send(Question(i, reply)).expect("it lives");
                answer.await.expect("an answer");
                laps.push(start.elapsed());
            }
            tell.send(laps).expect("the main thread waits");
        });
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let runtime = runtime();
        let service = runtime.block_on(async { service() });
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            let (reply, answer) = oneshot::channel();
            service.send(Question(i, reply)).expect("it lives");
            answer.blocking_recv().expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let spawner = spawner();
        let tell = |message| spawner.send(message).expect("it lives");
        let round = SpawnRound {
            spawn: &|n, lives| tell(ToSpawner::Spawn(n, lives)),
            touch: &|| tell(ToSpawner::Touch),
            stop: &|| tell(ToSpawner::Stop),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let runtime = runtime();
        let (holder, mut mailbox) = unbounded_channel::<(u64, u64)>();
        let (_open, gate) = oneshot::channel::<()>();
        runtime.spawn(async move {
            let _ = gate.await;
            while mailbox.recv().await.is_some() {}
        });
        let before = resident();
        for i in 0..n {
            holder.send((i, i)).expect("it lives");
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(BIG));
        let _in = runtime.enter();
        let all: Vec<_> =
            (0..BIG as u32).map(|id| big(id, Countdown::new(n / BIG + 1, done))).collect();
        for actor in &all {
            actor.send(ToBig::All(all.clone())).expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.send(ToBig::Pong).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (runtime, done, rounds) = (runtime(), Latch::new(WORKERS), n / WORKERS);
        let _in = runtime.enter();
        let workers: Vec<_> = (0..WORKERS).map(|_| worker(rounds, done)).collect();
        let dealer = actor(move |rounds| {
            for i in 0..rounds {
                for worker in &workers {
                    worker.send(i).expect("it lives");
                }
            }
        });
        let elapsed = time(|| {
            dealer.send(rounds).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(PHILOSOPHERS));
        let _in = runtime.enter();
        let arbiter = arbiter();
        let philosopher =
            |id| philosopher(id, arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.send(ToArbiter::Table(all.clone())).expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.send(ToPhilosopher::Denied).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn bounded(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let (counter, mut mailbox) = channel::<u64>(BOUND);
        let mut left = Countdown::new(n, done);
        runtime.spawn(async move {
            while mailbox.recv().await.is_some() {
                left.count();
            }
        });
        let elapsed = time(|| {
            runtime.spawn(async move {
                for i in 0..n {
                    counter.send(i).await.expect("it lives");
                }
            });
            done.wait();
        });
        timed(n, elapsed)
    }

    fn restart_panic(&self, n: u64) -> Samples {
        timed(n, restarts(n, || panic!("{AS_TOLD}")))
    }

    fn restart_error(&self, n: u64) -> Samples {
        timed(n, restarts(n, || Err(AS_TOLD)))
    }

    fn timers(&self, n: u64) -> Samples {
        let (runtime, (tell, late)) = (runtime(), mpsc::channel());
        let mut lateness = Lateness::new(n, tell);
        let _in = runtime.enter();
        let ringing = actor(move |due| lateness.hear(due));
        let set = move |delay| {
            let (ringing, due) = (ringing.clone(), Due::after(delay));
            tokio::spawn(async move {
                tokio::time::sleep(delay).await;
                let _ = ringing.send(due);
            })
        };
        let setter = actor(move |(delays, cancelled): (Vec<_>, Option<&'static Latch>)| {
            let timers: Vec<_> = delays.into_iter().map(&set).collect();
            if let Some(cancelled) = cancelled {
                timers.iter().for_each(JoinHandle::abort);
                cancelled.arrive();
            }
        });
        let round = TimerRound {
            cancel: &|delays, done| setter.send((delays, Some(done))).expect("it lives"),
            fire: &|delays| setter.send((delays, None)).expect("it lives"),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (runtime, done) = (runtime(), Latch::new(1));
    let _in = runtime.enter();
    let all: Vec<_> = (0..nodes).map(|_| node(done)).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.send(ToNode::Next(next.clone())).expect("it lives");
    }
    time(|| {
        all[0].send(ToNode::Token(hops)).expect("it lives");
        done.wait();
    })
}

fn fan_in(
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (UnboundedSender<ToSink>, Vec<UnboundedSender<u64>>) {
    let sink = sink(Countdown::new(n, done));
    let source = |id| source(id, sink.clone(), Countdown::new(batches, sent));
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}

fn restarts(n: u64, crash: fn() -> Crashed) -> Duration {
    let (runtime, (tell, elapsed)) = (runtime(), mpsc::channel());
    let (starts, mut started) = unbounded_channel();
    runtime.spawn(watch(starts));
    runtime.spawn(async move {
        let mut fragile = started.recv().await.expect("it starts");
        let start = Instant::now();
        for i in 0..n {
            fragile.send(ToFragile::Crash(crash)).expect("it lives");
            fragile = started.recv().await.expect("it is restarted");
            let (reply, answer) = oneshot::channel();
            fragile.send(ToFragile::Question(i, reply)).expect("it lives");
            answer.await.expect("an answer");
        }
        tell.send(start.elapsed()).expect("the main thread waits");
    });
    elapsed.recv().expect("the task tells")
}
