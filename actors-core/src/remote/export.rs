//! What may cross: actor types with their messages and constructors, by stable names.

use std::{
    any::{Any, TypeId},
    collections::HashMap,
    fmt,
    marker::PhantomData,
    sync::Arc,
};

use parking_lot::{Mutex, RwLock};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    decode, encode,
    known::{Identity, MakeLink},
};
use crate::{
    Actor, ActorId, AnyLink, BoxFuture, CallError, ExitReason, GroupEpoch, Handler, Message,
    ReplyTo, StartError, System,
    cell::{ActorCell, AnyCell},
    observe::Observer,
    payload::Origin,
    supervision::{OnExit, Seat},
};

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
        Export { exports: self.exports(), actor: self.exports().add::<A>(name), types: PhantomData }
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
}

/// An actor type that is being exported.
pub struct Export<'a, A> {
    exports: &'a Exports,
    actor: Arc<ExportedActor>,
    types: PhantomData<fn(A)>,
}

/// What a constructor gets beside its arguments.
#[non_exhaustive]
pub struct Birth<A: Actor> {
    /// The system that the actor will live in.
    pub system: System,
    /// The state that the last incarnation left on this node, if there was one.
    pub last: Option<A>,
    /// Of the life that begins: 1 for the first one, wherever that was.
    pub incarnation: u32,
    seat: Seat<A>,
    memory: Memory,
}

/// What constructors keep for an address.
type Memory = Arc<Mutex<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>;

impl<A: Actor> Birth<A> {
    /// Has the actor observed, from the next message on. Another observer is replaced.
    pub fn observe(&self, observer: impl Observer<A>) {
        self.seat.observe(observer);
    }

    /// What the constructor has put there in earlier starts of this actor on this node: one value of each
    /// type, to begin with its default. It goes with the actor's place here.
    pub fn memory<T: Default + Send + 'static>(&self) -> Arc<Mutex<T>> {
        let mut memory = self.memory.lock();
        let kept =
            memory.entry(TypeId::of::<T>()).or_insert_with(|| Arc::new(Mutex::<T>::default()));
        kept.clone().downcast().unwrap_or_else(|_| unreachable!("it is kept by its type"))
    }
}

impl<A: Actor> fmt::Debug for Birth<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Birth")
            .field("actor", &self.seat.any_link().id())
            .field("incarnation", &self.incarnation)
            .finish_non_exhaustive()
    }
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
            let cell = system.cell_or_insert(id, || ActorCell::<A>::suspended(id, system.clone()));
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
                memory: Memory::default(),
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
    memory: Memory,
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
        let (make, system, memory) = (self.make.clone(), self.system.clone(), self.memory.clone());
        let seat = Seat::new(self.seat.cell().clone());
        Box::pin(self.seat.start_numbered(group, Some(incarnation), move |last| async move {
            let args = decode(&system, &args).map_err(StartError::failed)?;
            make(args, Birth { system, last, incarnation, seat, memory }).await
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
type Decoder =
    Arc<dyn Fn(&System, Arc<dyn AnyCell>, &[u8], Origin, Option<ReplyTo<Vec<u8>>>) + Send + Sync>;

/// The types of one system that may cross.
#[derive(Default)]
pub(crate) struct Exports {
    actors: RwLock<HashMap<String, Arc<ExportedActor>>>,
    codecs: RwLock<HashMap<(TypeId, TypeId), Arc<dyn Any + Send + Sync>>>,
    decoders: RwLock<HashMap<TypeId, HashMap<Arc<str>, Decoder>>>,
    functions: RwLock<HashMap<(TypeId, String), Arc<dyn Any + Send + Sync>>>,
    /// The first name of each type.
    names: RwLock<HashMap<TypeId, String>>,
}

struct ExportedActor {
    name: String,
    identity: Identity,
    reserve: RwLock<Option<Reserve>>,
}

pub(super) struct Codec<M: Message> {
    pub(super) name: Arc<str>,
    pub(super) encode: fn(&System, &M) -> Result<Vec<u8>, CallError>,
    pub(super) decode_reply: fn(&System, &[u8]) -> Result<M::Reply, CallError>,
}

impl Exports {
    fn add<A: Actor>(&self, name: &str) -> Arc<ExportedActor> {
        let (identity, reserve) = (Identity::of::<A>(), RwLock::default());
        self.names.write().entry(identity.actor).or_insert_with(|| name.into());
        let make = || Arc::new(ExportedActor { name: name.into(), identity, reserve });
        self.actors.write().entry(name.into()).or_insert_with(make).clone()
    }

    pub(super) fn name_of(&self, actor: TypeId) -> Option<String> {
        self.names.read().get(&actor).cloned()
    }

    pub(super) fn link(&self, name: &str) -> Option<MakeLink> {
        Some(self.by_name(name)?.identity.link)
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

    pub(super) fn decoder(&self, actor: TypeId, message: &str) -> Option<Decoder> {
        self.decoders.read().get(&actor)?.get(message).cloned()
    }

    pub(super) fn codec<A: Actor, M: Message>(&self) -> Option<Arc<Codec<M>>> {
        let ids = (TypeId::of::<A>(), TypeId::of::<M>());
        let codec = self.codecs.read().get(&ids)?.clone();
        codec.downcast().ok()
    }
}

/// Decodes a message for an `A` and puts it into the mailbox.
fn receive<A, M>(
    system: &System,
    cell: Arc<dyn AnyCell>,
    body: &[u8],
    origin: Origin,
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
    let reply = reply.map(|reply| reply.convert(move |value: M::Reply| encode(&replier, &value)));
    if let Err(error) = cell.push_tagged(message, reply, origin) {
        tracing::debug!(%to, %error, "remote message undelivered");
        system.undelivered(to, None, CallError::Closed);
    }
}
