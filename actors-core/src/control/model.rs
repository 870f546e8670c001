//! Every interleaving of a handler that waits and of those who wake it.

use loom::{
    cell::UnsafeCell,
    sync::Arc,
    thread::{self, yield_now},
};

use super::Control;
use crate::sync::{AtomicUsize, Ordering, explore};

/// A handler that is ready once all wakers have been there.
struct Handler {
    control: Control,
    wakers: usize,
    /// Written before each wake; relaxed, so that only `control` makes it seen.
    woken: AtomicUsize,
    /// Whether the handler is done. Written by whoever has the right to run it: loom tells when there
    /// are two.
    done: UnsafeCell<bool>,
}

// SAFETY: loom checks the access to `done`.
unsafe impl Sync for Handler {}
// SAFETY: as above.
unsafe impl Send for Handler {}

impl Handler {
    fn new(wakers: usize) -> Arc<Self> {
        Arc::new(Self {
            control: Control::new(),
            wakers,
            woken: AtomicUsize::new(0),
            done: UnsafeCell::new(false),
        })
    }

    /// Polls until it is done or waits. The right to run is the caller's.
    fn run(&self) {
        loop {
            self.control.resume();
            let is_done = self.done.with_mut(|done| {
                // SAFETY: loom checks it.
                let done = unsafe { &mut *done };
                assert!(!*done, "polled when it was done");
                *done = self.woken.load(Ordering::Relaxed) == self.wakers;
                *done
            });
            if is_done || self.control.wait() {
                return;
            }
            yield_now();
        }
    }

    fn wake(&self) {
        self.woken.fetch_add(1, Ordering::Relaxed);
        if self.control.wake() {
            self.run();
        }
    }
}

fn all_wake(wakers: usize) {
    explore(move || {
        let handler = Handler::new(wakers);
        let wakers: Vec<_> = (0..wakers)
            .map(|_| {
                let handler = handler.clone();
                thread::spawn(move || handler.wake())
            })
            .collect();
        handler.run();
        wakers.into_iter().for_each(|waker| waker.join().unwrap());
        // SAFETY: loom checks it.
        assert!(handler.done.with(|done| unsafe { *done }), "a wake was lost");
    });
}

/// The waker or the handler that goes to wait: one of the two goes on, and sees what the waker wrote.
#[test]
fn a_wake_races_with_going_to_wait() {
    all_wake(1);
}

#[test]
fn two_wakes_race_with_going_to_wait() {
    all_wake(2);
}

#[test]
fn three_wakes_race_with_going_to_wait() {
    all_wake(3);
}
