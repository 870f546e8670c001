//! Reads a connection: as much at once as has come, and piece by piece out of that.

#[cfg(test)]
mod tests;

use std::{
    io::{self, IoSliceMut},
    ops::Range,
};

use actors_core::host::ReadHalf;
use futures_lite::{AsyncReadExt, future::yield_now};

use crate::pieces::{LONGEST_PIECE, Part, invalid};

/// Bytes of a buffer to begin with.
const SMALL: usize = 8 << 10;
/// Those of one whose connection always has more.
const LARGE: usize = 4 * (4 + LONGEST_PIECE);
/// Others have their turn after so many bytes.
const TURN: usize = 2 << 20;
/// A large buffer is given back after so many reads in a row that would not have needed it.
const SPARSE: u32 = 64;

/// A part of which so much has not come yet is read to where it belongs.
const LONG: usize = 16 << 10;
/// With so much of what comes after it, or the next header would be a read of its own.
const AHEAD: usize = 1 << 10;

/// The reading end of one connection. What was read and not taken is gone with it: the other side sends it
/// again.
pub(crate) struct Incoming {
    read: ReadHalf,
    buffer: Vec<u8>,
    /// What was read and not yet taken.
    ready: Range<usize>,
    /// The part that is being read to where it belongs, and how much of it is there.
    part: Option<(Part, usize)>,
    /// The last read has filled the buffer.
    filled: bool,
    /// Reads in a row that have left most of it empty.
    sparse: u32,
    reads: u64,
    /// Bytes since others had their turn.
    since_turn: usize,
}

/// What comes next.
#[derive(Debug)]
pub(crate) enum Next {
    /// A piece, which is all here.
    Piece(Range<usize>),
    /// A long part, to be read to where it belongs.
    Part(Part),
}

impl Incoming {
    pub(crate) fn new(read: ReadHalf) -> Self {
        Self {
            read,
            buffer: vec![0; SMALL],
            ready: 0..0,
            part: None,
            filled: false,
            sparse: 0,
            reads: 0,
            since_turn: 0,
        }
    }

    /// How often something has come.
    pub(crate) const fn reads(&self) -> u64 {
        self.reads
    }

    /// What comes next; `None` at the end of the connection. Cancel safe.
    ///
    /// # Errors
    /// Those of the connection, one that ends in the middle of a piece, a length that no piece has.
    pub(crate) async fn next(&mut self) -> io::Result<Option<Next>> {
        loop {
            if let Some((part, _)) = self.part {
                return Ok(Some(Next::Part(part)));
            }
            if let Some(piece) = self.take()? {
                return Ok(Some(Next::Piece(piece)));
            }
            if self.begin_part()? {
                continue;
            }
            if !self.fill().await? {
                return match self.ready.is_empty() {
                    true => Ok(None),
                    false => Err(io::ErrorKind::UnexpectedEof.into()),
                };
            }
        }
    }

    /// The piece that came, without its length, until the next one is read.
    pub(crate) fn piece(&self, piece: Range<usize>) -> &[u8] {
        &self.buffer[piece]
    }

    /// Reads the bytes of the part that came to where they belong. Cancel safe, if they belong there again.
    ///
    /// # Errors
    /// Those of the connection, and its end.
    pub(crate) async fn read_part(&mut self, to: &mut [u8]) -> io::Result<()> {
        let Some((part, mut done)) = self.part else { return Ok(()) };
        let here = self.ready.len().min(to.len() - done);
        let from = self.ready.start..self.ready.start + here;
        to[done..done + here].copy_from_slice(&self.buffer[from.clone()]);
        self.ready.start = from.end;
        done += here;
        while done < to.len() {
            self.part = Some((part, done));
            self.take_turns().await;
            let rest = &mut to[done..];
            let wanted = rest.len();
            let mut slices = [IoSliceMut::new(rest), IoSliceMut::new(&mut self.buffer[..AHEAD])];
            let read = self.read.read_vectored(&mut slices).await?;
            if read == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            self.came(read);
            done += read.min(wanted);
            self.ready = 0..read.saturating_sub(wanted);
        }
        (self.part, self.filled) = (None, false);
        Ok(())
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

    /// Whether a long part comes next, most of which is not here.
    fn begin_part(&mut self) -> io::Result<bool> {
        let Some(length) = self.length()? else { return Ok(false) };
        let head = &self.buffer[self.ready.start + 4..self.ready.end];
        let Some(part) = Part::of(head, length) else { return Ok(false) };
        if length < head.len() + LONG {
            return Ok(false);
        }
        self.ready.start += 4 + part.header();
        self.part = Some((part, 0));
        Ok(true)
    }

    async fn take_turns(&mut self) {
        if self.since_turn >= TURN {
            self.since_turn = 0;
            yield_now().await;
        }
    }

    fn came(&mut self, bytes: usize) {
        self.since_turn += bytes;
        self.reads += 1;
    }

    /// False at the end of the connection.
    async fn fill(&mut self) -> io::Result<bool> {
        self.take_turns().await;
        self.make_room()?;
        let room = self.buffer.len() - self.ready.end;
        let read = self.read.read(&mut self.buffer[self.ready.end..]).await?;
        self.ready.end += read;
        self.came(read);
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
