//! Reads a connection: as much at once as has come, and piece by piece out of that.

#[cfg(test)]
mod tests;

use std::{io, ops::Range};

use actors_core::host::ReadHalf;
use futures_lite::{AsyncReadExt, future::yield_now};

use crate::pieces::{LONGEST_PIECE, invalid};

/// Bytes of a buffer to begin with.
const SMALL: usize = 8 << 10;
/// Those of one whose connection always has more.
const LARGE: usize = 4 * (4 + LONGEST_PIECE);
/// A large buffer is given back after so many reads in a row that would not have needed it.
const SPARSE: u32 = 64;

/// The reading end of one connection. What was read and not taken is gone with it: the other side sends it
/// again.
pub(crate) struct Incoming {
    read: ReadHalf,
    buffer: Vec<u8>,
    /// What was read and not yet taken.
    ready: Range<usize>,
    /// The last read has filled the buffer.
    filled: bool,
    /// Reads in a row that have left most of it empty.
    sparse: u32,
    reads: u64,
    /// Bytes since others had their turn.
    since_turn: usize,
}

impl Incoming {
    pub(crate) fn new(read: ReadHalf) -> Self {
        Self {
            read,
            buffer: vec![0; SMALL],
            ready: 0..0,
            filled: false,
            sparse: 0,
            reads: 0,
            since_turn: 0,
        }
    }

    /// Counts the times that something has come.
    pub(crate) const fn reads(&self) -> u64 {
        self.reads
    }

    /// The next piece, without its length; `None` at the end of the connection. Cancel safe.
    ///
    /// # Errors
    /// Those of the connection, one that ends in the middle of a piece, a length that no piece has.
    pub(crate) async fn piece(&mut self) -> io::Result<Option<&[u8]>> {
        loop {
            if let Some(piece) = self.take()? {
                return Ok(Some(&self.buffer[piece]));
            }
            if !self.fill().await? {
                return match self.ready.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// The length of the next piece, if that has come.
    fn length(&self) -> io::Result<Option<usize>> {
        let Some(length) = self.buffer[self.ready.clone()].first_chunk() else { return Ok(None) };
        let length = u32::from_le_bytes(*length) as usize;
        if !(1..=LONGEST_PIECE).contains(&length) {
            let most = LONGEST_PIECE;
            return Err(invalid(format!("a piece of {length} bytes; 1 to {most} are taken")));
        }
        Ok(Some(length))
    }

    fn take(&mut self) -> io::Result<Option<Range<usize>>> {
        let Some(length) = self.length()?.filter(|length| 4 + length <= self.ready.len()) else {
            return Ok(None);
        };
        let start = self.ready.start + 4;
        self.ready.start = start + length;
        Ok(Some(start..start + length))
    }

    /// False at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        if self.since_turn >= LARGE {
            self.since_turn = 0;
            yield_now().await;
        }
        self.make_room()?;
        let room = self.buffer.len() - self.ready.end;
        let read = self.read.read(&mut self.buffer[self.ready.end..]).await?;
        self.ready.end += read;
        self.since_turn += read;
        self.reads += 1;
        self.filled = read == room;
        // A connection may live for longer than this can count.
        self.sparse = if self.ready.len() <= SMALL { self.sparse.saturating_add(1) } else { 0 };
        Ok(read > 0)
    }

    /// For the rest of the piece that has begun, at least.
    fn make_room(&mut self) -> io::Result<()> {
        let wanted = match self.length()? {
            _ if self.filled => (2 * self.buffer.len()).min(LARGE),
            Some(length) => 4 + length,
            None => 0,
        };
        if self.buffer.len() > SMALL && self.sparse >= SPARSE && wanted <= SMALL {
            let rest = self.buffer[self.ready.clone()].to_vec();
            self.buffer = rest;
            self.buffer.resize(SMALL, 0);
        } else {
            self.buffer.copy_within(self.ready.clone(), 0);
            self.buffer.resize(self.buffer.len().max(wanted), 0);
        }
        self.ready = 0..self.ready.len();
        self.filled = false;
        Ok(())
    }
}
