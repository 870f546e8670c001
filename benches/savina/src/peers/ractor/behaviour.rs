//! The actors of the workloads for ractor.

use std::{
    hint::black_box,
    sync::mpsc,
    time::{Duration, Instant},
};

use futures_channel::oneshot;
use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, call,
    concurrency::JoinHandle,
};
use tokio::sync::mpsc::UnboundedSender;

use crate::{
    measure::{Laps, Latch},
    parts::{Countdown, Due, Forks, Item, Lateness, Lives, Partners, some_work},
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

// spawn, queued

pub(super) enum ToSpawner {
    Spawn(u64, &'static Lives),
    Touch,
    Stop,
}

actor!(Spawner, Vec<ActorRef<()>>, ToSpawner, |children, message| match message {
    ToSpawner::Spawn(n, lives) => {
        *children = Vec::with_capacity(n as usize);
        for _ in 0..n {
            children.push(Actor::spawn(None, Idle, lives).await?.0);
        }
    }
    ToSpawner::Touch => {
        for child in &*children {
            child.send_message(())?;
        }
    }
    ToSpawner::Stop => children.drain(..).for_each(|child| child.stop(None)),
});

struct Idle;

impl Actor for Idle {
    type Msg = ();
    type State = &'static Lives;
    type Arguments = &'static Lives;

    async fn pre_start(
        &self,
        _: ActorRef<()>,
        lives: &'static Lives,
    ) -> Result<&'static Lives, ActorProcessingErr> {
        Ok(lives)
    }

    async fn post_start(&self, _: ActorRef<()>, lives: &mut &'static Lives) -> Handled {
        lives.started.arrive();
        Ok(())
    }

    async fn post_stop(&self, _: ActorRef<()>, lives: &mut &'static Lives) -> Handled {
        lives.stopped.arrive();
        Ok(())
    }

    async fn handle(&self, _: ActorRef<()>, (): (), lives: &mut &'static Lives) -> Handled {
        lives.touched.arrive();
        Ok(())
    }
}

pub(super) enum ToHolder {
    Hold(oneshot::Receiver<()>, &'static Latch),
    Pair(u64, u64),
}

actor!(Holder, (), ToHolder, |_this, message| match message {
    ToHolder::Hold(gate, held) => {
        held.arrive();
        gate.await?;
    }
    ToHolder::Pair(a, b) => {
        black_box((a, b));
    }
});

// restart

pub(super) enum ToFragile {
    Crash(fn() -> Handled),
    Question(u64, RpcReplyPort<u64>),
}

actor!(Fragile, (), ToFragile, |_this, message| match message {
    ToFragile::Crash(crash) => crash()?,
    ToFragile::Question(i, reply) => reply.send(i)?,
});

/// Starts the fragile actor, again after every failure, and tells its address each time.
pub(super) struct Restarter;

impl Actor for Restarter {
    type Msg = ();
    type State = UnboundedSender<ActorRef<ToFragile>>;
    type Arguments = Self::State;

    async fn pre_start(
        &self,
        myself: ActorRef<()>,
        starts: Self::State,
    ) -> Result<Self::State, ActorProcessingErr> {
        restart(&myself, &starts).await?;
        Ok(starts)
    }

    async fn handle_supervisor_evt(
        &self,
        myself: ActorRef<()>,
        event: SupervisionEvent,
        starts: &mut Self::State,
    ) -> Handled {
        match event {
            SupervisionEvent::ActorFailed(..) => restart(&myself, starts).await,
            _ => Ok(()),
        }
    }
}

async fn restart(
    supervisor: &ActorRef<()>,
    starts: &UnboundedSender<ActorRef<ToFragile>>,
) -> Handled {
    let (fragile, _) = Actor::spawn_linked(None, Fragile, (), supervisor.get_cell()).await?;
    starts.send(fragile)?;
    Ok(())
}

// timers

pub(super) enum ToSetter {
    Cancel(Vec<Duration>, &'static Latch),
    Fire(Vec<Duration>),
}

actor!(Ringing, Lateness, Due, |this, due| this.hear(due));

actor!(Setter, ActorRef<Due>, ToSetter, |ringing, message| {
    let set = |delay| {
        let due = Due::after(delay);
        ringing.send_after(delay, move || due)
    };
    match message {
        ToSetter::Cancel(delays, cancelled) => {
            let timers: Vec<_> = delays.into_iter().map(set).collect();
            timers.iter().for_each(JoinHandle::abort);
            cancelled.arrive();
        }
        ToSetter::Fire(delays) => delays.into_iter().map(set).for_each(drop),
    }
});
