//! The static children are declared anew while the supervisor runs.

use super::{ChildKey, Machine, State};
use crate::{RestartPolicy, builder::Settings, spec::Rules};

impl Machine {
    /// Whether it was declared, not added.
    pub(crate) fn is_static(&self, key: ChildKey) -> bool {
        self.children.get(&key).is_some_and(|entry| !entry.dynamic)
    }

    /// It runs or is stopped, and nothing is being done with it.
    pub(crate) fn is_at_rest(&self, key: ChildKey) -> bool {
        self.children.get(&key).is_none_or(|entry| {
            entry.round.is_none()
                && entry.stop.is_none()
                && entry.command.is_none()
                && matches!(entry.state, State::Down | State::Running { .. })
        })
    }

    /// What holds for all children; failures of the past count on.
    pub(crate) fn set(&mut self, settings: Settings) {
        self.strategy = settings.strategy;
        self.auto_shutdown = settings.auto_shutdown;
        self.set_limit(settings.limit);
        self.admission.max = settings.max_parallel_starts;
        match settings.max_node_failures {
            Some(max) => self.set_max_node_failures(max),
            None => self.node_failures = None,
        }
    }

    /// The static children from now on, in this order, with their rules; those without a key are new,
    /// and stopped. A static child that is not among them is removed once it does not run. All of
    /// them are [at rest](Self::is_at_rest).
    ///
    /// Gives each its new key, in the same order, and then those to be removed that still run.
    pub(crate) fn declare(
        &mut self,
        children: Vec<(Option<ChildKey>, Rules)>,
    ) -> Vec<(Option<ChildKey>, ChildKey)> {
        let before: Vec<_> = self.keys().filter(|&key| self.is_static(key)).collect();
        let mut moved = Vec::new();
        for (old, rules) in children {
            let Some(old) = old else {
                moved.push((None, self.insert(rules, false)));
                continue;
            };
            let new = self.move_last(old);
            if let Some(entry) = self.children.get_mut(&new) {
                entry.rules = rules;
                entry.dynamic = false;
            }
            moved.push((Some(old), new));
        }
        for old in before {
            let Some(entry) = self.children.get_mut(&old) else { continue };
            entry.rules.restart = RestartPolicy::Temporary;
            entry.rules.significant = false;
            entry.dynamic = true;
            if entry.is_up() {
                moved.push((Some(old), self.move_last(old)));
            } else {
                self.remove(old);
            }
        }
        moved
    }

    /// Behind all other static children.
    fn move_last(&mut self, old: ChildKey) -> ChildKey {
        let new = self.next_static();
        if let Some(entry) = self.children.remove(&old) {
            self.children.insert(new, entry);
        }
        if self.alive.contains(old) {
            self.alive.remove(old);
            self.alive.insert(new);
        }
        new
    }
}
