//! A member that is suspected, and by whom.

use std::{collections::BTreeSet, time::Duration};

use actors_core::{SystemId, host::Time};

use super::Swim;

#[derive(Debug)]
pub(super) struct Suspicion {
    since: Time,
    by: BTreeSet<SystemId>,
}

impl Suspicion {
    pub(super) fn new(by: SystemId, now: Time) -> Self {
        Self { since: now, by: [by].into() }
    }

    /// Whether that is another one, of those that make a difference among so many nodes.
    pub(super) fn confirm(&mut self, by: SystemId, nodes: usize) -> bool {
        self.by.len() <= Swim::confirmations(nodes) && self.by.insert(by)
    }

    pub(super) fn until(&self, settings: &Swim, nodes: usize) -> Time {
        self.since + settings.suspicion_time(nodes, self.by.len() - 1)
    }

    /// It was heard: the time begins anew.
    pub(super) fn again(&mut self, now: Time) {
        self.since = now;
    }

    pub(super) fn postpone(&mut self, by: Duration) {
        self.since = self.since + by;
    }
}
