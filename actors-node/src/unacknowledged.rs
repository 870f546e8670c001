//! What was written and has perhaps not arrived: kept until the other side says that it has. Pure.

#[cfg(test)]
mod tests;

use std::{collections::VecDeque, io::IoSlice, iter, sync::Arc};

use crate::encoded::Shared;

/// Batches below this are put together in one chunk: an allocation each would cost more than the copy.
const SMALL: usize = 16 << 10;
/// A chunk of small ones has up to this much.
const GATHERED: usize = 64 << 10;
/// No chunk has more: what is kept goes chunk by chunk.
const LONGEST_CHUNK: usize = 1 << 20;

/// So many chunks are written at once, with so many bytes if they are more than one.
pub(crate) const TOGETHER: usize = 9;
const LONGEST_REST: usize = 384 << 10;

/// So many buffers of chunks that have arrived are used again, of up to so many bytes each.
const SPARES: usize = 8;
const LONGEST_SPARE: usize = 128 << 10;

/// The end of a stream of bytes, which are counted from 0 at the beginning of the session.
#[derive(Debug, Default)]
pub(crate) struct Unacknowledged {
    /// In order, without a gap, none of them empty.
    chunks: VecDeque<Chunk>,
    /// All before this has arrived.
    arrived: u64,
    /// What comes next has this number.
    end: u64,
    /// Empty buffers.
    spares: Vec<Vec<u8>>,
}

#[derive(Debug)]
struct Chunk {
    start: u64,
    bytes: Bytes,
}

#[derive(Clone, Debug)]
enum Bytes {
    /// Of this stream alone.
    Own(Arc<Vec<u8>>),
    /// Those of a value.
    Shared(Shared),
}

impl Bytes {
    fn as_slice(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(shared) => shared.bytes(),
        }
    }
}

impl Chunk {
    fn len(&self) -> usize {
        self.bytes.as_slice().len()
    }

    fn end(&self) -> u64 {
        self.start + self.len() as u64
    }
}

/// A piece of the stream that is to be written.
#[derive(Debug)]
pub(crate) struct Rest {
    first: Bytes,
    more: Vec<Bytes>,
    /// Bytes of the first one that are not to be written.
    offset: usize,
    length: usize,
    /// What comes after it.
    pub(crate) end: u64,
}

impl Rest {
    pub(crate) const fn len(&self) -> usize {
        self.length
    }

    /// What is left when so much of it was written, to be written at once.
    pub(crate) fn slices(&self, written: usize) -> ([IoSlice<'_>; TOGETHER], usize) {
        let (mut slices, mut count) = ([IoSlice::new(&[]); TOGETHER], 0);
        let mut before = written + self.offset;
        for bytes in iter::once(&self.first).chain(&self.more).map(Bytes::as_slice) {
            match bytes.get(before..) {
                Some(rest) if !rest.is_empty() => {
                    slices[count] = IoSlice::new(rest);
                    (count, before) = (count + 1, 0);
                }
                _ => before -= bytes.len(),
            }
        }
        (slices, count)
    }
}

/// The other side says that it has, or wants, what it cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it has {said} bytes of the stream, it says; bytes {arrived} to {end} may be")]
pub(crate) struct Impossible {
    said: u64,
    arrived: u64,
    end: u64,
}

impl Unacknowledged {
    /// Bytes that are kept.
    pub(crate) const fn bytes(&self) -> usize {
        (self.end - self.arrived) as usize
    }

    /// All before this has arrived.
    pub(crate) const fn arrived(&self) -> u64 {
        self.arrived
    }

    /// What comes next has this number.
    pub(crate) const fn end(&self) -> u64 {
        self.end
    }

    /// Adds a batch to the stream. What is left of it is an empty buffer to be used again.
    pub(crate) fn append(&mut self, batch: &mut Vec<u8>) {
        match batch.len() {
            0 => return,
            1..SMALL => self.gather(batch),
            SMALL..=LONGEST_CHUNK => self.push(std::mem::take(batch)),
            _ => batch.chunks(LONGEST_CHUNK).for_each(|chunk| self.push(chunk.to_vec())),
        }
        batch.clear();
    }

    fn gather(&mut self, batch: &[u8]) {
        // One that is being written stays as it is.
        let tail = self.chunks.back_mut().and_then(|chunk| match &mut chunk.bytes {
            Bytes::Own(bytes) => Arc::get_mut(bytes),
            Bytes::Shared(_) => None,
        });
        match tail {
            Some(tail) if tail.len() + batch.len() <= GATHERED => {
                tail.extend_from_slice(batch);
                self.end += batch.len() as u64;
            }
            _ => self.push(batch.to_vec()),
        }
    }

    fn push(&mut self, bytes: Vec<u8>) {
        self.push_chunk(Bytes::Own(Arc::new(bytes)));
    }

    /// Adds bytes that stay where they are.
    pub(crate) fn share(&mut self, shared: Shared) {
        self.push_chunk(Bytes::Shared(shared));
    }

    fn push_chunk(&mut self, bytes: Bytes) {
        let chunk = Chunk { start: self.end, bytes };
        self.end = chunk.end();
        self.chunks.push_back(chunk);
    }

    /// What is kept from this byte on, as far as it is written at once: what has arrived is passed over.
    /// `None` at the end of the stream.
    pub(crate) fn rest(&self, at: u64) -> Option<Rest> {
        let at = at.max(self.arrived);
        let index = self.chunks.partition_point(|chunk| chunk.end() <= at);
        let first = self.chunks.get(index)?;
        let mut end = first.end();
        let mut more = Vec::new();
        for chunk in self.chunks.range(index + 1..).take(TOGETHER - 1) {
            if (chunk.end() - at) as usize > LONGEST_REST {
                break;
            }
            more.push(chunk.bytes.clone());
            end = chunk.end();
        }
        let (offset, length) = ((at - first.start) as usize, (end - at) as usize);
        Some(Rest { first: first.bytes.clone(), more, offset, length, end })
    }

    /// Everything before this has arrived. An old word changes nothing.
    ///
    /// # Errors
    /// So much was never there.
    pub(crate) fn acknowledge(&mut self, arrived: u64) -> Result<(), Impossible> {
        if arrived > self.end {
            return Err(self.impossible(arrived));
        }
        self.arrived = self.arrived.max(arrived);
        while self.chunks.front().is_some_and(|chunk| chunk.end() <= self.arrived) {
            self.keep_buffer();
        }
        Ok(())
    }

    fn keep_buffer(&mut self) {
        let buffer = self.chunks.pop_front().and_then(|chunk| match chunk.bytes {
            Bytes::Own(bytes) => Arc::into_inner(bytes),
            Bytes::Shared(_) => None,
        });
        if let Some(mut buffer) = buffer
            && self.spares.len() < SPARES
            && buffer.capacity() <= LONGEST_SPARE
        {
            buffer.clear();
            self.spares.push(buffer);
        }
    }

    /// An empty buffer for a batch.
    pub(crate) fn buffer(&mut self) -> Vec<u8> {
        self.spares.pop().unwrap_or_default()
    }

    /// The other side wants the stream from here on.
    ///
    /// # Errors
    /// So much was never there, or is there no more.
    pub(crate) fn resume(&mut self, at: u64) -> Result<(), Impossible> {
        if at < self.arrived {
            return Err(self.impossible(at));
        }
        self.acknowledge(at)
    }

    const fn impossible(&self, said: u64) -> Impossible {
        Impossible { said, arrived: self.arrived, end: self.end }
    }
}
