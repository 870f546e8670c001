//! The stream of what a supervisor does.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{ExitReason, StartError};
use crossbeam_channel::{Receiver, Sender, TrySendError, bounded};
use parking_lot::Mutex;
use tracing::{field::display, level_filters::LevelFilter};

use crate::{
    RoundKind, StateSource,
    place::{Path, Place},
};

/// What a supervisor did or saw, in order.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A round begins: these children are stopped and started together. One that is widened or tried
    /// again is told again.
    RoundStarted {
        /// Why.
        kind: RoundKind,
        /// In the order of their start.
        children: Vec<String>,
    },
    /// A child runs, for the first time or again.
    ChildStarted {
        /// The child.
        id: String,
        /// Its life.
        incarnation: u32,
        /// Where its state came from.
        source: StateSource,
        /// From the call of its start until it ran.
        took: Duration,
    },
    /// A child's incarnation has ended, by itself or because it was stopped.
    ChildExited {
        /// The child.
        id: String,
        /// Its life.
        incarnation: u32,
        /// Why.
        reason: ExitReason,
    },
    /// A start has failed.
    StartFailed {
        /// The child; `None` if the plan of the round failed.
        id: Option<String>,
        /// Why.
        error: StartError,
    },
    /// A start has found that there is nothing to run: no failure.
    ChildIgnored {
        /// The child.
        id: String,
    },
    /// All children of a restart round run again; what each of them began with is told by its
    /// [`ChildStarted`](Self::ChildStarted) before.
    Restarted {
        /// In the order of their start.
        children: Vec<String>,
        /// From the failure until the last of them ran.
        took: Duration,
    },
    /// A node has failed, with these children.
    HostFailed {
        /// The name of the node.
        node: String,
        /// In the order of their start.
        children: Vec<String>,
    },
    /// A child is no longer supervised here.
    ChildRemoved {
        /// The child.
        id: String,
    },
    /// One failure too many: the supervisor gives up and stops its children.
    LimitExceeded {
        /// The child whose failure it was, if it was one child's.
        id: Option<String>,
        /// The failure.
        reason: ExitReason,
    },
    /// The supervisor does not handle this itself: it stops its children and ends, and it is for the
    /// supervisor above it, or for who monitors it, to go on from there.
    Escalated {
        /// Why it gives up.
        why: Escalation,
        /// The child, if it was one child's failure or end.
        id: Option<String>,
        /// What happened to the child, or to the node.
        reason: ExitReason,
    },
    /// All children are stopped; the supervisor ends.
    ShutDown,
}

/// Why a supervisor gives up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Escalation {
    /// There were too many failures; [`Event::LimitExceeded`] was told before.
    LimitExceeded,
    /// One of its static children did not start when it started itself.
    StartFailed,
    /// A significant child has ended by itself: see [`AutoShutdown`](crate::AutoShutdown).
    SignificantEnded,
}

impl Event {
    /// With the path of what it is about: of a child, or of the supervisor.
    fn log(&self, place: &Place) {
        let child = self.child();
        let path = display(Path { place, child });
        match self {
            Self::LimitExceeded { .. } => {
                tracing::error!(path, child, event = ?self, "supervisor gives up");
            }
            Self::HostFailed { .. } | Self::StartFailed { .. } | Self::Escalated { .. } => {
                tracing::warn!(path, child, event = ?self, "supervisor");
            }
            Self::ChildExited { reason, .. } if reason.is_abnormal() => {
                tracing::warn!(path, child, event = ?self, "supervisor");
            }
            _ => tracing::debug!(path, child, event = ?self, "supervisor"),
        }
    }

    /// The child that it is about, if that is one.
    fn child(&self) -> Option<&str> {
        match self {
            Self::ChildStarted { id, .. }
            | Self::ChildExited { id, .. }
            | Self::ChildIgnored { id }
            | Self::ChildRemoved { id } => Some(id),
            Self::StartFailed { id, .. }
            | Self::LimitExceeded { id, .. }
            | Self::Escalated { id, .. } => id.as_deref(),
            _ => None,
        }
    }
}

/// The subscribers. One that falls 4096 events behind loses the newest.
#[derive(Debug, Default)]
pub(crate) struct Hub {
    place: Arc<Place>,
    subscribers: Mutex<Vec<Sender<Event>>>,
    is_subscribed: AtomicBool,
}

const BACKLOG: usize = 4096;

impl Hub {
    pub(crate) fn subscribe(&self) -> Receiver<Event> {
        let (tx, rx) = bounded(BACKLOG);
        let mut subscribers = self.subscribers.lock();
        subscribers.push(tx);
        self.is_subscribed.store(true, Ordering::Release);
        rx
    }

    /// Where the supervisor is in its tree.
    pub(crate) const fn place(&self) -> &Arc<Place> {
        &self.place
    }

    /// Whether anybody listens, or logs.
    pub(crate) fn is_heard(&self) -> bool {
        LevelFilter::current() != LevelFilter::OFF || self.is_subscribed.load(Ordering::Acquire)
    }

    pub(crate) fn publish(&self, event: Event) {
        event.log(&self.place);
        let mut subscribers = self.subscribers.lock();
        subscribers
            .retain(|tx| !matches!(tx.try_send(event.clone()), Err(TrySendError::Disconnected(_))));
        self.is_subscribed.store(!subscribers.is_empty(), Ordering::Release);
    }
}
