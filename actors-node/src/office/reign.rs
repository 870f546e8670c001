//! The time of an owner: what was agreed on last, what is proposed next, and until when it counts on being the one.

use std::mem;

use actors_core::{SystemId, host::Time};

use super::{
    campaign::{Pace, Proposed},
    value::{Ballot, Config, Value, is_quorum},
};

#[derive(Debug)]
pub(super) struct Reign {
    pub(super) ballot: Ballot,
    /// What was agreed on last.
    pub(super) value: Value,
    next: Option<Proposed>,
    /// When that is said again.
    pub(super) again_at: Time,
    /// What the owner wants to keep, and has not proposed yet; with those who wait for it.
    table: Option<Vec<u8>>,
    table_for: Vec<u64>,
    proposed_for: Vec<u64>,
    pub(super) lease_until: Time,
    /// When it stands down, if nothing comes.
    pub(super) ends_at: Time,
    renewal: Option<Renewal>,
    renewals: u64,
    pub(super) renew_at: Time,
    /// Who wants to know that it is still the owner, by a renewal that is yet to begin.
    asking: Vec<u64>,
}

#[derive(Debug)]
struct Renewal {
    number: u64,
    since: Time,
    given: Config,
    asked_by: Vec<u64>,
}

/// What an answer has brought about.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// Tables that are kept now.
    pub(super) kept: Vec<u64>,
    /// Questions that are answered: it was the owner after they were asked.
    pub(super) confirmed: Vec<u64>,
}

impl Reign {
    /// It was elected by what was proposed at `since`.
    pub(super) fn new(elected: Proposed, pace: Pace) -> Self {
        let Proposed { ballot, value, since, .. } = elected;
        let lease_until = since + pace.own();
        Self {
            ballot,
            value,
            next: None,
            again_at: since,
            table: None,
            table_for: Vec::new(),
            proposed_for: Vec::new(),
            lease_until,
            ends_at: lease_until + pace.grace(),
            renewal: None,
            renewals: 0,
            renew_at: since,
            asking: Vec::new(),
        }
    }

    /// To be kept in place of all before.
    pub(super) fn keep(&mut self, table: Vec<u8>, tag: u64) {
        self.table = Some(table);
        self.table_for.push(tag);
    }

    /// Begins to propose what is wanted, if it is not so already and nothing else is under way.
    pub(super) fn propose(&mut self, config: &Config, pace: Pace, now: Time) -> Option<&Proposed> {
        let settled = self.value.config == self.value.previous;
        let same = self.table.is_none() && settled && *config == self.value.config;
        if self.next.is_some() || same {
            return None;
        }
        let table = self.table.take().unwrap_or_else(|| self.value.table.clone());
        self.proposed_for = mem::take(&mut self.table_for);
        self.ballot = self.ballot.next_step();
        self.again_at = now + pace.renewal();
        let value = self.value.followed_by(config.clone(), table);
        Some(self.next.insert(Proposed::new(self.ballot, value, now)))
    }

    /// What is proposed now.
    pub(super) const fn proposed(&self) -> Option<&Proposed> {
        self.next.as_ref()
    }

    pub(super) fn accepted(&mut self, from: SystemId, ballot: Ballot, pace: Pace) -> Done {
        let mut done = Done::default();
        let Some(next) = self.next.as_mut().filter(|next| next.ballot == ballot) else {
            return done;
        };
        if next.accepted_by(from)
            && let Some(Proposed { value, since, .. }) = self.next.take()
        {
            self.value = value;
            self.extend(since, pace);
            done.kept = mem::take(&mut self.proposed_for);
        }
        done
    }

    fn extend(&mut self, since: Time, pace: Pace) {
        let until = since + pace.own();
        if until > self.lease_until {
            self.lease_until = until;
            // It may have been put off, after this node stood still.
            self.ends_at = self.ends_at.max(until + pace.grace());
        }
    }

    /// The owner's node stood still: it first has a look whether it is the owner still.
    pub(super) fn stood_still(&mut self, pace: Pace, now: Time) {
        self.ends_at = self.ends_at.max(now + pace.grace());
        self.renew_at = now;
        self.again_at = now;
    }

    /// Somebody wants to know that it is the owner.
    pub(super) fn ask(&mut self, tag: u64, now: Time) {
        self.asking.push(tag);
        if self.renewal.as_ref().is_none_or(|renewal| renewal.asked_by.is_empty()) {
            self.renew_at = now;
        }
    }

    /// Begins a renewal, and gives its number. Questions of one that was not answered go on with it.
    pub(super) fn renew(&mut self, pace: Pace, now: Time) -> u64 {
        let before = self.renewal.take().map(|renewal| renewal.asked_by);
        let mut asked_by = before.unwrap_or_default();
        asked_by.append(&mut self.asking);
        self.renewals += 1;
        self.renew_at = now + pace.renewal();
        let number = self.renewals;
        self.renewal = Some(Renewal { number, since: now, given: Config::new(), asked_by });
        number
    }

    pub(super) fn renewed(&mut self, from: SystemId, number: u64, pace: Pace, now: Time) -> Done {
        let mut done = Done::default();
        let Some(renewal) = self.renewal.as_mut().filter(|r| r.number == number) else {
            return done;
        };
        renewal.given.insert(from);
        // Whoever is elected next has asked a quorum of each of these.
        let next =
            self.next.as_ref().is_none_or(|next| is_quorum(&next.value.config, &renewal.given));
        if next
            && self.value.is_decided_by(&renewal.given)
            && now < renewal.since + pace.own()
            && let Some(Renewal { since, asked_by, .. }) = self.renewal.take()
        {
            self.extend(since, pace);
            done.confirmed = asked_by;
            if !self.asking.is_empty() {
                self.renew_at = now;
            }
        }
        done
    }
}
