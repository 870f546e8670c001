use std::{collections::VecDeque, fmt};

use bytemuck::Pod;
use bytes::{Bytes, BytesMut};
use serde::Serialize;

use crate::{Blob, Checkpoint, Codec, MessagePack, PutError};

/// Captures states into buffers that are used again once nobody holds the old state.
///
/// It remembers the buffers of its last captures. One that has become free (its version was evicted
/// from every store) takes the next state: with as many buffers as stores keep versions, plus one, a
/// periodic checkpoint allocates no state buffer any more. A fresh allocation costs more than any codec.
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
    used: VecDeque<Bytes>,
}

impl Capture {
    /// Remembers up to `buffers` buffers.
    pub const fn new(buffers: usize) -> Self {
        Self { buffers, used: VecDeque::new() }
    }

    /// As [`Blob::raw`].
    pub fn raw<T: Pod>(&mut self, elements: &[T]) -> Blob {
        let blob = Blob::raw_into(self.free(), elements);
        self.remember(&blob);
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
        let blob = Blob::encode_into::<C, T>(self.free(), value)?;
        self.remember(&blob);
        Ok(blob)
    }

    /// As [`Checkpoint::capture`].
    ///
    /// # Errors
    /// As [`Checkpoint::capture`].
    pub fn state<S: Checkpoint>(&mut self, state: &S) -> Result<Blob, PutError> {
        state.capture(self)
    }

    fn free(&mut self) -> BytesMut {
        let free = self.used.iter().position(Bytes::is_unique);
        let bytes = free.and_then(|at| self.used.remove(at));
        bytes.and_then(|bytes| bytes.try_into_mut().ok()).unwrap_or_default()
    }

    fn remember(&mut self, blob: &Blob) {
        if self.used.len() >= self.buffers {
            self.used.pop_front();
        }
        if self.buffers > 0 {
            self.used.push_back(blob.bytes().clone());
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
