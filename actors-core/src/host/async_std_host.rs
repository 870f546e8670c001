use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};

use async_std::{
    net::{TcpListener, TcpStream},
    task,
};

use super::{Clock, Executor, Host, Listener, Net, Random, RealDisk, Stream, Time};
use crate::BoxFuture;

pub(super) fn host() -> Host {
    let world = Arc::new(AsyncStd { start: Instant::now() });
    Host {
        executor: world.clone(),
        clock: world.clone(),
        random: world.clone(),
        net: world,
        disk: Arc::new(RealDisk),
    }
}

struct AsyncStd {
    start: Instant,
}

impl Executor for AsyncStd {
    fn spawn(&self, task: BoxFuture<'static, ()>) {
        task::spawn(task);
    }

    fn spawn_blocking(&self, work: Box<dyn FnOnce() + Send>) {
        task::spawn_blocking(work);
    }

    fn drives_this_thread(&self) -> bool {
        task::try_current().is_some()
    }

    fn threads(&self) -> Option<usize> {
        let set = std::env::var("ASYNC_STD_THREAD_COUNT").ok().and_then(|n| n.parse().ok());
        let threads = set.or_else(|| std::thread::available_parallelism().ok().map(Into::into));
        Some(threads.unwrap_or(1))
    }
}

impl Clock for AsyncStd {
    fn now(&self) -> Time {
        Time::from_start(self.start.elapsed())
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        Box::pin(task::sleep(duration))
    }
}

impl Random for AsyncStd {
    fn next(&self) -> u64 {
        fastrand::u64(..)
    }
}

impl Net for AsyncStd {
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>> {
        let address = address.to_owned();
        Box::pin(async move {
            let listener = TcpListener::bind(&address).await?;
            let address = listener.local_addr()?.to_string();
            Ok(Box::new(Tcp { listener, address }) as Box<dyn Listener>)
        })
    }

    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Stream>> {
        let address = address.to_owned();
        Box::pin(async move { stream(TcpStream::connect(&address).await?, address) })
    }
}

struct Tcp {
    listener: TcpListener,
    address: String,
}

impl Listener for Tcp {
    fn address(&self) -> String {
        self.address.clone()
    }

    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>> {
        Box::pin(async {
            let (tcp, peer) = self.listener.accept().await?;
            stream(tcp, peer.to_string())
        })
    }
}

fn stream(tcp: TcpStream, peer: String) -> io::Result<Stream> {
    tcp.set_nodelay(true)?;
    Ok(Stream { read: Box::new(tcp.clone()), write: Box::new(tcp), peer })
}
