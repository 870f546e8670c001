//! The machine's news, by the ids of the children.

use super::Engine;
use crate::{
    Event,
    machine::{ChildKey, Told},
};

impl Engine {
    fn names(&self, keys: Vec<ChildKey>) -> Vec<String> {
        keys.into_iter().map(|key| self.id(key)).collect()
    }

    pub(super) fn tell(&self, told: Told) {
        self.events.publish(match told {
            Told::RoundStarted { kind, children } => {
                Event::RoundStarted { kind, children: self.names(children) }
            }
            Told::ChildStarted { key, incarnation, took } => {
                Event::ChildStarted { id: self.id(key), incarnation, took }
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
            Told::ShutDown => Event::ShutDown,
        });
    }
}
