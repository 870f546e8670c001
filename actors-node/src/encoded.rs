//! An encoded frame as it goes in parts: what is long in it is not copied, but shared by all who keep a part of it.

#[cfg(test)]
mod tests;

use std::{io, ops::Range, ptr, sync::Arc};

use crate::wire::Frame;

/// Bytes that others have too, and that do not change.
#[derive(Clone, Debug)]
pub(crate) struct Shared {
    bytes: Arc<Vec<u8>>,
    range: Range<usize>,
}

impl Shared {
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes[self.range.clone()]
    }
}

/// What goes next: bytes of its own, then shared ones if there are any, then more of its own.
#[derive(Debug, Default)]
pub(crate) struct Batch {
    pub(crate) bytes: Vec<u8>,
    pub(crate) shared: Option<Shared>,
    pub(crate) rest: Vec<u8>,
}

impl Batch {
    pub(crate) fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }
}

/// A value, encoded.
#[derive(Debug)]
pub(crate) struct Encoded {
    /// All but the long part, which comes after so many of these.
    around: Vec<u8>,
    at: usize,
    long: Arc<Vec<u8>>,
}

impl Encoded {
    /// Takes what is long in the frame as it is.
    pub(crate) fn new(frame: Frame) -> Self {
        let mut gap = Gap { around: Vec::new(), long: frame.long_part(), at: None };
        rmp_serde::encode::write(&mut gap, &frame).expect("frames are plain data: they encode");
        let Gap { around, at, .. } = gap;
        match at {
            Some(at) => Self { around, at, long: Arc::new(frame.into_long_part()) },
            None => around.into(),
        }
    }

    pub(crate) fn len(&self) -> usize {
        self.around.len() + self.long.len()
    }

    pub(crate) fn copy_to(&self, to: &mut Vec<u8>) {
        let (before, after) = self.around.split_at(self.at);
        for bytes in [before, &self.long, after] {
            to.extend_from_slice(bytes);
        }
    }

    /// Appends these bytes of it to a batch that has nothing shared yet.
    pub(crate) fn append(&self, range: Range<usize>, batch: &mut Batch) {
        let (start, end) = (self.at, self.at + self.long.len());
        let part = |from, to| range.start.clamp(from, to)..range.end.clamp(from, to);
        batch.bytes.extend_from_slice(&self.around[part(0, start)]);
        let long = part(start, end);
        if !long.is_empty() {
            let range = long.start - start..long.end - start;
            batch.shared = Some(Shared { bytes: self.long.clone(), range });
        }
        let after = part(end, self.len());
        let own = if batch.shared.is_some() { &mut batch.rest } else { &mut batch.bytes };
        let passed = self.long.len();
        own.extend_from_slice(&self.around[after.start - passed..after.end - passed]);
    }
}

impl From<Vec<u8>> for Encoded {
    fn from(value: Vec<u8>) -> Self {
        Self { around: Vec::new(), at: 0, long: Arc::new(value) }
    }
}

/// Takes what is written, but for one slice, of which it notes the place.
struct Gap<'a> {
    around: Vec<u8>,
    long: &'a [u8],
    at: Option<usize>,
}

impl io::Write for Gap<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        if self.at.is_none() && !bytes.is_empty() && ptr::eq(bytes, self.long) {
            self.at = Some(self.around.len());
        } else {
            self.around.extend_from_slice(bytes);
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
