//! What a transport between nodes needs: which types may cross, proxies, routes.
//!
//! A link to an actor on another node is a link to a local *proxy cell*. What is sent to it is
//! encoded by the codec that the type was [exported](System::export) with and handed to the
//! [`Route`] of the node. What comes in from other nodes goes to [`System::deliver`]. Links inside
//! messages become links of the receiving node while a message is decoded by [`decode`].

mod export;
mod known;
mod link;

use std::sync::Arc;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use self::link::{WireLink, scoped};
use crate::{
    Actor, ActorId, BoxFuture, CallError, DeadLetter, DeadLetterCause, Down, ExitReason,
    GroupEpoch, Handler, Link, Message, ReplyTo, SendError, StartError, System, SystemId, here,
    monitor::Watcher, payload::Origin,
};

pub(crate) use export::Exports;
pub use export::{AnySeat, Birth, Export};

/// Where an actor is. Of two locations, the one with the higher version is newer; only the actor's
/// home gives out versions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Location {
    /// The system it is in.
    pub node: SystemId,
    /// Counts its moves.
    pub version: u32,
}

impl Location {
    /// Before its first placement.
    pub const NOWHERE: Self = Self { node: SystemId(0), version: 0 };
}

/// What travels to an actor on another node.
#[derive(Debug)]
pub enum Parcel {
    /// A message of an exported type.
    Message {
        /// The name it was exported under.
        name: Arc<str>,
        /// MessagePack.
        body: Vec<u8>,
        /// The actor that sends, if one does: what it sends comes before its `Down`. It stays on the
        /// sending node.
        from: Option<ActorId>,
        /// The sender's group.
        epoch: Option<GroupEpoch>,
        /// The sender's trace, as its [`Propagator`](crate::Propagator) has put it.
        trace: Option<Vec<u8>>,
        /// Where the answer goes. It has the [deadline](ReplyTo::deadline) of the question, if there is one.
        reply: Option<ReplyTo<Vec<u8>>>,
    },
    /// [`AnyLink::stop`](crate::AnyLink::stop).
    Stop(ExitReason),
    /// [`AnyLink::kill`](crate::AnyLink::kill) and [`AnyLink::shutdown`](crate::AnyLink::shutdown).
    End(ExitReason),
    /// Tell the sending node when the actor ends.
    Monitor,
    /// The answer to it.
    Down(Down),
}

/// The way to one node.
pub trait Route: Send + Sync {
    /// Takes a parcel for delivery, in order, at most once. Never waits.
    ///
    /// # Errors
    /// It was not taken.
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), NotTaken>;
    /// Done when there may be room again for what was [`NotTaken::Full`].
    fn room(&self) -> BoxFuture<'static, ()>;
}

/// Why a route does not take a parcel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NotTaken {
    /// There is no connection to the node.
    NoConnection,
    /// Too much waits for the connection. Only for messages.
    Full,
    /// The message is longer than the nodes take. Only for messages.
    TooLong {
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
}

/// Knows the way to every node.
pub trait Router: Send + Sync {
    /// The way to a node; to one that is unknown or dead, a route that refuses everything.
    fn route(&self, node: SystemId) -> Arc<dyn Route>;
}

/// Encodes a value as MessagePack; the links in it are taken as links of `system`.
///
/// # Errors
/// [`CallError::Codec`].
pub fn encode<T: Serialize>(system: &System, value: &T) -> Result<Vec<u8>, CallError> {
    scoped(system, || rmp_serde::to_vec(value)).map_err(|e| CallError::Codec(e.to_string()))
}

/// Decodes a value; the links in it become links of `system`.
///
/// # Errors
/// [`CallError::Codec`].
pub fn decode<T: DeserializeOwned>(system: &System, bytes: &[u8]) -> Result<T, CallError> {
    scoped(system, || rmp_serde::from_slice(bytes)).map_err(|e| CallError::Codec(e.to_string()))
}

impl System {
    /// Delivers what came from another node.
    pub fn deliver(&self, from: SystemId, to: ActorId, parcel: Parcel) {
        match (parcel, self.cell(to)) {
            (Parcel::Message { name, body, epoch, trace, reply, .. }, _) => {
                self.deliver_message(to, &name, &body, epoch, trace, reply);
            }
            (Parcel::Stop(reason), Some(cell)) => cell.stop(reason),
            (Parcel::End(reason), Some(cell)) => cell.end_now(reason),
            (Parcel::Down(down), Some(cell)) => cell.remote_down(down),
            (Parcel::Monitor, Some(cell)) => {
                if let Err((_, down)) = cell.watch(Watcher::Node(from)) {
                    self.answer_down(from, down);
                }
            }
            (Parcel::Monitor, None) => {
                let down = Down { actor: to, incarnation: 0, reason: ExitReason::NoProc };
                self.answer_down(from, down);
            }
            (Parcel::Stop(_) | Parcel::End(_) | Parcel::Down(_), None) => {}
        }
    }

    /// [`deliver`](Self::deliver) for a message that stays with the caller: it is decoded from where it is.
    pub fn deliver_message(
        &self,
        to: ActorId,
        name: &str,
        body: &[u8],
        epoch: Option<GroupEpoch>,
        trace: Option<Vec<u8>>,
        reply: Option<ReplyTo<Vec<u8>>>,
    ) {
        let Some(cell) = self.cell(to) else {
            return self.undelivered(to, reply, CallError::Closed);
        };
        match self.exports().decoder(cell.actor_type(), name) {
            Some(decode) => decode(self, cell, body, Origin { epoch, trace }, reply),
            None => self.undelivered(to, reply, CallError::NotExported(name.to_owned())),
        }
    }

    /// Sets a newer location of an actor that is on another node. Older news is ignored.
    pub fn relocate(&self, actor: ActorId, location: Location) {
        if let (Some(cell), Some(route)) = (self.cell(actor), self.route(location.node)) {
            cell.relocate(location, route);
        }
    }

    /// The connection to a node is lost: whoever monitors its actors from here hears `reason`, and
    /// its monitors here are gone.
    pub fn disconnected(&self, node: SystemId, reason: &ExitReason) {
        for cell in self.known_cells() {
            if cell.location().node == node {
                let actor = cell.id();
                cell.remote_down(Down { actor, incarnation: 0, reason: reason.clone() });
            } else {
                cell.unwatch_node(node);
            }
        }
    }

    /// A new identity whose actor lives on another node; this system is its home. The link is a
    /// proxy, good for sending as soon as the route is.
    pub fn reserve_remote<A: Actor>(&self, location: Location) -> Result<Link<A>, StartError> {
        self.resolve(WireLink { id: self.next_id(), location })
            .map_err(|e| StartError::Address(e.to_string()))
    }

    pub(crate) fn undelivered(
        &self,
        to: ActorId,
        reply: Option<ReplyTo<Vec<u8>>>,
        error: CallError,
    ) {
        if let Some(reply) = reply {
            reply.finish(Err(error));
        }
        self.dead_letters_hub().publish(DeadLetter {
            to,
            message: "remote message",
            cause: DeadLetterCause::Undeliverable,
            reason: None,
        });
    }

    fn answer_down(&self, to: SystemId, down: Down) {
        if let Some(route) = self.route(to) {
            let _ = route.forward(down.actor, Parcel::Down(down));
        }
    }
}

pub(crate) fn forward<A: Handler<M>, M: Message>(
    system: &System,
    route: &dyn Route,
    to: ActorId,
    message: M,
    reply: Option<ReplyTo<M::Reply>>,
    origin: Origin,
) -> Result<(), SendError<M>> {
    let Some(codec) = system.exports().codec::<A, M>() else {
        return Err(SendError::NotExported(message));
    };
    let body = match (codec.encode)(system, &message) {
        Ok(body) => body,
        Err(error) => return Err(SendError::Encode { message, reason: error.to_string() }),
    };
    let (name, from) = (codec.name.clone(), here::actor());
    let reply = reply.map(|reply| {
        let system = system.clone();
        reply.convert(move |body: Vec<u8>| (codec.decode_reply)(&system, &body))
    });
    let Origin { epoch, trace } = origin;
    let trace = trace.or_else(|| system.trace());
    route.forward(to, Parcel::Message { name, body, from, epoch, trace, reply }).map_err(|why| {
        match why {
            NotTaken::NoConnection => SendError::NoConnection(message),
            NotTaken::Full => SendError::Full(message),
            NotTaken::TooLong { bytes, limit } => SendError::TooLong { message, bytes, limit },
        }
    })
}
