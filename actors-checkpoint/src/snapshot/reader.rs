//! Reading fields out of bytes that may be anything: never past the end, never a panic, and no
//! memory taken on the word of a length.

use bytes::Bytes;

use super::SnapshotProblem;

/// What is wrong, and at which byte.
pub(super) type Fault = (u64, SnapshotProblem);

pub(super) struct Reader {
    bytes: Bytes,
    at: usize,
}

impl Reader {
    pub(super) const fn new(bytes: Bytes) -> Self {
        Self { bytes, at: 0 }
    }

    pub(super) const fn at(&self) -> u64 {
        self.at as u64
    }

    pub(super) const fn left(&self) -> u64 {
        (self.bytes.len() - self.at) as u64
    }

    /// What was read since `start`.
    pub(super) fn since(&self, start: u64) -> &[u8] {
        &self.bytes[start as usize..self.at]
    }

    pub(super) fn take(&mut self, length: u64) -> Result<Bytes, Fault> {
        if length > self.left() {
            let what = SnapshotProblem::Truncated { wanted: length, found: self.left() };
            return Err((self.at(), what));
        }
        let start = self.at;
        self.at += length as usize;
        Ok(self.bytes.slice(start..self.at))
    }

    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Fault> {
        let mut array = [0; N];
        array.copy_from_slice(&self.take(N as u64)?);
        Ok(array)
    }

    pub(super) fn u16(&mut self) -> Result<u16, Fault> {
        self.array().map(u16::from_le_bytes)
    }

    pub(super) fn u32(&mut self) -> Result<u32, Fault> {
        self.array().map(u32::from_le_bytes)
    }

    pub(super) fn u64(&mut self) -> Result<u64, Fault> {
        self.array().map(u64::from_le_bytes)
    }

    pub(super) fn text(&mut self, length: u64) -> Result<String, Fault> {
        let at = self.at();
        let bytes = self.take(length)?;
        let invalid = |_| (at, SnapshotProblem::Invalid("text that is not UTF-8".into()));
        String::from_utf8(bytes.to_vec()).map_err(invalid)
    }

    /// Reads a checksum and compares it with that of what was read since `start`.
    pub(super) fn checksum(&mut self, part: &str, start: u64) -> Result<u32, Fault> {
        let found = crc32fast::hash(self.since(start));
        let expected = self.u32()?;
        same(part, start, expected, found)
    }

    pub(super) fn magic(&mut self, magic: [u8; 8], what: &str) -> Result<(), Fault> {
        let at = self.at();
        match self.array()? {
            found if found == magic => Ok(()),
            _ => Err((at, SnapshotProblem::Magic(what.into()))),
        }
    }

    pub(super) fn end(&self) -> Result<(), Fault> {
        match self.left() {
            0 => Ok(()),
            excess => Err((self.at(), SnapshotProblem::Excess(excess))),
        }
    }
}

/// A fault at `start` unless the checksums are the same.
pub(super) fn same(part: &str, start: u64, expected: u32, found: u32) -> Result<u32, Fault> {
    if expected == found {
        return Ok(found);
    }
    Err((start, SnapshotProblem::Checksum { part: part.into(), expected, found }))
}
