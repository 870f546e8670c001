//! Everything that the core promises under load, checked while it is pushed as hard as it goes.
//!
//! A round runs all [`PHASES`] once, on one system. What a round draws comes from its seed; how the threads
//! of the machine interleave does not, so that a seed repeats the work and not the failure.

mod failing;
mod living;
mod sending;

use std::{
    sync::{
        Arc, Mutex, OnceLock,
        atomic::{AtomicU64, Ordering},
        mpsc::{self, RecvTimeoutError},
    },
    thread,
    time::{Duration, Instant},
};

use actors_core::System;
use anyhow::{Context as _, Result, bail, ensure};

/// How hard, and for how long at most.
#[derive(Clone, Debug)]
pub struct Plan {
    /// What is drawn.
    pub seed: u64,
    /// Of the full numbers (millions of messages and actors), so much.
    pub scale: f64,
    /// A phase that takes longer has hung.
    pub deadline: Duration,
}

/// What a phase has done.
#[derive(Clone, Debug)]
pub struct Done {
    /// Which.
    pub phase: &'static str,
    /// Messages, questions, actors: what it counts.
    pub operations: u64,
    /// How long it took.
    pub took: Duration,
}

type Phase = fn(&Arc<World>) -> Result<()>;

/// In this order.
pub const PHASES: &[(&str, Phase)] = &[
    ("order", sending::order),
    ("questions", sending::questions),
    ("functions", sending::functions),
    ("wakers", sending::wakers),
    ("timers", sending::timers),
    ("crashes", failing::crashes),
    ("restarts", failing::restarts),
    ("monitors", failing::monitors),
    ("actors", living::actors),
    ("owners", living::owners),
];

/// Runs all phases once. `progress` hears which one runs, and how much it has done.
///
/// # Errors
/// A promise that was not kept, or a phase that hangs; the threads of one that hangs are left behind.
pub fn round(plan: &Plan, mut progress: impl FnMut(&str, u64)) -> Result<Vec<Done>> {
    let system = System::builder().name("stress").build();
    let mut done = Vec::new();
    for (number, (name, phase)) in (0..).zip(PHASES) {
        let world = Arc::new(World {
            system: system.clone(),
            seed: plan.seed.wrapping_add(number),
            scale: plan.scale,
            deadline: Instant::now() + plan.deadline,
            operations: AtomicU64::new(0),
            broken: OnceLock::new(),
        });
        let start = Instant::now();
        watch(&world, *phase, plan.deadline, |operations| progress(name, operations))
            .with_context(|| format!("phase {name}, seed {}, scale {}", plan.seed, plan.scale))?;
        let operations = world.operations.load(Ordering::Relaxed);
        done.push(Done { phase: name, operations, took: start.elapsed() });
    }
    Ok(done)
}

fn watch(
    world: &Arc<World>,
    phase: Phase,
    deadline: Duration,
    mut progress: impl FnMut(u64),
) -> Result<()> {
    let (tell, told) = mpsc::channel();
    let of_thread = world.clone();
    thread::spawn(move || {
        let done = phase(&of_thread).and_then(|()| {
            of_thread.until("all actors of the phase are gone", || {
                of_thread.system.snapshot().is_empty()
            })
        });
        let _ = tell.send(done);
    });
    // The phase says itself what it waits for, if it is not all of its threads that hang.
    let end = Instant::now() + deadline + Duration::from_secs(10);
    loop {
        match told.recv_timeout(Duration::from_millis(100)) {
            Ok(done) => {
                done?;
                return world.check();
            }
            Err(RecvTimeoutError::Disconnected) => bail!("a thread of the phase panicked"),
            Err(RecvTimeoutError::Timeout) => progress(world.operations.load(Ordering::Relaxed)),
        }
        world.check()?;
        ensure!(Instant::now() < end, "the phase hangs: not over after {deadline:?}");
    }
}

/// What the threads and actors of a phase share.
pub struct World {
    system: System,
    seed: u64,
    scale: f64,
    deadline: Instant,
    operations: AtomicU64,
    broken: OnceLock<String>,
}

impl World {
    /// The part of `full` that the scale gives, at least `least`.
    fn scaled(&self, full: u64, least: u64) -> u64 {
        ((full as f64 * self.scale) as u64).max(least)
    }

    fn rng(&self, thread: u64) -> fastrand::Rng {
        fastrand::Rng::with_seed(self.seed ^ (thread << 48))
    }

    fn count(&self, operations: u64) {
        self.operations.fetch_add(operations, Ordering::Relaxed);
    }

    /// A promise was not kept.
    fn breach(&self, what: impl Into<String>) {
        let _ = self.broken.set(what.into());
    }

    fn check(&self) -> Result<()> {
        match self.broken.get() {
            Some(what) => bail!("{what}"),
            None => Ok(()),
        }
    }

    /// Waits until `condition` holds.
    fn until(&self, what: &str, mut condition: impl FnMut() -> bool) -> Result<()> {
        while !condition() {
            self.check()?;
            ensure!(Instant::now() < self.deadline, "hangs; waits until {what}");
            thread::sleep(Duration::from_micros(200));
        }
        self.check()
    }
}

/// The threads of a phase, joined at its end; their panics and errors are its own.
struct Threads(Vec<thread::JoinHandle<Result<()>>>);

impl Threads {
    fn new() -> Self {
        Self(Vec::new())
    }

    fn spawn(&mut self, f: impl FnOnce() -> Result<()> + Send + 'static) {
        self.0.push(thread::spawn(f));
    }

    fn join(self, world: &World) -> Result<()> {
        world
            .until("its threads are done", || self.0.iter().all(thread::JoinHandle::is_finished))?;
        for handle in self.0 {
            handle.join().map_err(|_| anyhow::anyhow!("a thread panicked"))??;
        }
        Ok(())
    }
}

/// Counts the values that live: each state and message that is to be dropped has one.
#[derive(Clone, Default)]
struct Census(Arc<AtomicU64>);

impl Census {
    fn member(&self) -> Member {
        self.0.fetch_add(1, Ordering::Relaxed);
        Member(self.0.clone())
    }

    fn living(&self) -> u64 {
        self.0.load(Ordering::Acquire)
    }
}

struct Member(Arc<AtomicU64>);

impl Drop for Member {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// What each sender has sent, as a receiver sees it.
#[derive(Clone)]
struct Order {
    world: Arc<World>,
    next: Arc<Mutex<Vec<u64>>>,
}

impl Order {
    fn new(world: &Arc<World>, senders: usize) -> Self {
        Self { world: world.clone(), next: Arc::new(Mutex::new(vec![0; senders])) }
    }

    /// A message was handled.
    fn handled(&self, sender: usize, number: u64) {
        let mut next = self.next.lock().expect("no panic under it");
        if number != next[sender] {
            let expected = next[sender];
            self.world.breach(format!("sender {sender}: {number} came, {expected} was next"));
        }
        next[sender] = number + 1;
        drop(next);
        if number % 64 == 63 {
            self.world.count(64);
        }
    }

    fn all(&self, each: u64) -> bool {
        self.next.lock().expect("no panic under it").iter().all(|next| *next == each)
    }
}

/// Panics without a word on standard error.
fn quiet_panic() -> ! {
    std::panic::resume_unwind(Box::new("on purpose"))
}
