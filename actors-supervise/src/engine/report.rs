//! News of a child, from its own activation.
//!
//! Most news need no supervisor: a child has crashed and is to be restarted, or is up again. Whoever
//! brings such news gives it to the machine there and then, and begins the next incarnation. That
//! saves the supervisor's activation, not a decision: the machine is asked in every case, one input at
//! a time under the engine's lock and in the order of the inbox. Its effects are carried out in order
//! too, until the first that is the supervisor's own; from there on they wait for it.

use std::sync::{Arc, Weak};

use actors_core::System;
use parking_lot::Mutex;

use super::Engine;
use crate::{
    inbox::{Inbox, Mail},
    machine::{Effect, Input},
};

/// The way of a child's news to the engine.
pub(super) struct Reporter {
    pub(super) engine: Weak<Mutex<Engine>>,
    pub(super) inbox: Arc<Inbox>,
}

impl Reporter {
    /// Handles the news at once, or leaves it to the supervisor if that is at work or not up.
    pub(super) fn report(&self, input: Input) {
        let Some(engine) = self.engine.upgrade() else { return };
        let Some(mut engine) = engine.try_lock() else {
            return self.inbox.push(Mail::Input(input));
        };
        if !engine.takes_reports() {
            drop(engine);
            return self.inbox.push(Mail::Input(input));
        }
        engine.work.push_back(input);
        // All of it happens at the same time.
        let mut at = None;
        let now = |system: &System| *at.get_or_insert_with(|| system.host().clock.now());
        let done = engine.go_on_while(Engine::may_be_anywhere, now);
        drop(engine);
        if !done {
            self.inbox.notify();
        }
    }
}

impl Engine {
    /// The supervisor is up, and nothing waits for it that came before.
    fn takes_reports(&self) -> bool {
        self.serves && !self.has_work() && self.exit.is_none() && self.inbox.is_empty()
    }

    /// Whether the effect may be carried out in a child's activation: nothing of the user's runs.
    fn may_be_anywhere(&self, effect: &Effect) -> bool {
        match effect {
            Effect::Tell(_) => true,
            Effect::Prepare { key, .. } | Effect::Start { key, .. } => {
                self.slots.get(key).is_some_and(|slot| slot.in_place)
            }
            _ => false,
        }
    }
}
