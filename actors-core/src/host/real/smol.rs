use std::{
    cell::Cell,
    future::pending,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::OnceLock,
    thread,
};

use async_executor::StaticExecutor;

use super::{
    async_io::AsyncIo,
    background,
    machine::{self, parallelism, threads_asked_for},
};
use crate::{
    BoxFuture,
    host::{Executor, Host},
};

static EXECUTOR: StaticExecutor = StaticExecutor::new();

pub(super) fn host() -> Host {
    static THREADS: OnceLock<usize> = OnceLock::new();
    let threads = *THREADS.get_or_init(start_threads);
    machine::host(Smol { threads }, AsyncIo::new())
}

fn start_threads() -> usize {
    // With one thread, a handler that computes would hold up all others.
    let threads = threads_asked_for("SMOL_THREADS").unwrap_or_else(|| parallelism().max(2));
    for n in 1..=threads {
        let thread = thread::Builder::new().name(format!("smol-{n}"));
        thread.spawn(drive).expect("a thread for tasks can be started");
    }
    threads
}

/// Runs tasks for ever.
fn drive() {
    DRIVES.set(true);
    loop {
        // The panic of a task ends that task alone.
        let run = || async_io::block_on(EXECUTOR.run(pending::<()>()));
        let _ = catch_unwind(AssertUnwindSafe(run));
    }
}

thread_local! {
    static DRIVES: Cell<bool> = const { Cell::new(false) };
}

struct Smol {
    threads: usize,
}

impl Executor for Smol {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        EXECUTOR.spawn(task).detach();
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        blocking::unblock(work).detach();
    }

    fn spawn_background(&self, work: Box<dyn FnOnce() + Send>) {
        background::spawn(work, |work| self.spawn_blocking(work));
    }

    fn drives_this_thread(&self) -> bool {
        DRIVES.get()
    }

    fn threads(&self) -> Option<usize> {
        Some(self.threads)
    }
}
