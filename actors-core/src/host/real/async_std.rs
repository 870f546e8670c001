use async_std::task;

use super::{
    async_io::AsyncIo,
    background,
    machine::{self, parallelism, threads_asked_for},
};
use crate::{
    BoxFuture,
    host::{Executor, Host},
};

pub(super) fn host() -> Host {
    let threads = threads_asked_for("ASYNC_STD_THREAD_COUNT").unwrap_or_else(parallelism);
    machine::host(AsyncStd { threads }, AsyncIo::new())
}

struct AsyncStd {
    threads: usize,
}

impl Executor for AsyncStd {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        task::spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        task::spawn_blocking(work);
    }

    fn spawn_background(&self, work: Box<dyn FnOnce() + Send>) {
        background::spawn(work, |work| self.spawn_blocking(work));
    }

    fn drives_this_thread(&self) -> bool {
        task::try_current().is_some()
    }

    fn threads(&self) -> Option<usize> {
        Some(self.threads)
    }
}
