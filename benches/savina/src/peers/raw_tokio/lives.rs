//! The tasks, in the place of actors, of the workloads that start, restart and set timers.

use tokio::sync::{
    mpsc::{UnboundedSender, unbounded_channel},
    oneshot,
};

use super::messaging::*;
use crate::parts::Lives;

// spawn

pub(super) enum ToSpawner {
    Spawn(u64, &'static Lives),
    Touch,
    Stop,
}

pub(super) fn spawner() -> UnboundedSender<ToSpawner> {
    let mut children: Vec<UnboundedSender<()>> = Vec::new();
    actor(move |message| match message {
        ToSpawner::Spawn(n, lives) => children = (0..n).map(|_| idle(lives)).collect(),
        ToSpawner::Touch => {
            for child in &children {
                child.send(()).expect("it lives");
            }
        }
        ToSpawner::Stop => children.clear(),
    })
}

fn idle(lives: &'static Lives) -> UnboundedSender<()> {
    let (address, mut mailbox) = unbounded_channel();
    tokio::spawn(async move {
        lives.started.arrive();
        while mailbox.recv().await.is_some() {
            lives.touched.arrive();
        }
        lives.stopped.arrive();
    });
    address
}

// restart

pub(super) type Crashed = Result<(), &'static str>;

pub(super) enum ToFragile {
    Crash(fn() -> Crashed),
    Question(u64, oneshot::Sender<u64>),
}

/// Starts the fragile task, again after every failure, and tells its address each time.
pub(super) async fn watch(starts: UnboundedSender<UnboundedSender<ToFragile>>) {
    loop {
        let (address, mut mailbox) = unbounded_channel();
        let fragile = tokio::spawn(async move {
            while let Some(message) = mailbox.recv().await {
                match message {
                    ToFragile::Crash(crash) => crash()?,
                    ToFragile::Question(i, reply) => reply.send(i).expect("the asker waits"),
                }
            }
            Crashed::Ok(())
        });
        if starts.send(address).is_err() || matches!(fragile.await, Ok(Ok(()))) {
            return;
        }
    }
}
