//! What a transport between nodes needs: which types may cross, proxies, routes.
//!
//! A link to an actor on another node is a link to a local *proxy cell*. What is sent to it is
//! encoded by the codec that the type was [exported](System::export) with and handed to the
//! [`Route`] of the node. What comes in from other nodes goes to [`System::deliver`]. Links inside
//! messages become links of the receiving node while a message is decoded by [`decode`].

use std::{
    any::{Any, TypeId},
    cell::RefCell,
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::Arc,
};

use parking_lot::RwLock;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};

use crate::{
    Actor, ActorId, AnyLink, BoxFuture, CallError, DeadLetter, DeadLetterCause, Down, ExitReason,
    GroupEpoch, Handler, Link, Message, ReplyTo, SendError, StartError, System, SystemId,
    cell::{ActorCell, AnyCell, Life},
    monitor::Watcher,
    supervision::{OnExit, Seat},
};

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
        /// The sender's group.
        epoch: Option<GroupEpoch>,
        /// Where the answer goes.
        reply: Option<ReplyTo<Vec<u8>>>,
    },
    /// [`AnyLink::stop`].
    Stop(ExitReason),
    /// [`AnyLink::kill`] and [`AnyLink::shutdown`].
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
    /// The parcel comes back when there is no connection to the node.
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), Parcel>;
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
    /// Lets actors of type `A` be known on other nodes, under a stable name. Both nodes export the
    /// same names for the same types.
    ///
    /// ```
    /// # use actors_core::{Actor, Context, Handler, Message, System};
    /// # use serde::{Serialize, Deserialize};
    /// # struct Counter(u64); impl Actor for Counter {}
    /// #[derive(Serialize, Deserialize)]
    /// struct Add(u64);
    /// # impl Message for Add { type Reply = u64; }
    /// # impl Handler<Add> for Counter {
    /// #     async fn handle(&mut self, m: Add, _: &mut Context<Self>) -> u64 { self.0 += m.0; self.0 }
    /// # }
    /// # let system = System::new();
    /// system
    ///     .export::<Counter>("counter")
    ///     .message::<Add>("add")
    ///     .constructor(|start: u64, _birth| async move { Ok(Counter(start)) });
    /// ```
    pub fn export<A: Actor>(&self, name: &str) -> Export<'_, A> {
        Export { exports: self.exports(), actor: self.exports().add(name), types: PhantomData }
    }

    /// Delivers what came from another node.
    pub fn deliver(&self, from: SystemId, to: ActorId, parcel: Parcel) {
        let cell = self.cell(to);
        match (parcel, cell) {
            (Parcel::Message { name, body, epoch, reply }, Some(cell)) => {
                let decode = self.exports().decoder(cell.actor_type(), &name);
                let Some(decode) = decode else {
                    self.undelivered(to, reply, CallError::NotExported(name.to_string()));
                    return;
                };
                decode(self, cell, &body, epoch, reply);
            }
            (Parcel::Message { reply, .. }, None) => self.undelivered(to, reply, CallError::Closed),
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

    /// Sets a newer location of an actor that is on another node. Older news is ignored.
    pub fn relocate(&self, actor: ActorId, location: Location) {
        if let (Some(cell), Some(route)) = (self.cell(actor), self.route(location.node)) {
            cell.relocate(location, route);
        }
    }

    /// The connection to a node is lost: whoever monitors its actors from here hears `reason`, and
    /// its monitors here are gone.
    pub fn disconnected(&self, node: SystemId, reason: &ExitReason) {
        for cell in self.cells() {
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

    /// Makes an address whose incarnations are started from encoded arguments, for an actor type
    /// that was exported with a constructor. An identity that this node knows as remote becomes a
    /// local one: its links stay valid.
    ///
    /// # Errors
    /// [`StartError::NotExported`], [`StartError::Address`] when an actor with this identity is
    /// already here.
    pub fn reserve_export(
        &self,
        name: &str,
        location: (ActorId, u32),
        on_exit: OnExit,
    ) -> Result<Box<dyn AnySeat>, StartError> {
        let actor = self.exports().by_name(name);
        let actor = actor.ok_or_else(|| StartError::NotExported(name.into()))?;
        let reserve = actor.reserve.read().clone();
        let reserve = reserve.ok_or_else(|| StartError::NotExported(name.into()))?;
        reserve(self, location, on_exit)
    }

    fn undelivered(&self, to: ActorId, reply: Option<ReplyTo<Vec<u8>>>, error: CallError) {
        if let Some(reply) = reply {
            reply.finish(Err(error));
        }
        self.dead_letters_hub().publish(DeadLetter {
            to,
            message: "remote message",
            cause: DeadLetterCause::Undeliverable,
        });
    }

    fn answer_down(&self, to: SystemId, down: Down) {
        if let Some(route) = self.route(to) {
            let _ = route.forward(down.actor, Parcel::Down(down));
        }
    }

    fn resolve<A: Actor>(&self, wire: WireLink) -> Result<Link<A>, String> {
        let WireLink { id, location } = wire;
        let here = location.node == self.id();
        let route = if here { None } else { self.route(location.node) };
        if !here && route.is_none() {
            return Err(format!("{self:?} is not a node: it cannot reach {}", location.node));
        }
        let cell = self.cell_or_insert(id, || {
            let life = match route.clone() {
                None => Life::Dead(ExitReason::NoProc),
                Some(route) => Life::Proxy { route, node: location.node },
            };
            let cell: Arc<ActorCell<A>> = ActorCell::new(id, self.clone(), life);
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

/// An actor type that is being exported.
pub struct Export<'a, A> {
    exports: &'a Exports,
    actor: Arc<ExportedActor>,
    types: PhantomData<fn(A)>,
}

/// What a constructor gets beside its arguments.
#[derive(Debug)]
#[non_exhaustive]
pub struct Birth<A> {
    /// The system that the actor will live in.
    pub system: System,
    /// The state that the last incarnation left on this node, if there was one.
    pub last: Option<A>,
}

impl<A: Actor> Export<'_, A> {
    /// Lets messages of type `M` cross, under a name that is unique for the actor type.
    pub fn message<M>(self, name: &str) -> Self
    where
        A: Handler<M>,
        M: Message<Reply: Serialize + DeserializeOwned> + Serialize + DeserializeOwned,
    {
        let name: Arc<str> = name.into();
        let codec = Codec::<M> {
            name: name.clone(),
            encode: encode::<M>,
            decode_reply: decode::<M::Reply>,
        };
        let ids = (TypeId::of::<A>(), TypeId::of::<M>());
        self.exports.codecs.write().insert(ids, Arc::new(codec));
        self.exports
            .decoders
            .write()
            .entry(TypeId::of::<A>())
            .or_default()
            .insert(name, Arc::new(receive::<A, M>));
        self
    }

    /// Lets other nodes start such actors, from arguments that cross. The constructor runs in the
    /// new actor's own activation, at every start and restart.
    pub fn constructor<Args, F, Fut>(self, make: F) -> Self
    where
        Args: DeserializeOwned + Send + 'static,
        F: Fn(Args, Birth<A>) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        let make = Arc::new(make);
        let reserve: Reserve = Arc::new(move |system, (id, version), on_exit| {
            let cell = system.cell_or_insert(id, || {
                ActorCell::<A>::new(id, system.clone(), Life::Suspended { last: None })
            });
            let address = |why: &str| StartError::Address(format!("{id} {why}"));
            let cell = cell.into_any().downcast::<ActorCell<A>>();
            let cell = cell.map_err(|_| address("is of another type"))?;
            let is_free = cell.settle(version) || (cell.is_suspended() && !cell.is_supervised());
            if !is_free {
                return Err(address("is in use on this node"));
            }
            cell.set_supervisor(Some(on_exit));
            system.pin(cell.clone());
            let make = make.clone();
            Ok(Box::new(ExportedSeat {
                seat: Seat::new(cell),
                system: system.clone(),
                make,
                args: PhantomData,
            }))
        });
        *self.actor.reserve.write() = Some(reserve);
        self
    }
}

impl<A> fmt::Debug for Export<'_, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Export({:?})", self.actor.name)
    }
}

/// A [`Seat`] of an exported actor type.
pub trait AnySeat: Send + Sync {
    /// The address.
    fn link(&self) -> AnyLink;
    /// As [`Seat::start`], from encoded arguments. The home of the actor numbers its lives.
    fn start(
        &self,
        group: Option<GroupEpoch>,
        incarnation: u32,
        args: Vec<u8>,
    ) -> BoxFuture<'static, Result<u32, StartError>>;
    /// As [`Seat::retire`].
    fn retire(&self, reason: ExitReason);
    /// As [`Seat::is_suspended`].
    fn is_suspended(&self) -> bool;
    /// As [`Seat::set_supervisor`].
    fn set_supervisor(&self, on_exit: Option<OnExit>);
}

struct ExportedSeat<A: Actor, F, Args> {
    seat: Seat<A>,
    system: System,
    make: Arc<F>,
    args: PhantomData<fn(Args)>,
}

impl<A, F, Fut, Args> AnySeat for ExportedSeat<A, F, Args>
where
    A: Actor,
    Args: DeserializeOwned + Send + 'static,
    F: Fn(Args, Birth<A>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<A, StartError>> + Send + 'static,
{
    fn link(&self) -> AnyLink {
        self.seat.any_link()
    }

    fn start(
        &self,
        group: Option<GroupEpoch>,
        incarnation: u32,
        args: Vec<u8>,
    ) -> BoxFuture<'static, Result<u32, StartError>> {
        let (make, system) = (self.make.clone(), self.system.clone());
        Box::pin(self.seat.start_numbered(group, Some(incarnation), move |last| async move {
            let args = decode(&system, &args).map_err(StartError::failed)?;
            make(args, Birth { system, last }).await
        }))
    }

    fn retire(&self, reason: ExitReason) {
        self.seat.retire(reason);
    }

    fn is_suspended(&self) -> bool {
        self.seat.is_suspended()
    }

    fn set_supervisor(&self, on_exit: Option<OnExit>) {
        self.seat.set_supervisor(on_exit);
    }
}

type Reserve = Arc<
    dyn Fn(&System, (ActorId, u32), OnExit) -> Result<Box<dyn AnySeat>, StartError> + Send + Sync,
>;
type Decoder = Arc<
    dyn Fn(&System, Arc<dyn AnyCell>, &[u8], Option<GroupEpoch>, Option<ReplyTo<Vec<u8>>>)
        + Send
        + Sync,
>;

/// The types of one system that may cross.
#[derive(Default)]
pub(crate) struct Exports {
    actors: RwLock<HashMap<String, Arc<ExportedActor>>>,
    codecs: RwLock<HashMap<(TypeId, TypeId), Arc<dyn Any + Send + Sync>>>,
    decoders: RwLock<HashMap<TypeId, HashMap<Arc<str>, Decoder>>>,
    functions: RwLock<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>,
}

struct ExportedActor {
    name: String,
    reserve: RwLock<Option<Reserve>>,
}

struct Codec<M: Message> {
    name: Arc<str>,
    encode: fn(&System, &M) -> Result<Vec<u8>, CallError>,
    decode_reply: fn(&System, &[u8]) -> Result<M::Reply, CallError>,
}

impl Exports {
    fn add(&self, name: &str) -> Arc<ExportedActor> {
        let make = || Arc::new(ExportedActor { name: name.into(), reserve: RwLock::default() });
        self.actors.write().entry(name.into()).or_insert_with(make).clone()
    }

    pub(crate) fn add_function<M: Message>(&self, name: &str, make: Arc<dyn Any + Send + Sync>) {
        self.functions.write().insert((TypeId::of::<M>(), name.into()), make);
    }

    pub(crate) fn function<M: Message>(&self, name: &str) -> Option<Arc<dyn Any + Send + Sync>> {
        self.functions.read().get(&(TypeId::of::<M>(), name.into())).cloned()
    }

    fn by_name(&self, name: &str) -> Option<Arc<ExportedActor>> {
        self.actors.read().get(name).cloned()
    }

    fn decoder(&self, actor: TypeId, message: &str) -> Option<Decoder> {
        self.decoders.read().get(&actor)?.get(message).cloned()
    }

    fn codec<A: Actor, M: Message>(&self) -> Option<Arc<Codec<M>>> {
        let ids = (TypeId::of::<A>(), TypeId::of::<M>());
        let codec = self.codecs.read().get(&ids)?.clone();
        codec.downcast().ok()
    }
}

pub(crate) fn forward<A: Handler<M>, M: Message>(
    system: &System,
    route: &dyn Route,
    to: ActorId,
    message: M,
    reply: Option<ReplyTo<M::Reply>>,
    epoch: Option<GroupEpoch>,
) -> Result<(), SendError<M>> {
    let Some(codec) = system.exports().codec::<A, M>() else {
        return Err(SendError::NotExported(message));
    };
    let body = match (codec.encode)(system, &message) {
        Ok(body) => body,
        Err(error) => return Err(SendError::Encode { message, reason: error.to_string() }),
    };
    let name = codec.name.clone();
    let reply = reply.map(|reply| {
        let system = system.clone();
        ReplyTo::to_function(move |answer: Result<Vec<u8>, CallError>| {
            reply.finish(answer.and_then(|body| (codec.decode_reply)(&system, &body)));
        })
    });
    route
        .forward(to, Parcel::Message { name, body, epoch, reply })
        .map_err(|_| SendError::NoConnection(message))
}

/// Decodes a message for an `A` and puts it into the mailbox.
fn receive<A, M>(
    system: &System,
    cell: Arc<dyn AnyCell>,
    body: &[u8],
    epoch: Option<GroupEpoch>,
    reply: Option<ReplyTo<Vec<u8>>>,
) where
    A: Handler<M>,
    M: Message<Reply: Serialize> + DeserializeOwned,
{
    let to = cell.id();
    let message: M = match decode(system, body) {
        Ok(message) => message,
        Err(error) => {
            tracing::warn!(%to, %error, "message does not decode");
            return system.undelivered(to, reply, error);
        }
    };
    let Ok(cell) = cell.into_any().downcast::<ActorCell<A>>() else {
        unreachable!("decoders are found by the actor's type")
    };
    let replier = system.clone();
    let reply = reply.map(|reply| {
        ReplyTo::to_function(move |answer: Result<M::Reply, CallError>| {
            reply.finish(answer.and_then(|value| encode(&replier, &value)));
        })
    });
    if let Err(error) = cell.push_tagged(message, reply, epoch) {
        tracing::debug!(%to, %error, "remote message undelivered");
        system.undelivered(to, None, CallError::Closed);
    }
}

/// A link on the wire.
#[derive(Serialize, Deserialize)]
struct WireLink {
    id: ActorId,
    location: Location,
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

fn scoped<T>(system: &System, f: impl FnOnce() -> T) -> T {
    struct Restore(Option<System>);
    impl Drop for Restore {
        fn drop(&mut self) {
            SCOPE.set(self.0.take());
        }
    }
    let _restore = Restore(SCOPE.replace(Some(system.clone())));
    f()
}
