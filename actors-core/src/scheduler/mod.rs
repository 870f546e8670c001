//! Workers that run actors: long-lived tasks of the host, one a thread.
//!
//! Each worker has a queue that others may steal from, and a slot for the actor it woke last, which
//! runs next: a message and its answer stay on one thread. What comes from other threads goes through
//! the injector. A worker that finds nothing gives its thread back to the host; see [`sleep`].
//!
//! *Fairness is by time.* A worker counts nodes, reads the clock after a number of them that it adapts
//! to [`QUANTUM`], lets an actor run for about that long at a stretch, and gives the thread back to the
//! host after [`STRETCH`], so that the host's own tasks and timers have their turn.

mod sleep;
mod slot;
mod worker;

use std::{
    ptr::NonNull,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    task::Waker,
    time::Duration,
};

use crossbeam_deque::{Injector, Stealer};
use crossbeam_utils::CachePadded;
use parking_lot::Mutex;

pub(crate) use self::worker::Worker;
use self::{
    sleep::Sleepers,
    slot::Slot,
    worker::{MOST_NODES, drive},
};
use crate::{
    cell::AnyCell,
    here,
    host::{Clock, Host},
    pace::Pace,
    roster::RUN,
    stuck::{self, Reports, Watch},
};

/// How long an actor runs at a stretch while others wait.
const QUANTUM: Duration = Duration::from_micros(20);
/// How long a worker runs before the host has its turn.
const STRETCH: Duration = Duration::from_micros(200);

/// The right to run a cell.
pub(crate) struct Runnable(NonNull<dyn AnyCell>);

// SAFETY: cells are `Send` and `Sync`, and the right to run one is held once.
unsafe impl Send for Runnable {}

impl Runnable {
    /// From a pointer that stands for one count of the cell, which the right to run has.
    #[inline]
    pub(crate) fn new(cell: *const dyn AnyCell) -> Self {
        Self(NonNull::new(cell.cast_mut()).expect("a cell has an address"))
    }
}

/// What others may see of a worker.
struct Seat {
    pace: Pace,
    /// What it runs next.
    slot: Slot<Runnable>,
}

impl Seat {
    fn new() -> Self {
        Self { pace: Pace::of(MOST_NODES), slot: Slot::new() }
    }
}

pub(crate) struct Scheduler {
    injector: Injector<Runnable>,
    stealers: Box<[Stealer<Runnable>]>,
    sleepers: Sleepers,
    wakers: Box<[Mutex<Option<Waker>>]>,
    seats: Box<[Arc<CachePadded<Seat>>]>,
    stuck: Reports,
    clock: Arc<dyn Clock>,
    closed: AtomicBool,
}

impl Scheduler {
    /// Starts `threads` workers, at most 64.
    pub(crate) fn start(threads: usize, host: &Host, watch: Watch, stuck: Reports) -> Arc<Self> {
        let queues: Vec<_> = (0..threads.clamp(1, 64)).map(|_| Worker::queue()).collect();
        let scheduler = Arc::new(Self {
            injector: Injector::new(),
            stealers: queues.iter().map(crossbeam_deque::Worker::stealer).collect(),
            sleepers: Sleepers::new(),
            wakers: queues.iter().map(|_| Mutex::default()).collect(),
            seats: queues.iter().map(|_| Arc::new(CachePadded::new(Seat::new()))).collect(),
            stuck,
            clock: host.clock.clone(),
            closed: AtomicBool::new(false),
        });
        for (index, queue) in queues.into_iter().enumerate() {
            let worker = Worker::new(index, queue, scheduler.clone());
            host.executor.spawn_worker(Box::pin(drive(worker)));
        }
        stuck::watch(Arc::downgrade(&scheduler), watch);
        scheduler
    }

    /// How far each worker is.
    pub(crate) fn paces(&self) -> impl ExactSizeIterator<Item = &Pace> {
        self.seats.iter().map(|seat| &seat.pace)
    }

    /// The handler that a worker has in hand does not return: what it would run next runs elsewhere.
    ///
    /// # Safety
    /// One thread at a time calls this.
    pub(crate) unsafe fn raid(&self, worker: usize) {
        // SAFETY: as the caller says.
        if let Some(runnable) = unsafe { self.seats[worker].slot.raid() } {
            self.injector.push(runnable);
            self.notify();
        }
    }

    pub(crate) const fn stuck(&self) -> &Reports {
        &self.stuck
    }

    /// Takes the right to run a cell, and sees to it that it is run.
    #[inline]
    pub(crate) fn schedule(&self, runnable: Runnable) {
        here::with_worker(|worker| match worker {
            Some(worker) if worker.is_of(self) => worker.push(runnable),
            _ => {
                self.injector.push(runnable);
                self.notify();
            }
        });
    }

    /// A serial number from the run that belongs to this thread's worker.
    pub(crate) fn next_serial(&self, serial: &AtomicU64) -> Option<u64> {
        here::with_worker(|worker| {
            let worker = worker.filter(|worker| worker.is_of(self))?;
            Some(worker.next_serial(|| serial.fetch_add(RUN, Ordering::Relaxed)))
        })
    }

    /// There is work for another worker.
    fn notify(&self) {
        if let Some(worker) = self.sleepers.notify() {
            self.wake(worker);
        }
    }

    /// Wakes a worker for what waits in the queues of others.
    pub(crate) fn wake_for_work(&self) {
        if self.has_work() {
            self.notify();
        }
    }

    fn wake(&self, worker: usize) {
        let waker = self.wakers[worker].lock().take();
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn has_work(&self) -> bool {
        !self.injector.is_empty() || self.stealers.iter().any(|stealer| !stealer.is_empty())
    }

    /// The system is gone: workers end.
    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        for worker in 0..self.wakers.len() {
            self.wake(worker);
        }
    }
}

/// The handler in hand sends more than it receives: what it has woken may run elsewhere meanwhile.
pub(crate) fn expose_next() {
    here::with_worker(|worker| {
        if let Some(worker) = worker {
            worker.expose_next();
        }
    });
}
