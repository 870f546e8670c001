//! Actors with names and groups whose home is this node: until they are dead for good.

use std::sync::Arc;

use actors_core::{ActorId, AnyLink, Down, ExitReason, Status};

use crate::peers::Peers;

impl Peers {
    /// Waits for the end of an actor that has a name or is in a group. One that is supervised from here on another
    /// node ends when its supervisor says so, whatever becomes of its node.
    pub(crate) fn look_after(self: &Arc<Self>, actor: &AnyLink) {
        let id = actor.id();
        if self.hosting.supervises(id) {
            return;
        }
        let is_new = self.change_directory(|directory, _| directory.watched.insert(id));
        if is_new {
            self.watch(actor);
        }
    }

    /// What watches stands in the actor, and does not keep it.
    fn watch(self: &Arc<Self>, actor: &AnyLink) {
        let peers = Arc::downgrade(self);
        actor.on_down(move |down| {
            if let Some(peers) = peers.upgrade() {
                peers.life_ended(&down);
            }
        });
    }

    fn life_ended(self: &Arc<Self>, down: &Down) {
        let id = down.actor;
        let is_over = self.change_directory(|directory, _| {
            let is_over = self.hosting.supervises(id) || !directory.has_own(id);
            if is_over {
                directory.watched.remove(&id);
            }
            is_over
        });
        if is_over {
            return;
        }
        match self.system().known(id).filter(|actor| !is_final(actor, down)) {
            Some(actor) => self.watch(&actor),
            None => self.forget_actor(id),
        }
    }

    fn is_in_directory(&self, actor: ActorId) -> bool {
        self.directory.read(|state| state.has_own(actor))
    }

    /// The actor is dead for good.
    fn forget_actor(&self, actor: ActorId) {
        self.change_directory(|directory, out| {
            directory.watched.remove(&actor);
            directory.names.ended(actor, out);
            directory.groups.ended(actor, out);
        });
    }

    /// Its supervisor here has given it up, or lets it go on alone.
    pub(crate) fn let_go(self: &Arc<Self>, actor: &AnyLink, goes_on: bool) {
        if !goes_on {
            self.forget_actor(actor.id());
        } else if self.is_in_directory(actor.id()) {
            self.look_after(actor);
        }
    }
}

/// Whether there will be no other life. One on another node is asked again until it says that there is none.
fn is_final(actor: &AnyLink, down: &Down) -> bool {
    match actor.info().status {
        Status::Dead(_) => true,
        Status::Remote => matches!(
            down.reason,
            ExitReason::NoProc | ExitReason::NoConnection | ExitReason::NodeFailure { .. }
        ),
        _ => false,
    }
}
