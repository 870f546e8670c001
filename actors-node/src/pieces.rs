//! What a connection carries after the hand-shake: values, whole or in parts.
//!
//! The format is written down in `docs/formats.md`.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, io};

use serde::{Serialize, de::DeserializeOwned};

use crate::incoming::Incoming;

/// The longest value, and the longest part of one, that goes in one piece, in bytes.
pub(crate) const LONGEST_VALUE: usize = 1 << 16;
/// Values that may be under way in parts at once.
pub(crate) const TRANSFERS: usize = 64;
/// Bytes before a whole value.
pub(crate) const WHOLE_HEADER: usize = 5;
/// The longest piece, without its length.
pub(crate) const LONGEST_PIECE: usize = 1 + 4 + 8 + LONGEST_VALUE;

const WHOLE: u8 = 0;
const FIRST_PART: u8 = 1;
const PART: u8 = 2;

pub(crate) fn encode(value: &impl Serialize) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("frames are plain data: they encode")
}

/// Appends a value as one piece, whatever its length.
pub(crate) fn append_whole(to: &mut Vec<u8>, value: &impl Serialize) {
    let start = to.len();
    to.extend_from_slice(&[0; WHOLE_HEADER]);
    rmp_serde::encode::write(to, value).expect("frames are plain data: they encode");
    let length = (to.len() - start - 4) as u32;
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

pub(crate) fn append_value(to: &mut Vec<u8>, value: &[u8]) {
    append(to, WHOLE, &[], value);
}

pub(crate) fn append_first_part(to: &mut Vec<u8>, transfer: u32, total: usize, part: &[u8]) {
    let mut header = [0; 12];
    header[..4].copy_from_slice(&transfer.to_le_bytes());
    header[4..].copy_from_slice(&(total as u64).to_le_bytes());
    append(to, FIRST_PART, &header, part);
}

pub(crate) fn append_part(to: &mut Vec<u8>, transfer: u32, part: &[u8]) {
    append(to, PART, &transfer.to_le_bytes(), part);
}

fn append(to: &mut Vec<u8>, kind: u8, header: &[u8], bytes: &[u8]) {
    debug_assert!(bytes.len() <= LONGEST_VALUE);
    let length = (1 + header.len() + bytes.len()) as u32;
    to.extend_from_slice(&length.to_le_bytes());
    to.push(kind);
    to.extend_from_slice(header);
    to.extend_from_slice(bytes);
}

/// Puts values together again, over all connections of a session.
pub(crate) struct Assembly {
    /// The longest value that is taken, in bytes.
    longest: usize,
    open: BTreeMap<u32, Transfer>,
    /// Bytes of the pieces that were taken so far.
    received: u64,
}

struct Transfer {
    total: usize,
    bytes: Vec<u8>,
}

impl Assembly {
    pub(crate) const fn new(longest: usize) -> Self {
        Self { longest, open: BTreeMap::new(), received: 0 }
    }

    /// Bytes of the pieces that were read so far, all of them whole.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Values of which only a part was read so far.
    pub(crate) fn transfers(&self) -> usize {
        self.open.len()
    }

    /// Reads one piece. `None` is the end of the connection; `Some(None)` a part with more to come. Cancel
    /// safe: a piece that was not read to its end was not read.
    pub(crate) async fn read<T: DeserializeOwned>(
        &mut self,
        incoming: &mut Incoming,
    ) -> io::Result<Option<Option<T>>> {
        let Some(piece) = incoming.piece().await? else { return Ok(None) };
        let value = self.take(piece);
        self.received += 4 + piece.len() as u64;
        value.map(Some)
    }

    /// Takes one piece, without its length.
    pub(crate) fn take<T: DeserializeOwned>(&mut self, piece: &[u8]) -> io::Result<Option<T>> {
        let (kind, rest) = split::<1>(piece)?;
        match kind[0] {
            WHOLE => decode(rest).map(Some),
            FIRST_PART => {
                let (transfer, rest) = split(rest)?;
                let (total, part) = split(rest)?;
                let total = usize::try_from(u64::from_le_bytes(total)).unwrap_or(usize::MAX);
                self.begin(u32::from_le_bytes(transfer), total)?;
                self.append(u32::from_le_bytes(transfer), part)
            }
            PART => {
                let (transfer, part) = split(rest)?;
                self.append(u32::from_le_bytes(transfer), part)
            }
            kind => Err(invalid(format!("a piece of kind {kind}"))),
        }
    }

    fn begin(&mut self, transfer: u32, total: usize) -> io::Result<()> {
        if total > self.longest {
            let most = self.longest;
            return Err(invalid(format!("a value of {total} bytes; at most {most} are taken")));
        }
        if self.open.len() >= TRANSFERS {
            return Err(invalid(format!("more than {TRANSFERS} values at once")));
        }
        let begun = Transfer { total, bytes: Vec::new() };
        match self.open.insert(transfer, begun) {
            None => Ok(()),
            Some(_) => Err(invalid(format!("transfer {transfer} begins twice"))),
        }
    }

    fn append<T: DeserializeOwned>(&mut self, transfer: u32, part: &[u8]) -> io::Result<Option<T>> {
        let unknown = || invalid(format!("a part of transfer {transfer}, which has not begun"));
        let Transfer { total, bytes } = self.open.get_mut(&transfer).ok_or_else(unknown)?;
        if part.is_empty() || part.len() > *total - bytes.len() {
            let (so_far, part, total) = (bytes.len(), part.len(), *total);
            let text = format!("{part} bytes after {so_far} of the {total} of transfer {transfer}");
            return Err(invalid(text));
        }
        // Room is made as the data comes, whatever was announced.
        bytes.extend_from_slice(part);
        if bytes.len() < *total {
            return Ok(None);
        }
        let whole = self.open.remove(&transfer).ok_or_else(unknown)?;
        decode(&whole.bytes).map(Some)
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.open.values().map(|t| t.bytes.capacity()).sum::<usize>()
    }
}

fn split<const N: usize>(bytes: &[u8]) -> io::Result<([u8; N], &[u8])> {
    let (head, rest) =
        bytes.split_first_chunk().ok_or_else(|| invalid("a piece without its head".into()))?;
    Ok((*head, rest))
}

fn decode<T: DeserializeOwned>(value: &[u8]) -> io::Result<T> {
    let length = value.len();
    rmp_serde::from_slice(value)
        .map_err(|error| invalid(format!("a value of {length} bytes does not decode: {error}")))
}

/// What no peer sends, and what comes again on another connection.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Malformed(String);

/// Whether it was what came, and not the connection.
pub(crate) fn is_malformed(error: &io::Error) -> bool {
    error.get_ref().is_some_and(|error| error.is::<Malformed>())
}

pub(crate) fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, Malformed(text))
}
