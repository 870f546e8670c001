use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_checkpoint::{Key, Version};
use actors_core::GroupEpoch;
use crossbeam_channel::{Receiver, unbounded};
use parking_lot::Mutex;

/// Something happened to the checkpoints of a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// All members have a version at a level.
    Committed {
        /// The level.
        level: u8,
        /// The version.
        version: Version,
    },
    /// The group is about to start.
    Restart(RestartEvent),
    /// A version could not be written to the last level. The ones before it stand.
    SaveFailed {
        /// The version.
        version: Version,
        /// Why.
        error: String,
    },
    /// A copy is damaged or gone: the plan does without it.
    Damaged {
        /// What.
        error: String,
    },
}

/// Where a group goes on from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RestartEvent {
    /// The group's restart epoch from now on; the first start is 0.
    pub epoch: GroupEpoch,
    /// The common version; `None` is a fresh start.
    pub version: Option<Version>,
    /// The level that each member's state comes from.
    pub levels: BTreeMap<Key, u8>,
    /// How long the planning took.
    pub took: Duration,
}

type Listener = Arc<dyn Fn(&Event) + Send + Sync>;

#[derive(Default)]
pub(crate) struct Hub(Mutex<Vec<Listener>>);

impl Hub {
    pub(crate) fn listen(&self, f: Box<dyn Fn(&Event) + Send + Sync>) {
        self.0.lock().push(f.into());
    }

    pub(crate) fn subscribe(&self) -> Receiver<Event> {
        let (tx, rx) = unbounded();
        self.listen(Box::new(move |event| drop(tx.send(event.clone()))));
        rx
    }

    pub(crate) fn publish(&self, event: &Event) {
        tracing::debug!(?event, "checkpoints");
        let listeners = self.0.lock().clone();
        for f in listeners {
            f(event);
        }
    }
}
