use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
};

use actors_core::host::{ReadHalf, Stream, WriteHalf};
use futures_lite::{AsyncRead, AsyncWrite};

/// Both ends of a connection as one.
pub(super) struct Duplex {
    read: ReadHalf,
    write: WriteHalf,
    peer: String,
}

impl Duplex {
    pub(super) fn of(stream: Stream) -> Self {
        let Stream { read, write, peer } = stream;
        Self { read, write, peer }
    }

    pub(super) fn into_stream(self) -> Stream {
        let Self { read, write, peer } = self;
        Stream { read, write, peer }
    }
}

impl AsyncRead for Duplex {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.read).poll_read(cx, bytes)
    }
}

impl AsyncWrite for Duplex {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.write).poll_write_vectored(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_flush(cx)
    }

    fn poll_close(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.write).poll_close(cx)
    }
}
