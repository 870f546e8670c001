//! The supervisor ends: its children first.

use actors_core::{ExitReason, StartError};

use super::{ChildKey, Effect, Machine, State, Told, Wake};
use crate::{Shutdown, Strategy};

impl Machine {
    /// Stops all children: those that were added to a one-for-one supervisor at once, the others
    /// last first, each after the death of the one before.
    pub(super) fn end(&mut self) {
        if self.ending {
            return;
        }
        self.ending = true;
        self.rounds.clear();
        self.admission.clear();
        let mut at_once = Vec::new();
        for (&key, entry) in &mut self.children {
            entry.round = None;
            if matches!(entry.state, State::Preparing(_)) {
                entry.state = State::Down;
                if entry.command.take().is_some() {
                    self.effects.push_back(Effect::Stopped(key));
                }
            }
            if std::mem::take(&mut entry.awaited) {
                let error = StartError::Exited(ExitReason::Shutdown);
                self.effects.push_back(Effect::Settled(key, Err(error)));
            }
            if entry.dynamic && self.strategy == Strategy::OneForOne && entry.is_up() {
                at_once.push(key);
            }
        }
        for key in at_once {
            self.ask_to_stop(key);
        }
        self.stop_next();
    }

    pub(super) fn stop_next(&mut self) {
        match self.alive.last() {
            Some(last) => self.ask_to_stop(last),
            None if self.over => {}
            None => {
                self.over = true;
                self.tell(|| Told::ShutDown);
            }
        }
    }

    pub(super) fn ask_to_stop(&mut self, key: ChildKey) {
        let Some(entry) = self.children.get(&key) else { return };
        if entry.stop.is_some() {
            return;
        }
        let shutdown = entry.rules.shutdown;
        let how = match shutdown {
            Shutdown::BrutalKill => Effect::Kill(key),
            Shutdown::Timeout(_) | Shutdown::Infinity => Effect::Stop(key),
        };
        self.effects.push_back(how);
        let timer = match shutdown {
            Shutdown::Timeout(after) => {
                Some(self.set_timer(Wake::Kill(key), after, std::time::Duration::ZERO))
            }
            Shutdown::BrutalKill | Shutdown::Infinity => None,
        };
        if let Some(entry) = self.children.get_mut(&key) {
            entry.stop = Some(timer);
        }
    }

    /// It is never started again.
    pub(super) fn remove(&mut self, key: ChildKey) {
        let Some(entry) = self.children.remove(&key) else { return };
        self.alive.remove(key);
        if entry.awaited {
            let error = StartError::Exited(ExitReason::Shutdown);
            self.effects.push_back(Effect::Settled(key, Err(error)));
        }
        self.effects.push_back(Effect::Remove(key));
    }
}
