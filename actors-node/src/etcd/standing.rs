//! What a node makes of what etcd says, and of its silence. Pure: words and time come in, verdicts go out.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, time::Duration};

use actors_core::{SystemId, host::Time};

use super::entry::Entry;
use crate::Member;

/// What etcd has said.
#[derive(Debug)]
pub(super) enum Word {
    /// The lease stands; it was asked for at this time.
    Confirmed(Time),
    /// There is no such lease.
    NoLease,
    /// All entries there are.
    All(Vec<Entry>),
    /// An entry was written.
    Is(Entry),
    /// That under this name is gone.
    Gone(String),
    /// It says nothing, for this reason.
    Silent(String),
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Is(Member),
    Left(SystemId),
    Dead(SystemId),
    /// This life may be dead to others, or will be.
    Fence,
    /// Another lease is to be had.
    Register,
    Lost(String),
    Back,
}

/// How this node stands.
#[derive(Debug)]
pub(super) struct Standing {
    us: Member,
    lease: Duration,
    /// So long before its lease can have ended the node takes part no more.
    margin: Duration,
    state: State,
    /// When the lease was last asked for with success.
    confirmed: Time,
    /// When etcd last said anything.
    word: Time,
    /// Until then, who has no entry may have lost it because etcd stood still, or could not be reached.
    lenient_until: Time,
    seen: BTreeMap<String, SystemId>,
    /// Those whose entry went in such a time, and when that counts.
    doubts: BTreeMap<SystemId, Time>,
    lost: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Not said to have a lease yet.
    New,
    Registered,
    /// Its lease ran out while etcd could not be reached; it has asked for another.
    Again,
    Fenced,
}

impl Standing {
    /// Of a node that looks after itself with each heartbeat.
    pub(super) fn new(us: Member, lease: Duration, heartbeat: Duration, now: Time) -> Self {
        Self {
            us,
            lease,
            margin: (lease / 5).max(2 * heartbeat),
            state: State::New,
            confirmed: now,
            word: now,
            lenient_until: now,
            seen: BTreeMap::new(),
            doubts: BTreeMap::new(),
            lost: false,
        }
    }

    /// Whether the node has a lease, or had one.
    pub(super) fn is_registered(&self) -> bool {
        self.state != State::New
    }

    fn deadline(&self) -> Time {
        self.confirmed + self.lease.saturating_sub(self.margin)
    }

    /// `hears_all`: every other member was heard just now. They would say it if this node were dead to them.
    pub(super) fn hear(&mut self, word: Word, now: Time, hears_all: bool) -> Vec<Verdict> {
        if self.state == State::Fenced {
            return Vec::new();
        }
        let mut verdicts = Vec::new();
        if let Word::Silent(why) = word {
            let first = !std::mem::replace(&mut self.lost, true);
            verdicts.extend(first.then_some(Verdict::Lost(why)));
            return verdicts;
        }
        if now.since(self.word) > self.lease / 2 {
            self.lenient_until = now + self.lease;
        }
        self.word = now;
        match word {
            Word::Confirmed(asked) => {
                self.confirmed = self.confirmed.max(asked);
                self.state = State::Registered;
                let was_lost = std::mem::take(&mut self.lost);
                verdicts.extend(was_lost.then_some(Verdict::Back));
            }
            Word::NoLease => verdicts.extend(self.no_lease(now, hears_all)),
            Word::Is(entry) => verdicts.extend(self.is(entry)),
            Word::Gone(name) => verdicts.extend(self.gone(&name, now, hears_all)),
            Word::All(entries) => {
                let there = |name: &String| entries.iter().any(|entry| entry.member.name == *name);
                let missing: Vec<_> =
                    self.seen.keys().filter(|name| !there(name)).cloned().collect();
                for name in missing {
                    verdicts.extend(self.gone(&name, now, hears_all));
                }
                verdicts.extend(entries.into_iter().filter_map(|entry| self.is(entry)));
            }
            Word::Silent(_) => {}
        }
        self.settle(verdicts)
    }

    /// To be called with every heartbeat. `late`: this process stood still since the last one.
    pub(super) fn tick(&mut self, now: Time, hears_all: bool, late: bool) -> Vec<Verdict> {
        if matches!(self.state, State::New | State::Fenced) {
            return Vec::new();
        }
        if now >= self.deadline() && (late || !hears_all) {
            return self.settle(vec![Verdict::Fence]);
        }
        let due = |(id, at): (&SystemId, &Time)| (*at <= now).then_some(*id);
        let dead: Vec<_> = self.doubts.iter().filter_map(due).collect();
        // Who has no word from etcd does not know that they have not come back.
        if now.since(self.word) > self.lease / 2 {
            return Vec::new();
        }
        self.doubts.retain(|id, _| !dead.contains(id));
        dead.into_iter().map(Verdict::Dead).collect()
    }

    fn no_lease(&mut self, now: Time, hears_all: bool) -> Option<Verdict> {
        match self.state {
            State::Registered if now < self.lenient_until && hears_all => {
                self.state = State::Again;
                Some(Verdict::Register)
            }
            State::Registered => Some(Verdict::Fence),
            State::New | State::Again | State::Fenced => None,
        }
    }

    fn is(&mut self, entry: Entry) -> Option<Verdict> {
        let Entry { member, left } = entry;
        if member.name == self.us.name && member.id != self.us.id {
            // Another life has the name, or one before still had it when this one came.
            let replaced = self.seen.contains_key(&member.name);
            return replaced.then_some(Verdict::Fence);
        }
        self.doubts.remove(&member.id);
        if left {
            self.seen.remove(&member.name);
            return Some(Verdict::Left(member.id));
        }
        self.seen.insert(member.name.clone(), member.id);
        (member.id != self.us.id).then_some(Verdict::Is(member))
    }

    fn gone(&mut self, name: &str, now: Time, hears_all: bool) -> Option<Verdict> {
        let id = self.seen.remove(name)?;
        if id == self.us.id {
            return self.no_lease(now, hears_all);
        }
        if now < self.lenient_until {
            self.doubts.insert(id, now + self.lease);
            return None;
        }
        Some(Verdict::Dead(id))
    }

    /// Who is fenced says nothing of others.
    fn settle(&mut self, verdicts: Vec<Verdict>) -> Vec<Verdict> {
        if !verdicts.contains(&Verdict::Fence) {
            return verdicts;
        }
        self.state = State::Fenced;
        vec![Verdict::Fence]
    }
}
