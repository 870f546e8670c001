//! The machine's news, by the ids of the children.

use actors_core::StartError;

use super::Engine;
use crate::{
    Escalation, Event, StateSource,
    machine::{ChildKey, Told, cause},
};

impl Engine {
    fn names(&self, keys: Vec<ChildKey>) -> Vec<String> {
        keys.into_iter().map(|key| self.id(key)).collect()
    }

    /// A static child cannot even be tried to start.
    pub(super) fn not_attached(&self, key: ChildKey, error: &StartError) {
        let (key, reason) = (Some(key), cause(error));
        self.tell(Told::StartFailed { key, error: error.clone() });
        self.tell(Told::Escalated { why: Escalation::StartFailed, key, reason });
    }

    pub(super) fn tell(&self, told: Told) {
        self.events.publish(match told {
            Told::RoundStarted { kind, children } => {
                Event::RoundStarted { kind, children: self.names(children) }
            }
            Told::ChildStarted { key, incarnation, took } => {
                let source = self.slots.get(&key).map(|slot| slot.child.source());
                let source = source.unwrap_or(StateSource::Unknown);
                Event::ChildStarted { id: self.id(key), incarnation, source, took }
            }
            Told::ChildExited { key, incarnation, reason } => {
                Event::ChildExited { id: self.id(key), incarnation, reason }
            }
            Told::StartFailed { key, error } => {
                Event::StartFailed { id: key.map(|key| self.id(key)), error }
            }
            Told::ChildIgnored { key } => Event::ChildIgnored { id: self.id(key) },
            Told::Restarted { children, took } => {
                Event::Restarted { children: self.names(children), took }
            }
            Told::HostFailed { node, children } => {
                Event::HostFailed { node, children: self.names(children) }
            }
            Told::LimitExceeded { key, reason } => {
                Event::LimitExceeded { id: key.map(|key| self.id(key)), reason }
            }
            Told::Escalated { why, key, reason } => {
                Event::Escalated { why, id: key.map(|key| self.id(key)), reason }
            }
            Told::ShutDown => Event::ShutDown,
        });
    }
}
