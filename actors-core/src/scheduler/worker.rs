use std::{
    cell::{Cell, RefCell},
    future::poll_fn,
    sync::{Arc, atomic::Ordering},
    task::{Context, Poll},
    time::Duration,
};

use crossbeam_deque::{Steal, Worker as Queue};
use crossbeam_utils::CachePadded;

use super::{QUANTUM, Runnable, STRETCH, Scheduler, Seat};
use crate::{here, host::Time, roster::RUN, run::Outcome};

/// Reads the clock at least this often, in nodes.
pub(super) const MOST_NODES: u32 = 128;
/// Nodes of a turn before the clock is looked at.
const TRIAL: u32 = 4;
/// Actors that may run out of the slot in a row.
const MOST_FROM_SLOT: u32 = 16;
/// The injector is looked at before the own queue, every so many actors.
const INJECTOR_EVERY: u32 = 61;
/// Looks for work before the host has its turn, and such turns before a worker sleeps: waking a thread
/// costs more.
const SEARCHES: u32 = 2;
const TURNS: u32 = 16;
/// Pauses between two looks. Each takes the lines of the others' queues out of their caches.
const PAUSES: u32 = 16;

pub(crate) struct Worker {
    index: usize,
    scheduler: Arc<Scheduler>,
    seat: Arc<CachePadded<Seat>>,
    queue: Queue<Runnable>,
    from_slot: Cell<u32>,
    /// Actors until the injector is looked at first.
    ticks: Cell<u32>,
    /// It has lain down and not risen since.
    is_asleep: Cell<bool>,
    /// Turns of the host since it has found nothing.
    turns: Cell<u32>,
    /// Nodes between two looks at the clock.
    nodes: Cell<u32>,
    serials: Cell<(u64, u64)>,
    random: RefCell<fastrand::Rng>,
}

impl Worker {
    pub(super) fn queue() -> Queue<Runnable> {
        Queue::new_fifo()
    }

    pub(super) fn new(index: usize, queue: Queue<Runnable>, scheduler: Arc<Scheduler>) -> Self {
        Self {
            index,
            seat: scheduler.seats[index].clone(),
            scheduler,
            queue,
            from_slot: Cell::new(0),
            ticks: Cell::new(INJECTOR_EVERY),
            is_asleep: Cell::new(false),
            turns: Cell::new(0),
            nodes: Cell::new(MOST_NODES),
            serials: Cell::new((0, 0)),
            random: RefCell::new(fastrand::Rng::new()),
        }
    }

    #[inline]
    fn replace_next(&self, next: Option<Runnable>) -> Option<Runnable> {
        // SAFETY: a worker is its slot's one owner, and goes to other threads as a whole.
        unsafe { self.seat.slot.replace(next) }
    }

    #[inline]
    pub(super) fn is_of(&self, scheduler: &Scheduler) -> bool {
        std::ptr::eq(&raw const *self.scheduler, scheduler)
    }

    /// From a handler that runs on this worker.
    #[inline]
    pub(super) fn push(&self, runnable: Runnable) {
        if let Some(before) = self.replace_next(Some(runnable)) {
            self.enqueue(before);
        }
    }

    fn enqueue(&self, runnable: Runnable) {
        self.queue.push(runnable);
        self.scheduler.notify();
    }

    #[cold]
    pub(super) fn expose_next(&self) {
        if let Some(next) = self.replace_next(None) {
            self.enqueue(next);
        }
    }

    pub(super) fn next_serial(&self, more: impl FnOnce() -> u64) -> u64 {
        let (next, end) = self.serials.get();
        let (next, end) = if next == end {
            let start = more();
            (start, start + RUN)
        } else {
            (next, end)
        };
        self.serials.set((next + 1, end));
        next
    }

    #[inline]
    fn next(&self) -> Option<Runnable> {
        match self.ticks.get() {
            0 => {
                self.ticks.set(INJECTOR_EVERY);
                if let Some(runnable) = self.take_injected() {
                    return Some(runnable);
                }
            }
            ticks => self.ticks.set(ticks - 1),
        }
        if let Some(runnable) = self.replace_next(None) {
            let from_slot = self.from_slot.get();
            if from_slot < MOST_FROM_SLOT {
                self.from_slot.set(from_slot + 1);
                return Some(runnable);
            }
            self.queue.push(runnable);
        }
        self.from_slot.set(0);
        self.queue.pop().or_else(|| self.take_injected()).or_else(|| self.steal())
    }

    fn take_injected(&self) -> Option<Runnable> {
        loop {
            match self.scheduler.injector.steal_batch_and_pop(&self.queue) {
                Steal::Success(runnable) => return Some(runnable),
                Steal::Empty => return None,
                Steal::Retry => std::hint::spin_loop(),
            }
        }
    }

    fn steal(&self) -> Option<Runnable> {
        let stealers = &self.scheduler.stealers;
        let start = self.random.borrow_mut().usize(..stealers.len());
        for other in (start..stealers.len()).chain(0..start) {
            if other == self.index {
                continue;
            }
            loop {
                match stealers[other].steal_batch_and_pop(&self.queue) {
                    Steal::Success(runnable) => return Some(runnable),
                    Steal::Empty => break,
                    Steal::Retry => std::hint::spin_loop(),
                }
            }
        }
        None
    }

    /// Runs one turn of an actor. True when the host should have its turn.
    ///
    /// However quick all were before, this one may not be: after a few nodes the clock is looked at. It has its
    /// [`QUANTUM`], however few nodes that turn out to be.
    #[inline]
    fn run(&self, runnable: Runnable, stretch: &mut Stretch) -> bool {
        let pace = &self.seat.pace;
        let mut held_back = pace.hold_back(TRIAL);
        let mut used = Duration::ZERO;
        let (outcome, is_over) = loop {
            // SAFETY: a runnable is the right to run its cell, which lives as long as that, and a turn that ended
            // with `Again` has left it.
            let outcome = unsafe { runnable.0.as_ref().run(None, pace) };
            if !pace.is_spent() {
                pace.give(held_back);
                break (outcome, false);
            }
            used += self.look_at_clock(stretch, std::mem::take(&mut held_back));
            let is_over = stretch.last.since(stretch.start) >= STRETCH;
            if is_over || used >= QUANTUM || !matches!(outcome, Outcome::Again) {
                break (outcome, is_over);
            }
        };
        pace.end_turn();
        match outcome {
            Outcome::Idle | Outcome::Wait => {}
            Outcome::Again => {
                self.queue.push(runnable);
            }
            Outcome::Ended => {
                // SAFETY: the right to run had one count of the cell, and is used up.
                drop(unsafe { Arc::from_raw(runnable.0.as_ptr()) });
            }
        }
        is_over
    }

    /// The time since the last look, in which so many nodes were not taken up of those that could have been. The next
    /// look is after as many as fit into a [`QUANTUM`].
    fn look_at_clock(&self, stretch: &mut Stretch, held_back: u32) -> Duration {
        let now = self.scheduler.clock.now();
        let took = now.since(stretch.last);
        stretch.last = now;
        let nodes = self.nodes.get();
        self.nodes.set(if took > QUANTUM {
            let fit = u128::from(nodes - held_back) * QUANTUM.as_nanos() / took.as_nanos();
            u32::try_from(fit).map_or(1, |fit| fit.max(1))
        } else {
            (2 * nodes).min(MOST_NODES)
        });
        self.seat.pace.refill(self.nodes.get());
        took
    }

    /// Runs actors until there are none, or the host should have its turn.
    fn stretch(&self, task: &Context<'_>) -> Poll<()> {
        let scheduler = &*self.scheduler;
        let mut searching = self.is_asleep.take() && scheduler.sleepers.rise(self.index);
        let mut is_first = true;
        let now = scheduler.clock.now();
        let mut stretch = Stretch { start: now, last: now };
        // Whoever runs now may take long: that is found out early, and again in each stretch.
        self.nodes.set(1);
        self.seat.pace.refill(1);
        loop {
            let Some(runnable) = self.next() else {
                if self.search() {
                    continue;
                }
                if scheduler.closed.load(Ordering::Acquire) {
                    return Poll::Ready(());
                }
                if self.turns.get() < TURNS {
                    self.turns.set(self.turns.get() + 1);
                    if std::mem::take(&mut searching) {
                        // Whoever made work meanwhile was turned away: look once more.
                        scheduler.sleepers.found();
                        continue;
                    }
                    task.waker().wake_by_ref();
                    return Poll::Pending;
                }
                self.turns.set(0);
                *scheduler.wakers[self.index].lock() = Some(task.waker().clone());
                scheduler.sleepers.lie_down(self.index, searching);
                if !scheduler.has_work() && !scheduler.closed.load(Ordering::Acquire) {
                    self.is_asleep.set(true);
                    return Poll::Pending;
                }
                searching = scheduler.sleepers.rise(self.index);
                continue;
            };
            self.turns.set(0);
            if std::mem::take(&mut searching) {
                scheduler.sleepers.found();
                is_first = true;
            }
            // Actors that come again were put into the queue without a word: others may run them.
            if std::mem::take(&mut is_first) && scheduler.has_work() {
                scheduler.notify();
            }
            if self.run(runnable, &mut stretch) {
                // Nobody is woken for it: this worker is soon back. If the host keeps its thread for
                // long, the watch sees to it that others steal what waits here.
                if let Some(next) = self.replace_next(None) {
                    self.queue.push(next);
                }
                task.waker().wake_by_ref();
                return Poll::Pending;
            }
        }
    }

    /// Waits a little for work.
    fn search(&self) -> bool {
        (0..SEARCHES).any(|_| {
            (0..PAUSES).for_each(|_| std::hint::spin_loop());
            self.scheduler.has_work()
        })
    }
}

struct Stretch {
    start: Time,
    last: Time,
}

/// A worker as a task of the host.
pub(super) fn drive(worker: Worker) -> impl Future<Output = ()> + Send {
    let worker = Box::new(worker);
    poll_fn(move |task| here::driving(&worker, || worker.stretch(task)))
}
