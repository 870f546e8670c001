//! What nodes tell each other of an actor that all are to find.

use actors_core::{ActorId, AnyLink, Status, System, SystemId, remote::Location};
use serde::{Deserialize, Serialize};

/// An actor on the wire.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) actor: ActorId,
    pub(crate) location: Location,
    /// The name that its type was exported under.
    pub(crate) export: String,
}

/// An actor in a table of this node, which keeps the link.
#[derive(Clone, Debug)]
pub(crate) struct Entry {
    record: Record,
    /// `None` when its type is not exported here.
    link: Option<AnyLink>,
}

impl Entry {
    /// What another node has said, with the link of this system.
    pub(crate) fn resolved(system: &System, record: Record) -> Self {
        let link = system.link_to(&record.export, record.actor, record.location);
        if let Err(error) = &link {
            tracing::debug!(actor = %record.actor, %error, "no link");
        }
        Self { record, link: link.ok() }
    }

    /// An actor that this node tells others of. `None` if its type is not exported.
    pub(crate) fn of(system: &System, link: AnyLink) -> Option<Self> {
        let export = system.exported_as(&link)?;
        let record = Record { actor: link.id(), location: link.location(), export };
        Some(Self { record, link: Some(link) })
    }

    #[cfg(test)]
    pub(crate) const fn unresolved(record: Record) -> Self {
        Self { record, link: None }
    }

    pub(crate) const fn actor(&self) -> ActorId {
        self.record.actor
    }

    /// The actor, where it is now.
    pub(crate) fn record(&self) -> Record {
        let location = self.link.as_ref().map_or(self.record.location, AnyLink::location);
        Record { location, ..self.record.clone() }
    }

    /// The link: the type may have been exported since.
    pub(crate) fn link(&self, system: &System) -> Option<AnyLink> {
        let resolve = || system.link_to(&self.record.export, self.actor(), self.record.location);
        self.link.clone().or_else(|| resolve().ok())
    }

    /// The name that its type was exported under.
    pub(crate) fn export(&self) -> &str {
        &self.record.export
    }

    /// Where it is now, for who has no link that knows.
    pub(crate) const fn relocated(&mut self, location: Location) {
        if location.version > self.record.location.version {
            self.record.location = location;
        }
    }

    /// Whether the actor is known to be no more.
    pub(crate) fn is_dead(&self) -> bool {
        self.link.as_ref().is_some_and(|link| matches!(link.info().status, Status::Dead(_)))
    }
}

/// Who goes before whom, where two want the same: the lower one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Key {
    /// Higher than all that the actor's home had heard of when it asked.
    pub(crate) stamp: u64,
    pub(crate) actor: ActorId,
    /// Who says so: its home, or the node that has adopted it.
    pub(crate) home: SystemId,
}
