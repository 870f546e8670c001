//! Links inside messages: each node has its own link to the same actor.

use std::{cell::RefCell, sync::Arc};

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::Location;
use crate::{
    Actor, ActorId, ExitReason, Link, System,
    cell::{ActorCell, AnyCell},
    ext::Elsewhere,
};

/// A link on the wire.
#[derive(Serialize, Deserialize)]
pub(super) struct WireLink {
    pub(super) id: ActorId,
    pub(super) location: Location,
}

impl<A: Actor> Serialize for Link<A> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let cell = self.cell();
        let location = cell.location();
        if location.node == cell.system().id() && !cell.is_dead() {
            cell.system().pin(cell.clone());
        }
        WireLink { id: self.id(), location }.serialize(serializer)
    }
}

impl<'de, A: Actor> Deserialize<'de> for Link<A> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let wire = WireLink::deserialize(deserializer)?;
        let system = SCOPE.with_borrow(Clone::clone).ok_or_else(|| {
            serde::de::Error::custom("a link decodes only within actors_core::remote::decode")
        })?;
        system.resolve(wire).map_err(serde::de::Error::custom)
    }
}

thread_local! {
    static SCOPE: RefCell<Option<System>> = const { RefCell::new(None) };
}

pub(super) fn scoped<T>(system: &System, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<System>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0.take());
        }
    }
    let _restore = Restore(SCOPE.replace(Some(system.clone())));
    f()
}

impl System {
    /// This node's link to an actor: its own cell, one that it knows, or a new proxy.
    pub(super) fn resolve<A: Actor>(&self, wire: WireLink) -> Result<Link<A>, String> {
        let WireLink { id, location } = wire;
        let here = location.node == self.id();
        let route = if here { None } else { self.route(location.node) };
        if !here && route.is_none() {
            return Err(format!("{self:?} is not a node: it cannot reach {}", location.node));
        }
        let cell = self.cell_or_insert(id, || {
            let at = route.clone().map(|route| Elsewhere { route, node: location.node });
            let cell: Arc<ActorCell<A>> =
                ActorCell::absent(id, self.clone(), at.ok_or(ExitReason::NoProc));
            cell.set_location_version(location.version);
            cell
        });
        if let Some(route) = route {
            cell.relocate(location, route);
        }
        let found = cell.info().type_name;
        cell.into_any()
            .downcast::<ActorCell<A>>()
            .map(Link::new)
            .map_err(|_| format!("actor {id} is a {found}, not a {}", std::any::type_name::<A>()))
    }
}
