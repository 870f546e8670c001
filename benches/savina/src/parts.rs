//! What the actors of all systems have in common, so that they differ only in how they send.

use std::{
    mem,
    sync::mpsc,
    time::{Duration, Instant},
};

use crate::{
    measure::{Laps, Latch},
    workload::{BIG, PHILOSOPHERS},
};

/// Counts down in an actor's state, and arrives at a latch when nothing is left.
#[derive(Clone, Debug)]
pub(crate) struct Countdown {
    left: u64,
    done: &'static Latch,
}

impl Countdown {
    pub(crate) const fn new(left: u64, done: &'static Latch) -> Self {
        Self { left, done }
    }

    /// Counts one; false when it was the last.
    pub(crate) fn count(&mut self) -> bool {
        self.left -= 1;
        if self.left == 0 {
            self.done.arrive();
        }
        self.left > 0
    }

    pub(crate) const fn is_over(&self) -> bool {
        self.left == 0
    }
}

/// The message of `fan-in`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Item {
    pub(crate) source: u32,
    /// The source waits for the sink.
    pub(crate) last: bool,
}

impl Item {
    /// What a source sends in one go.
    pub(crate) fn batch(source: u32, n: u64) -> impl Iterator<Item = Self> {
        (1..=n).map(move |i| Self { source, last: i == n })
    }
}

/// The forks of `philosophers`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Forks([bool; PHILOSOPHERS as usize]);

impl Forks {
    /// Both forks of a philosopher, unless one is in use.
    pub(crate) const fn take(&mut self, philosopher: u32) -> bool {
        let (left, right) = Self::of(philosopher);
        let free = !self.0[left] && !self.0[right];
        if free {
            (self.0[left], self.0[right]) = (true, true);
        }
        free
    }

    pub(crate) const fn put(&mut self, philosopher: u32) {
        let (left, right) = Self::of(philosopher);
        (self.0[left], self.0[right]) = (false, false);
    }

    const fn of(philosopher: u32) -> (usize, usize) {
        (philosopher as usize, (philosopher as usize + 1) % PHILOSOPHERS as usize)
    }
}

/// Whom an actor of `big` pings: the same pseudo-random order in every system (xorshift).
#[derive(Clone, Debug)]
pub(crate) struct Partners(u64);

impl Partners {
    pub(crate) const fn of(actor: u32) -> Self {
        Self((actor as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1)
    }

    pub(crate) const fn pick(&mut self) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % BIG) as usize
    }
}

/// The work of one message in `fork-join`.
pub(crate) fn some_work(seed: u64) {
    std::hint::black_box((seed as f64).sin());
}

/// What an idle actor of `spawn` tells.
#[derive(Debug)]
pub(crate) struct Lives {
    pub(crate) started: &'static Latch,
    pub(crate) touched: &'static Latch,
    pub(crate) stopped: &'static Latch,
}

impl Lives {
    pub(crate) fn new(n: u64) -> &'static Self {
        let latch = || Latch::new(n);
        Box::leak(Box::new(Self { started: latch(), touched: latch(), stopped: latch() }))
    }
}

/// Why the actor of the restarts crashes; no news as a panic.
pub(crate) const AS_TOLD: &str = "as told";

/// The message of a timer: when it was to fire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Due(Instant);

impl Due {
    pub(crate) fn after(delay: Duration) -> Self {
        Self(Instant::now() + delay)
    }
}

/// Collects how late the `n` timers of a round are, and tells when all have fired.
#[derive(Debug)]
pub(crate) struct Lateness {
    laps: Laps,
    n: u64,
    tell: mpsc::Sender<Laps>,
}

impl Lateness {
    pub(crate) fn new(n: u64, tell: mpsc::Sender<Laps>) -> Self {
        Self { laps: Laps::with_capacity(n), n, tell }
    }

    pub(crate) fn hear(&mut self, due: Due) {
        self.laps.push(due.0.elapsed());
        if self.laps.len() == self.n {
            // Nobody waits for the timers that were to be cancelled.
            let _ = self.tell.send(mem::take(&mut self.laps));
        }
    }
}

/// The delays of `n` timers: 1 ms to `longest`, in turn.
pub(crate) fn delays(n: u64, longest: Duration) -> Vec<Duration> {
    let longest = longest.as_millis() as u64;
    (0..n).map(|i| Duration::from_millis(1 + i % longest)).collect()
}
