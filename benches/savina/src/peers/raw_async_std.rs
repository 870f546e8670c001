//! async-std without an actor library: an actor is a task, its mailbox an unbounded channel, its
//! address a sender.
//!
//! Threads: `ASYNC_STD_THREAD_COUNT`, which the parent of this process has set to 2. A question carries
//! a `oneshot`. A task is restarted by a loop around it that catches its panics; as its channel ends
//! with it, the new one's address is handed out.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use async_std::{
    channel::{Sender, bounded, unbounded},
    task,
};
use futures_channel::oneshot;
use futures_lite::future::block_on;

use self::{lives::*, messaging::*};
use super::Peer;
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{AS_TOLD, Countdown, Due, Lateness},
    workload::{BATCH, BIG, BOUND, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct RawAsyncStd;

impl Peer for RawAsyncStd {
    fn name(&self) -> &'static str {
        "async-std"
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let done = Latch::new(1);
        let counter = counter(n, done);
        let producer = actor(move |n| {
            for i in 0..n {
                counter.try_send(i).expect("it lives");
            }
        });
        let elapsed = time(|| {
            producer.try_send(n).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let done = Latch::new(1);
        let counter = counter(n, done);
        let elapsed = time(|| {
            for i in 0..n {
                counter.try_send(i).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (done, sent) = (Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(n, n / SOURCES / BATCH, done, sent);
        sink.try_send(ToSink::Sources(sources.clone())).expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.try_send(BATCH).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (done, sent) = (Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        sink.try_send(ToSink::Hold(gate, held)).expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.try_send(n / SOURCES).expect("it lives");
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
        let (tell, result) = mpsc::channel();
        let service = service();
        task::spawn(async move {
            let mut laps = Laps::with_capacity(n);
            for i in 0..n {
                let start = Instant::now();
                let (reply, answer) = oneshot::channel();
                service.try_send(Question(i, reply)).expect("it lives");
                answer.await.expect("an answer");
                laps.push(start.elapsed());
            }
            tell.send(laps).expect("the main thread waits");
        });
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let service = service();
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            let (reply, answer) = oneshot::channel();
            service.try_send(Question(i, reply)).expect("it lives");
            block_on(answer).expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let spawner = spawner();
        let tell = |message| spawner.try_send(message).expect("it lives");
        let round = SpawnRound {
            spawn: &|n, lives| tell(ToSpawner::Spawn(n, lives)),
            touch: &|| tell(ToSpawner::Touch),
            stop: &|| tell(ToSpawner::Stop),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let (holder, mailbox) = unbounded::<(u64, u64)>();
        let (_open, gate) = oneshot::channel::<()>();
        task::spawn(async move {
            let _ = gate.await;
            while mailbox.recv().await.is_ok() {}
        });
        let before = resident();
        for i in 0..n {
            holder.try_send((i, i)).expect("it lives");
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let done = Latch::new(BIG);
        let all: Vec<_> =
            (0..BIG as u32).map(|id| big(id, Countdown::new(n / BIG + 1, done))).collect();
        for actor in &all {
            actor.try_send(ToBig::All(all.clone())).expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.try_send(ToBig::Pong).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (done, rounds) = (Latch::new(WORKERS), n / WORKERS);
        let workers: Vec<_> = (0..WORKERS).map(|_| worker(rounds, done)).collect();
        let dealer = actor(move |rounds| {
            for i in 0..rounds {
                for worker in &workers {
                    worker.try_send(i).expect("it lives");
                }
            }
        });
        let elapsed = time(|| {
            dealer.try_send(rounds).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let done = Latch::new(PHILOSOPHERS);
        let arbiter = arbiter();
        let philosopher =
            |id| philosopher(id, arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.try_send(ToArbiter::Table(all.clone())).expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.try_send(ToPhilosopher::Denied).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn bounded(&self, n: u64) -> Samples {
        let done = Latch::new(1);
        let (counter, mailbox) = bounded::<u64>(BOUND);
        let mut left = Countdown::new(n, done);
        task::spawn(async move {
            while mailbox.recv().await.is_ok() {
                left.count();
            }
        });
        let elapsed = time(|| {
            task::spawn(async move {
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
        let (tell, late) = mpsc::channel();
        let mut lateness = Lateness::new(n, tell);
        let ringing = actor(move |due| lateness.hear(due));
        let set = move |delay| {
            let (ringing, due) = (ringing.clone(), Due::after(delay));
            task::spawn(async move {
                task::sleep(delay).await;
                let _ = ringing.try_send(due);
            })
        };
        let (setter, mailbox) = unbounded::<(Vec<_>, Option<&'static Latch>)>();
        task::spawn(async move {
            while let Ok((delays, cancelled)) = mailbox.recv().await {
                let timers: Vec<_> = delays.into_iter().map(&set).collect();
                if let Some(cancelled) = cancelled {
                    for timer in timers {
                        timer.cancel().await;
                    }
                    cancelled.arrive();
                }
            }
        });
        let round = TimerRound {
            cancel: &|delays, done| setter.try_send((delays, Some(done))).expect("it lives"),
            fire: &|delays| setter.try_send((delays, None)).expect("it lives"),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let done = Latch::new(1);
    let all: Vec<_> = (0..nodes).map(|_| node(done)).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.try_send(ToNode::Next(next.clone())).expect("it lives");
    }
    time(|| {
        all[0].try_send(ToNode::Token(hops)).expect("it lives");
        done.wait();
    })
}

fn fan_in(
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (Sender<ToSink>, Vec<Sender<u64>>) {
    let sink = sink(Countdown::new(n, done));
    let source = |id| source(id, sink.clone(), Countdown::new(batches, sent));
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}

fn restarts(n: u64, crash: fn() -> Crashed) -> Duration {
    let (tell, elapsed) = mpsc::channel();
    let (starts, started) = unbounded();
    task::spawn(watch(starts));
    task::spawn(async move {
        let mut fragile = started.recv().await.expect("it starts");
        let start = Instant::now();
        for i in 0..n {
            fragile.try_send(ToFragile::Crash(crash)).expect("it lives");
            fragile = started.recv().await.expect("it is restarted");
            let (reply, answer) = oneshot::channel();
            fragile.try_send(ToFragile::Question(i, reply)).expect("it lives");
            answer.await.expect("an answer");
        }
        tell.send(start.elapsed()).expect("the main thread waits");
    });
    elapsed.recv().expect("the task tells")
}
