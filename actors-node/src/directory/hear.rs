//! What other nodes say of names and groups. Of an actor nobody but its home is believed, as long as there is one.

use actors_core::{ActorId, SystemId};

use super::{
    Record, State,
    effect::Effect,
    record::{Entry, Key},
};
use crate::peers::Peers;

impl Peers {
    pub(crate) fn hear_claim(&self, from: SystemId, name: &str, stamp: u64, actor: ActorId) {
        self.believe(from, actor, |directory, out| {
            directory.names.claimed(name, Key { stamp, actor, home: from }, out);
        });
    }

    pub(crate) fn hear_answer(
        &self,
        from: SystemId,
        name: &str,
        (stamp, actor): (u64, ActorId),
        taken_by: Option<ActorId>,
    ) {
        let key = Key { stamp, actor, home: self.member().id };
        self.change_directory(|directory, _| {
            directory.names.answered(from, name, key, taken_by);
        });
    }

    pub(crate) fn hear_named(&self, from: SystemId, name: &str, stamp: u64, record: Record) {
        let entry = Entry::resolved(self.system(), record);
        self.believe(from, entry.actor(), |directory, out| {
            directory.names.named(name, (stamp, from), entry, out);
        });
    }

    pub(crate) fn hear_unnamed(&self, from: SystemId, name: &str, actor: ActorId) {
        self.believe(from, actor, |directory, out| directory.names.unnamed(name, actor, out));
    }

    pub(crate) fn hear_joined(&self, from: SystemId, group: &str, record: Record) {
        let entry = Entry::resolved(self.system(), record);
        self.believe(from, entry.actor(), |directory, out| {
            directory.groups.joined(group, entry, out);
        });
    }

    pub(crate) fn hear_parted(&self, from: SystemId, group: &str, actor: ActorId) {
        self.believe(from, actor, |directory, out| directory.groups.parted(group, actor, out));
    }

    /// Unless the node is gone: what it has said is forgotten for good.
    fn believe(
        &self,
        from: SystemId,
        actor: ActorId,
        change: impl FnOnce(&mut State, &mut Vec<Effect>),
    ) {
        // When its home is gone, whoever has adopted it speaks for it.
        let is_home = actor.home == from || !self.is_known(actor.home);
        if !is_home && !self.offices.owns(from) {
            return tracing::warn!(%from, %actor, "a node speaks of an actor that is another's");
        }
        self.change_directory(|directory, out| {
            // Looked at under the lock that forgetting needs too.
            if self.is_member(from) {
                change(directory, out);
            }
        });
    }
}
