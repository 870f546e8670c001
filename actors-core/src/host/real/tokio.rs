use std::{cell::Cell, io, sync::Arc, thread, time::Duration};

use tokio::{
    net::{TcpListener, TcpStream},
    runtime::{self, Handle, RuntimeFlavor},
};
use tokio_util::context::TokioContext;

use super::{
    background,
    machine::{self, Monotonic},
    tokio_stream::stream,
};
use crate::{
    BoxFuture,
    host::{Clock, Executor, Host, Listener, Net, Stream, Time},
};

pub(super) fn host() -> Host {
    Handle::try_current().map_or_else(|_| host_on(Runtime::owned()), host_from)
}

pub(super) fn host_from(handle: Handle) -> Host {
    host_on(Runtime { handle, _owned: None })
}

fn host_on(runtime: Runtime) -> Host {
    let reactor = Reactor { runtime: runtime.clone(), clock: Monotonic::start() };
    machine::host(runtime, reactor)
}

/// A runtime that is kept, if it is the host's own, while this is.
#[derive(Clone)]
struct Runtime {
    handle: Handle,
    _owned: Option<Arc<Owned>>,
}

struct Owned(Option<runtime::Runtime>);

impl Runtime {
    fn owned() -> Self {
        let runtime = runtime::Builder::new_multi_thread()
            .enable_all()
            .thread_name("actors-tokio")
            .build()
            .expect("threads for tasks can be started");
        Self { handle: runtime.handle().clone(), _owned: Some(Arc::new(Owned(Some(runtime)))) }
    }

    /// The future, so that any thread may poll it.
    fn within<F: Future>(&self, future: F) -> impl Future<Output = F::Output> + use<F> {
        let kept = self.clone();
        let future = TokioContext::new(future, self.handle.clone());
        async move {
            let output = future.await;
            drop(kept);
            output
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // The last to go may be a task of the runtime itself, which cannot wait for the others.
        if let Some(runtime) = self.0.take() {
            runtime.shutdown_background();
        }
    }
}

thread_local! {
    /// Set on threads of the runtime while they do what may block.
    static MAY_BLOCK: Cell<bool> = const { Cell::new(false) };
}

impl Executor for Runtime {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        let kept = self.clone();
        self.handle.spawn(async move {
            task.await;
            drop(kept);
        });
    }

    fn spawn_worker(&self, worker: BoxFuture<'static, ()>) {
        if self.handle.runtime_flavor() == RuntimeFlavor::CurrentThread {
            return self.spawn(worker);
        }
        let kept = self.clone();
        thread::Builder::new()
            .name("actors-tokio-worker".into())
            .spawn(move || kept.handle.block_on(worker))
            .expect("threads for actors can be started");
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        let kept = self.clone();
        self.handle.spawn_blocking(move || {
            MAY_BLOCK.set(true);
            let _restore = Restore;
            work();
            drop(kept);
        });
    }

    fn spawn_background(&self, work: Box<dyn FnOnce() + Send>) {
        background::spawn(work, |work| self.spawn_blocking(work));
    }

    fn drives_this_thread(&self) -> bool {
        Handle::try_current().is_ok() && !MAY_BLOCK.get()
    }

    fn threads(&self) -> Option<usize> {
        Some(self.handle.metrics().num_workers())
    }
}

struct Restore;

impl Drop for Restore {
    fn drop(&mut self) {
        MAY_BLOCK.set(false);
    }
}

struct Reactor {
    runtime: Runtime,
    clock: Monotonic,
}

impl Clock for Reactor {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn coarse_now(&self) -> Time {
        self.clock.coarse_now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let _context = self.runtime.handle.enter();
        Box::pin(self.runtime.within(tokio::time::sleep(duration)))
    }
}

impl Net for Reactor {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let (runtime, address) = (self.runtime.clone(), address.to_owned());
        Box::pin(async move {
            let listener = runtime.within(TcpListener::bind(&address)).await?;
            let address = listener.local_addr()?.to_string();
            Ok(Box::new(Tcp { runtime, listener, address }) as Box<dyn Listener>)
        })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Stream>> {
        let (runtime, address) = (self.runtime.clone(), address.to_owned());
        Box::pin(async move {
            let tcp = runtime.within(TcpStream::connect(&address)).await?;
            stream(tcp, address)
        })
    }
}

struct Tcp {
    runtime: Runtime,
    listener: TcpListener,
    address: String,
}

impl Listener for Tcp {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async {
            let (tcp, peer) = self.runtime.within(self.listener.accept()).await?;
            stream(tcp, peer.to_string())
        })
    }
}
