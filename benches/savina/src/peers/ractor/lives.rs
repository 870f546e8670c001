//! The actors of the workloads that start, restart and set timers.

use std::{hint::black_box, time::Duration};

use futures_channel::oneshot;
use ractor::{
    Actor, ActorProcessingErr, ActorRef, RpcReplyPort, SupervisionEvent, concurrency::JoinHandle,
};
use tokio::sync::mpsc::UnboundedSender;

use super::messaging::*;
use crate::{
    measure::Latch,
    parts::{Due, Lateness, Lives},
};

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
