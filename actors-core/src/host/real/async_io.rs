//! Timers and TCP of the reactor that async-std and smol have in common.

use std::{
    io,
    net::Shutdown,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use async_io::Timer;
use async_net::{TcpListener, TcpStream};
use futures_lite::AsyncWrite;

use super::machine::Monotonic;
use crate::{
    BoxFuture,
    host::{Clock, Listener, Net, Stream, Time},
};

pub(super) struct AsyncIo {
    clock: Monotonic,
}

impl AsyncIo {
    pub(super) fn new() -> Self {
        Self { clock: Monotonic::start() }
    }
}

impl Clock for AsyncIo {
    fn now(&self) -> Time {
        self.clock.now()
    }

    fn coarse_now(&self) -> Time {
        self.clock.coarse_now()
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        let timer = Timer::after(duration);
        Box::pin(async move {
            timer.await;
        })
    }
}

impl Net for AsyncIo {
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
    Ok(Stream { read: Box::new(tcp.clone()), write: Box::new(Writer(tcp)), peer })
}

/// A writing end: it shares the socket with the reading end, and ends its direction alone.
struct Writer(TcpStream);

impl AsyncWrite for Writer {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_close(cx)
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // An error says that the connection has ended already.
        let _ = self.0.shutdown(Shutdown::Write);
    }
}
