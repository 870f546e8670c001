//! Every interleaving of workers that go to sleep and of those who make work for them.

use std::sync::atomic::AtomicUsize as Untracked;

use loom::{
    sync::{Arc, Notify},
    thread::{self, yield_now},
};

use super::Sleepers;
use crate::sync::{AtomicUsize, Ordering, explore_to};

/// As much of a scheduler as sleep needs.
struct Pool {
    sleepers: Sleepers,
    /// Pieces of work in the queue. Its orderings promise nothing: the fences of `Sleepers` must.
    queue: AtomicUsize,
    /// Pieces that workers have in hand or are done with.
    taken: AtomicUsize,
    pieces: usize,
    starts_asleep: bool,
    /// A piece is done only when all are in hand: it takes a worker for each.
    together: bool,
    wakes: Vec<Notify>,
    /// Workers that are searching, as the model sees it.
    searching: Untracked,
}

impl Pool {
    fn new(workers: usize, pieces: usize) -> Self {
        Self {
            sleepers: Sleepers::new(),
            queue: AtomicUsize::new(0),
            taken: AtomicUsize::new(0),
            pieces,
            starts_asleep: false,
            together: false,
            wakes: (0..workers).map(|_| Notify::new()).collect(),
            searching: Untracked::new(0),
        }
    }

    /// All workers sleep, and each piece takes one.
    fn asleep_and_together(workers: usize, pieces: usize) -> Self {
        let pool = Self { starts_asleep: true, together: true, ..Self::new(workers, pieces) };
        (0..workers).for_each(|worker| pool.sleepers.lie_down(worker, false));
        pool
    }

    /// As `Scheduler::schedule` from a thread that is no worker.
    fn schedule(&self) {
        self.queue.fetch_add(1, Ordering::Relaxed);
        self.notify();
    }

    fn notify(&self) {
        if let Some(worker) = self.sleepers.notify() {
            assert_eq!(self.searching.fetch_add(1, Ordering::Relaxed), 0, "two are searching");
            self.wakes[worker].notify();
        }
    }

    fn has_work(&self) -> bool {
        self.queue.load(Ordering::Relaxed) > 0
    }

    fn take(&self) -> bool {
        let less = |queue: usize| queue.checked_sub(1);
        self.queue.fetch_update(Ordering::Relaxed, Ordering::Relaxed, less).is_ok()
    }

    fn is_over(&self) -> bool {
        self.taken.load(Ordering::Relaxed) == self.pieces
    }

    /// As `Worker::stretch`; the stretch is over with a piece of work. True: the worker sleeps.
    fn stretch(&self, worker: usize, was_asleep: bool) -> bool {
        let mut searching = was_asleep && self.sleepers.rise(worker);
        while !self.take() {
            if searching {
                self.searching.fetch_sub(1, Ordering::Relaxed);
            }
            self.sleepers.lie_down(worker, searching);
            if !self.has_work() {
                return true;
            }
            searching = self.sleepers.rise(worker);
        }
        if searching {
            self.searching.fetch_sub(1, Ordering::Relaxed);
            self.sleepers.found();
        }
        if self.has_work() {
            self.notify();
        }
        self.work();
        false
    }

    fn work(&self) {
        self.taken.fetch_add(1, Ordering::AcqRel);
        while self.together && !self.is_over() {
            yield_now();
        }
        if self.is_over() {
            // The model ends: whoever sleeps is to see it.
            self.wakes.iter().for_each(Notify::notify);
        }
    }

    /// Runs a worker until all is done; whether it sleeps then. If a wake is lost, all threads wait,
    /// and loom tells.
    fn drive(&self, worker: usize) -> bool {
        let mut is_asleep = self.starts_asleep;
        while !self.is_over() {
            if is_asleep {
                self.wakes[worker].wait();
            }
            is_asleep = self.stretch(worker, is_asleep);
        }
        is_asleep
    }
}

/// Each of `senders` makes so many pieces of work.
fn run(preemptions: usize, pool: fn(usize) -> Pool, senders: &'static [usize]) {
    explore_to(preemptions, move || {
        let pool = Arc::new(pool(senders.iter().sum()));
        let workers = pool.wakes.len();
        let spawn = |worker| {
            let pool = pool.clone();
            thread::spawn(move || pool.drive(worker))
        };
        let drivers: Vec<_> = (0..workers).map(spawn).collect();
        let spawn = |pieces: &'static usize| {
            let pool = pool.clone();
            thread::spawn(move || (0..*pieces).for_each(|_| pool.schedule()))
        };
        let others: Vec<_> = senders[1..].iter().map(spawn).collect();
        (0..senders[0]).for_each(|_| pool.schedule());
        others.into_iter().for_each(|sender| sender.join().unwrap());
        let asleep: Vec<_> = drivers.into_iter().map(|driver| driver.join().unwrap()).collect();
        for (worker, is_asleep) in asleep.into_iter().enumerate() {
            assert!(pool.stretch(worker, is_asleep), "there is work left");
        }
        assert_eq!(
            pool.sleepers.searching.load(Ordering::Relaxed),
            0,
            "all sleep, and one searches"
        );
        let asleep = pool.sleepers.asleep.load(Ordering::Relaxed);
        assert_eq!(asleep, (1 << workers) - 1, "the workers are not all lying down");
    });
}

/// Work that comes while a worker falls asleep is not left.
#[test]
fn no_work_is_left_by_a_worker_that_falls_asleep() {
    run(4, |pieces| Pool::new(1, pieces), &[2]);
}

/// A sender that finds nobody to wake does not keep another from waking one that has just lain down.
#[test]
fn no_work_of_two_senders_is_left() {
    run(4, |pieces| Pool::new(1, pieces), &[1, 1]);
}

#[test]
fn no_work_is_left_by_two_workers() {
    run(2, |pieces| Pool::new(2, pieces), &[2]);
}

/// While a worker is busy with one piece, the other is woken for the other piece.
#[test]
fn a_second_worker_is_woken_for_a_second_piece() {
    run(2, |pieces| Pool::asleep_and_together(2, pieces), &[2]);
}

#[test]
fn a_second_worker_is_woken_for_the_piece_of_a_second_sender() {
    run(1, |pieces| Pool::asleep_and_together(2, pieces), &[1, 1]);
}
