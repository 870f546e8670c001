//! What users ask for by hand.

use actors_core::{ExitReason, StartError, host::Time};

use super::{ChildKey, Command, Effect, Machine, State};
use crate::{RestartPolicy, spec::Rules};

impl Machine {
    /// Stops a child, out of any round it is in; the round goes on without it.
    pub(super) fn stop_by_hand(&mut self, key: ChildKey, remove: bool, now: Time) {
        let round = self.leave(key);
        let Some(entry) = self.children.get_mut(&key) else { return };
        if std::mem::take(&mut entry.awaited) {
            let error = StartError::Exited(ExitReason::Shutdown);
            self.effects.push_back(Effect::Settled(key, Err(error)));
        }
        let Rules { restart, of_template, .. } = entry.rules;
        let remove = remove || of_template || restart == RestartPolicy::Temporary;
        if remove && matches!(entry.state, State::Preparing(_)) {
            entry.state = State::Down;
        }
        if entry.is_up() {
            if entry.command != Some(Command::Remove) {
                entry.command = Some(if remove { Command::Remove } else { Command::Keep });
            }
            if self.is_alive(key) {
                self.ask_to_stop(key);
            }
        } else {
            if remove {
                self.remove(key);
            }
            self.effects.push_back(Effect::Stopped(key));
        }
        if let Some(id) = round {
            self.advance(id, now);
        }
    }

    /// It goes its own way.
    pub(super) fn release(&mut self, key: ChildKey) {
        self.children.remove(&key);
        self.alive.remove(key);
    }
}
