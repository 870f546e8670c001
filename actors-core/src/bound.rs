//! Bounded mailboxes: how many messages may wait, and who waits for room.
//!
//! Senders count a message in before they queue it, the consumer counts it out when it takes it up: two
//! counters on two cache lines, each written by its side. Senders look at the other one only when
//! there seems to be no room. Signals are not counted: they pass every bound.
//!
//! A sender that waits says so before it tries once more; a consumer looks for those after it has counted
//! out. With a full fence between the two steps on both sides, one of them sees the other.

use std::time::Duration;

use crossbeam_utils::CachePadded;
use event_listener::{Event, EventListener};

use crate::{
    Actor, Handler, Link, Message, SendError, System,
    cell::{ActorCell, BOUNDED},
    here,
    recipient::Receives,
    supervision::{OnExit, Seat},
    sync::{AtomicUsize, Ordering, fence},
    system::drives_this_thread,
};

#[cfg(all(test, actors_loom))]
mod model;

pub(crate) struct Bound {
    capacity: usize,
    senders: CachePadded<Senders>,
    consumer: CachePadded<Consumer>,
    room: Event,
}

struct Senders {
    /// Messages that were let in, and for a moment those that were not.
    entered: AtomicUsize,
    /// What `left` was when a sender last looked.
    left: AtomicUsize,
}

struct Consumer {
    /// Messages that were taken up.
    left: AtomicUsize,
    /// Messages until those who wait are woken in the midst of a turn.
    until: AtomicUsize,
    /// Senders that wait.
    waiting: AtomicUsize,
}

impl Bound {
    pub(crate) fn of(capacity: usize) -> Self {
        Self {
            capacity,
            senders: CachePadded::new(Senders {
                entered: AtomicUsize::new(0),
                left: AtomicUsize::new(0),
            }),
            consumer: CachePadded::new(Consumer {
                left: AtomicUsize::new(0),
                until: AtomicUsize::new(half(capacity)),
                waiting: AtomicUsize::new(0),
            }),
            room: Event::new(),
        }
    }

    /// False when the mailbox is full.
    #[inline]
    pub(crate) fn enter(&self) -> bool {
        let Senders { entered, left } = &*self.senders;
        let before = entered.fetch_add(1, Ordering::AcqRel);
        let has_room = |left| surplus(before, left) < self.capacity;
        has_room(left.load(Ordering::Relaxed)) || {
            let now = self.consumer.left.load(Ordering::Acquire);
            // Another sender may put an older one there: then somebody looks once more.
            left.store(now, Ordering::Relaxed);
            let enters = has_room(now);
            if !enters {
                entered.fetch_sub(1, Ordering::AcqRel);
            }
            enters
        }
    }

    /// The consumer has taken a message up. Those who wait are woken at the end of a turn; in a long
    /// one, whenever half of the mailbox was taken up.
    #[inline]
    pub(crate) fn leave(&self) {
        let Consumer { left, until, .. } = &*self.consumer;
        left.store(left.load(Ordering::Relaxed).wrapping_add(1), Ordering::Release);
        match until.load(Ordering::Relaxed) {
            1 => {
                until.store(half(self.capacity), Ordering::Relaxed);
                self.admit();
            }
            more => until.store(more - 1, Ordering::Relaxed),
        }
    }

    /// Wakes those who wait for room, as many as there is room for.
    pub(crate) fn admit(&self) {
        if self.is_waited_for() {
            self.room.notify(self.capacity.saturating_sub(self.len()));
        }
    }

    /// Done when room was made.
    pub(crate) fn room(&self) -> EventListener {
        self.room.listen()
    }

    fn is_waited_for(&self) -> bool {
        fence(Ordering::SeqCst);
        self.consumer.waiting.load(Ordering::Relaxed) > 0
    }

    /// The actor is dead: everybody is to hear of it.
    pub(crate) fn close(&self) {
        self.room.notify(usize::MAX);
    }

    pub(crate) fn len(&self) -> usize {
        let left = self.consumer.left.load(Ordering::Acquire);
        surplus(self.senders.entered.load(Ordering::Acquire), left)
    }
}

/// How far one counter is ahead of the other, which may have been read later.
const fn surplus(entered: usize, left: usize) -> usize {
    let ahead = entered.wrapping_sub(left).cast_signed();
    if ahead < 0 { 0 } else { ahead.cast_unsigned() }
}

const fn half(capacity: usize) -> usize {
    capacity.div_ceil(2)
}

impl System {
    /// Spawns an actor in whose mailbox at most `capacity` messages wait. [`Link::send`] gives back those
    /// for which there is no room, [`Link::send_wait`] waits for it. Signals (`stop`, `kill`, exits,
    /// downs) pass the bound, and so do urgent messages.
    ///
    /// # Panics
    /// With a capacity of zero.
    pub fn spawn_bounded<A: Actor>(&self, actor: A, capacity: usize) -> Link<A> {
        let prepare = |cell: &ActorCell<A>| cell.set_bound(capacity);
        Link::counted(ActorCell::spawn(self.next_id(), self.clone(), actor, prepare))
    }

    /// [`reserve`](Self::reserve) for an actor in whose mailbox at most `capacity` messages wait, as with
    /// [`spawn_bounded`](Self::spawn_bounded). The bound is that of the address: it holds between two
    /// incarnations too, and what waits there counts.
    ///
    /// # Panics
    /// With a capacity of zero.
    pub fn reserve_bounded<A: Actor>(&self, capacity: usize, on_exit: OnExit) -> Seat<A> {
        let cell = ActorCell::suspended(self.next_id(), self.clone());
        cell.set_bound(capacity);
        cell.set_supervisor(Some(on_exit));
        Seat::new(cell)
    }
}

impl<A: Actor> ActorCell<A> {
    /// Before anybody sends.
    fn set_bound(&self, capacity: usize) {
        assert!(capacity > 0, "a mailbox without room takes nothing");
        self.ext().set_bound(Bound::of(capacity));
        self.flag(BOUNDED, true);
    }
}

impl<A: Actor> Link<A> {
    /// Sends a message; if the actor's mailbox is full, waits for room, up to `timeout`. Waiting
    /// senders come in in no particular order; messages of one sender that awaits each keep theirs.
    ///
    /// Two actors that wait for room in each other's mailbox wait until the time is over: handlers
    /// should not wait long. Cancel safe: dropped, it has sent the message or not.
    ///
    /// # Errors
    /// [`SendError::Full`] when there was no room in time; else as [`send`](Self::send). The message
    /// comes back.
    pub async fn send_wait<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        match self.send(message) {
            Err(SendError::Full(message)) => wait_for_room(&**self.cell(), message, timeout).await,
            sent => sent,
        }
    }

    /// [`send_wait`](Self::send_wait) for plain threads.
    ///
    /// # Errors
    /// As `send_wait`, and [`SendError::WouldBlock`] on a thread that drives actors.
    pub fn send_blocking<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        block_for_room(&**self.cell(), message, timeout)
    }
}

/// For a message for which there was no room, or may be none.
pub(crate) async fn wait_for_room<M: Message>(
    actor: &dyn Receives<M>,
    mut message: M,
    timeout: Duration,
) -> Result<(), SendError<M>> {
    message = match actor.receive(message, None, here::epoch()) {
        Err(SendError::Full(message)) => message,
        sent => return sent,
    };
    let _waiting = actor.bound().map(Waiting::on);
    let clock = actor.system_of().host().clock.clone();
    let until = clock.now() + timeout;
    loop {
        let room = actor.room();
        message = match actor.receive(message, None, here::epoch()) {
            Err(SendError::Full(message)) => message,
            sent => return sent,
        };
        let rest = until.since(clock.now());
        if rest.is_zero() {
            return Err(SendError::Full(message));
        }
        futures_lite::future::or(room, clock.sleep(rest)).await;
    }
}

pub(crate) fn block_for_room<M: Message>(
    actor: &dyn Receives<M>,
    message: M,
    timeout: Duration,
) -> Result<(), SendError<M>> {
    if drives_this_thread(actor.system_of()) {
        return Err(SendError::WouldBlock(message));
    }
    futures_lite::future::block_on(wait_for_room(actor, message, timeout))
}

struct Waiting<'a>(&'a Bound);

impl<'a> Waiting<'a> {
    fn on(bound: &'a Bound) -> Self {
        bound.consumer.waiting.fetch_add(1, Ordering::Relaxed);
        fence(Ordering::SeqCst);
        Self(bound)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.consumer.waiting.fetch_sub(1, Ordering::Relaxed);
    }
}
