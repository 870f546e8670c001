//! Who is in which group, as this node knows it. Pure: frames come in and go out.
//!
//! Each node tells the others of the actors whose home it is, and nobody else does: there is nothing to agree on.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use actors_core::{ActorId, SystemId, remote::Location};

use super::{effect::Effect, record::Entry};
use crate::{GroupEvent, wire::Frame};

pub(crate) struct Groups {
    us: SystemId,
    /// Never empty ones.
    groups: BTreeMap<String, BTreeMap<ActorId, Entry>>,
    /// Groups of the actors whose home is this node.
    own: BTreeMap<ActorId, BTreeSet<String>>,
}

impl Groups {
    pub(crate) const fn new(us: SystemId) -> Self {
        Self { us, groups: BTreeMap::new(), own: BTreeMap::new() }
    }

    /// By identity: the same order on all nodes.
    pub(crate) fn members(&self, group: &str) -> impl Iterator<Item = &Entry> {
        self.groups.get(group).into_iter().flat_map(BTreeMap::values)
    }

    /// Those with members.
    pub(crate) fn groups(&self) -> impl Iterator<Item = &str> {
        self.groups.keys().map(String::as_str)
    }

    pub(crate) fn has_own(&self, actor: ActorId) -> bool {
        self.own.contains_key(&actor)
    }

    /// An actor whose home is this node joins.
    pub(crate) fn join(&mut self, group: &str, entry: &Entry, out: &mut Vec<Effect>) {
        let groups = self.own.entry(entry.actor()).or_default();
        if groups.insert(group.to_owned()) {
            out.push(Effect::All(joined(group, entry)));
            self.joined(group, entry.clone(), out);
        }
    }

    /// An actor whose home is this node leaves. False if it was no member.
    pub(crate) fn leave(&mut self, group: &str, actor: ActorId, out: &mut Vec<Effect>) -> bool {
        let Some(groups) = self.own.get_mut(&actor) else { return false };
        if !groups.remove(group) {
            return false;
        }
        if groups.is_empty() {
            self.own.remove(&actor);
        }
        out.push(Effect::All(Frame::Parted { group: group.to_owned(), actor }));
        self.parted(group, actor, out);
        true
    }

    /// An actor whose home is this node is no more.
    pub(crate) fn ended(&mut self, actor: ActorId, out: &mut Vec<Effect>) {
        for group in self.own.get(&actor).cloned().unwrap_or_default() {
            self.leave(&group, actor, out);
        }
    }

    /// A member more, of whatever node.
    pub(crate) fn joined(&mut self, group: &str, entry: Entry, out: &mut Vec<Effect>) {
        let actor = entry.actor();
        let members = self.groups.entry(group.to_owned()).or_default();
        match members.insert(actor, entry) {
            Some(before) => out.push(Effect::Forget(before)),
            None => out.push(GroupEvent::Joined { group: group.to_owned(), actor }.into()),
        }
    }

    /// A member less, of whatever node.
    pub(crate) fn parted(&mut self, group: &str, actor: ActorId, out: &mut Vec<Effect>) {
        let Some(members) = self.groups.get_mut(group) else { return };
        let gone = members.remove(&actor);
        if members.is_empty() {
            self.groups.remove(group);
        }
        if let Some(gone) = gone {
            out.push(Effect::Forget(gone));
            out.push(GroupEvent::Left { group: group.to_owned(), actor }.into());
        }
    }

    /// A node that has come is told of the members that are this one's.
    pub(crate) fn node_up(&self, node: SystemId, out: &mut Vec<Effect>) {
        for (group, members) in &self.groups {
            let own = members.values().filter(|entry| entry.actor().home == self.us);
            out.extend(own.map(|entry| Effect::Send(node, joined(group, entry))));
        }
    }

    /// A node is gone, with all its members.
    pub(crate) fn node_down(&mut self, node: SystemId, out: &mut Vec<Effect>) {
        let mut gone = Vec::new();
        for (group, members) in &self.groups {
            let of_node = members.keys().filter(|actor| actor.home == node);
            gone.extend(of_node.map(|actor| (group.clone(), *actor)));
        }
        for (group, actor) in gone {
            self.parted(&group, actor, out);
        }
    }

    /// An actor is elsewhere now: for those entries that have no link which knows.
    pub(crate) fn relocated(&mut self, actor: ActorId, location: Location) {
        let entries = self.groups.values_mut().filter_map(|members| members.get_mut(&actor));
        entries.for_each(|entry| entry.relocated(location));
    }
}

fn joined(group: &str, entry: &Entry) -> Frame {
    Frame::Joined { group: group.to_owned(), record: entry.record() }
}
