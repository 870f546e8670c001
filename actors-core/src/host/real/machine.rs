use std::{io, sync::Arc, time::Duration};

use rustix::time::{ClockId, clock_gettime};

use crate::host::{Clock, Executor, Host, Net, Random, RealDisk, Time};

/// A host from what runs tasks, and what sleeps and connects.
pub(super) fn host(executor: impl Executor + 'static, reactor: impl Clock + Net + 'static) -> Host {
    let reactor = Arc::new(reactor);
    Host {
        executor: Arc::new(executor),
        clock: reactor.clone(),
        random: Arc::new(Entropy),
        net: reactor,
        disk: Arc::new(RealDisk),
    }
}

struct Entropy;

impl Random for Entropy {
    fn next(&self) -> u64 {
        fastrand::u64(..)
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        getrandom::fill(bytes).map_err(io::Error::other)
    }
}

/// The monotonic clock of the machine, since this was made.
pub(super) struct Monotonic {
    start: Duration,
}

impl Monotonic {
    pub(super) fn start() -> Self {
        Self { start: read(ClockId::Monotonic) }
    }

    pub(super) fn now(&self) -> Time {
        self.at(ClockId::Monotonic)
    }

    pub(super) fn coarse_now(&self) -> Time {
        self.at(COARSE)
    }

    /// Zero if the clock, a coarse one, is behind the start.
    fn at(&self, clock: ClockId) -> Time {
        Time::from_start(read(clock).saturating_sub(self.start))
    }
}

fn read(clock: ClockId) -> Duration {
    let time = clock_gettime(clock);
    Duration::new(time.tv_sec.unsigned_abs(), time.tv_nsec as u32)
}

#[cfg(any(target_os = "linux", target_os = "android", target_os = "freebsd"))]
const COARSE: ClockId = ClockId::MonotonicCoarse;
#[cfg(not(any(target_os = "linux", target_os = "android", target_os = "freebsd")))]
const COARSE: ClockId = ClockId::Monotonic;

/// How many threads the environment asks for, as the runtimes themselves read it.
#[cfg(any(feature = "async-std", feature = "smol"))]
pub(super) fn threads_asked_for(variable: &str) -> Option<usize> {
    let asked: usize = std::env::var(variable).ok()?.parse().ok()?;
    Some(asked.max(1))
}

/// How many threads the machine runs at once.
#[cfg(any(feature = "async-std", feature = "smol"))]
pub(super) fn parallelism() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
