//! ractor with its default features, on Tokio with two worker threads. Its mailboxes have no bound.
//!
//! Restarts are by its pattern: a supervisor hears of the failure and starts a linked actor anew,
//! whose address it hands out.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use ractor::{Actor, ActorRef, call};
use tokio::{runtime::Runtime, sync::mpsc::unbounded_channel};

use self::{lives::*, messaging::*};
use super::{Peer, raw_tokio::runtime};
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{AS_TOLD, Countdown, Lateness, Partners},
    workload::{BATCH, BIG, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Ractor;

fn start<A: Actor>(runtime: &Runtime, actor: A, state: A::Arguments) -> ActorRef<A::Msg> {
    runtime.block_on(Actor::spawn(None, actor, state)).expect("it starts").0
}

impl Peer for Ractor {
    fn name(&self) -> &'static str {
        "ractor"
    }

    fn is_heavy(&self) -> bool {
        true
    }

    fn pingpong(&self, n: u64) -> Samples {
        timed(n, ring(2, 2 * n))
    }

    fn counting(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let counter = start(&runtime, Counter, Countdown::new(n, done));
        let producer = start(&runtime, Producer, counter);
        let elapsed = time(|| {
            producer.send_message(n).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn counting_thread(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let counter = start(&runtime, Counter, Countdown::new(n, done));
        let elapsed = time(|| {
            for i in 0..n {
                counter.send_message(i).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&runtime, n, n / SOURCES / BATCH, done, sent);
        sink.send_message(ToSink::Sources(sources.clone())).expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.send_message(BATCH).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in_deep(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let (sink, sources) = fan_in(&runtime, n, 1, done, sent);
        let ((open, gate), held) = (oneshot::channel(), Latch::new(1));
        sink.send_message(ToSink::Hold(gate, held)).expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.send_message(n / SOURCES).expect("it lives");
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
        let service = start(&runtime, Service, ());
        let asker = start(&runtime, Asker, AskerState { service, laps });
        asker.send_message(n).expect("it lives");
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let runtime = runtime();
        let service = start(&runtime, Service, ());
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            let answer = runtime.block_on(async { call!(service, |reply| Question(i, reply)) });
            answer.expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let runtime = runtime();
        let spawner = start(&runtime, Spawner, Vec::new());
        let tell = |message| spawner.send_message(message).expect("it lives");
        let round = SpawnRound {
            spawn: &|n, lives| tell(ToSpawner::Spawn(n, lives)),
            touch: &|| tell(ToSpawner::Touch),
            stop: &|| tell(ToSpawner::Stop),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let runtime = runtime();
        let holder = start(&runtime, Holder, ());
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        holder.send_message(ToHolder::Hold(gate, held)).expect("it lives");
        held.wait();
        let before = resident();
        for i in 0..n {
            holder.send_message(ToHolder::Pair(i, i)).expect("it lives");
        }
        vec![Sample::memory(n, resident() - before)]
    }

    fn big(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(BIG));
        let actor = |id| {
            let left = Countdown::new(n / BIG + 1, done);
            start(&runtime, Big, BigState { id, all: Vec::new(), left, partners: Partners::of(id) })
        };
        let all: Vec<_> = (0..BIG as u32).map(actor).collect();
        for actor in &all {
            actor.send_message(ToBig::All(all.clone())).expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.send_message(ToBig::Pong).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fork_join(&self, n: u64) -> Samples {
        let (runtime, done, rounds) = (runtime(), Latch::new(WORKERS), n / WORKERS);
        let worker = |_| start(&runtime, Worker, Countdown::new(rounds, done));
        let dealer = start(&runtime, Dealer, (0..WORKERS).map(worker).collect());
        let elapsed = time(|| {
            dealer.send_message(rounds).expect("it lives");
            done.wait();
        });
        timed(n, elapsed)
    }

    fn philosophers(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(PHILOSOPHERS));
        let arbiter = start(&runtime, Arbiter, ArbiterState::default());
        let philosopher = |id| {
            let (arbiter, left) = (arbiter.clone(), Countdown::new(n / PHILOSOPHERS, done));
            start(&runtime, Philosopher, PhilosopherState { id, arbiter, left })
        };
        let all: Vec<_> = (0..PHILOSOPHERS as u32).map(philosopher).collect();
        arbiter.send_message(ToArbiter::Table(all.clone())).expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.send_message(ToPhilosopher::Denied).expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn restart_panic(&self, n: u64) -> Samples {
        timed(n, restarts(n, || panic!("{AS_TOLD}")))
    }

    fn restart_error(&self, n: u64) -> Samples {
        timed(n, restarts(n, || Err(AS_TOLD.into())))
    }

    fn timers(&self, n: u64) -> Samples {
        let (runtime, (tell, late)) = (runtime(), mpsc::channel());
        let ringing = start(&runtime, Ringing, Lateness::new(n, tell));
        let setter = start(&runtime, Setter, ringing);
        let tell = |message| setter.send_message(message).expect("it lives");
        let round = TimerRound {
            cancel: &|delays, done| tell(ToSetter::Cancel(delays, done)),
            fire: &|delays| tell(ToSetter::Fire(delays)),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (runtime, done) = (runtime(), Latch::new(1));
    let node = |_| start(&runtime, Node, NodeState { next: None, done });
    let all: Vec<_> = (0..nodes).map(node).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.send_message(ToNode::Next(next.clone())).expect("it lives");
    }
    time(|| {
        all[0].send_message(ToNode::Token(hops)).expect("it lives");
        done.wait();
    })
}

fn fan_in(
    runtime: &Runtime,
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (ActorRef<ToSink>, Vec<ActorRef<u64>>) {
    let state = SinkState { sources: Vec::new(), left: Countdown::new(n, done) };
    let sink = start(runtime, Sink, state);
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        start(runtime, Source, SourceState { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}

fn restarts(n: u64, crash: fn() -> Handled) -> Duration {
    let (runtime, (tell, elapsed)) = (runtime(), mpsc::channel());
    let (starts, mut started) = unbounded_channel();
    start(&runtime, Restarter, starts);
    runtime.spawn(async move {
        let mut fragile = started.recv().await.expect("it starts");
        let start = Instant::now();
        for i in 0..n {
            fragile.send_message(ToFragile::Crash(crash)).expect("it lives");
            fragile = started.recv().await.expect("it is restarted");
            call!(fragile, |reply| ToFragile::Question(i, reply)).expect("an answer");
        }
        tell.send(start.elapsed()).expect("the main thread waits");
    });
    elapsed.recv().expect("the task tells")
}
