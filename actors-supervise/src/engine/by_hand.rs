//! What users ask about children and of them.

use std::sync::Arc;

use actors_core::{AnyLink, ReplyTo};

use super::Engine;
use crate::{
    Branch, ChildError, ChildInfo, ChildSpec, ChildStatus, Counts, Event, HostFailures, Supervisor,
    Tree,
    commands::Placed,
    event::Hub,
    machine::{ChildKey, Input, Status},
    place::Place,
    tree_info::Trunk,
};

/// Tells a child that runs, if it is a supervisor, where it is in the tree.
pub(super) fn place(child: Option<AnyLink>, at: Option<(String, Arc<Place>)>) {
    if let Some(child) = child.and_then(|link| link.downcast::<Supervisor>()) {
        // A dead one logs nothing.
        let _ = child.send_urgent(Placed(at));
    }
}

impl Engine {
    /// What a handle of this supervisor is made of.
    pub(crate) fn hello(&self) -> (Arc<Hub>, HostFailures) {
        (self.events.clone(), HostFailures::new(&self.inbox))
    }

    /// Takes a new child in and starts it.
    pub(crate) fn add(&mut self, spec: ChildSpec, reply: ReplyTo<Result<ChildInfo, ChildError>>) {
        if let Err(error) = spec.validate(self.machine.auto_shutdown()) {
            return reply.answer(Err(error.into()));
        }
        if let Some(&key) = self.ids.get(&spec.id) {
            return reply.answer(Err(match self.machine.status(key) {
                Status::Stopped => ChildError::AlreadyPresent(spec.id),
                _ => ChildError::AlreadyStarted(spec.id),
            }));
        }
        let child = spec.id.clone();
        let key = self.insert(spec, true);
        if let Err(error) = self.attach(key) {
            self.handle(Input::Release(key));
            self.forget(key);
            return reply.answer(Err(ChildError::Start { child, error }));
        }
        self.slots.get_mut(&key).expect("just inserted").starting.push(reply);
        self.handle(Input::Add(key));
    }

    pub(crate) fn restart(&mut self, id: String, reply: ReplyTo<Result<ChildInfo, ChildError>>) {
        match self.stopped(&id) {
            Ok(key) => {
                if let Err(error) = self.attach(key) {
                    return reply.answer(Err(ChildError::Start { child: id, error }));
                }
                self.slots.get_mut(&key).expect("it has an id").starting.push(reply);
                self.handle(Input::Restart(key));
            }
            Err(error) => reply.answer(Err(error)),
        }
    }

    /// Stops a child; with `remove`, forgets it then.
    pub(crate) fn stop(&mut self, id: &str, remove: bool, reply: ReplyTo<Result<(), ChildError>>) {
        let Some(&key) = self.ids.get(id) else {
            return reply.answer(Err(ChildError::NotFound(id.into())));
        };
        self.slots.get_mut(&key).expect("it has an id").stopping.push(reply);
        self.handle(Input::Stop { key, remove });
    }

    pub(crate) fn delete(&mut self, id: &str, reply: ReplyTo<Result<(), ChildError>>) {
        match self.stopped(id) {
            Ok(_) => self.stop(id, true, reply),
            Err(error) => reply.answer(Err(error)),
        }
    }

    fn stopped(&self, id: &str) -> Result<ChildKey, ChildError> {
        let key = *self.ids.get(id).ok_or_else(|| ChildError::NotFound(id.into()))?;
        match self.machine.status(key) {
            Status::Stopped => Ok(key),
            Status::Restarting => Err(ChildError::Restarting(id.into())),
            Status::Running | Status::Stopping => Err(ChildError::Running(id.into())),
        }
    }

    pub(crate) fn unsupervise(&mut self, id: &str) -> Result<Option<AnyLink>, ChildError> {
        let key = *self.ids.get(id).ok_or_else(|| ChildError::NotFound(id.into()))?;
        match self.machine.status(key) {
            Status::Running => {}
            Status::Restarting => return Err(ChildError::Restarting(id.into())),
            Status::Stopped | Status::Stopping => return Err(ChildError::NotRunning(id.into())),
        }
        self.handle(Input::Release(key));
        let mut slot = self.forget(key).expect("it has an id");
        let link = slot.child.link();
        slot.child.detach();
        place(link.clone(), None);
        self.events.publish(Event::ChildRemoved { id: slot.id });
        Ok(link)
    }

    pub(crate) fn find(&self, id: &str) -> Result<Option<AnyLink>, ChildError> {
        let slot = self.ids.get(id).and_then(|key| self.slots.get(key));
        let slot = slot.ok_or_else(|| ChildError::NotFound(id.into()))?;
        if slot.attached { Ok(slot.child.link()) } else { Err(ChildError::NotRunning(id.into())) }
    }

    pub(crate) fn which(&self) -> Vec<ChildInfo> {
        self.machine.keys().filter_map(|key| self.info(key)).collect()
    }

    #[cfg(feature = "signals")]
    pub(crate) fn system(&self) -> Option<actors_core::System> {
        self.system.clone()
    }

    /// What there is to tell of this supervisor in a tree, and the supervisors below it.
    pub(crate) fn trunk(&self) -> Trunk {
        let children = self.which();
        let below = |child: &ChildInfo| match child.status {
            ChildStatus::Stopped => None,
            _ => child.link.as_ref()?.downcast::<Supervisor>(),
        };
        let links: Vec<_> = children.iter().map(below).collect();
        let now = self.system.as_ref().map(|system| system.host().clock.now()).unwrap_or_default();
        let tree = Tree {
            path: self.events.place().path(),
            strategy: self.machine.strategy(),
            limit: self.machine.limit(),
            restarts: self.machine.count_restarts(now),
            children: children.into_iter().map(|child| Branch { child, below: None }).collect(),
        };
        (tree, links)
    }

    /// This supervisor has a parent now, or none.
    pub(crate) fn placed(&self, at: Option<(String, Arc<Place>)>) {
        match at {
            Some((id, parent)) => self.events.place().enter(&id, &parent),
            None => self.events.place().leave(),
        }
    }

    pub(crate) fn counts(&self) -> Counts {
        Counts { active: self.machine.count_alive(), ..self.counts }
    }

    pub(super) fn info(&self, key: ChildKey) -> Option<ChildInfo> {
        let slot = self.slots.get(&key)?;
        Some(ChildInfo {
            id: slot.id.clone(),
            kind: slot.rules.kind,
            status: match self.machine.status(key) {
                Status::Running => ChildStatus::Running,
                Status::Restarting => ChildStatus::Restarting,
                Status::Stopping => ChildStatus::Stopping,
                Status::Stopped => ChildStatus::Stopped,
            },
            link: slot.child.link(),
            host: slot.child.host(),
            incarnation: self.machine.incarnation(key),
        })
    }
}
