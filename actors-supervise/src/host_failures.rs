//! The way in for news of failed nodes.

use std::{fmt, sync::Arc};

use actors_core::SystemId;

use crate::{
    inbox::{Inbox, Mail},
    machine::Input,
};

/// Where a supervisor is told of failed nodes, while it starts and ends too. Cheap to clone; it does
/// not keep the supervisor alive.
#[derive(Clone)]
pub struct HostFailures(Arc<Inbox>);

impl HostFailures {
    pub(crate) const fn new(inbox: Arc<Inbox>) -> Self {
        Self(inbox)
    }

    /// A node was declared dead: all children it hosts have ended, in one event. A host without
    /// children is ignored. Does not wait.
    pub fn failed(&self, host: SystemId, node: impl Into<String>) {
        self.0.push(Mail::Input(Input::HostFailed { host, node: node.into() }));
    }
}

impl fmt::Debug for HostFailures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("HostFailures")
    }
}
