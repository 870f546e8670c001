//! A deterministic world: one thread, virtual time, every choice drawn from one seed.
//!
//! The same actors, nodes and files that run on [`Host::real`](crate::host::Host::real) run here
//! without a change. Which task runs next, how long a packet travels and every random number come
//! from the seed, so that a run replays from it; time jumps to the next timer when nothing can run.
//!
//! ```
//! use actors_core::{Message, System, sim};
//! # struct Double(u32);
//! # impl Message for Double { type Reply = u32; }
//!
//! let run = sim::simulate(42, |sim| async move {
//!     let system = System::builder().host(sim.node("a")).build();
//!     let actor = system.spawn_fn(|Double(n): Double, _cx| 2 * n);
//!     actor.call(Double(4)).await.unwrap()
//! });
//! assert_eq!(run.output, 8);
//! ```
//!
//! A wake from another thread panics: it would make the run depend on the machine.

mod disk;
mod executor;
mod net;

use std::{fmt, panic::AssertUnwindSafe, sync::Arc, time::Duration};

pub use disk::SimDisk;
use executor::World;

use crate::host::{Host, Time};

/// The outcome of a simulation.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Run<T> {
    /// What the scenario returned.
    pub output: T,
    /// A hash over every step taken: equal for equal seeds.
    pub trace: u64,
    /// Task polls.
    pub steps: u64,
    /// Virtual time that passed.
    pub elapsed: Duration,
}

/// The world of one simulation. Cheap to clone; only good inside of it.
#[derive(Clone)]
pub struct Sim(Arc<World>);

/// Runs a scenario in a world of its own, until it returns.
///
/// # Panics
/// When the scenario panics, when nothing can run any more while it waits, and after a virtual day;
/// the seed goes to stderr.
pub fn simulate<T, F, Fut>(seed: u64, scenario: F) -> Run<T>
where
    T: Send + 'static,
    F: FnOnce(Sim) -> Fut,
    Fut: Future<Output = T> + Send + 'static,
{
    let world = World::new(seed);
    let sim = Sim(world.clone());
    let root = scenario(sim);
    let result = std::panic::catch_unwind(AssertUnwindSafe(|| world.run(root)));
    let (trace, steps, elapsed) = world.summary();
    world.tear_down();
    match result {
        Ok(output) => Run { output, trace, steps, elapsed },
        Err(payload) => {
            eprintln!("the simulation with seed {seed} failed after {elapsed:?} (virtual)");
            std::panic::resume_unwind(payload)
        }
    }
}

/// Runs the scenario with each seed until one fails.
///
/// # Panics
/// With the first seed that fails, which goes to stderr.
pub fn search<F, Fut>(seeds: impl IntoIterator<Item = u64>, scenario: F)
where
    F: Fn(Sim) -> Fut,
    Fut: Future<Output = ()> + Send + 'static,
{
    for seed in seeds {
        simulate(seed, &scenario);
    }
}

impl Sim {
    /// Starts a node: a host whose tasks, connections and disk are its own. A name that was
    /// [killed](Self::kill) starts again, with the disk it left.
    ///
    /// # Panics
    /// If a node of this name is running.
    pub fn node(&self, name: &str) -> Host {
        self.0.start_node(name)
    }

    /// The node's process is gone: its tasks are dropped, its connections end.
    pub fn kill(&self, name: &str) {
        self.0.kill(name);
    }

    /// From now on nothing gets from `from` to `to`; what is written waits, as under TCP.
    pub fn cut(&self, from: &str, to: &str) {
        self.0.set_cut(from, to, true);
    }

    /// Ends a [`cut`](Self::cut).
    pub fn heal(&self, from: &str, to: &str) {
        self.0.set_cut(from, to, false);
    }

    /// Breaks all connections between the two nodes, as a restarted router does: of what is on the way,
    /// a random part from its beginning still arrives, then both sides get errors. New connections can
    /// be made at once.
    pub fn break_connections(&self, a: &str, b: &str) {
        self.0.break_connections(a, b);
    }

    /// From now on what one node sends to the other on a connection takes its time: so many bytes a
    /// second, 128 KiB on the way at once. `None` takes the limit away.
    pub fn limit(&self, from: &str, to: &str, bytes_per_second: Option<u64>) {
        self.0.set_rate(from, to, bytes_per_second);
    }

    /// Stops a node's tasks, as SIGSTOP does, until [`resume`](Self::resume).
    pub fn pause(&self, name: &str) {
        self.0.set_paused(name, true);
    }

    /// Ends a [`pause`](Self::pause).
    pub fn resume(&self, name: &str) {
        self.0.set_paused(name, false);
    }

    /// The virtual time.
    pub fn now(&self) -> Time {
        self.0.now()
    }

    /// Done after that much virtual time.
    pub async fn sleep(&self, duration: Duration) {
        self.0.sleep(duration).await;
    }

    /// A random number of this run.
    pub fn random(&self) -> u64 {
        self.0.random()
    }
}

impl fmt::Debug for Sim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Sim(at {})", self.now())
    }
}
