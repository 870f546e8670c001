//! Groups of actors on all nodes.

use std::fmt;

use actors_core::{Actor, ActorId, Handler, Link, Message};
use crossbeam_channel::Receiver;

use crate::{Node, RegisterError, directory::Request};

/// Actors under common names, on all nodes (`pg` in Erlang). Those of a
/// [system](actors_core::System::process_group) are apart from them. Got from [`Node::groups`].
///
/// A member leaves by itself when it is dead for good, however it died, and when its home is; restarted or moved it
/// stays. Each node knows all groups: asking for members asks nobody, and may miss one that is just joining on
/// another node, or have one that is just gone.
///
/// A group has a name and no type: it may have actors of several, and is asked for those of one.
#[derive(Clone)]
pub struct Groups(Node);

impl Node {
    /// The groups that are known on every node.
    pub fn groups(&self) -> Groups {
        Groups(self.clone())
    }
}

impl Groups {
    /// Makes an actor a member. Joining twice changes nothing. (In `pg` it would be in twice.) After `Ok` all
    /// nodes that are connected know; one that does not answer is waited for until it is
    /// [declared dead](crate::Detection). Cancel safe: a dropped `join` may still succeed.
    ///
    /// # Errors
    /// [`RegisterError`], but `Taken` and `Unknown`.
    pub async fn join<A: Actor>(&self, group: &str, actor: &Link<A>) -> Result<(), RegisterError> {
        self.0.system().publish(&actor.erase());
        let (group, actor) = (group.to_owned(), actor.id());
        self.0.0.ask_home(Request::Join { group, actor }).await
    }

    /// Ends a membership. Cancel safe, as [`join`](Self::join).
    ///
    /// # Errors
    /// [`RegisterError::Unknown`] when it was no member, [`RegisterError::NoConnection`],
    /// [`RegisterError::Left`].
    pub async fn leave(&self, group: &str, actor: ActorId) -> Result<(), RegisterError> {
        self.0.0.ask_home(Request::Leave { group: group.to_owned(), actor }).await
    }

    /// The members that are an `A`, on all nodes; in the order of their identities, the same on every node.
    pub fn members<A: Actor>(&self, group: &str) -> Vec<Link<A>> {
        let system = self.0.system();
        self.0.0.directory.read(|state| {
            let links = state.groups.members(group).filter_map(|entry| entry.link(system));
            links.filter_map(|link| link.downcast()).collect()
        })
    }

    /// Those of the [`members`](Self::members) that run on this node.
    pub fn local_members<A: Actor>(&self, group: &str) -> Vec<Link<A>> {
        let mut members = self.members::<A>(group);
        members.retain(|link| link.erase().location().node == self.0.system().id());
        members
    }

    /// Sends a message to every member that is an `A`, and says how many have accepted it. It does not wait: one
    /// whose mailbox or node is full does not get it.
    pub fn broadcast<A: Handler<M>, M: Message + Clone>(&self, group: &str, message: &M) -> usize {
        let members = self.members::<A>(group);
        members.iter().filter(|member| member.send(message.clone()).is_ok()).count()
    }

    /// The groups that have members, in the order of their names.
    pub fn groups(&self) -> Vec<String> {
        self.0.0.directory.read(|state| state.groups.groups().map(str::to_owned).collect())
    }

    /// Who joins and leaves from now on, of all groups, as seen from here.
    pub fn events(&self) -> Receiver<GroupEvent> {
        self.0.0.directory.group_events(|_| ()).1
    }

    /// The members of a group now, whatever their type, and who joins and leaves from this moment on, other
    /// groups included (`pg:monitor`).
    pub fn monitor(&self, group: &str) -> (Vec<ActorId>, Receiver<GroupEvent>) {
        self.0
            .0
            .directory
            .group_events(|state| state.groups.members(group).map(|entry| entry.actor()).collect())
    }
}

impl fmt::Debug for Groups {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Groups").field(&self.groups()).finish()
    }
}

/// Something happened to a group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum GroupEvent {
    /// A member more.
    Joined {
        /// The group.
        group: String,
        /// Who.
        actor: ActorId,
    },
    /// A member less: it left, is dead for good, or its home is gone.
    Left {
        /// The group.
        group: String,
        /// Who.
        actor: ActorId,
    },
}
