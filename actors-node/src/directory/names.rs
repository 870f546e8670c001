//! Who has which name, as this node knows it. Pure: frames come in and go out.
//!
//! A name is given out by the home of its actor, which *claims* it from all members first. Each member grants
//! the claim that came to it first, and holds the others back until that one has been decided; of two claims that
//! know of each other the one with the higher key is withdrawn. A home that was granted its claim by all says
//! that the actor has the name. Two that were given it by nodes that did not know each other are found when
//! their tables meet: the one with the higher key loses it.

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    mem,
};

use actors_core::{ActorId, SystemId, remote::Location};
use event_listener::{Event, EventListener};

use super::{
    effect::Effect,
    record::{Entry, Key},
};
use crate::{NameEvent, wire::Frame};

pub(crate) struct Names {
    us: SystemId,
    /// The highest that was seen.
    stamp: u64,
    slots: BTreeMap<String, Slot>,
    /// Names of the actors whose home is this node.
    own: BTreeMap<ActorId, BTreeSet<String>>,
}

#[derive(Default)]
struct Slot {
    /// One, but while two tables meet.
    holders: BTreeMap<Key, Entry>,
    /// In the order in which they came; one of this node's is the first.
    claims: Vec<Claim>,
    changed: Event,
}

struct Claim {
    key: Key,
    /// By this node, if it is another's.
    granted: bool,
    /// Whose grant is missing, if it is this node's.
    missing: BTreeSet<SystemId>,
    /// Who has the name, says another node.
    refused: Option<ActorId>,
}

/// How far a registration has come.
#[derive(Debug)]
pub(crate) enum Step {
    Done,
    /// By this actor.
    Taken(ActorId),
    /// To be tried again then.
    Wait(EventListener),
}

impl Names {
    pub(crate) const fn new(us: SystemId) -> Self {
        Self { us, stamp: 0, slots: BTreeMap::new(), own: BTreeMap::new() }
    }

    /// Who has the name.
    pub(crate) fn holder(&self, name: &str) -> Option<&Entry> {
        self.slots.get(name)?.holders.values().next()
    }

    /// All names that somebody has.
    pub(crate) fn holders(&self) -> impl Iterator<Item = (&str, &Entry)> {
        self.slots.iter().filter_map(|(name, slot)| {
            slot.holders.values().next().map(|entry| (name.as_str(), entry))
        })
    }

    pub(crate) fn has_own(&self, actor: ActorId) -> bool {
        self.own.contains_key(&actor)
    }

    /// Goes on with the registration of an actor whose home is this node, from whatever point.
    pub(crate) fn register(
        &mut self,
        name: &str,
        entry: &Entry,
        members: &[SystemId],
        out: &mut Vec<Effect>,
    ) -> Step {
        let actor = entry.actor();
        if let Some(holder) = self.holder(name).map(Entry::actor) {
            self.give_up(name, actor, out);
            return if holder == actor { Step::Done } else { Step::Taken(holder) };
        }
        let slot = self.slots.entry(name.to_owned()).or_default();
        if slot.claims.is_empty() {
            self.stamp += 1;
            let key = Key { stamp: self.stamp, actor, home: self.us };
            slot.claims.push(Claim::own(key, members));
            let frame = || Frame::Claim { name: name.to_owned(), stamp: key.stamp, actor };
            out.extend(members.iter().map(|&to| Effect::Send(to, frame())));
        }
        let Some(claim) = slot.claims.iter().find(|claim| claim.key.actor == actor) else {
            return Step::Wait(slot.changed.listen());
        };
        let (key, refused) = (claim.key, claim.refused);
        if let Some(by) = refused {
            self.give_up(name, actor, out);
            return Step::Taken(by);
        }
        if !claim.missing.is_empty() {
            return Step::Wait(slot.changed.listen());
        }
        self.hold(name, key, entry, out);
        Step::Done
    }

    /// All have granted it.
    fn hold(&mut self, name: &str, key: Key, entry: &Entry, out: &mut Vec<Effect>) {
        let slot = self.slots.entry(name.to_owned()).or_default();
        slot.claims.retain(|claim| claim.key != key);
        slot.holders.insert(key, entry.clone());
        self.own.entry(key.actor).or_default().insert(name.to_owned());
        out.push(Effect::All(named(name, key, entry)));
        out.push(NameEvent::Registered { name: name.to_owned(), actor: key.actor }.into());
        self.settle(name, out);
    }

    /// Withdraws a claim of this node, if there is one.
    fn give_up(&mut self, name: &str, actor: ActorId, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        if slot.remove_claim(actor) {
            out.push(Effect::All(Frame::Unnamed { name: name.to_owned(), actor }));
            self.settle(name, out);
        }
    }

    /// Takes a name from an actor whose home is this node. False if it does not have it.
    pub(crate) fn release(&mut self, name: &str, actor: ActorId, out: &mut Vec<Effect>) -> bool {
        let Some(entry) = self.take_own(name, actor) else { return false };
        out.push(Effect::Forget(entry));
        out.push(Effect::All(Frame::Unnamed { name: name.to_owned(), actor }));
        out.push(NameEvent::Released { name: name.to_owned(), actor }.into());
        self.settle(name, out);
        true
    }

    /// An actor whose home is this node is no more.
    pub(crate) fn ended(&mut self, actor: ActorId, out: &mut Vec<Effect>) {
        for name in self.own.get(&actor).cloned().unwrap_or_default() {
            self.release(&name, actor, out);
        }
    }

    fn take_own(&mut self, name: &str, actor: ActorId) -> Option<Entry> {
        let names = self.own.get_mut(&actor)?;
        names.remove(name);
        if names.is_empty() {
            self.own.remove(&actor);
        }
        self.slots.get_mut(name)?.remove_holder(actor)
    }

    /// Another node wants the name for an actor of its own.
    pub(crate) fn claimed(&mut self, name: &str, key: Key, out: &mut Vec<Effect>) {
        self.stamp = self.stamp.max(key.stamp);
        let us = self.us;
        let slot = self.slots.entry(name.to_owned()).or_default();
        if let Some(known) = slot.claims.iter_mut().find(|claim| claim.key == key) {
            known.granted = false;
            return self.settle(name, out);
        }
        let own = slot.claims.iter().find(|claim| claim.key.home == us).map(|c| c.key);
        slot.claims.push(Claim::of_another(key));
        match own.filter(|own| key < *own) {
            Some(own) => self.give_up(name, own.actor, out),
            None => self.settle(name, out),
        }
    }

    /// What another node says to a claim of this one.
    pub(crate) fn answered(
        &mut self,
        from: SystemId,
        name: &str,
        key: Key,
        taken_by: Option<ActorId>,
    ) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        let Some(claim) = slot.claims.iter_mut().find(|claim| claim.key == key) else { return };
        match taken_by {
            Some(by) => claim.refused = Some(by),
            None => {
                claim.missing.remove(&from);
            }
        }
        if claim.is_decided() {
            slot.changed.notify(usize::MAX);
        }
    }

    /// Another node says that its actor has the name.
    pub(crate) fn named(
        &mut self,
        name: &str,
        (stamp, home): (u64, SystemId),
        entry: Entry,
        out: &mut Vec<Effect>,
    ) {
        let key = Key { stamp, actor: entry.actor(), home };
        self.stamp = self.stamp.max(stamp);
        let us = self.us;
        let slot = self.slots.entry(name.to_owned()).or_default();
        slot.remove_claim(key.actor);
        match slot.remove_holder(key.actor) {
            Some(before) => out.push(Effect::Forget(before)),
            None => {
                let (name, actor) = (name.to_owned(), key.actor);
                out.push(NameEvent::Registered { name, actor }.into());
            }
        }
        let lost = slot.holders.keys().find(|own| own.home == us && **own > key).copied();
        slot.holders.insert(key, entry);
        if let Some(Key { actor, .. }) = lost {
            out.extend(self.take_own(name, actor).map(Effect::Forget));
            out.push(Effect::All(Frame::Unnamed { name: name.to_owned(), actor }));
            out.push(NameEvent::Lost { name: name.to_owned(), actor, to: key.actor }.into());
        }
        self.settle(name, out);
    }

    /// Another node gives up what it has claimed or held for its actor.
    pub(crate) fn unnamed(&mut self, name: &str, actor: ActorId, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        slot.remove_claim(actor);
        if let Some(entry) = slot.remove_holder(actor) {
            out.push(Effect::Forget(entry));
            out.push(NameEvent::Released { name: name.to_owned(), actor }.into());
        }
        self.settle(name, out);
    }

    /// A node that has come is told of what this one has and wants.
    pub(crate) fn node_up(&mut self, node: SystemId, out: &mut Vec<Effect>) {
        let us = self.us;
        for (name, slot) in &mut self.slots {
            for claim in slot.claims.iter_mut().filter(|claim| claim.key.home == us) {
                let Key { stamp, actor, .. } = claim.key;
                claim.missing.insert(node);
                out.push(Effect::Send(node, Frame::Claim { name: name.clone(), stamp, actor }));
            }
            for (key, entry) in slot.holders.iter().filter(|(key, _)| key.home == us) {
                out.push(Effect::Send(node, named(name, *key, entry)));
            }
        }
    }

    /// A node is gone, with all that it has said.
    pub(crate) fn node_down(&mut self, node: SystemId, out: &mut Vec<Effect>) {
        let concerned = self.slots.iter().filter(|(_, slot)| slot.concerns(node));
        let concerned: Vec<String> = concerned.map(|(name, _)| name.clone()).collect();
        for name in concerned {
            let Some(slot) = self.slots.get_mut(&name) else { continue };
            slot.claims.retain(|claim| claim.key.home != node);
            for claim in &mut slot.claims {
                claim.missing.remove(&node);
            }
            let holders = mem::take(&mut slot.holders).into_iter();
            let (gone, held): (BTreeMap<_, _>, _) = holders.partition(|(key, _)| key.home == node);
            slot.holders = held;
            for (Key { actor, .. }, entry) in gone {
                out.push(Effect::Forget(entry));
                out.push(NameEvent::Purged { name: name.clone(), actor }.into());
            }
            self.settle(&name, out);
        }
    }

    /// An actor is elsewhere now: for those entries that have no link which knows.
    pub(crate) fn relocated(&mut self, actor: ActorId, location: Location) {
        let entries = self.slots.values_mut().flat_map(|slot| slot.holders.values_mut());
        entries.filter(|entry| entry.actor() == actor).for_each(|entry| entry.relocated(location));
    }

    /// What follows once something was said of a name.
    fn settle(&mut self, name: &str, out: &mut Vec<Effect>) {
        let Some(slot) = self.slots.get_mut(name) else { return };
        slot.answer_claims(self.us, name, out);
        slot.changed.notify(usize::MAX);
        if slot.holders.is_empty() && slot.claims.is_empty() {
            self.slots.remove(name);
        }
    }
}

impl Slot {
    fn remove_claim(&mut self, actor: ActorId) -> bool {
        let before = self.claims.len();
        self.claims.retain(|claim| claim.key.actor != actor);
        self.claims.len() < before
    }

    fn remove_holder(&mut self, actor: ActorId) -> Option<Entry> {
        let key = *self.holders.keys().find(|key| key.actor == actor)?;
        self.holders.remove(&key)
    }

    fn concerns(&self, node: SystemId) -> bool {
        self.holders.keys().any(|key| key.home == node)
            || self.claims.iter().any(|c| c.key.home == node || c.missing.contains(&node))
    }

    /// Once somebody has the name, nobody else is granted it; else who came first is.
    fn answer_claims(&mut self, us: SystemId, name: &str, out: &mut Vec<Effect>) {
        let answer = |key: Key, taken_by| {
            let Key { stamp, actor, home } = key;
            Effect::Send(home, Frame::Claimed { name: name.to_owned(), stamp, actor, taken_by })
        };
        let Some(holder) = self.holders.keys().next().map(|key| key.actor) else {
            if let Some(first) = self.claims.first_mut()
                && first.key.home != us
                && !mem::replace(&mut first.granted, true)
            {
                out.push(answer(first.key, None));
            }
            return;
        };
        self.claims.retain_mut(|claim| {
            let is_own = claim.key.home == us;
            match is_own {
                true => claim.refused = Some(holder),
                false => out.push(answer(claim.key, Some(holder))),
            }
            is_own
        });
    }
}

impl Claim {
    fn own(key: Key, members: &[SystemId]) -> Self {
        let missing = members.iter().copied().collect();
        Self { key, granted: false, missing, refused: None }
    }

    const fn of_another(key: Key) -> Self {
        Self { key, granted: false, missing: BTreeSet::new(), refused: None }
    }

    fn is_decided(&self) -> bool {
        self.refused.is_some() || self.missing.is_empty()
    }
}

fn named(name: &str, key: Key, entry: &Entry) -> Frame {
    Frame::Named { name: name.to_owned(), stamp: key.stamp, record: entry.record() }
}
