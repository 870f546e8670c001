use std::{
    fmt,
    sync::{Arc, Weak},
};

use serde::{Deserialize, Serialize};

use crate::{ActorId, AnyLink, ExitReason, SystemId, cell::AnyCell};

/// The end of one incarnation of a monitored actor, or of a monitored task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Who; a task has an identity of its own, and so has a name that nobody had.
    pub actor: ActorId,
    /// Which of its lives.
    pub incarnation: u32,
    /// Why.
    pub reason: ExitReason,
}

/// One monitor, for [`Context::demonitor`](crate::Context::demonitor). It is used up when its `Down`
/// is delivered; a restarted actor must be monitored again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct MonitorRef(pub(crate) u64);

/// What a monitor is on, to let go of it.
pub(crate) enum Watched {
    /// An actor here, which the monitor does not keep.
    Here(Weak<dyn AnyCell>),
    /// One on another node: what is known of it here is kept.
    Away(AnyLink),
    Task,
    /// There was no actor with this name.
    Nobody,
}

impl Watched {
    pub(crate) fn actor(actor: &AnyLink) -> Self {
        let cell = actor.cell();
        if cell.location().node == cell.system_of().id() {
            Self::Here(Arc::downgrade(cell))
        } else {
            Self::Away(actor.clone())
        }
    }

    pub(crate) fn unwatch(&self, monitor: MonitorRef) {
        match self {
            Self::Here(cell) => {
                if let Some(cell) = cell.upgrade() {
                    cell.unwatch(monitor);
                }
            }
            Self::Away(actor) => actor.cell().unwatch(monitor),
            Self::Task | Self::Nobody => {}
        }
    }
}

/// Who is told.
pub(crate) enum Watcher {
    /// A function of this process: it only ever queues something.
    Local(MonitorRef, Arc<dyn Fn(Down) + Send + Sync>),
    /// Another node, once however many of its actors watch.
    Node(SystemId),
}

impl fmt::Debug for Watcher {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Local(monitor, _) => write!(f, "{monitor:?}"),
            Self::Node(node) => write!(f, "Node({node})"),
        }
    }
}
