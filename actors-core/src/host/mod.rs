//! Everything an actor system reaches of the world, behind traits.
//!
//! A [`Host`] bundles a task executor, a [`Clock`], [`Random`]ness, a [`Net`] and a [`Disk`]. The
//! real one is [`Host::real`]; [`sim`](crate::sim) has those of a simulation. No other part of these
//! crates names a runtime, reads a clock, draws a random number, opens a socket or a file.
//!
//! Real hosts differ in the runtime whose threads run tasks:
//!
//! | feature | host | in handlers |
//! |---|---|---|
//! | `async-std` (default) | `Host::async_std` | async-std and smol libraries |
//! | `tokio1` | `Host::async_std` | tokio libraries too |
//! | `smol` | `Host::smol` | smol libraries |
//! | `tokio` | `Host::tokio`, `Host::tokio_from` | tokio libraries |
//!
//! A process may use several at once, a system each. On a tokio runtime of several threads, actors run on as
//! many threads of their own within it: a task that tokio has in its slot for what runs next is taken up by
//! no other thread, should a handler not return.

mod disk;
mod net;
mod real;
mod time;

use std::{fmt, io, sync::Arc, time::Duration};

pub use disk::{Disk, DiskFile, DiskLock, RealDisk};
pub use net::{Listener, Net, ReadHalf, Stream, WriteHalf};
pub use time::Time;

use crate::BoxFuture;

/// One world to run in. Cheap to clone.
#[derive(Clone)]
pub struct Host {
    /// Runs tasks.
    pub executor: Arc<dyn Executor>,
    /// Tells the time.
    pub clock: Arc<dyn Clock>,
    /// Draws random numbers.
    pub random: Arc<dyn Random>,
    /// Connects.
    pub net: Arc<dyn Net>,
    /// Keeps files.
    pub disk: Arc<dyn Disk>,
}

/// Runs tasks.
pub trait Executor: Send + Sync {
    /// Runs a task to its end, beside the caller.
    fn spawn(&self, task: BoxFuture<'static, ()>);
    /// Runs a worker of a system: a task that goes on as long as the system, and may hold its thread
    /// for as long as a handler does. When it is woken, a thread that is free must take it up.
    fn spawn_worker(&self, worker: BoxFuture<'static, ()>) {
        self.spawn(worker);
    }
    /// Runs something that blocks, where it holds up no actor.
    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>);
    /// As [`spawn_blocking`](Self::spawn_blocking), for what nobody is in a hurry for: everything else that wants the
    /// processor goes first.
    fn spawn_background(&self, work: Box<dyn FnOnce() + Send>) {
        self.spawn_blocking(work);
    }
    /// True on a thread that runs tasks: blocking there could deadlock.
    fn drives_this_thread(&self) -> bool;
    /// How many threads run tasks, when tasks run on threads of the machine: the system then runs its
    /// actors on that many workers. `None`: one thread, one task an actor, as a simulation needs.
    fn threads(&self) -> Option<usize> {
        None
    }
}

/// Tells the time: monotonic, since some start.
pub trait Clock: Send + Sync {
    /// Now.
    fn now(&self) -> Time;
    /// Now, to within 10 ms, for less: what timeouts of seconds are counted from.
    fn coarse_now(&self) -> Time {
        self.now()
    }
    /// Done after `duration`.
    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()>;
}

/// Draws random numbers.
pub trait Random: Send + Sync {
    /// 64 random bits. They may be foreseen by who has seen others: no keys are made of them.
    fn next(&self) -> u64;
    /// Fills all of `bytes` with what nobody can foresee: for keys and challenges. In a simulation they
    /// come from its seed.
    ///
    /// # Errors
    /// What the system says when it has none to give.
    fn fill(&self, bytes: &mut [u8]) -> io::Result<()>;
}

impl Host {
    /// Runs something that blocks, where it holds up no actor, and waits for its result. Dropped, it
    /// gives up the result, and `work` runs on.
    ///
    /// # Panics
    /// As `work` does; and when the runtime was shut down before it was done.
    pub async fn blocking<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.result_of(work, |work| self.executor.spawn_blocking(work)).await
    }

    /// As [`blocking`](Self::blocking), for what nobody is in a hurry for: everything else that wants the processor
    /// goes first. On a machine whose processors are all busy it gets one or two hundredths of one.
    ///
    /// # Panics
    /// As [`blocking`](Self::blocking).
    pub async fn background<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
    ) -> T {
        self.result_of(work, |work| self.executor.spawn_background(work)).await
    }

    async fn result_of<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> T + Send + 'static,
        spawn: impl FnOnce(Box<dyn FnOnce() + Send>),
    ) -> T {
        let (reply, waiting) = crate::reply::one_shot();
        spawn(Box::new(move || {
            let result = std::panic::catch_unwind(std::panic::AssertUnwindSafe(work));
            reply.answer(result);
        }));
        match waiting.answer().await {
            Ok(Ok(value)) => value,
            Ok(Err(payload)) => std::panic::resume_unwind(payload),
            Err(_) => panic!("the runtime was shut down before the work was done"),
        }
    }
}

impl fmt::Debug for Host {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Host")
    }
}
