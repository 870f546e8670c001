//! The way in for news of failed nodes.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use actors_core::SystemId;

use crate::{
    inbox::{Inbox, Mail},
    machine::Input,
};

/// Where a supervisor is told of failed nodes, while it starts and ends too. Cheap to clone; it does
/// not keep the supervisor alive.
#[derive(Clone)]
pub struct HostFailures(Weak<Inbox>);

impl HostFailures {
    pub(crate) fn new(inbox: &Arc<Inbox>) -> Self {
        Self(Arc::downgrade(inbox))
    }

    /// A node was declared dead: all children it hosts have ended, in one event. A host without
    /// children is ignored. Does not wait. False when this life of the supervisor has ended, and need not be told any more.
    pub fn failed(&self, host: SystemId, node: impl Into<String>) -> bool {
        let Some(inbox) = self.0.upgrade() else { return false };
        inbox.push(Mail::Input(Input::HostFailed { host, node: node.into() }));
        true
    }

    /// This life of the supervisor has ended. The next one, of a supervisor that is supervised, hears of failures for itself.
    pub fn is_over(&self) -> bool {
        self.0.strong_count() == 0
    }
}

impl fmt::Debug for HostFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostFailures")
    }
}
