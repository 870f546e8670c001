//! Whether the handler of an actor waits, and who may poll it again.

use crate::sync::{AtomicU8, Ordering};

#[cfg(all(test, actors_loom))]
mod model;

const RUN: u8 = 0;
const WAIT: u8 = 1;
const WOKEN: u8 = 2;

/// A handler that is pending keeps the right to run its actor. Going to sleep and being woken meet
/// here: exactly one of them schedules.
pub(crate) struct Control(AtomicU8);

impl Control {
    pub(crate) fn new() -> Self {
        Self(AtomicU8::new(RUN))
    }

    /// Before a pending handler is polled again. It must be a read-modify-write: a plain store might
    /// miss what the waker that it overwrites has written.
    pub(crate) fn resume(&self) {
        self.0.swap(RUN, Ordering::AcqRel);
    }

    /// After a poll that was pending, with everything saved. True: from now on the waker schedules, and
    /// the caller must not touch the actor. False: a wake came during the poll.
    #[must_use]
    pub(crate) fn wait(&self) -> bool {
        self.0.compare_exchange(RUN, WAIT, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// True: the handler was waiting, and the right to run the actor is now the caller's.
    #[must_use]
    pub(crate) fn wake(&self) -> bool {
        self.0.swap(WOKEN, Ordering::AcqRel) == WAIT
    }
}
