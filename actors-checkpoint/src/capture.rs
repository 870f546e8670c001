use std::{collections::VecDeque, fmt};

use bytemuck::Pod;
use bytes::BytesMut;
use serde::Serialize;

use crate::{Blob, Checkpoint, Codec, MessagePack, PutError, blob::encode};

/// Encoded states above this size are not copied once more.
const SCRATCH: usize = 1 << 20;

/// Captures states into buffers that are used again once nobody holds the old state.
///
/// It remembers the buffers of its last captures. One that has become free (its version was evicted
/// from every store) takes the next state: with as many buffers as all levels of this process keep versions
/// and a running save holds, plus one, a periodic checkpoint allocates nothing any more (but for an encoded
/// state above 1 MiB). A fresh allocation costs more than any codec.
///
/// ```
/// # use actors_checkpoint::Capture;
/// let mut capture = Capture::new(3);
/// let first = capture.raw(&[0.0_f64; 1000]);
/// let place = first.bytes().as_ptr();
/// drop(first);
/// assert_eq!(capture.raw(&[1.0_f64; 1000]).bytes().as_ptr(), place);
/// ```
pub struct Capture {
    buffers: usize,
    /// The oldest first. A buffer's memory is its own again when the states in it are gone.
    used: VecDeque<BytesMut>,
    /// What codecs write to: a byte or two at a time, which a vector takes fastest.
    scratch: Vec<u8>,
}

impl Capture {
    /// Remembers up to `buffers` buffers.
    pub const fn new(buffers: usize) -> Self {
        Self { buffers, used: VecDeque::new(), scratch: Vec::new() }
    }

    /// As [`Blob::raw`].
    pub fn raw<T: Pod>(&mut self, elements: &[T]) -> Blob {
        let mut buffer = self.free(size_of_val(elements));
        let blob = Blob::raw_into(&mut buffer, elements);
        self.remember(buffer);
        blob
    }

    /// As [`Blob::encode`].
    ///
    /// # Errors
    /// As [`Blob::encode`].
    pub fn encode<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<Blob, PutError> {
        self.encode_with::<MessagePack, T>(value)
    }

    /// As [`Blob::encode_with`].
    ///
    /// # Errors
    /// As [`Blob::encode_with`].
    pub fn encode_with<C: Codec, T: Serialize + ?Sized>(
        &mut self,
        value: &T,
    ) -> Result<Blob, PutError> {
        self.scratch.clear();
        encode::<C, T>(value, &mut self.scratch)?;
        if self.scratch.len() > SCRATCH {
            return Ok(Blob::encoded::<C>(std::mem::take(&mut self.scratch).into()));
        }
        let mut buffer = self.free(self.scratch.len());
        let blob = Blob::encoded_into::<C>(&mut buffer, &self.scratch);
        self.remember(buffer);
        Ok(blob)
    }

    /// As [`Checkpoint::capture`].
    ///
    /// # Errors
    /// As [`Checkpoint::capture`].
    pub fn state<S: Checkpoint>(&mut self, state: &S) -> Result<Blob, PutError> {
        state.capture(self)
    }

    /// One with room for so many bytes, or a new one.
    fn free(&mut self, bytes: usize) -> BytesMut {
        let free = self.used.iter_mut().position(|buffer| buffer.try_reclaim(bytes.max(1)));
        free.and_then(|at| self.used.remove(at)).unwrap_or_default()
    }

    fn remember(&mut self, buffer: BytesMut) {
        if self.used.len() >= self.buffers {
            self.used.pop_front();
        }
        if self.buffers > 0 {
            self.used.push_back(buffer);
        }
    }
}

impl Default for Capture {
    /// Three buffers: for a store that keeps two versions.
    fn default() -> Self {
        Self::new(3)
    }
}

impl fmt::Debug for Capture {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Capture").field("buffers", &self.buffers).finish_non_exhaustive()
    }
}
