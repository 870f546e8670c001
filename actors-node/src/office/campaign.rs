//! An attempt to become the owner: ask what was agreed on, then propose to go on from there.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{SystemId, host::Time};

use super::value::{Ballot, Config, Value};

#[derive(Debug)]
pub(super) struct Campaign {
    pub(super) ballot: Ballot,
    promises: BTreeMap<SystemId, Option<(Ballot, Value)>>,
    /// What is proposed, from when on, and who has accepted it.
    proposed: Option<Proposed>,
    pub(super) given_up_at: Time,
    pub(super) again_at: Time,
}

/// What others are asked to accept.
#[derive(Debug)]
pub(super) struct Proposed {
    pub(super) ballot: Ballot,
    pub(super) value: Value,
    /// Those who accept it hold to its owner from then on, or from later.
    pub(super) since: Time,
    accepted: Config,
    refused: Config,
}

impl Proposed {
    pub(super) const fn new(ballot: Ballot, value: Value, since: Time) -> Self {
        Self { ballot, value, since, accepted: Config::new(), refused: Config::new() }
    }

    /// Whether it is agreed on now.
    pub(super) fn accepted_by(&mut self, node: SystemId) -> bool {
        self.accepted.insert(node);
        self.value.is_decided_by(&self.accepted)
    }
}

impl Campaign {
    pub(super) const fn new(ballot: Ballot, given_up_at: Time, again_at: Time) -> Self {
        Self { ballot, promises: BTreeMap::new(), proposed: None, given_up_at, again_at }
    }

    pub(super) const fn proposed(&mut self) -> Option<&mut Proposed> {
        self.proposed.as_mut()
    }

    pub(super) fn into_proposed(self) -> Option<Proposed> {
        self.proposed
    }

    /// Takes a refusal. True if those who are left cannot decide it.
    pub(super) fn is_hopeless(&mut self, from: SystemId, live: &Config) -> bool {
        // What was asked before it was proposed is asked again with a higher ballot.
        let Some(proposed) = &mut self.proposed else { return true };
        proposed.refused.insert(from);
        let left = live.difference(&proposed.refused).copied().collect();
        !proposed.value.is_decided_by(&left)
    }

    /// Takes a promise.
    pub(super) fn promised(&mut self, from: SystemId, accepted: Option<(Ballot, Value)>) {
        self.promises.insert(from, accepted);
    }

    pub(super) fn propose(&mut self, value: Value, now: Time) {
        self.proposed = Some(Proposed::new(self.ballot, value, now));
    }

    /// What may be proposed, if enough is known with what this node has accepted. `founding` has those who all have
    /// to say that nothing was agreed on, before anything is when nothing was; `None` when they are not all there.
    pub(super) fn base(
        &self,
        own: Option<(Ballot, Value)>,
        founding: Option<&Founding>,
        us: SystemId,
    ) -> Option<Value> {
        if self.proposed.is_some() {
            return None;
        }
        let promised: Config = self.promises.keys().copied().chain([us]).collect();
        let known = self.promises.values().flatten().chain(&own);
        if let Some((_, value)) = known.max_by_key(|(ballot, _)| *ballot) {
            return value.is_decided_by(&promised).then(|| value.elected(us));
        }
        let Founding { founders, witnesses } = founding?;
        let all = founders.union(witnesses).all(|node| promised.contains(node));
        all.then(|| Value {
            term: 1,
            owner: us,
            config: founders.clone(),
            previous: founders.clone(),
            table: Vec::new(),
        })
    }
}

/// Who has to know of nothing before something is agreed on for the first time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Founding {
    pub(super) founders: Config,
    /// All others that are there.
    pub(super) witnesses: Config,
}

/// All times of a role follow from the lease.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace(pub(super) Duration);

impl Pace {
    /// How long an owner counts on those who have given it their word: less than they hold to it, by more than
    /// clocks differ.
    pub(super) fn own(self) -> Duration {
        self.0 * 6 / 10
    }

    /// After that, how long it tries to have its lease renewed before it stands down.
    pub(super) fn grace(self) -> Duration {
        self.0 * 2 / 10
    }

    /// Between two renewals, and before what was not answered is said again.
    pub(super) fn renewal(self) -> Duration {
        self.0 / 6
    }

    /// Between those who may become owner: the first in order goes first.
    pub(super) fn step(self) -> Duration {
        self.0 / 30
    }

    /// How long a campaign lasts at most.
    pub(super) fn campaign(self) -> Duration {
        self.0 / 2
    }

    /// How long an owner that was not declared dead is waited for without a renewal.
    pub(super) fn patience(self) -> Duration {
        self.0 * 2
    }
}
