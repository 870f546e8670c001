use std::{fmt, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{ActorId, ExitReason, SystemId};

/// The end of one incarnation of a monitored actor.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Down {
    /// Who.
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
