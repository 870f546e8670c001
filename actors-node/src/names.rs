//! Names that are known on every node.

use std::{any::type_name, fmt};

use actors_core::{Actor, ActorId, AnyLink, Link, NameError, SystemId};
use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use crate::{
    Node,
    directory::{Entry, Request},
};

/// Names of actors that are known on every node of the cluster (`global` in Erlang). Those of a
/// [system](actors_core::System::register) are apart from them. Got from [`Node::names`].
///
/// A name belongs to an actor, over its restarts and wherever it is moved to. It is kept by the actor's home: the
/// node that gave it its identity, which for a supervised child is the node of the supervisor. It is free again
/// when the actor is dead for good, and when its home is. An actor may have several.
///
/// Every node knows all names: looking one up asks nobody. When a registration has returned `Ok`, all nodes
/// that were connected have the name; nodes that come are told.
///
/// ```
/// # use actors_core::{Actor, Context, Handler, Message, System};
/// # use serde::{Serialize, Deserialize};
/// # use std::time::Duration;
/// use actors_node::{Node, RegisterError};
/// # struct Counter(u64);
/// # impl Actor for Counter {}
/// # #[derive(Serialize, Deserialize)]
/// # struct Add(u64);
/// # impl Message for Add { type Reply = u64; }
/// # impl Handler<Add> for Counter {
/// #     async fn handle(&mut self, m: Add, _: &mut Context<Self>) -> u64 { self.0 += m.0; self.0 }
/// # }
/// # fn export(system: &System) { system.export::<Counter>("counter").message::<Add>("add"); }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let (a, b) = (System::builder().name("a").build(), System::builder().name("b").build());
/// # export(&a);
/// # export(&b);
/// # a.block_on(async {
/// # let node_a = Node::builder(&a).start().await?;
/// # let node_b = Node::builder(&b).start().await?;
/// # node_b.join(&node_a.member().address, Duration::from_secs(5)).await?;
/// # node_a.wait_for("b", Duration::from_secs(5)).await?;
/// let counter = a.spawn(Counter(40));
/// node_a.names().register("counter", &counter).await?;
/// let found = node_b.names().whereis::<Counter>("counter")?;
/// assert_eq!(found.call(Add(2)).await?, 42);
///
/// let other = b.spawn(Counter(0));
/// let taken = node_b.names().register("counter", &other).await;
/// assert_eq!(taken, Err(RegisterError::Taken { by: counter.id() }));
/// # node_a.leave(); node_b.leave();
/// # Ok(())
/// # })
/// # }
/// ```
#[derive(Clone)]
pub struct Names(Node);

impl Node {
    /// The names that are known on every node.
    pub fn names(&self) -> Names {
        Names(self.clone())
    }
}

impl Names {
    /// Gives an actor a name that nobody else has, on this node or another. Of several that are registered at
    /// once one gets it. An actor that has the name already keeps it: that is no error.
    ///
    /// It takes two rounds to all members; one that does not answer is waited for until it is
    /// [declared dead](crate::Detection). Cancel safe: a registration that is dropped may still succeed.
    ///
    /// # Errors
    /// [`RegisterError`]; nothing has changed then, but with `NoConnection`, `Left` and `Dead`, after which the
    /// name may have been the actor's for a while.
    pub async fn register<A: Actor>(
        &self,
        name: &str,
        actor: &Link<A>,
    ) -> Result<(), RegisterError> {
        self.0.system().publish(&actor.erase());
        let (name, actor) = (name.to_owned(), actor.id());
        self.0.0.ask_home(Request::Register { name, actor }).await
    }

    /// Frees a name, whoever has it. Returns when all that are connected know. Cancel safe, as
    /// [`register`](Self::register).
    ///
    /// # Errors
    /// [`RegisterError::Unknown`], [`RegisterError::NoConnection`], [`RegisterError::Left`].
    pub async fn unregister(&self, name: &str) -> Result<(), RegisterError> {
        let holder = self.0.0.directory.read(|state| state.names.holder(name).map(Entry::actor));
        let actor = holder.ok_or_else(|| RegisterError::Unknown(name.to_owned()))?;
        self.0.0.ask_home(Request::Unregister { name: name.to_owned(), actor }).await
    }

    /// The actor with a name, as known here.
    ///
    /// # Errors
    /// [`NameError::Unknown`], [`NameError::WrongType`].
    pub fn whereis<A: Actor>(&self, name: &str) -> Result<Link<A>, NameError> {
        let (link, export) = self.find(name)?;
        let found = link.as_ref().map_or(export, |link| link.info().type_name.to_owned());
        link.and_then(|link| link.downcast()).ok_or_else(|| NameError::WrongType {
            name: name.into(),
            wanted: type_name::<A>().into(),
            found,
        })
    }

    /// As [`whereis`](Self::whereis), for any type that is exported here.
    ///
    /// # Errors
    /// As `whereis`.
    pub fn whereis_any(&self, name: &str) -> Result<AnyLink, NameError> {
        let (link, found) = self.find(name)?;
        let wanted = "type that is exported here".into();
        link.ok_or_else(|| NameError::WrongType { name: name.into(), wanted, found })
    }

    fn find(&self, name: &str) -> Result<(Option<AnyLink>, String), NameError> {
        let (system, directory) = (self.0.system(), &self.0.0.directory);
        let found = directory.read(|state| {
            let entry = state.names.holder(name)?;
            Some((entry.link(system), entry.export().to_owned()))
        });
        found.ok_or_else(|| NameError::Unknown(name.into()))
    }

    /// All names with their actors, as known here; in the order of the names.
    pub fn registered(&self) -> Vec<(String, ActorId)> {
        self.0.0.directory.read(|state| {
            state.names.holders().map(|(name, entry)| (name.to_owned(), entry.actor())).collect()
        })
    }

    /// What happens to names from now on, as seen from here: in the order in which it can be looked up.
    pub fn events(&self) -> Receiver<NameEvent> {
        self.0.0.directory.name_events()
    }
}

impl fmt::Debug for Names {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(self.registered()).finish()
    }
}

/// Something happened to a name.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NameEvent {
    /// An actor has it.
    Registered {
        /// The name.
        name: String,
        /// Who.
        actor: ActorId,
    },
    /// It was taken from the actor, or the actor is dead for good.
    Released {
        /// The name.
        name: String,
        /// Who had it.
        actor: ActorId,
    },
    /// The home of the actor is gone.
    Purged {
        /// The name.
        name: String,
        /// Who had it.
        actor: ActorId,
    },
    /// Two had it whose nodes did not know of each other, and this node's actor is the one that has it no more. It
    /// lives on. Only the home of the actor is told.
    Lost {
        /// The name.
        name: String,
        /// Who had it.
        actor: ActorId,
        /// Who has it.
        to: ActorId,
    },
}

/// Why an actor has not got a name, or is not in a group; or why it is still.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegisterError {
    /// Another actor has the name.
    #[error("the name belongs to actor {by}")]
    Taken {
        /// Who.
        by: ActorId,
    },
    /// Nobody has the name, or the actor is not in the group.
    #[error("{0:?} is unknown")]
    Unknown(String),
    /// The actor is dead, has no place yet, or has died meanwhile.
    #[error("the actor is dead")]
    Dead,
    /// Other nodes could not reach it.
    #[error("the actor type {0} is not exported")]
    NotExported(String),
    /// The home of the actor is not a member, or was lost meanwhile.
    #[error("no connection to {home}, the home of the actor")]
    NoConnection {
        /// The actor's home.
        home: SystemId,
    },
    /// Names and groups are short.
    #[error("a name of {bytes} bytes; at most {limit} are taken")]
    TooLong {
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// This node, or the actor's home, leaves the cluster.
    #[error("the node leaves the cluster")]
    Left,
}

impl RegisterError {
    /// The longest name of an actor or a group, in bytes.
    pub const LONGEST: usize = 255;
}
