//! What the workloads are measured with. Nothing here knows of a system.

use std::{
    fs,
    sync::{
        Condvar, Mutex,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::{Duration, Instant},
};

use serde::{Deserialize, Serialize};

use crate::parts::{Lives, delays};

/// One measured number of one repetition, as a child process prints it.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// The row it belongs to; empty for the one that is named like the workload.
    #[serde(default)]
    pub(crate) row: String,
    /// Operations that were measured.
    pub(crate) n: u64,
    /// Mean of one operation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) ns: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ns: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ns: Option<f64>,
    /// Memory of one actor or message.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<f64>,
}

/// What a workload gives; nothing when the system cannot do it.
pub(crate) type Samples = Vec<Sample>;

impl Sample {
    /// `n` operations that took `elapsed` together.
    pub(crate) fn time(n: u64, elapsed: Duration) -> Self {
        Self { n, ns: Some(elapsed.as_nanos() as f64 / n as f64), ..Self::default() }
    }

    /// Operations that were timed one by one.
    pub(crate) fn laps(mut laps: Laps) -> Self {
        laps.0.sort_unstable();
        let n = laps.0.len();
        let at = |share: f64| Some(laps.0[((n - 1) as f64 * share) as usize] as f64);
        let mean = laps.0.iter().sum::<u64>() as f64 / n as f64;
        Self { n: n as u64, ns: Some(mean), p50_ns: at(0.5), p99_ns: at(0.99), ..Self::default() }
    }

    /// `n` things that take `bytes` together.
    pub(crate) fn memory(n: u64, bytes: u64) -> Self {
        Self { n, bytes: Some(bytes as f64 / n as f64), ..Self::default() }
    }

    pub(crate) fn row(mut self, row: &str) -> Self {
        self.row = row.into();
        self
    }
}

/// The result of a workload that is one number.
pub(crate) fn timed(n: u64, elapsed: Duration) -> Samples {
    vec![Sample::time(n, elapsed)]
}

/// How long `work` takes.
pub(crate) fn time(work: impl FnOnce()) -> Duration {
    let start = Instant::now();
    work();
    start.elapsed()
}

/// The durations of single operations, in nanoseconds.
#[derive(Debug, Default)]
pub(crate) struct Laps(Vec<u64>);

impl Laps {
    pub(crate) fn with_capacity(n: u64) -> Self {
        Self(Vec::with_capacity(n as usize))
    }

    pub(crate) fn push(&mut self, lap: Duration) {
        self.0.push(lap.as_nanos() as u64);
    }

    pub(crate) fn len(&self) -> u64 {
        self.0.len() as u64
    }
}

/// Opens when `n` have arrived. It lives as long as the process, so that actors of every system hold
/// it as a plain reference.
#[derive(Debug)]
pub(crate) struct Latch {
    left: AtomicU64,
    open: Mutex<bool>,
    opened: Condvar,
}

impl Latch {
    pub(crate) fn new(n: u64) -> &'static Self {
        Box::leak(Box::new(Self {
            left: AtomicU64::new(n),
            open: Mutex::new(n == 0),
            opened: Condvar::new(),
        }))
    }

    pub(crate) fn arrive(&self) {
        if self.left.fetch_sub(1, Ordering::AcqRel) == 1 {
            *self.open.lock().expect("no panic under the lock") = true;
            self.opened.notify_all();
        }
    }

    /// Waits on this thread, which must not be one that drives actors.
    pub(crate) fn wait(&self) {
        let open = self.open.lock().expect("no panic under the lock");
        drop(self.opened.wait_while(open, |open| !*open).expect("no panic under the lock"));
    }
}

/// What a system does in the workload `spawn`; each call returns when it is under way.
pub(crate) struct SpawnRound<'a> {
    /// Starts actors that arrive at `started` when they run.
    pub(crate) spawn: &'a dyn Fn(u64, &'static Lives),
    /// Sends each one message, at which it arrives at `touched`.
    pub(crate) touch: &'a dyn Fn(),
    /// Stops all; the last thing each does is to arrive at `stopped`.
    pub(crate) stop: &'a dyn Fn(),
}

/// Two rounds: memory is that of the first, on a fresh heap; times are those of the second, warm.
pub(crate) fn spawn_rounds(n: u64, round: SpawnRound<'_>) -> Samples {
    let run = || {
        let lives = Lives::new(n);
        let before = resident();
        let spawned = time(|| {
            (round.spawn)(n, lives);
            lives.started.wait();
        });
        let idle = resident().saturating_sub(before);
        let touched = time(|| {
            (round.touch)();
            lives.touched.wait();
        });
        let used = resident().saturating_sub(before);
        let stopped = time(|| {
            (round.stop)();
            lives.stopped.wait();
        });
        (spawned, idle, touched, used, stopped)
    };
    let (_, idle, _, used, _) = run();
    let (spawned, _, touched, _, stopped) = run();
    vec![
        Sample { bytes: Some(idle as f64 / n as f64), ..Sample::time(n, spawned) },
        Sample { bytes: Some(used as f64 / n as f64), ..Sample::time(n, touched) }
            .row("first-message"),
        Sample::time(n, stopped).row("stop"),
    ]
}

/// Resident memory of this process in bytes, after unused pages were given back.
pub(crate) fn resident() -> u64 {
    // SAFETY: `malloc_trim` takes any padding and may be called at any time, on any thread.
    #[cfg(target_env = "gnu")]
    unsafe {
        libc::malloc_trim(0);
    }
    let statm = fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: u64 =
        statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("a number of pages");
    pages * page_size()
}

fn page_size() -> u64 {
    // SAFETY: `sysconf` takes any name, and this one is always known.
    unsafe { libc::sysconf(libc::_SC_PAGESIZE) as u64 }
}

/// The processor time that all threads of this process have used.
pub(crate) fn cpu_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // SAFETY: `now` is a valid place for the result, and the clock exists on Linux.
    let status = unsafe { libc::clock_gettime(libc::CLOCK_PROCESS_CPUTIME_ID, &raw mut now) };
    assert_eq!(status, 0, "the clock of the process");
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

/// What a system does in the workload `timers`; each call returns when it is under way.
pub(crate) struct TimerRound<'a> {
    /// Sets timers with these delays and cancels them all, then arrives.
    pub(crate) cancel: &'a dyn Fn(Vec<Duration>, &'static Latch),
    /// Sets timers with these delays.
    pub(crate) fire: &'a dyn Fn(Vec<Duration>),
}

/// `late` hears of how late the timers were, once `n` have fired.
///
/// The cost is processor time of all threads, up to when the last timer is, or would have been, due:
/// what a system leaves for later is counted too.
pub(crate) fn timer_rounds(n: u64, late: &mpsc::Receiver<Laps>, round: TimerRound<'_>) -> Samples {
    let far = Duration::from_secs(1);
    let (before, cancelled) = (cpu_time(), Latch::new(1));
    let start = Instant::now();
    (round.cancel)(delays(n, far), cancelled);
    cancelled.wait();
    thread::sleep((far + far / 10).saturating_sub(start.elapsed()));
    let set_and_cancelled = cpu_time() - before;

    let before = cpu_time();
    (round.fire)(delays(n, far / 10));
    let laps = late.recv().expect("all fire");
    let set_and_fired = cpu_time() - before;
    vec![
        Sample::time(n, set_and_cancelled),
        Sample { ns: Sample::time(n, set_and_fired).ns, ..Sample::laps(laps) }.row("timer-fire"),
    ]
}
