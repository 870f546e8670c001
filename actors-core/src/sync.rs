//! What the lock-free parts are made of, or what the model checker has in its place.
//!
//! With `--cfg actors_loom` the atomics are loom's: the tests named `model` then run every interleaving
//! of a few threads, and nothing else of the crate can run.

#[cfg(actors_loom)]
pub(crate) use loom::cell::UnsafeCell;
#[cfg(actors_loom)]
pub(crate) use loom::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};
#[cfg(not(actors_loom))]
pub(crate) use once_cell::race::OnceBox;
#[cfg(not(actors_loom))]
pub(crate) use std::sync::atomic::{AtomicPtr, AtomicU8, AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(actors_loom)]
pub(crate) use self::once_box::OnceBox;
#[cfg(not(actors_loom))]
pub(crate) use self::unsafe_cell::UnsafeCell;

/// Waits for what another thread does within a few instructions.
#[cold]
pub(crate) fn spin_until(mut is_done: impl FnMut() -> bool) {
    for _ in 0..SPINS {
        if is_done() {
            return;
        }
        std::hint::spin_loop();
    }
    // It was interrupted there.
    while !is_done() {
        yield_now();
    }
}

#[cfg(not(actors_loom))]
const SPINS: usize = 128;
#[cfg(actors_loom)]
const SPINS: usize = 0;

#[cfg(actors_loom)]
use loom::thread::yield_now;
#[cfg(not(actors_loom))]
use std::thread::yield_now;

/// `std`'s, with the methods of loom's.
#[cfg(not(actors_loom))]
mod unsafe_cell {
    pub(crate) struct UnsafeCell<T>(std::cell::UnsafeCell<T>);

    impl<T> UnsafeCell<T> {
        pub(crate) const fn new(value: T) -> Self {
            Self(std::cell::UnsafeCell::new(value))
        }

        #[inline]
        pub(crate) fn with<U>(&self, f: impl FnOnce(*const T) -> U) -> U {
            f(self.0.get())
        }

        #[inline]
        pub(crate) fn with_mut<U>(&self, f: impl FnOnce(*mut T) -> U) -> U {
            f(self.0.get())
        }
    }
}

/// Runs every interleaving of a model with at most three preemptions.
#[cfg(all(test, actors_loom))]
pub(crate) fn explore(model: impl Fn() + Send + Sync + 'static) {
    explore_to(3, model);
}

/// Runs every interleaving of a model with at most so many preemptions.
#[cfg(all(test, actors_loom))]
pub(crate) fn explore_to(preemptions: usize, model: impl Fn() + Send + Sync + 'static) {
    let mut builder = loom::model::Builder::new();
    builder.preemption_bound = Some(preemptions);
    builder.max_branches = 10_000;
    builder.check(model);
}

/// `once_cell::race::OnceBox`, with the same orderings.
#[cfg(actors_loom)]
mod once_box {
    use std::ptr::{NonNull, null_mut};

    use super::{AtomicPtr, Ordering};

    pub(crate) struct OnceBox<T>(AtomicPtr<T>);

    impl<T> OnceBox<T> {
        pub(crate) fn new() -> Self {
            Self(AtomicPtr::new(null_mut()))
        }

        pub(crate) fn get(&self) -> Option<&T> {
            let value = NonNull::new(self.0.load(Ordering::Acquire))?;
            // SAFETY: it comes from a box, and stays until the cell is dropped.
            Some(unsafe { value.as_ref() })
        }

        pub(crate) fn set(&self, value: Box<T>) -> Result<(), Box<T>> {
            let raw = Box::into_raw(value);
            let (success, failure) = (Ordering::Release, Ordering::Acquire);
            match self.0.compare_exchange(null_mut(), raw, success, failure) {
                Ok(_) => Ok(()),
                // SAFETY: it was a box just now, and is in no cell.
                Err(_) => Err(unsafe { Box::from_raw(raw) }),
            }
        }

        pub(crate) fn get_or_init(&self, f: impl FnOnce() -> Box<T>) -> &T {
            if self.get().is_none() {
                drop(self.set(f()));
            }
            self.get().expect("set by now")
        }
    }

    impl<T> Drop for OnceBox<T> {
        fn drop(&mut self) {
            if let Some(value) = NonNull::new(self.0.load(Ordering::Relaxed)) {
                // SAFETY: it comes from a box, and nobody has a reference any more.
                drop(unsafe { Box::from_raw(value.as_ptr()) });
            }
        }
    }
}
