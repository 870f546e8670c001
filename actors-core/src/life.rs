//! Whether an actor lives, and how it dies without an extension.
//!
//! Whoever wants to hear of an end writes that into the extension of the cell, under its lock, which
//! those who end an actor take too. An actor that has no extension dies without one: it says that it is
//! dead and then looks once more for an extension, while whoever makes or finds one looks afterwards
//! whether the actor is dead. With a full fence between the two steps on both sides, one of them sees
//! the other.

use crate::sync::{AtomicU8, OnceBox, Ordering, fence};

#[cfg(all(test, actors_loom))]
mod model;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Life {
    /// An incarnation is up, starting or ending.
    Running,
    /// Between two incarnations. Its mailbox has no consumer, and is not idle: senders only queue.
    Suspended,
    /// The actor is on another node.
    Proxy,
    Dead,
}

/// The life of a cell.
pub(crate) struct LifeCell(AtomicU8);

impl LifeCell {
    pub(crate) fn new(life: Life) -> Self {
        Self(AtomicU8::new(life as u8))
    }

    #[inline]
    pub(crate) fn get(&self) -> Life {
        match self.0.load(Ordering::Acquire) {
            0 => Life::Running,
            1 => Life::Suspended,
            2 => Life::Proxy,
            _ => Life::Dead,
        }
    }

    pub(crate) fn set(&self, life: Life) {
        self.0.store(life as u8, Ordering::Release);
    }

    /// Dies. False if there is an extension after all: the end goes on under its lock.
    #[must_use]
    pub(crate) fn die_alone<E>(&self, ext: &OnceBox<E>) -> bool {
        self.set(Life::Dead);
        fence(Ordering::SeqCst);
        ext.get().is_none()
    }

    /// The life under the lock of the extension, which does not change without that lock any more: an
    /// end that missed the extension has told so before.
    pub(crate) fn settled(&self) -> Life {
        fence(Ordering::SeqCst);
        self.get()
    }
}
