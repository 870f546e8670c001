//! Pointers and state that their holders vouch for.
//!
//! The marker traits stand here and not on the holders, which need `A: Actor`: with that bound on a
//! marker's `impl`, futures that hold links of generic actors are not `Send` in the eyes of the compiler.

use std::{cell::UnsafeCell, ptr::NonNull};

/// A pointer of which each holder says why it may go to other threads.
pub(crate) struct Shared<T>(NonNull<T>);

// SAFETY: a pointer alone does nothing; using it is unsafe, and the duty of the holder.
unsafe impl<T> Send for Shared<T> {}
// SAFETY: as above.
unsafe impl<T> Sync for Shared<T> {}

impl<T> Shared<T> {
    #[inline]
    pub(crate) const fn new(pointer: NonNull<T>) -> Self {
        Self(pointer)
    }

    #[inline]
    pub(crate) const fn get(&self) -> NonNull<T> {
        self.0
    }
}

/// The state of an actor, which only the consumer of its mailbox touches.
pub(crate) struct State<A>(UnsafeCell<Option<A>>);

// SAFETY: it is used on one thread after the other; `A: Send` allows that.
unsafe impl<A: Send> Sync for State<A> {}

impl<A> State<A> {
    pub(crate) const fn new(state: Option<A>) -> Self {
        Self(UnsafeCell::new(state))
    }

    #[inline]
    pub(crate) const fn as_ptr(&self) -> *mut Option<A> {
        self.0.get()
    }

    pub(crate) const fn get_mut(&mut self) -> &mut Option<A> {
        self.0.get_mut()
    }
}
