use actors_core::ActorId;
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};

use crate::{Evicted, Key, SaveError, SaveReport, Skipped, SnapshotError, StoreError, Version};

/// What a [`Checkpointing`](crate::Checkpointing) actor did that nobody has asked for, or that went wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum CheckpointEvent {
    /// A version had to go.
    Evicted(Evicted),
    /// A state was not taken.
    Refused {
        /// Its key.
        key: Key,
        /// Its version.
        version: Version,
        /// Why.
        why: StoreError,
    },
    /// A child was left out of an update.
    Skipped {
        /// The child.
        child: ActorId,
        /// Why.
        why: Skipped,
    },
    /// A snapshot is safe on disk.
    Saved(SaveReport),
    /// A snapshot could not be written.
    SaveFailed(SaveError),
    /// A load has found something corrupt.
    Corrupt(SnapshotError),
}

/// The subscribers. One that falls 4096 events behind loses the newest.
#[derive(Debug, Default)]
pub(crate) struct Hub(Vec<Sender<CheckpointEvent>>);

const BACKLOG: usize = 4096;

impl Hub {
    pub(crate) fn subscribe(&mut self) -> Receiver<CheckpointEvent> {
        let (tx, rx) = bounded(BACKLOG);
        self.0.push(tx);
        rx
    }

    pub(crate) fn publish(&mut self, event: impl FnOnce() -> CheckpointEvent) {
        if self.0.is_empty() {
            return;
        }
        let event = event();
        self.0
            .retain(|tx| !matches!(tx.try_send(event.clone()), Err(TrySendError::Disconnected(_))));
    }
}
