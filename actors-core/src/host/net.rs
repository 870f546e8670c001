use std::io;

use futures_lite::{AsyncRead, AsyncWrite};

use crate::BoxFuture;

/// Connects to addresses. Streams are ordered bytes, as TCP's.
pub trait Net: Send + Sync {
    /// Takes connections at `address`; port 0 takes a free one.
    fn listen(&self, address: &str) -> BoxFuture<'static, io::Result<Box<dyn Listener>>>;
    /// Connects to a listener.
    fn connect(&self, address: &str) -> BoxFuture<'static, io::Result<Stream>>;
}

/// Takes connections. Dropped, it takes no more.
pub trait Listener: Send {
    /// The address to connect to, with the port taken.
    fn address(&self) -> String;
    /// The next connection.
    fn accept(&mut self) -> BoxFuture<'_, io::Result<Stream>>;
}

/// The reading end of a connection.
pub type ReadHalf = Box<dyn AsyncRead + Send + Unpin>;
/// The writing end of a connection; closing or dropping it ends the stream.
pub type WriteHalf = Box<dyn AsyncWrite + Send + Unpin>;

/// A connection.
pub struct Stream {
    /// The reading end.
    pub read: ReadHalf,
    /// The writing end.
    pub write: WriteHalf,
    /// The other side's address.
    pub peer: String,
}

impl std::fmt::Debug for Stream {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Stream({})", self.peer)
    }
}
