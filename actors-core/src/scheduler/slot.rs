//! What a worker runs next: its own alone, until its handler in hand does not return.
//!
//! The owner comes here with every message, so it pays no atomic operation for it. Whoever takes the
//! actor away from a stuck worker pays for both, with a barrier on all threads of the process
//! (Dice, Huang, Yang: Asymmetric Dekker Synchronization, 2001): either the owner sees that somebody
//! is here and waits, or it is seen to be here itself, and is not stuck.

use crate::sync::{AtomicBool, Ordering, UnsafeCell, barrier, spin_until};

#[cfg(all(test, actors_loom))]
mod model;

pub(crate) struct Slot<T> {
    next: UnsafeCell<Option<T>>,
    /// The owner is at `next`, or about to be.
    owned: AtomicBool,
    /// Somebody else is, or is about to find out that it must not.
    raided: AtomicBool,
}

// SAFETY: its content goes to other threads, and `owned` and `raided` keep two of them from it.
unsafe impl<T: Send> Sync for Slot<T> {}
// SAFETY: as above.
unsafe impl<T: Send> Send for Slot<T> {}

impl<T> Slot<T> {
    pub(crate) fn new() -> Self {
        Self {
            next: UnsafeCell::new(None),
            owned: AtomicBool::new(false),
            raided: AtomicBool::new(false),
        }
    }

    /// # Safety
    /// The caller is the owner: there is one, which does nothing else meanwhile.
    #[inline]
    pub(super) unsafe fn replace(&self, next: Option<T>) -> Option<T> {
        self.owned.store(true, Ordering::Relaxed);
        barrier::light();
        if self.raided.load(Ordering::Acquire) {
            self.wait_for_raid();
        }
        // SAFETY: a raider that comes from now on sees `owned` and goes; one that was here is gone.
        let before = self.next.with_mut(|slot| std::mem::replace(unsafe { &mut *slot }, next));
        self.owned.store(false, Ordering::Release);
        before
    }

    #[cold]
    fn wait_for_raid(&self) {
        // The raider may see `owned` and go: no more can come of it.
        spin_until(|| !self.raided.load(Ordering::Acquire));
    }

    /// Takes what is there, if the owner is busy with something else.
    ///
    /// # Safety
    /// There is one raider at a time.
    pub(crate) unsafe fn raid(&self) -> Option<T> {
        self.raided.store(true, Ordering::Relaxed);
        if !barrier::heavy() {
            self.raided.store(false, Ordering::Release);
            return None;
        }
        let taken = if self.owned.load(Ordering::Acquire) {
            None
        } else {
            // SAFETY: the owner was not here, and if it comes it sees `raided` and waits.
            self.next.with_mut(|slot| unsafe { &mut *slot }.take())
        };
        self.raided.store(false, Ordering::Release);
        taken
    }
}
