//! What one node has promised and accepted, and for how long it holds to the owner.

use std::time::Duration;

use actors_core::{SystemId, host::Time};

use super::{
    say::Say,
    value::{Ballot, Value},
};

/// A voter's memory. It is not on a disk: a node that starts again is another voter.
#[derive(Debug)]
pub(super) struct Acceptor {
    promised: Ballot,
    accepted: Option<(Ballot, Value)>,
    /// Nobody else is promised anything before then.
    lease: Option<(Ballot, Time)>,
}

impl Acceptor {
    pub(super) const fn new() -> Self {
        Self { promised: Ballot::NONE, accepted: None, lease: None }
    }

    /// The newest that is known here. Perhaps it is not agreed on.
    pub(super) fn value(&self) -> Option<&Value> {
        self.accepted.as_ref().map(|(_, value)| value)
    }

    pub(super) const fn accepted(&self) -> Option<&(Ballot, Value)> {
        self.accepted.as_ref()
    }

    /// The highest round that was heard of.
    pub(super) const fn round(&self) -> u64 {
        self.promised.round
    }

    /// Until when somebody else than `node` has the word of this one, if so.
    pub(super) fn held_until(&self, node: SystemId, now: Time) -> Option<Time> {
        let (by, until) = self.lease?;
        (by.by != node && now < until).then_some(until)
    }

    /// When the lease that was given last ends, or has ended.
    pub(super) fn lease_end(&self) -> Option<Time> {
        self.lease.map(|(_, until)| until)
    }

    pub(super) fn prepare(&mut self, ballot: Ballot, now: Time) -> Say {
        if let Some(until) = self.held_until(ballot.by, now) {
            return Say::Held { ballot, micros: micros(until.since(now)) };
        }
        if ballot < self.promised {
            return self.refuse(ballot);
        }
        self.promised = ballot;
        Say::Promise { ballot, accepted: self.accepted.clone() }
    }

    pub(super) fn accept(
        &mut self,
        ballot: Ballot,
        value: &Value,
        lease: Duration,
        now: Time,
    ) -> Say {
        if ballot < self.promised || self.accepted.as_ref().is_some_and(|(old, _)| *old > ballot) {
            return self.refuse(ballot);
        }
        self.promised = ballot.first();
        self.accepted = Some((ballot, value.clone()));
        self.lease = Some((ballot.first(), now + lease));
        Say::Accepted { ballot }
    }

    pub(super) fn renew(&mut self, ballot: Ballot, number: u64, lease: Duration, now: Time) -> Say {
        if ballot < self.promised {
            return self.refuse(ballot);
        }
        self.promised = ballot;
        self.lease = Some((ballot, now + lease));
        Say::Renewed { ballot, number }
    }

    /// Whoever was given its word by this ballot does not need it any more.
    pub(super) fn released(&mut self, by: Ballot, now: Time) {
        if let Some((_, until)) = self.lease.as_mut().filter(|(holder, _)| *holder == by) {
            *until = (*until).min(now);
        }
    }

    const fn refuse(&self, ballot: Ballot) -> Say {
        Say::Refused { ballot, promised: self.promised }
    }
}

pub(super) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}
