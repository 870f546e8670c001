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
        Arc,
        atomic::{AtomicPtr, AtomicU8, AtomicU32, Ordering},
    },
};

use crate::{
    Actor, ActorId, CallError, ExitReason, GroupEpoch, System,
    control::Control,
    ext::{Elsewhere, Ext, Rare, contained, drop_guarded},
    frame::Frame,
    life::LifeCell,
    mailbox::Mailbox,
    node::Node,
    shared::State,
    supervision::OnExit,
    sync::OnceBox,
};

pub(crate) use self::lives::start_with;
pub(crate) use crate::{any_cell::AnyCell, life::Life};

mod lives;
mod sending;

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
