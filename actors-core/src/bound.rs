//! Bounded mailboxes: how many messages may wait, and who waits for room.
//!
//! Senders count a message in before they queue it, the consumer counts it out when it takes it up.
//! Signals are not counted: they pass every bound. A sender that waits says so before it tries once
//! more; a consumer looks for those after it has counted out: one of them sees the other.

use std::{
    sync::atomic::{AtomicUsize, Ordering},
    time::Duration,
};

use event_listener::Event;

use crate::{
    Actor, Handler, Link, Message, SendError, System,
    cell::{ActorCell, BOUNDED},
    here,
    recipient::Receives,
    supervision::{OnExit, Seat},
    system::drives_this_thread,
};

pub(crate) struct Bound {
    /// Zero: there is none.
    capacity: AtomicUsize,
    queued: AtomicUsize,
    waiting: AtomicUsize,
    room: Event,
}

impl Bound {
    pub(crate) const fn none() -> Self {
        Self {
            capacity: AtomicUsize::new(0),
            queued: AtomicUsize::new(0),
            waiting: AtomicUsize::new(0),
            room: Event::new(),
        }
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity, Ordering::Release);
    }

    /// False when the mailbox is full.
    pub(crate) fn enter(&self) -> bool {
        let capacity = self.capacity.load(Ordering::Relaxed);
        if self.queued.fetch_add(1, Ordering::SeqCst) < capacity {
            return true;
        }
        self.queued.fetch_sub(1, Ordering::SeqCst);
        false
    }

    /// The consumer has taken a message up.
    pub(crate) fn leave(&self) {
        let left = self.queued.fetch_sub(1, Ordering::SeqCst) - 1;
        // Those who wait are woken at the end of a turn; in a long one, when half is free.
        if left == self.capacity.load(Ordering::Relaxed) / 2 {
            self.admit();
        }
    }

    /// Wakes those who wait for room, as many as there is room for.
    pub(crate) fn admit(&self) {
        if self.waiting.load(Ordering::SeqCst) > 0 {
            let capacity = self.capacity.load(Ordering::Relaxed);
            self.room.notify(capacity.saturating_sub(self.queued.load(Ordering::SeqCst)));
        }
    }

    /// The actor is dead: everybody is to hear of it.
    pub(crate) fn close(&self) {
        self.room.notify(usize::MAX);
    }

    pub(crate) fn len(&self) -> usize {
        self.queued.load(Ordering::Relaxed)
    }
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
        self.ext().bound().set_capacity(capacity);
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
        wait_for_room(&**self.cell(), message, timeout).await
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

pub(crate) async fn wait_for_room<M: Message>(
    actor: &dyn Receives<M>,
    message: M,
    timeout: Duration,
) -> Result<(), SendError<M>> {
    let mut message = match actor.receive(message, None, here::epoch()) {
        Err(SendError::Full(message)) => message,
        sent => return sent,
    };
    let bound = actor.bound();
    let _waiting = Waiting::on(bound);
    let clock = actor.system_of().host().clock.clone();
    let until = clock.now() + timeout;
    loop {
        let room = bound.room.listen();
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
        bound.waiting.fetch_add(1, Ordering::SeqCst);
        Self(bound)
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.0.waiting.fetch_sub(1, Ordering::SeqCst);
    }
}
