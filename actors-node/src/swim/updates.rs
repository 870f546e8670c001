//! What news do to what is known: of two words about a member the one with the higher number counts, and of
//! the same number the worse. Dead is for ever.

use std::{collections::BTreeSet, sync::Arc};

use actors_core::{SystemId, host::Time};

use super::{
    Effect, Engine,
    packet::{Update, What},
    suspicion::Suspicion,
};
use crate::{DownCause, Member};

impl Engine {
    pub(super) fn hear_of(&mut self, from: SystemId, update: Update, now: Time) {
        match update {
            Update::Alive(member, refuted) => self.alive(member, refuted, now),
            Update::Suspect(id, refuted, _) if id == self.us.id => self.refute(refuted, now),
            Update::Suspect(id, refuted, by) => self.suspect(id, refuted, by, now),
            Update::Dead(id) if id == self.us.id => {
                self.bury(from);
                self.effects.push(Effect::Fenced(from));
            }
            Update::Left(id) if id == self.us.id => {}
            Update::Dead(id) => self.over(id, Update::Dead(id), DownCause::Reported, now),
            Update::Left(id) => self.over(id, Update::Left(id), DownCause::Left, now),
        }
    }

    /// What a node knows that did not know this one: two clusters may become one.
    pub(super) fn enrol(&mut self, roster: Vec<Member>, now: Time) {
        let comes_alone = self.members.len() <= 1;
        let listed: BTreeSet<SystemId> = roster.iter().map(|member| member.id).collect();
        let unknown: Vec<_> = match roster.is_empty() {
            true => Vec::new(),
            false => {
                self.members.values().filter(|known| !listed.contains(&known.member.id)).collect()
            }
        };
        let unknown: Vec<_> =
            unknown.into_iter().map(|k| Update::Alive(k.member.clone(), k.refuted)).collect();
        unknown.into_iter().for_each(|update| self.spread(update, now));
        for member in roster.into_iter().map(Arc::new) {
            if self.add(member.clone(), 0, now) {
                if !comes_alone {
                    self.spread(Update::Alive(member.clone(), 0), now);
                }
                self.effects.push(Effect::Up(member));
            }
        }
    }

    fn alive(&mut self, member: Arc<Member>, refuted: u32, now: Time) {
        let id = member.id;
        if self.add(member.clone(), refuted, now) {
            self.spread(Update::Alive(member.clone(), refuted), now);
            self.effects.push(Effect::Up(member));
            return;
        }
        let Some(known) = self.members.get_mut(&id) else { return };
        if refuted <= known.refuted {
            return;
        }
        known.refuted = refuted;
        let update = Update::Alive(known.member.clone(), refuted);
        self.spread(update, now);
        if self.suspicions.remove(&id).is_some() {
            self.effects.push(Effect::Recovered(id));
        }
    }

    pub(super) fn suspect(&mut self, id: SystemId, refuted: u32, by: SystemId, now: Time) {
        let nodes = self.nodes();
        let Some(known) = self.members.get_mut(&id) else { return };
        if refuted < known.refuted {
            return;
        }
        let newer = refuted > known.refuted;
        known.refuted = refuted;
        match self.suspicions.get_mut(&id) {
            Some(suspicion) if !newer => {
                if !suspicion.confirm(by, nodes) {
                    return;
                }
            }
            Some(suspicion) => *suspicion = Suspicion::new(by, now),
            None => {
                self.suspicions.insert(id, Suspicion::new(by, now));
                self.effects.push(Effect::Suspected(id));
                if by == self.us.id {
                    // At once, so that it can say that it lives.
                    self.send(id, What::News);
                }
            }
        }
        self.spread(Update::Suspect(id, refuted, by), now);
    }

    /// This node is suspected, and lives.
    fn refute(&mut self, refuted: u32, now: Time) {
        if refuted < self.refuted {
            return;
        }
        self.refuted = refuted.saturating_add(1);
        self.health.worse(1);
        self.spread(Update::Alive(self.us.clone(), self.refuted), now);
    }

    fn over(&mut self, id: SystemId, update: Update, cause: DownCause, now: Time) {
        let known = self.members.contains_key(&id);
        if !self.bury(id) {
            return;
        }
        self.spread(update, now);
        if known {
            self.effects.push(Effect::Down(id, cause));
        }
    }
}
