//! Actors that nodes tell each other of by their identity and the name of their type.

use std::any::TypeId;

use super::{Location, link::WireLink};
use crate::{ActorId, AnyLink, CallError, Status, System};

impl System {
    /// The name that the type of this actor was [exported](Self::export) under; of several the first.
    pub fn exported_as(&self, actor: &AnyLink) -> Option<String> {
        self.exports().name_of(actor.cell().actor_type())
    }

    /// Lets other nodes reach an actor by its identity, as if a link had been sent to them: one that is here
    /// is kept from now on until it ends.
    pub fn publish(&self, actor: &AnyLink) {
        let cell = actor.cell();
        if cell.location().node != self.id() {
            return;
        }
        self.pin(cell.clone());
        // One that has died meanwhile has passed the place where it is let go.
        if matches!(cell.info().status, Status::Dead(_)) {
            self.unpin(cell.id());
        }
    }

    /// The actor that other nodes know by this identity, if this system knows it: one that is here, or a
    /// proxy of one that is elsewhere.
    pub fn known(&self, actor: ActorId) -> Option<AnyLink> {
        self.cell(actor).map(AnyLink::new)
    }

    /// The link to an actor of a type that was exported here under this name.
    ///
    /// # Errors
    /// [`CallError::NotExported`]; [`CallError::Codec`] when the actor is known here, as one of another type.
    pub fn link_to(
        &self,
        export: &str,
        actor: ActorId,
        location: Location,
    ) -> Result<AnyLink, CallError> {
        let link = self.exports().link(export);
        let link = link.ok_or_else(|| CallError::NotExported(export.into()))?;
        link(self, WireLink { id: actor, location }).map_err(CallError::Codec)
    }
}

/// Makes the link, whatever its type.
pub(super) type MakeLink = fn(&System, WireLink) -> Result<AnyLink, String>;

/// What is known of an exported type beside its messages.
pub(super) struct Identity {
    pub(super) actor: TypeId,
    pub(super) link: MakeLink,
}

impl Identity {
    pub(super) fn of<A: crate::Actor>() -> Self {
        Self {
            actor: TypeId::of::<A>(),
            link: |system, wire| system.resolve::<A>(wire).map(|link| link.erase()),
        }
    }
}
