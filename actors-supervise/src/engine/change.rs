//! Another declaration for a supervisor that runs.

use super::Engine;
use crate::{
    ChildError, ChildSpec, SpecError, SupervisorBuilder,
    machine::{ChildKey, Status},
};

impl Engine {
    /// All of it, or nothing.
    pub(crate) fn change(&mut self, to: SupervisorBuilder) -> Result<(), ChildError> {
        to.validate()?;
        let SupervisorBuilder { settings, children, .. } = to;
        self.can_change(&children)?;
        self.machine.set(settings);
        let keys = |spec: &ChildSpec| (self.ids.get(&spec.id).copied(), spec.rules);
        let moved = self.machine.declare(children.iter().map(keys).collect());
        let mut children = children.into_iter();
        for (old, new) in moved {
            match (old, children.next()) {
                (None, Some(spec)) => self.place(new, spec),
                (None, None) => {}
                (Some(old), spec) => self.move_slot(old, new, spec),
            }
        }
        Ok(())
    }

    fn can_change(&self, to: &[ChildSpec]) -> Result<(), ChildError> {
        let mut concerned: Vec<_> =
            self.machine.keys().filter(|&key| self.machine.is_static(key)).collect();
        for spec in to {
            let Some(&key) = self.ids.get(&spec.id) else { continue };
            if !self.slots.get(&key).is_some_and(|slot| slot.child.can_change_to(&*spec.child)) {
                return Err(SpecError::Fixed(spec.id.clone()).into());
            }
            concerned.push(key);
        }
        match concerned.into_iter().find(|&key| !self.machine.is_at_rest(key)) {
            None => Ok(()),
            Some(key) if self.machine.status(key) == Status::Stopping => {
                Err(ChildError::Stopping(self.id(key)))
            }
            Some(key) => Err(ChildError::Restarting(self.id(key))),
        }
    }

    fn move_slot(&mut self, old: ChildKey, new: ChildKey, spec: Option<ChildSpec>) {
        let Some(mut slot) = self.slots.remove(&old) else { return };
        if let Some(spec) = spec {
            slot.rules = spec.rules;
            slot.child.change_to(spec.child);
        }
        self.ids.insert(slot.id.clone(), new);
        if slot.attached {
            self.moved.insert(slot.told_as, new);
        }
        self.slots.insert(new, slot);
    }
}
