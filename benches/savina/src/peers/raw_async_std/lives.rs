//! The tasks, in the place of actors, of the workloads that start, restart and set timers.

use std::panic::AssertUnwindSafe;

use async_std::{
    channel::{Sender, unbounded},
    task,
};
use futures_channel::oneshot;
use futures_lite::FutureExt;

use super::messaging::*;
use crate::parts::Lives;

// spawn

pub(super) enum ToSpawner {
    Spawn(u64, &'static Lives),
    Touch,
    Stop,
}

pub(super) fn spawner() -> Sender<ToSpawner> {
    let mut children: Vec<Sender<()>> = Vec::new();
    actor(move |message| match message {
        ToSpawner::Spawn(n, lives) => children = (0..n).map(|_| idle(lives)).collect(),
        ToSpawner::Touch => {
            for child in &children {
                child.try_send(()).expect("it lives");
            }
        }
        ToSpawner::Stop => children.clear(),
    })
}

fn idle(lives: &'static Lives) -> Sender<()> {
    let (address, mailbox) = unbounded();
    task::spawn(async move {
        lives.started.arrive();
        while mailbox.recv().await.is_ok() {
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
pub(super) async fn watch(starts: Sender<Sender<ToFragile>>) {
    loop {
        let (address, mailbox) = unbounded();
        let fragile = AssertUnwindSafe(async move {
            while let Ok(message) = mailbox.recv().await {
                match message {
                    ToFragile::Crash(crash) => crash()?,
                    ToFragile::Question(i, reply) => reply.send(i).expect("the asker waits"),
                }
            }
            Crashed::Ok(())
        });
        let fragile = task::spawn(fragile.catch_unwind());
        if starts.try_send(address).is_err() || matches!(fragile.await, Ok(Ok(()))) {
            return;
        }
    }
}
