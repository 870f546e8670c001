//! How far a worker is: what is left of its budget, and what it runs. It alone writes; others may look.

use std::{
    ptr::null_mut,
    sync::atomic::{AtomicPtr, AtomicU32, AtomicU64, Ordering::Relaxed},
};

use crate::{ActorId, SystemId, node::What};

pub(crate) struct Pace {
    /// Nodes that may be handled before others have their turn.
    left: AtomicU32,
    turns: AtomicU32,
    /// What runs; null between two turns.
    during: AtomicPtr<What>,
    home: AtomicU64,
    serial: AtomicU64,
}

/// What one look at a worker has seen.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) struct Look {
    pub(crate) actor: ActorId,
    pub(crate) message: &'static str,
    turns: u32,
    left: u32,
}

impl Pace {
    pub(crate) const fn of(nodes: u32) -> Self {
        Self {
            left: AtomicU32::new(nodes),
            turns: AtomicU32::new(0),
            during: AtomicPtr::new(null_mut()),
            home: AtomicU64::new(0),
            serial: AtomicU64::new(0),
        }
    }

    pub(crate) fn refill(&self, nodes: u32) {
        self.left.store(nodes, Relaxed);
    }

    /// Leaves no more than `most`; the rest can be given back.
    #[inline]
    pub(crate) fn hold_back(&self, most: u32) -> u32 {
        let left = self.left.load(Relaxed);
        self.left.store(left.min(most), Relaxed);
        left.saturating_sub(most)
    }

    #[inline]
    pub(crate) fn give(&self, nodes: u32) {
        self.left.store(self.left.load(Relaxed) + nodes, Relaxed);
    }

    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.left.load(Relaxed) == 0
    }

    #[inline]
    pub(crate) fn begin_turn(&self, actor: ActorId) {
        self.home.store(actor.home.0, Relaxed);
        self.serial.store(actor.serial, Relaxed);
    }

    #[inline]
    pub(crate) fn end_turn(&self) {
        self.turns.store(self.turns.load(Relaxed).wrapping_add(1), Relaxed);
        self.during.store(null_mut(), Relaxed);
    }

    /// A node is taken up.
    #[inline]
    pub(crate) fn spend(&self, what: &'static What) {
        self.left.store(self.left.load(Relaxed).saturating_sub(1), Relaxed);
        self.during.store(std::ptr::from_ref(what).cast_mut(), Relaxed);
    }

    /// What runs now, by and large: the parts are read one after the other.
    pub(crate) fn look(&self) -> Option<Look> {
        let during = self.during.load(Relaxed);
        // SAFETY: null, or from a reference that is good for ever, in `spend`.
        let what: &'static What = unsafe { during.as_ref() }?;
        let (home, serial) = (SystemId(self.home.load(Relaxed)), self.serial.load(Relaxed));
        Some(Look {
            actor: ActorId { home, serial },
            message: (what.name)(),
            turns: self.turns.load(Relaxed),
            left: self.left.load(Relaxed),
        })
    }
}
