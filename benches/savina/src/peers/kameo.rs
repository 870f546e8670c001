//! kameo with its default features, on Tokio with two worker threads. Mailboxes have no bound but in
//! `bounded`; `try_send`, which does not wait, is then the same as to wait for the send.
//!
//! Restarts are by its own supervision.

mod lives;
mod messaging;

use std::{
    sync::mpsc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use kameo::{
    actor::{ActorRef, Spawn as _},
    mailbox,
};

use self::{lives::*, messaging::*};
use super::{Peer, raw_tokio::runtime};
use crate::{
    measure::{
        Laps, Latch, Sample, Samples, SpawnRound, TimerRound, resident, spawn_rounds, time, timed,
        timer_rounds,
    },
    parts::{AS_TOLD, Countdown, Forks, Lateness, Partners},
    workload::{BATCH, BIG, BOUND, PHILOSOPHERS, RING, SOURCES, WORKERS},
};

pub(super) struct Kameo;

impl Peer for Kameo {
    fn name(&self) -> &'static str {
        "kameo"
    }

    fn is_heavy(&self) -> bool {
        true
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
            producer.tell(Go(n)).try_send().expect("it lives");
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
                counter.tell(Count(i)).try_send().expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn fan_in(&self, n: u64) -> Samples {
        let (runtime, done, sent) = (runtime(), Latch::new(1), Latch::new(SOURCES));
        let _in = runtime.enter();
        let (sink, sources) = fan_in(n, n / SOURCES / BATCH, done, sent);
        sink.tell(Sources(sources.clone())).try_send().expect("it lives");
        let elapsed = time(|| {
            for source in &sources {
                source.tell(Go(BATCH)).try_send().expect("it lives");
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
        sink.tell(Hold(gate, held)).try_send().expect("it lives");
        held.wait();
        let elapsed = time(|| {
            for source in &sources {
                source.tell(Go(n / SOURCES)).try_send().expect("it lives");
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
        asker.tell(Go(n)).try_send().expect("it lives");
        vec![Sample::laps(result.recv().expect("the asker tells"))]
    }

    fn ask_thread(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let service = start(Service);
        let mut laps = Laps::with_capacity(n);
        for i in 0..n {
            let start = Instant::now();
            service.ask(Question(i)).blocking_send().expect("an answer");
            laps.push(start.elapsed());
        }
        vec![Sample::laps(laps)]
    }

    fn spawn(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let spawner = start(Spawner::default());
        let round = SpawnRound {
            spawn: &|n, lives| spawner.tell(Spawn(n, lives)).try_send().expect("it lives"),
            touch: &|| spawner.tell(TouchAll).try_send().expect("it lives"),
            stop: &|| spawner.tell(StopAll).try_send().expect("it lives"),
        };
        spawn_rounds(n, round)
    }

    fn queued(&self, n: u64) -> Samples {
        let runtime = runtime();
        let _in = runtime.enter();
        let holder = start(Holder);
        let ((_open, gate), held) = (oneshot::channel(), Latch::new(1));
        holder.tell(Hold(gate, held)).try_send().expect("it lives");
        held.wait();
        let before = resident();
        for i in 0..n {
            holder.tell(Pair(i, i)).try_send().expect("it lives");
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
            actor.tell(All(all.clone())).try_send().expect("it lives");
        }
        let elapsed = time(|| {
            for actor in &all {
                actor.tell(Pong).try_send().expect("it lives");
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
            dealer.tell(Go(rounds)).try_send().expect("it lives");
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
        arbiter.tell(Table(all.clone())).try_send().expect("it lives");
        let elapsed = time(|| {
            for philosopher in &all {
                philosopher.tell(Denied).try_send().expect("it lives");
            }
            done.wait();
        });
        timed(n, elapsed)
    }

    fn bounded(&self, n: u64) -> Samples {
        let (runtime, done) = (runtime(), Latch::new(1));
        let _in = runtime.enter();
        let counter = Counter { left: Countdown::new(n, done) };
        let counter = Counter::spawn_with_mailbox(counter, mailbox::bounded(BOUND));
        let producer = start(Producer { counter });
        let elapsed = time(|| {
            producer.tell(Wait(n)).try_send().expect("it lives");
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
        let _in = runtime.enter();
        let setter = start(Setter(start(Ringing(Lateness::new(n, tell)))));
        let round = TimerRound {
            cancel: &|delays, done| setter.tell(Cancel(delays, done)).try_send().expect("it lives"),
            fire: &|delays| setter.tell(Fire(delays)).try_send().expect("it lives"),
        };
        timer_rounds(n, &late, round)
    }
}

fn ring(nodes: u64, hops: u64) -> Duration {
    let (runtime, done) = (runtime(), Latch::new(1));
    let _in = runtime.enter();
    let all: Vec<_> = (0..nodes).map(|_| start(Node { next: None, done })).collect();
    for (node, next) in all.iter().zip(all.iter().cycle().skip(1)) {
        node.tell(Next(next.clone())).try_send().expect("it lives");
    }
    time(|| {
        all[0].tell(Token(hops)).try_send().expect("it lives");
        done.wait();
    })
}

fn fan_in(
    n: u64,
    batches: u64,
    done: &'static Latch,
    sent: &'static Latch,
) -> (ActorRef<Sink>, Vec<ActorRef<Source>>) {
    let sink = start(Sink { sources: Vec::new(), left: Countdown::new(n, done) });
    let source = |id| {
        let (sink, batches) = (sink.clone(), Countdown::new(batches, sent));
        start(Source { id, sink, batches })
    };
    let sources = (0..SOURCES as u32).map(source).collect();
    (sink, sources)
}

fn restarts(n: u64, crash: fn() -> Crashed) -> Duration {
    let (runtime, (tell, elapsed)) = (runtime(), mpsc::channel());
    runtime.spawn(async move {
        let supervisor = start(Watching);
        let fragile = Fragile::supervise(&supervisor, Fragile)
            .restart_limit(u32::MAX, Duration::from_secs(1))
            .spawn_with_mailbox(mailbox::unbounded())
            .await;
        let start = Instant::now();
        for i in 0..n {
            fragile.tell(Crash(crash)).try_send().expect("the address stands");
            // What is in the mailbox when it crashes is lost: it is asked again.
            while fragile.ask(Question(i)).send().await.is_err() {}
        }
        tell.send(start.elapsed()).expect("the main thread waits");
    });
    elapsed.recv().expect("the task tells")
}
