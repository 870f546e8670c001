//! The actors of the workloads that send and ask.

use std::{sync::mpsc, time::Instant};

use futures_channel::oneshot;
use ractor::{Actor, ActorProcessingErr, ActorRef, RpcReplyPort, call};

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Forks, Item, Partners, some_work},
    workload::BATCH,
};

/// What a handler of ractor returns.
pub(super) type Handled = Result<(), ActorProcessingErr>;

/// An actor that is started with its state.
macro_rules! actor {
    ($actor:ident, $state:ty, $message:ty, |$this:ident, $in_hand:ident| $handle:expr) => {
        pub(super) struct $actor;

        impl Actor for $actor {
            type Msg = $message;
            type State = $state;
            type Arguments = $state;

            async fn pre_start(
                &self,
                _: ActorRef<$message>,
                state: $state,
            ) -> Result<$state, ActorProcessingErr> {
                Ok(state)
            }

            async fn handle(
                &self,
                _: ActorRef<$message>,
                $in_hand: $message,
                $this: &mut $state,
            ) -> Handled {
                $handle;
                Ok(())
            }
        }
    };
}
pub(super) use actor;

// pingpong, ring

pub(super) struct NodeState {
    pub(super) next: Option<ActorRef<ToNode>>,
    pub(super) done: &'static Latch,
}

pub(super) enum ToNode {
    Next(ActorRef<Self>),
    Token(u64),
}

actor!(Node, NodeState, ToNode, |this, message| match (message, &this.next) {
    (ToNode::Next(node), _) => this.next = Some(node),
    (ToNode::Token(left), Some(next)) if left > 0 => {
        next.send_message(ToNode::Token(left - 1))?;
    }
    (ToNode::Token(_), _) => this.done.arrive(),
});

// counting

actor!(Counter, Countdown, u64, |this, _i| this.count());

actor!(Producer, ActorRef<u64>, u64, |counter, n| for i in 0..n {
    counter.send_message(i)?;
});

// fan-in

pub(super) struct SourceState {
    pub(super) id: u32,
    pub(super) sink: ActorRef<ToSink>,
    pub(super) batches: Countdown,
}

pub(super) struct SinkState {
    pub(super) sources: Vec<ActorRef<u64>>,
    pub(super) left: Countdown,
}

pub(super) enum ToSink {
    Sources(Vec<ActorRef<u64>>),
    Hold(oneshot::Receiver<()>, &'static Latch),
    Item(Item),
}

actor!(Source, SourceState, u64, |this, n| {
    if this.batches.is_over() {
        return Ok(());
    }
    for item in Item::batch(this.id, n) {
        this.sink.send_message(ToSink::Item(item))?;
    }
    this.batches.count();
});

actor!(Sink, SinkState, ToSink, |this, message| match message {
    ToSink::Sources(all) => this.sources = all,
    ToSink::Hold(gate, held) => {
        held.arrive();
        gate.await?;
    }
    ToSink::Item(item) => {
        if this.left.count() && item.last && !this.sources.is_empty() {
            this.sources[item.source as usize].send_message(BATCH)?;
        }
    }
});

// ask

pub(super) struct Question(pub(super) u64, pub(super) RpcReplyPort<u64>);

pub(super) struct AskerState {
    pub(super) service: ActorRef<Question>,
    pub(super) laps: mpsc::Sender<Laps>,
}

actor!(Service, (), Question, |_this, message| message.1.send(message.0)?);

actor!(Asker, AskerState, u64, |this, n| {
    let mut laps = Laps::with_capacity(n);
    for i in 0..n {
        let start = Instant::now();
        call!(this.service, |reply| Question(i, reply))?;
        laps.push(start.elapsed());
    }
    this.laps.send(laps)?;
});

// big

pub(super) struct BigState {
    pub(super) id: u32,
    pub(super) all: Vec<ActorRef<ToBig>>,
    pub(super) left: Countdown,
    pub(super) partners: Partners,
}

pub(super) enum ToBig {
    All(Vec<ActorRef<Self>>),
    Ping(u32),
    Pong,
}

actor!(Big, BigState, ToBig, |this, message| match message {
    ToBig::All(actors) => this.all = actors,
    ToBig::Ping(from) => this.all[from as usize].send_message(ToBig::Pong)?,
    ToBig::Pong => {
        if this.left.count() {
            this.all[this.partners.pick()].send_message(ToBig::Ping(this.id))?;
        }
    }
});

// fork-join

actor!(Dealer, Vec<ActorRef<u64>>, u64, |workers, rounds| for i in 0..rounds {
    for worker in &*workers {
        worker.send_message(i)?;
    }
});

actor!(Worker, Countdown, u64, |this, i| {
    some_work(i);
    this.count();
});

// philosophers

#[derive(Default)]
pub(super) struct ArbiterState {
    forks: Forks,
    philosophers: Vec<ActorRef<ToPhilosopher>>,
}

pub(super) struct PhilosopherState {
    pub(super) id: u32,
    pub(super) arbiter: ActorRef<ToArbiter>,
    pub(super) left: Countdown,
}

pub(super) enum ToArbiter {
    Table(Vec<ActorRef<ToPhilosopher>>),
    Hungry(u32),
    Finished(u32),
}

pub(super) enum ToPhilosopher {
    Denied,
    Eat,
}

actor!(Arbiter, ArbiterState, ToArbiter, |this, message| match message {
    ToArbiter::Table(all) => this.philosophers = all,
    ToArbiter::Hungry(id) => {
        let free = this.forks.take(id);
        let answer = if free { ToPhilosopher::Eat } else { ToPhilosopher::Denied };
        this.philosophers[id as usize].send_message(answer)?;
    }
    ToArbiter::Finished(id) => this.forks.put(id),
});

actor!(Philosopher, PhilosopherState, ToPhilosopher, |this, message| {
    let hungry = match message {
        ToPhilosopher::Denied => true,
        ToPhilosopher::Eat => {
            this.arbiter.send_message(ToArbiter::Finished(this.id))?;
            this.left.count()
        }
    };
    if hungry {
        this.arbiter.send_message(ToArbiter::Hungry(this.id))?;
    }
});
