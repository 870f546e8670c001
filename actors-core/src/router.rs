//! Pools: equal actors behind one address.

use std::{
    any::type_name,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering},
    },
};

use parking_lot::RwLock;

use crate::{
    Actor, ActorId, Call, CallError, Context, DeadLetterCause, Handler, Link, Message, ReplyTo,
    SendError, System, reply::one_shot,
};

/// Who of a pool takes a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Routing {
    /// One after the other.
    RoundRobin,
    /// Whoever has the fewest messages of this router, in hand or waiting; one after the other among
    /// those who have as few. What others have sent does not count. Each message is sent as a question,
    /// so that its end is known.
    LeastLoaded,
}

/// A pool of equal actors: each message goes to one of them. Cheap to clone.
///
/// It is made of links, and neither starts actors nor restarts them: that is for their supervisor. A
/// member between two lives is sent to as ever. One that is dead for good is passed over, logged
/// once, and listed by [`lost`](Self::lost) until it is [replaced](Self::replace). A full bounded mailbox
/// is passed over too; when all are full the message comes back.
///
/// ```
/// # use actors_core::{Message, Router, Routing, System};
/// # struct Double(u32);
/// # impl Message for Double { type Reply = u32; }
/// # let system = System::new();
/// let pool = Router::new(&system, Routing::RoundRobin);
/// for _ in 0..4 {
///     pool.add(system.spawn_fn(|Double(n): Double, _cx| 2 * n));
/// }
/// # system.block_on(async {
/// assert_eq!(pool.call(Double(21)).await, Ok(42));
/// // Messages with the same key go to the same member.
/// assert_eq!(pool.call_by("customer 7", Double(4)).await, Ok(8));
/// # });
/// ```
///
/// Spawned as an actor it is one address for others to send to: `system.spawn(pool.clone())` takes all
/// messages without an answer that its members take.
pub struct Router<A: Actor>(Arc<Pool<A>>);

impl<A: Actor> Router<A> {
    /// A pool without members.
    pub fn new(system: &System, routing: Routing) -> Self {
        Self(Arc::new(Pool {
            system: system.clone(),
            routing,
            members: RwLock::default(),
            slots: AtomicU64::new(0),
            turn: AtomicUsize::new(0),
        }))
    }

    /// Takes in a member. Of `n` members, it takes over an `n`th of the keys.
    pub fn add(&self, link: Link<A>) {
        let slot = self.0.slots.fetch_add(1, Ordering::Relaxed);
        self.change(|members| members.push(Arc::new(Member::new(slot, link))));
    }

    /// Another actor in the place of a member, dead or alive; it takes over its keys.
    ///
    /// # Errors
    /// Gives back the link when `old` is no member.
    pub fn replace(&self, old: ActorId, link: Link<A>) -> Result<(), Link<A>> {
        self.change(|members| match members.iter_mut().find(|m| m.link.id() == old) {
            Some(member) => {
                *member = Arc::new(Member::new(member.slot, link));
                Ok(())
            }
            None => Err(link),
        })
    }

    /// Lets go of a member; its keys are shared out among the others. False if it is none.
    pub fn remove(&self, member: ActorId) -> bool {
        self.change(|members| {
            let before = members.len();
            members.retain(|m| m.link.id() != member);
            members.len() < before
        })
    }

    /// The members, the dead ones too, in the order in which they came in.
    pub fn members(&self) -> Vec<Link<A>> {
        self.current().iter().map(|member| member.link.clone()).collect()
    }

    /// The members that are dead for good.
    pub fn lost(&self) -> Vec<ActorId> {
        let members = self.current();
        members.iter().filter(|m| m.link.cell().is_dead()).map(|m| m.link.id()).collect()
    }

    /// Sends a message to a member.
    ///
    /// # Errors
    /// [`SendError::Closed`] when no member is alive, [`SendError::Full`] when those who are have no
    /// room; else as [`Link::send`]. The message comes back.
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.deliver(message, || None)
    }

    /// Sends a message to the member that has this key. As long as that is dead, another has the key;
    /// if its mailbox is full, the message comes back. Which member has a key follows from the key and
    /// the order in which members came in, and is the same in every process (rendezvous hashing).
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_by<M: Message>(&self, key: impl AsRef<[u8]>, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.deliver_by(key.as_ref(), message, || None)
    }

    /// Asks a member, as [`Link::call`] does.
    pub fn call<M: Message>(&self, message: M) -> Call<M::Reply>
    where
        A: Handler<M>,
    {
        self.ask(|reply| self.deliver(message, reply))
    }

    /// Asks the member that has this key: see [`send_by`](Self::send_by).
    pub fn call_by<M: Message>(&self, key: impl AsRef<[u8]>, message: M) -> Call<M::Reply>
    where
        A: Handler<M>,
    {
        self.ask(|reply| self.deliver_by(key.as_ref(), message, reply))
    }

    fn ask<M: Message>(
        &self,
        deliver: impl FnOnce(&mut dyn FnMut() -> Option<ReplyTo<M::Reply>>) -> Result<(), SendError<M>>,
    ) -> Call<M::Reply> {
        let mut waiting = None;
        let sent = deliver(&mut || {
            let (reply, answer) = one_shot();
            waiting = Some(answer);
            Some(reply)
        });
        let sent = sent.map(|()| waiting.expect("what was sent had a reply"));
        Call::new(sent.map_err(CallError::from), &self.0.system)
    }

    /// `reply` makes one for each member that is tried.
    fn deliver<M: Message>(
        &self,
        mut message: M,
        mut reply: impl FnMut() -> Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let members = self.current();
        let first = self.first(&members);
        let mut refusal: fn(M) -> SendError<M> = SendError::Closed;
        let all = members.iter().cycle().skip(first).take(members.len());
        for member in all.filter(|member| member.is_alive()) {
            message = match self.try_send(member, message, reply()) {
                Err(SendError::Closed(message)) => message,
                Err(SendError::Full(message)) => {
                    refusal = SendError::Full;
                    message
                }
                Err(SendError::NoConnection(message)) => {
                    refusal = SendError::NoConnection;
                    message
                }
                sent => return sent,
            };
        }
        Err(refusal(message))
    }

    fn deliver_by<M: Message>(
        &self,
        key: &[u8],
        mut message: M,
        mut reply: impl FnMut() -> Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let members = self.current();
        let key = fnv1a(key);
        loop {
            let alive = members.iter().filter(|member| member.is_alive());
            let Some(member) = alive.max_by_key(|member| weight(key, member.slot)) else {
                return Err(SendError::Closed(message));
            };
            message = match self.try_send(member, message, reply()) {
                Err(SendError::Closed(message)) => message,
                sent => return sent,
            };
        }
    }

    fn try_send<M: Message>(
        &self,
        member: &Member<A>,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        if self.0.routing != Routing::LeastLoaded {
            return member.link.cell().push(message, reply);
        }
        let load = member.load.clone();
        load.fetch_add(1, Ordering::Relaxed);
        let done = ReplyTo::to_function(move |answer| {
            load.fetch_sub(1, Ordering::Relaxed);
            if let Some(reply) = reply {
                reply.finish(answer);
            }
        });
        member.link.ask(message, done)
    }

    /// Whose turn it is.
    fn first(&self, members: &[Arc<Member<A>>]) -> usize {
        let turn = self.0.turn.fetch_add(1, Ordering::Relaxed);
        let len = members.len().max(1);
        match self.0.routing {
            Routing::RoundRobin => turn % len,
            Routing::LeastLoaded => {
                let from_turn = (0..members.len()).map(|i| (turn.wrapping_add(i)) % len);
                let alive = from_turn.filter(|i| members[*i].is_alive());
                alive.min_by_key(|i| members[*i].load.load(Ordering::Relaxed)).unwrap_or(0)
            }
        }
    }

    fn current(&self) -> Members<A> {
        self.0.members.read().clone()
    }

    fn change<T>(&self, change: impl FnOnce(&mut Vec<Arc<Member<A>>>) -> T) -> T {
        let mut members = self.0.members.write();
        let before = members.clone();
        let result = change(Arc::make_mut(&mut members));
        drop(members);
        // Links may go with it: not under the lock.
        drop(before);
        result
    }
}

impl<A: Actor> Clone for Router<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for Router<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Router")
            .field("routing", &self.0.routing)
            .field("members", &self.members())
            .finish_non_exhaustive()
    }
}

impl<A: Actor> Actor for Router<A> {}

/// What no member takes becomes a dead letter. A question is answered when its message is handed on.
impl<A: Handler<M>, M: Message<Reply = ()>> Handler<M> for Router<A> {
    async fn handle(&mut self, message: M, cx: &mut Context<Self>) {
        if self.send(message).is_err() {
            cx.cell().publish(type_name::<M>(), DeadLetterCause::Undeliverable, None);
        }
    }

    async fn handle_call(&mut self, message: M, reply: ReplyTo<()>, _cx: &mut Context<Self>) {
        match self.send(message) {
            Ok(()) => reply.answer(()),
            Err(error) => reply.refuse(error.into()),
        }
    }
}

struct Pool<A: Actor> {
    system: System,
    routing: Routing,
    members: RwLock<Members<A>>,
    slots: AtomicU64,
    turn: AtomicUsize,
}

/// Copied when it changes.
type Members<A> = Arc<Vec<Arc<Member<A>>>>;

struct Member<A: Actor> {
    /// What keys are shared out by.
    slot: u64,
    link: Link<A>,
    /// Messages that were sent through here and are not done.
    load: Arc<AtomicUsize>,
    reported: AtomicBool,
}

impl<A: Actor> Member<A> {
    fn new(slot: u64, link: Link<A>) -> Self {
        Self { slot, link, load: Arc::default(), reported: AtomicBool::new(false) }
    }

    /// Says once that it is not.
    fn is_alive(&self) -> bool {
        let is_dead = self.link.cell().is_dead();
        if is_dead && !self.reported.swap(true, Ordering::Relaxed) {
            tracing::warn!(actor = %self.link.id(), slot = self.slot, "a member of a pool is dead");
        }
        !is_dead
    }
}

/// FNV-1a, 64 bits.
fn fnv1a(bytes: &[u8]) -> u64 {
    let step = |hash: u64, byte: &u8| (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, step)
}

/// How much a slot wants a key: the highest has it (Thaler and Ravishankar, 1998). The mixing is that
/// of SplitMix64.
const fn weight(key: u64, slot: u64) -> u64 {
    let mut mixed = key ^ slot.wrapping_add(1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    mixed ^ (mixed >> 31)
}

#[cfg(test)]
mod tests {
    use super::{fnv1a, weight};

    /// Keys have the same owners in every process and version.
    #[test]
    fn who_has_a_key_never_changes() {
        assert_eq!(fnv1a(b"a"), 0xaf63_dc4c_8601_ec8c, "as published");
        let owner = |key: &str| (0..8).max_by_key(|slot| weight(fnv1a(key.as_bytes()), *slot));
        let owners: Vec<_> = ["", "a", "b", "customer 7"].into_iter().filter_map(owner).collect();
        assert_eq!(owners, [3, 5, 7, 3]);
    }
}
