//! The tasks, in the place of actors, of the workloads that send and ask.

use async_std::{
    channel::{Sender, unbounded},
    task,
};
use futures_channel::oneshot;

use crate::{
    measure::Latch,
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

/// A task that handles one message after the other, for as long as somebody can send one.
pub(super) fn actor<M: Send + 'static>(mut handle: impl FnMut(M) + Send + 'static) -> Sender<M> {
    let (address, mailbox) = unbounded();
    task::spawn(async move {
        while let Ok(message) = mailbox.recv().await {
            handle(message);
        }
    });
    address
}

// pingpong, ring

pub(super) enum ToNode {
    Next(Sender<Self>),
    Token(u64),
}

pub(super) fn node(done: &'static Latch) -> Sender<ToNode> {
    let mut next: Option<Sender<ToNode>> = None;
    actor(move |message| match (message, &next) {
        (ToNode::Next(node), _) => next = Some(node),
        (ToNode::Token(left), Some(next)) if left > 0 => {
            next.try_send(ToNode::Token(left - 1)).expect("it lives");
        }
        (ToNode::Token(_), _) => done.arrive(),
    })
}

// counting

pub(super) fn counter(n: u64, done: &'static Latch) -> Sender<u64> {
    let mut left = Countdown::new(n, done);
    actor(move |_| {
        left.count();
    })
}

// fan-in

pub(super) enum ToSink {
    Sources(Vec<Sender<u64>>),
    Hold(oneshot::Receiver<()>, &'static Latch),
    Item(Item),
}

pub(super) fn source(id: u32, sink: Sender<ToSink>, mut batches: Countdown) -> Sender<u64> {
    actor(move |n| {
        if batches.is_over() {
            return;
        }
        for item in Item::batch(id, n) {
            sink.try_send(ToSink::Item(item)).expect("it lives");
        }
        batches.count();
    })
}

pub(super) fn sink(mut left: Countdown) -> Sender<ToSink> {
    let (address, mailbox) = unbounded();
    let mut sources: Vec<Sender<u64>> = Vec::new();
    task::spawn(async move {
        while let Ok(message) = mailbox.recv().await {
            match message {
                ToSink::Sources(all) => sources = all,
                ToSink::Hold(gate, held) => {
                    held.arrive();
                    gate.await.expect("it is opened");
                }
                ToSink::Item(item) => {
                    if left.count() && item.last && !sources.is_empty() {
                        sources[item.source as usize].try_send(BATCH).expect("it lives");
                    }
                }
            }
        }
    });
    address
}

// ask

pub(super) struct Question(pub(super) u64, pub(super) oneshot::Sender<u64>);

pub(super) fn service() -> Sender<Question> {
    actor(|Question(i, reply)| reply.send(i).expect("the asker waits"))
}

// big

pub(super) enum ToBig {
    All(Vec<Sender<Self>>),
    Ping(u32),
    Pong,
}

pub(super) fn big(id: u32, mut left: Countdown) -> Sender<ToBig> {
    let (mut all, mut partners): (Vec<Sender<_>>, _) = (Vec::new(), Partners::of(id));
    actor(move |message| match message {
        ToBig::All(actors) => all = actors,
        ToBig::Ping(from) => all[from as usize].try_send(ToBig::Pong).expect("it lives"),
        ToBig::Pong => {
            if left.count() {
                all[partners.pick()].try_send(ToBig::Ping(id)).expect("it lives");
            }
        }
    })
}

// fork-join

pub(super) fn worker(rounds: u64, done: &'static Latch) -> Sender<u64> {
    let mut left = Countdown::new(rounds, done);
    actor(move |i| {
        some_work(i);
        left.count();
    })
}

// philosophers

pub(super) enum ToArbiter {
    Table(Vec<Sender<ToPhilosopher>>),
    Hungry(u32),
    Finished(u32),
}

pub(super) enum ToPhilosopher {
    Denied,
    Eat,
}

pub(super) fn arbiter() -> Sender<ToArbiter> {
    let (mut forks, mut philosophers): (_, Vec<Sender<_>>) = (Forks::default(), Vec::new());
    actor(move |message| match message {
        ToArbiter::Table(all) => philosophers = all,
        ToArbiter::Hungry(id) => {
            let answer = if forks.take(id) { ToPhilosopher::Eat } else { ToPhilosopher::Denied };
            philosophers[id as usize].try_send(answer).expect("it lives");
        }
        ToArbiter::Finished(id) => forks.put(id),
    })
}

pub(super) fn philosopher(
    id: u32,
    arbiter: Sender<ToArbiter>,
    mut left: Countdown,
) -> Sender<ToPhilosopher> {
    actor(move |message| {
        let hungry = match message {
            ToPhilosopher::Denied => true,
            ToPhilosopher::Eat => {
                arbiter.try_send(ToArbiter::Finished(id)).expect("it lives");
                left.count()
            }
        };
        if hungry {
            arbiter.try_send(ToArbiter::Hungry(id)).expect("it lives");
        }
    })
}
