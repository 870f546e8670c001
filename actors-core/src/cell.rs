//! The cell behind a link: mailbox, life and state of one actor.
//!
//! | field | who writes it |
//! |---|---|
//! | `mailbox`, `control`, `links`, `flags`, `ext` | anybody |
//! | `life` | under the lock of `ext`; `Running` to `Dead` also by the consumer of a cell without `ext` |
//! | `state`, `frame`, `phase`, `notes`, `handled` | the consumer: who has the right to run the actor |
//!
//! The right to run is with the run queue while the cell is in it, with the worker that runs it, with
//! `control` while a handler waits, with the mailbox while it is idle, and with the supervisor's seat
//! while it is suspended. While the actor runs, one strong count of the cell belongs to that right.

use std::{
    ptr::NonNull,
    sync::{
        Arc, Weak,
        atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering},
    },
};

use crate::{
    Actor, ActorId, CallError, DeadLetter, DeadLetterCause, Down, Exit, ExitReason, GroupEpoch,
    Handler, Message, MonitorRef, ReplyTo, SendError, StartError, System,
    control::Control,
    ext::{Elsewhere, Ext, OfLife, Rare, Start, drop_guarded},
    frame::Frame,
    here,
    keep::Again,
    life::LifeCell,
    mailbox::{Cursor, Leave, Mailbox},
    monitor::Watcher,
    node::{Letter, Node, Payload},
    payload::{Ask, DownSignal, Nudge, Tagged, Tell},
    remote::{self, Parcel},
    run::{Drive, Turn},
    scheduler::Runnable,
    shared::State,
    supervision::{ChildExit, OnExit},
    sync::OnceBox,
    system::Dispatch,
};

pub(crate) use crate::{any_cell::AnyCell, life::Life};

pub(crate) struct ActorCell<A: Actor> {
    pub(crate) mailbox: Mailbox<Node<A>>,
    system: System,
    serial: u64,
    ext: OnceBox<Ext<A>>,
    frame: AtomicPtr<()>,
    pub(crate) links: AtomicU32,
    handled: AtomicU32,
    slot: AtomicU32,
    life: LifeCell,
    pub(crate) control: Control,
    flags: AtomicU8,
    /// A [`Phase`] and notes of the running actor to itself.
    turn: AtomicU8,
    state: State<A>,
}

/// What the running incarnation does next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Phase {
    Make,
    Init,
    Serve,
    Term,
}

/// Something goes before the mailbox: see [`Rare::overtakes`].
pub(crate) const OVERTAKEN: u8 = 1;
/// The actor is in a group.
pub(crate) const GROUPED: u8 = 1 << 1;
/// Somebody wants to know how long the mailbox is.
pub(crate) const COUNT: u8 = 1 << 2;
/// Other nodes know of it: it is in the system's table, and a link from there may keep it.
pub(crate) const KNOWN: u8 = 1 << 3;
/// So many messages may wait, and no more: see [`Bound`](crate::bound::Bound).
pub(crate) const BOUNDED: u8 = 1 << 4;
/// An [`AutoStop`](crate::payload::AutoStop) is in the mailbox: there is never a second.
pub(crate) const UNLINKED: u8 = 1 << 5;
/// The handler that waits has a span.
pub(crate) const SPANNED: u8 = 1 << 6;

/// Something is kept from before each message: see [`Keeping`](crate::keep::Keeping).
pub(crate) const KEEPS: u8 = 1 << 7;

/// The running handler has stopped the actor.
pub(crate) const STOPPED: u8 = 1 << 2;
/// It left functions to run after it.
pub(crate) const AFTER: u8 = 1 << 3;
/// The message in hand carries an epoch.
pub(crate) const EPOCH: u8 = 1 << 4;
const PHASE: u8 = 0b11;

impl<A: Actor> ActorCell<A> {
    /// A cell between two incarnations, before the first.
    pub(crate) fn suspended(id: ActorId, system: System) -> Arc<Self> {
        let cell = Self::unused(id, system, Life::Suspended);
        cell.install(Ext::new(id, 0));
        cell.mailbox.take();
        cell.enrol()
    }

    /// A cell whose actor is elsewhere, or nowhere.
    pub(crate) fn absent(
        id: ActorId,
        system: System,
        at: Result<Elsewhere, ExitReason>,
    ) -> Arc<Self> {
        let life = if at.is_ok() { Life::Proxy } else { Life::Dead };
        let cell = Self::unused(id, system, life);
        let ext = Ext::new(id, 0);
        match at {
            Ok(elsewhere) => ext.lock().elsewhere = Some(elsewhere),
            Err(reason) => ext.lock().last_error = Some(reason),
        }
        cell.install(ext);
        cell.enrol()
    }

    /// Starts an actor that nobody supervises.
    pub(crate) fn spawn(
        id: ActorId,
        system: System,
        actor: A,
        prepare: impl FnOnce(&Self),
    ) -> Arc<Self> {
        let mut cell = Self::unused(id, system, Life::Running);
        cell.mailbox = Mailbox::taken();
        cell.state = State::new(Some(actor));
        cell.set_phase(Phase::Init);
        prepare(&cell);
        let cell = cell.enrol();
        // Counted before it runs: without a link it would stop at once.
        cell.add_link();
        cell.launch();
        cell
    }

    fn unused(id: ActorId, system: System, life: Life) -> Self {
        Self {
            mailbox: Mailbox::unused(),
            system,
            serial: id.serial,
            ext: OnceBox::new(),
            frame: AtomicPtr::default(),
            links: AtomicU32::new(0),
            handled: AtomicU32::new(0),
            slot: AtomicU32::new(0),
            life: LifeCell::new(life),
            control: Control::new(),
            flags: AtomicU8::new(0),
            turn: AtomicU8::new(0),
            state: State::new(None),
        }
    }

    fn install(&self, ext: Ext<A>) {
        let fresh = self.ext.set(Box::new(ext));
        debug_assert!(fresh.is_ok());
    }

    fn enrol(self) -> Arc<Self> {
        let cell = Arc::new(self);
        Arc::as_ptr(&cell).expose_provenance();
        let weak = Arc::downgrade(&cell);
        let slot = cell.system.roster().insert(cell.serial, weak);
        cell.slot.store(slot, Ordering::Relaxed);
        cell
    }

    /// Another count of the cell.
    pub(crate) fn to_arc(&self) -> Arc<Self> {
        let this = std::ptr::with_exposed_provenance::<Self>((&raw const *self).addr());
        // SAFETY: cells live in an `Arc`, whose address was exposed; the reference keeps it from
        // ending before the count is taken.
        unsafe {
            Arc::increment_strong_count(this);
            Arc::from_raw(this)
        }
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    /// Queues a message, or hands it to the route of a remote actor.
    #[inline]
    pub(crate) fn push<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.push_tagged(message, reply, here::epoch())
    }

    #[inline]
    pub(crate) fn push_tagged<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        if !matches!(self.life(), Life::Running | Life::Suspended) {
            return self.push_away(message, reply, epoch);
        }
        if self.has(BOUNDED) && !self.ext().bound().enter() {
            return Err(SendError::Full(message));
        }
        self.enqueue(match (reply, epoch) {
            (None, None) => Letter::new(Tell(message)),
            (Some(reply), None) => Letter::new(Ask(message, reply)),
            (reply, Some(epoch)) => tagged(message, reply, epoch),
        });
        Ok(())
    }

    #[cold]
    fn push_away<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let rare = self.ext().lock();
        match (self.life(), &rare.elsewhere) {
            (Life::Dead, _) => Err(SendError::Closed(message)),
            (Life::Proxy, Some(elsewhere)) => {
                let route = elsewhere.route.clone();
                drop(rare);
                remote::forward::<A, M>(&self.system, &*route, self.id(), message, reply, epoch)
            }
            _ => {
                drop(rare);
                self.push_tagged(message, reply, epoch)
            }
        }
    }

    /// Queues a message that is handled before all ordinary ones; ordinary itself when remote.
    pub(crate) fn push_urgent<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let mut rare = self.ext().lock();
        if matches!(self.settled_life(), Life::Running | Life::Suspended) {
            rare.urgent.push_back(Letter::new(Tell(message)));
            self.flag(OVERTAKEN, true);
            drop(rare);
            self.nudge();
            return Ok(());
        }
        drop(rare);
        self.push(message, None)
    }

    /// Queues what needs the state in this process.
    pub(crate) fn push_local<P: Payload<A>>(&self, payload: P) -> Result<(), CallError> {
        match self.life() {
            Life::Dead => Err(CallError::Closed),
            Life::Proxy => Err(CallError::NotLocal),
            Life::Running | Life::Suspended => {
                if P::MESSAGE && self.has(BOUNDED) && !self.ext().bound().enter() {
                    return Err(CallError::Full);
                }
                self.enqueue(Letter::new(payload));
                Ok(())
            }
        }
    }

    pub(crate) fn push_down(&self, monitor: MonitorRef, down: Down) {
        let _ = self.push_local(DownSignal { monitor, down });
    }

    #[inline]
    pub(crate) fn enqueue(&self, letter: Letter<A>) {
        // SAFETY: the letter's node is in no queue, and is given to the mailbox.
        let woken = unsafe { self.mailbox.push(letter.into_node()) };
        if woken {
            self.awake();
        }
    }

    /// The mailbox was idle, and the right to run is the caller's.
    #[inline]
    fn awake(&self) {
        if self.life() == Life::Dead {
            return self.drain_late();
        }
        self.schedule();
    }

    /// It died after the sender had looked.
    #[cold]
    fn drain_late(&self) {
        // SAFETY: the right to consume is the caller's, and the mailbox has a node.
        self.drain(unsafe { self.mailbox.enter() });
    }

    /// Passes the right to run to the scheduler.
    #[inline]
    pub(crate) fn schedule(&self) {
        match self.system.dispatch() {
            Dispatch::Workers(scheduler) => scheduler.schedule(self.runnable()),
            Dispatch::Tasks => self.schedule_task(),
        }
    }

    #[cold]
    fn schedule_task(&self) {
        let mut rare = self.ext().lock();
        rare.scheduled = true;
        let task = rare.task.clone();
        drop(rare);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Makes the actor look at what overtakes its mailbox.
    pub(crate) fn nudge(&self) {
        self.enqueue(Letter::new(Nudge));
        if self.control.wake() {
            self.schedule();
        }
    }

    /// Runs the incarnation: the right to run goes to the scheduler, with a count of the cell.
    fn launch(self: &Arc<Self>) {
        match self.system.dispatch() {
            Dispatch::Workers(scheduler) => {
                std::mem::forget(self.clone());
                scheduler.schedule(self.runnable());
            }
            Dispatch::Tasks => {
                let mut rare = self.ext().lock();
                rare.scheduled = true;
                rare.task = None;
                drop(rare);
                self.system.host().executor.spawn(Box::pin(Drive::new(self.clone())));
            }
        }
    }

    #[inline]
    fn runnable(&self) -> Runnable {
        // From the exposed address, so that it may also stand for the `Arc`.
        Runnable::new(std::ptr::with_exposed_provenance::<Self>((&raw const *self).addr()))
    }

    /// Takes the right to run the next incarnation. Its number is the next one here, or given by a
    /// home that has counted lives elsewhere.
    ///
    /// # Errors
    /// Gives back `start` when an incarnation runs or the actor is no more.
    pub(crate) fn begin(
        self: &Arc<Self>,
        group: Option<GroupEpoch>,
        number: Option<u32>,
        start: Start<A>,
    ) -> Result<(), Start<A>> {
        let mut rare = self.ext().lock();
        if self.life() != Life::Suspended {
            return Err(start);
        }
        rare.incarnation = number.unwrap_or(rare.incarnation + 1);
        rare.start = Some(start);
        rare.ends.clear();
        if group.is_some() {
            rare.group = group;
            rare.catch_up();
            self.flag(GROUPED, true);
        }
        self.flag(OVERTAKEN, rare.overtakes());
        self.set_phase(Phase::Make);
        self.set_life(Life::Running);
        drop(rare);
        if !here::begins_own(&**self) {
            self.launch();
        }
        Ok(())
    }

    /// The incarnation has ended: suspended if a supervisor has it, dead otherwise. The supervisor
    /// hears of it before the monitors do, and the next life runs after. The right to consume is used up.
    pub(crate) fn end(&self, mut cursor: Cursor<Node<A>>, reason: ExitReason) {
        let is_bare = reason == ExitReason::Normal && self.ext.get().is_none();
        if is_bare && self.life.die_alone(&self.ext) {
            return self.perish(cursor);
        }
        self.take_notes();
        let mut rare = self.ext().lock();
        if rare.flushes && rare.supervisor.is_some() {
            drop(rare);
            // SAFETY: the right to consume is ours.
            unsafe { self.flush(&mut cursor, &reason) };
            rare = self.ext().lock();
        }
        let life = std::mem::take(&mut rare.life);
        rare.last_error = Some(reason.clone());
        let incarnation = rare.incarnation;
        let peers = rare.connections.take();
        let Some(on_exit) = rare.supervisor.clone() else {
            self.set_life(Life::Dead);
            drop(rare);
            forget_life(life);
            self.tell_peers(peers, &reason);
            return self.perish(cursor);
        };
        let watchers = std::mem::take(&mut rare.watchers);
        // SAFETY: the right is ours; it goes to whoever begins the next incarnation.
        unsafe { self.mailbox.pause(&cursor) };
        self.set_life(Life::Suspended);
        drop(rare);
        forget_life(life);
        let exit = |reason| ChildExit { actor: self.id(), incarnation, reason };
        if peers.is_empty() && watchers.is_empty() {
            on_exit(exit(reason));
        } else {
            on_exit(exit(reason.clone()));
            self.tell_peers(peers, &reason);
            self.tell(watchers, incarnation, &reason);
        }
        self.go_on_living();
    }

    /// Launches the next life, if it was begun here while the last one ended.
    pub(crate) fn go_on_living(&self) {
        if here::take_begun() {
            self.to_arc().launch();
        }
    }

    fn tell_peers(&self, peers: Vec<Weak<dyn AnyCell>>, reason: &ExitReason) {
        for peer in peers.iter().filter_map(Weak::upgrade) {
            peer.exit(Exit { actor: self.id(), reason: reason.clone() });
        }
    }

    /// The rest of a death: the state goes, the mailbox becomes dead letters, the name is free.
    fn perish(&self, cursor: Cursor<Node<A>>) {
        // SAFETY: the right to run is ours, and it is not given back: nobody runs it again.
        drop_guarded(unsafe { self.state() }.take());
        if let Some(ext) = self.ext.get() {
            let name = ext.lock().name.take();
            if let Some(name) = name {
                self.system.registry().remove(&name, self.id());
            }
        }
        if self.has(KNOWN) {
            self.system.unpin(self.id());
        }
        self.drain(cursor);
        let Some(ext) = self.ext.get() else { return };
        ext.bound().close();
        let mut rare = ext.lock();
        let letters = rare.take_letters();
        let again = rare.again.take();
        let watchers = std::mem::take(&mut rare.watchers);
        let (incarnation, reason) = (rare.incarnation, rare.last_error.clone());
        drop(rare);
        let reason = reason.unwrap_or(ExitReason::Normal);
        if let Some(Again { letter, .. }) = again {
            self.publish(
                (letter.ops().what.name)(),
                DeadLetterCause::Crashed,
                Some(reason.clone()),
            );
            contained(|| drop(letter));
        }
        for letter in letters {
            self.bury(letter, DeadLetterCause::Died, CallError::Died(reason.clone()));
        }
        self.tell(watchers, incarnation, &reason);
    }

    /// Makes dead letters of what a dead actor's mailbox has.
    fn drain(&self, mut cursor: Cursor<Node<A>>) {
        let reason = self.ext.get().and_then(|ext| ext.lock().last_error.clone());
        let reason = reason.unwrap_or(ExitReason::Normal);
        loop {
            // SAFETY: the right to consume is ours until we leave; each node is handled once.
            match unsafe { self.mailbox.next(&mut cursor) } {
                Some(node) => {
                    let error = CallError::Died(reason.clone());
                    // SAFETY: the node has its payload.
                    unsafe { self.bury_node(node, DeadLetterCause::Died, error) }
                }
                // SAFETY: as above.
                None => match unsafe { self.mailbox.leave(&cursor) } {
                    Leave::Idle => return,
                    // Rare and short: a sender is between two instructions.
                    Leave::Busy => std::thread::yield_now(),
                },
            }
        }
    }

    /// # Safety
    /// The node has its payload; from now on it has not.
    pub(crate) unsafe fn bury_node(
        &self,
        node: NonNull<Node<A>>,
        cause: DeadLetterCause,
        error: CallError,
    ) {
        // SAFETY: the node is the consumer's.
        let ops = unsafe { node.as_ref() }.ops();
        // SAFETY: as the caller says; a panic in the payload's drop does not put it back.
        contained(|| unsafe { Node::refuse(node, error) });
        if ops.what.message {
            self.publish((ops.what.name)(), cause, None);
        }
    }

    pub(crate) fn bury(&self, letter: Letter<A>, cause: DeadLetterCause, error: CallError) {
        let ops = letter.ops();
        contained(|| letter.refuse(error));
        if ops.what.message {
            self.publish((ops.what.name)(), cause, None);
        }
    }

    pub(crate) fn publish(
        &self,
        message: &'static str,
        cause: DeadLetterCause,
        reason: Option<ExitReason>,
    ) {
        self.system.dead_letters_hub().publish(DeadLetter {
            to: self.id(),
            message,
            cause,
            reason,
        });
    }

    pub(crate) fn tell(&self, watchers: Vec<Watcher>, incarnation: u32, reason: &ExitReason) {
        for watcher in watchers {
            let down = Down { actor: self.id(), incarnation, reason: reason.clone() };
            match watcher {
                Watcher::Local(_, f) => f(down),
                Watcher::Node(node) => {
                    if let Some(route) = self.system.route(node) {
                        let _ = route.forward(self.id(), Parcel::Down(down));
                    }
                }
            }
        }
    }

    /// A supervisor gives the actor up: dead for good, if no incarnation is running.
    pub(crate) fn retire(&self, reason: ExitReason) -> bool {
        let mut rare = self.ext().lock();
        rare.supervisor = None;
        if self.life() != Life::Suspended {
            return false;
        }
        self.set_life(Life::Dead);
        rare.last_error = Some(reason.clone());
        let peers = rare.connections.take();
        drop(rare);
        // SAFETY: suspended, the right to run was with the seat, and nobody can begin any more.
        let cursor = unsafe { self.mailbox.enter() };
        self.tell_peers(peers, &reason);
        self.perish(cursor);
        true
    }

    pub(crate) fn set_supervisor(&self, on_exit: Option<OnExit>) {
        self.ext().lock().supervisor = on_exit;
    }

    pub(crate) fn is_suspended(&self) -> bool {
        self.life() == Life::Suspended
    }

    /// A proxy whose actor comes to this node becomes its cell.
    pub(crate) fn settle(&self, version: u32) -> bool {
        let mut rare = self.ext().lock();
        if self.life() != Life::Proxy {
            return false;
        }
        rare.elsewhere = None;
        rare.location_version = version;
        self.mailbox.take();
        self.set_life(Life::Suspended);
        true
    }

    pub(crate) fn set_location_version(&self, version: u32) {
        self.ext().lock().location_version = version;
    }

    pub(crate) fn is_supervised(&self) -> bool {
        self.ext.get().is_some_and(|ext| ext.lock().supervisor.is_some())
    }

    pub(crate) fn is_dead(&self) -> bool {
        self.life() == Life::Dead
    }

    pub(crate) fn epoch(&self) -> Option<GroupEpoch> {
        if self.has(GROUPED) { self.ext().lock().group } else { None }
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.ext.get().map_or(1, |ext| ext.lock().incarnation)
    }

    /// The extension; made if there is none.
    pub(crate) fn ext(&self) -> &Ext<A> {
        if let Some(ext) = self.ext.get() {
            return ext;
        }
        self.ext.get_or_init(|| Box::new(Ext::new(self.own_id(), 1)))
    }

    pub(crate) fn known_ext(&self) -> Option<&Ext<A>> {
        self.ext.get()
    }

    pub(crate) fn identity(&self) -> ActorId {
        self.ext.get().map_or_else(|| self.own_id(), Ext::id)
    }

    fn own_id(&self) -> ActorId {
        ActorId { home: self.system.id(), serial: self.serial }
    }

    #[inline]
    pub(crate) fn life(&self) -> Life {
        self.life.get()
    }

    /// As [`LifeCell::settled`].
    pub(crate) fn settled_life(&self) -> Life {
        self.life.settled()
    }

    pub(crate) fn set_life(&self, life: Life) {
        self.life.set(life);
    }

    #[inline]
    pub(crate) fn has(&self, flag: u8) -> bool {
        self.flags.load(Ordering::Acquire) & flag != 0
    }

    #[inline]
    pub(crate) fn flags(&self) -> u8 {
        self.flags.load(Ordering::Acquire)
    }

    /// Sets a flag. True if it was not set.
    pub(crate) fn raise(&self, flag: u8) -> bool {
        self.flags.fetch_or(flag, Ordering::AcqRel) & flag == 0
    }

    pub(crate) fn flag(&self, flag: u8, set: bool) {
        if set {
            self.flags.fetch_or(flag, Ordering::AcqRel);
        } else {
            self.flags.fetch_and(!flag, Ordering::AcqRel);
        }
    }

    pub(crate) fn phase(&self) -> Phase {
        match self.turn.load(Ordering::Relaxed) & PHASE {
            0 => Phase::Make,
            1 => Phase::Init,
            2 => Phase::Serve,
            _ => Phase::Term,
        }
    }

    /// Up, with no notes to read.
    #[inline]
    pub(crate) fn is_serving(&self) -> bool {
        self.turn.load(Ordering::Relaxed) == Phase::Serve as u8
    }

    pub(crate) fn set_phase(&self, phase: Phase) {
        self.turn.store(phase as u8, Ordering::Relaxed);
    }

    /// Leaves the consumer a note.
    pub(crate) fn note(&self, note: u8) {
        self.turn.store(self.turn.load(Ordering::Relaxed) | note, Ordering::Relaxed);
    }

    #[inline]
    pub(crate) fn has_notes(&self) -> bool {
        self.turn.load(Ordering::Relaxed) & !PHASE != 0
    }

    pub(crate) fn take_notes(&self) -> u8 {
        let turn = self.turn.load(Ordering::Relaxed);
        self.turn.store(turn & PHASE, Ordering::Relaxed);
        turn & !PHASE
    }

    #[inline]
    pub(crate) fn count_handled(&self) {
        let handled = self.handled.load(Ordering::Relaxed).wrapping_add(1);
        self.handled.store(handled, Ordering::Relaxed);
        if handled == 0 {
            self.ext().lock().handled_wraps += 1;
        }
    }

    /// As counted since the last wrap.
    #[inline]
    pub(crate) fn handled_low(&self) -> u32 {
        self.handled.load(Ordering::Relaxed)
    }

    pub(crate) fn handled(&self, rare: Option<&Rare<A>>) -> u64 {
        let wraps = rare.map_or(0, |rare| rare.handled_wraps);
        (u64::from(wraps) << 32) + u64::from(self.handled.load(Ordering::Relaxed))
    }

    /// The state.
    ///
    /// # Safety
    /// The caller has the right to run, and no other reference is in use.
    #[allow(clippy::mut_from_ref, reason = "the caller's duty is that it is the only one")]
    #[inline]
    pub(crate) unsafe fn state<'a>(&self) -> &'a mut Option<A> {
        // SAFETY: as the caller says; the cell outlives every activation.
        unsafe { &mut *self.state.as_ptr() }
    }

    /// The handler that waits.
    ///
    /// # Safety
    /// The caller has the right to run.
    pub(crate) unsafe fn take_frame(&self) -> Option<Frame<A>> {
        let raw = self.frame.load(Ordering::Relaxed);
        let raw = NonNull::new(raw)?;
        self.frame.store(std::ptr::null_mut(), Ordering::Relaxed);
        // SAFETY: only `put_frame` writes it, and it was taken out above.
        Some(unsafe { Frame::from_raw(raw) })
    }

    /// Whether a handler waits.
    #[inline]
    pub(crate) fn has_frame(&self) -> bool {
        !self.frame.load(Ordering::Relaxed).is_null()
    }

    /// # Safety
    /// The caller has the right to run, and the last frame was taken.
    pub(crate) unsafe fn put_frame(&self, frame: Frame<A>) {
        self.frame.store(frame.into_raw(), Ordering::Relaxed);
    }
}

impl<A: Actor> Drop for ActorCell<A> {
    fn drop(&mut self) {
        self.system.roster().remove(self.serial, *self.slot.get_mut());
        if self.has(KNOWN) {
            self.system.forget(self.id());
        }
        // SAFETY: nobody else has the cell.
        drop_guarded(unsafe { self.take_frame() });
        drop_guarded(self.state.get_mut().take());
        if self.mailbox.is_idle() {
            return;
        }
        // SAFETY: as above, and each node has its payload until it is refused. A push ends before its
        // sender lets go of its link: there is none in between, and the mailbox can be left.
        unsafe {
            let mut cursor = self.mailbox.enter();
            while let Some(node) = self.mailbox.next(&mut cursor) {
                contained(|| Node::refuse(node, CallError::NoReply));
            }
            let _idle = self.mailbox.leave(&cursor);
        }
    }
}

#[cold]
fn tagged<A: Handler<M>, M: Message>(
    message: M,
    reply: Option<ReplyTo<M::Reply>>,
    epoch: GroupEpoch,
) -> Letter<A> {
    Letter::new(Tagged { message, reply, epoch })
}

/// Forgets what belonged to one incarnation alone.
fn forget_life<A: Actor>(life: OfLife<A>) {
    for (monitor, (watched, _)) in &life.monitors {
        watched.unwatch(*monitor);
    }
    drop_guarded(life);
}

/// Drops of the user's values may panic: that stays here.
fn contained(f: impl FnOnce()) {
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        crate::ext::drop_payload(payload);
    }
}

/// Boxes what makes a state.
pub(crate) fn start_with<A, F, Fut>(make: F, started: ReplyTo<Result<u32, StartError>>) -> Start<A>
where
    A: Actor,
    F: FnOnce(Option<A>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<A, StartError>> + Send + 'static,
{
    let make = Box::new(move |turn: &mut Turn<'_, A>, last| turn.make_with(make, last));
    Start { make: Some(make), started }
}
