//! Going to sleep and being woken, without a wake that is lost or one too many.
//!
//! A worker that finds nothing says that it sleeps, and then looks at all queues once more. Whoever
//! makes work visible looks for sleepers afterwards. With a full fence between the two steps on both
//! sides, one of them sees the other. At most one worker that was woken is searching at a time: it
//! wakes the next one when it has found something and there is more.

use crate::sync::{AtomicU64, AtomicUsize, Ordering, fence};

#[cfg(all(test, actors_loom))]
mod model;

pub(crate) struct Sleepers {
    /// A bit a worker.
    asleep: AtomicU64,
    /// Workers that were woken and have found nothing yet: 0 or 1.
    searching: AtomicUsize,
}

impl Sleepers {
    pub(crate) fn new() -> Self {
        Self { asleep: AtomicU64::new(0), searching: AtomicUsize::new(0) }
    }

    /// After work was made visible: the worker to wake, if one sleeps and none is searching. It is
    /// searching from now on.
    #[must_use]
    pub(crate) fn notify(&self) -> Option<usize> {
        loop {
            fence(Ordering::SeqCst);
            if self.asleep.load(Ordering::Relaxed) == 0
                || self.searching.load(Ordering::Relaxed) != 0
                || self
                    .searching
                    .compare_exchange(0, 1, Ordering::SeqCst, Ordering::Relaxed)
                    .is_err()
            {
                return None;
            }
            if let Some(worker) = self.rouse() {
                return Some(worker);
            }
            // All have risen by themselves. One may lie down again before `searching` is given up,
            // and whoever had work for it then was turned away: look again.
            self.searching.store(0, Ordering::SeqCst);
        }
    }

    /// Takes one that sleeps out of those.
    fn rouse(&self) -> Option<usize> {
        loop {
            let asleep = self.asleep.load(Ordering::SeqCst);
            if asleep == 0 {
                return None;
            }
            let worker = asleep.trailing_zeros();
            let bit = 1 << worker;
            if self.asleep.fetch_and(!bit, Ordering::SeqCst) & bit != 0 {
                return Some(worker as usize);
            }
        }
    }

    /// The worker is about to sleep: it must look at all queues after this, and either sleep or
    /// [`rise`](Self::rise). `searching`: it was woken and has found nothing.
    pub(crate) fn lie_down(&self, worker: usize, searching: bool) {
        self.asleep.fetch_or(1 << worker, Ordering::SeqCst);
        if searching {
            self.searching.store(0, Ordering::SeqCst);
        }
        fence(Ordering::SeqCst);
    }

    /// A worker that lay down is up. True if it was woken by [`notify`](Self::notify): it is searching.
    pub(crate) fn rise(&self, worker: usize) -> bool {
        let bit = 1 << worker;
        self.asleep.fetch_and(!bit, Ordering::SeqCst) & bit == 0
    }

    /// The searching worker has found something: it must look for more after this, and notify. Whoever
    /// made work meanwhile was turned away.
    pub(crate) fn found(&self) {
        self.searching.store(0, Ordering::Relaxed);
        fence(Ordering::SeqCst);
    }
}
