//! What a connection carries after the hand-shake: values, whole or in parts.
//!
//! The format is written down in `docs/formats.md`.

#[cfg(test)]
mod tests;

use std::{collections::BTreeMap, io, mem};

use serde::Deserialize;

use crate::{
    incoming::{Incoming, Next},
    wire::Frame,
};

/// The longest value, and the longest part of one, that goes in one piece, in bytes.
pub(crate) const LONGEST_VALUE: usize = 1 << 16;
/// Values that may be under way in parts at once.
pub(crate) const TRANSFERS: usize = 64;
/// Bytes before a whole value.
pub(crate) const WHOLE_HEADER: usize = 5;
/// The longest piece, without its length.
pub(crate) const LONGEST_PIECE: usize = 1 + 4 + 8 + LONGEST_VALUE;

/// Room for so much is kept from a value that came in parts for the next one,
const LONGEST_SPARE: usize = 4 << 20;
/// unless so many values come whole in between.
const SPARSE: u32 = 64;

const WHOLE: u8 = 0;
const FIRST_PART: u8 = 1;
const PART: u8 = 2;

pub(crate) fn encode(value: &Frame) -> Vec<u8> {
    rmp_serde::to_vec(value).expect("frames are plain data: they encode")
}

/// Appends a value as one piece, whatever its length.
pub(crate) fn append_whole(to: &mut Vec<u8>, value: &Frame) {
    let start = to.len();
    to.extend_from_slice(&[0; WHOLE_HEADER]);
    rmp_serde::encode::write(to, value).expect("frames are plain data: they encode");
    let length = (to.len() - start - 4) as u32;
    to[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Begins a whole value of so many bytes, which come next.
pub(crate) fn begin_value(to: &mut Vec<u8>, length: usize) {
    begin(to, WHOLE, &[], length);
}

/// Begins a transfer of `total` bytes with a part of so many, which come next.
pub(crate) fn begin_first_part(to: &mut Vec<u8>, transfer: u32, total: usize, length: usize) {
    let mut header = [0; 12];
    header[..4].copy_from_slice(&transfer.to_le_bytes());
    header[4..].copy_from_slice(&(total as u64).to_le_bytes());
    begin(to, FIRST_PART, &header, length);
}

/// Begins a further part.
pub(crate) fn begin_part(to: &mut Vec<u8>, transfer: u32, length: usize) {
    begin(to, PART, &transfer.to_le_bytes(), length);
}

fn begin(to: &mut Vec<u8>, kind: u8, header: &[u8], length: usize) {
    debug_assert!(length <= LONGEST_VALUE);
    let length = (1 + header.len() + length) as u32;
    to.extend_from_slice(&length.to_le_bytes());
    to.push(kind);
    to.extend_from_slice(header);
}

/// Puts values together again, over all connections of a session.
pub(crate) struct Assembly {
    /// The longest value that is taken, in bytes.
    longest: usize,
    open: BTreeMap<u32, Transfer>,
    /// One whose first part is being read.
    begun: Option<Transfer>,
    /// The last value that came in parts; its room is used again.
    last: Vec<u8>,
    /// Values since then that came whole.
    since: u32,
    /// Bytes of the pieces that were taken so far.
    received: u64,
}

struct Transfer {
    total: usize,
    /// What has arrived of it, and room for more.
    bytes: Vec<u8>,
    arrived: usize,
}

/// The header of a part.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    transfer: u32,
    /// Of the whole value; in its first part.
    total: Option<u64>,
    /// Bytes that come.
    pub(crate) length: usize,
}

impl Part {
    /// Of a piece that begins so and has this length; `None` if it is another one, or too little of it is here.
    pub(crate) fn of(piece: &[u8], length: usize) -> Option<Self> {
        let (kind, rest) = piece.split_first()?;
        let transfer = u32::from_le_bytes(*rest.first_chunk()?);
        let total = match *kind {
            FIRST_PART => Some(u64::from_le_bytes(*rest[4..].first_chunk()?)),
            PART => None,
            _ => return None,
        };
        let part = Self { transfer, total, length: 0 };
        Some(Self { length: length.checked_sub(part.header())?, ..part })
    }

    /// Bytes before its own, without the length of the piece.
    pub(crate) const fn header(&self) -> usize {
        if self.total.is_some() { 1 + 4 + 8 } else { 1 + 4 }
    }
}

/// What a connection has brought.
pub(crate) struct Piece<'a> {
    /// Bytes of pieces so far, with this one.
    pub(crate) received: u64,
    /// How often something has come over this connection.
    pub(crate) reads: u64,
    value: Option<&'a [u8]>,
}

impl<'a> Piece<'a> {
    /// The value that is complete with it; `None` when more is to come.
    ///
    /// # Errors
    /// It does not decode.
    pub(crate) fn decode<T: Deserialize<'a>>(&self) -> io::Result<Option<T>> {
        self.value.map(decode).transpose()
    }
}

impl Assembly {
    pub(crate) const fn new(longest: usize) -> Self {
        Self {
            longest,
            open: BTreeMap::new(),
            begun: None,
            last: Vec::new(),
            since: 0,
            received: 0,
        }
    }

    /// Bytes of the pieces that were read so far, all of them whole.
    pub(crate) const fn received(&self) -> u64 {
        self.received
    }

    /// Values of which only a part was read so far.
    pub(crate) fn transfers(&self) -> usize {
        self.open.len()
    }

    /// Reads one piece. `None` is the end of the connection. Cancel safe: a piece that was not read to its end was
    /// not read.
    pub(crate) async fn next<'a>(
        &'a mut self,
        incoming: &'a mut Incoming,
    ) -> io::Result<Option<Piece<'a>>> {
        if self.last.capacity() > LONGEST_SPARE || self.since >= SPARSE {
            self.last = Vec::new();
        }
        let Some(next) = incoming.next().await? else { return Ok(None) };
        let length = match &next {
            Next::Piece(piece) => piece.len(),
            Next::Part(part) => {
                incoming.read_part(self.place(*part)?).await?;
                part.header() + part.length
            }
        };
        let (received, reads) = (self.received + 4 + length as u64, incoming.reads());
        self.received = received;
        let value = match next {
            Next::Piece(piece) => self.take(incoming.piece(piece))?,
            Next::Part(part) => self.arrived(part)?,
        };
        Ok(Some(Piece { received, reads, value }))
    }

    /// Takes one piece, without its length: a value, when it is complete.
    pub(crate) fn take<'a>(&'a mut self, piece: &'a [u8]) -> io::Result<Option<&'a [u8]>> {
        match piece.first() {
            Some(&WHOLE) => {
                self.since = self.since.saturating_add(1);
                Ok(Some(&piece[1..]))
            }
            Some(&(FIRST_PART | PART)) => {
                let part = Part::of(piece, piece.len())
                    .ok_or_else(|| invalid("a piece without its head".into()))?;
                self.place(part)?.copy_from_slice(&piece[part.header()..]);
                self.arrived(part)
            }
            kind => Err(invalid(format!("a piece of kind {}", kind.copied().unwrap_or_default()))),
        }
    }

    /// Where the bytes of a part belong. It is the same place again, until they have arrived.
    fn place(&mut self, part: Part) -> io::Result<&mut [u8]> {
        let Part { transfer, length, .. } = part;
        let open = match part.total {
            Some(total) => {
                let total = self.may_begin(transfer, total)?;
                let begun = self.begun.get_or_insert_with(|| Transfer {
                    total,
                    bytes: mem::take(&mut self.last),
                    arrived: 0,
                });
                begun.total = total;
                begun
            }
            None => self.open.get_mut(&transfer).ok_or_else(|| unknown(transfer))?,
        };
        let Transfer { total, arrived, .. } = *open;
        if length == 0 || length > total - arrived {
            return Err(invalid(format!(
                "{length} bytes after {arrived} of the {total} of transfer {transfer}"
            )));
        }
        Ok(open.room(length))
    }

    fn may_begin(&self, transfer: u32, total: u64) -> io::Result<usize> {
        let most = self.longest;
        let Some(total) = usize::try_from(total).ok().filter(|total| *total <= most) else {
            return Err(invalid(format!("a value of {total} bytes; at most {most} are taken")));
        };
        if self.open.len() >= TRANSFERS {
            return Err(invalid(format!("more than {TRANSFERS} values at once")));
        }
        if self.open.contains_key(&transfer) {
            return Err(invalid(format!("transfer {transfer} begins twice")));
        }
        Ok(total)
    }

    /// The bytes of a part are where they belong.
    fn arrived(&mut self, part: Part) -> io::Result<Option<&[u8]>> {
        let transfer = part.transfer;
        if part.total.is_some()
            && let Some(begun) = self.begun.take()
        {
            self.open.insert(transfer, begun);
        }
        let open = self.open.get_mut(&transfer).ok_or_else(|| unknown(transfer))?;
        open.arrived += part.length;
        if open.arrived < open.total {
            return Ok(None);
        }
        let Some(whole) = self.open.remove(&transfer) else { return Ok(None) };
        self.last = whole.bytes;
        self.since = 0;
        Ok(Some(&self.last[..whole.total]))
    }

    #[cfg(any(test, fuzzing))]
    pub(crate) fn held(&self) -> usize {
        self.open.values().map(|t| t.bytes.capacity()).sum::<usize>() + self.last.capacity()
    }
}

impl Transfer {
    /// The place of so many bytes more. Room is made as the data comes, whatever was announced: for this and as much
    /// again as there is, up to the whole value.
    fn room(&mut self, more: usize) -> &mut [u8] {
        let (end, room) = (self.arrived + more, self.bytes.len());
        if end > room {
            let wanted = self.total.min(2 * room).max(end);
            self.bytes.reserve_exact(wanted - room);
            self.bytes.resize(wanted, 0);
        }
        &mut self.bytes[self.arrived..end]
    }
}

fn unknown(transfer: u32) -> io::Error {
    invalid(format!("a part of transfer {transfer}, which has not begun"))
}

#[cfg(any(test, fuzzing))]
impl Assembly {
    /// [`next`](Self::next), decoded: `Some(None)` is a part with more to come.
    pub(crate) async fn read(
        &mut self,
        incoming: &mut Incoming,
    ) -> io::Result<Option<Option<Frame>>> {
        self.next(incoming).await?.map(|piece| piece.decode()).transpose()
    }

    /// [`take`](Self::take), decoded.
    pub(crate) fn take_frame(&mut self, piece: &[u8]) -> io::Result<Option<Frame>> {
        self.take(piece)?.map(decode).transpose()
    }
}

fn decode<'a, T: Deserialize<'a>>(value: &'a [u8]) -> io::Result<T> {
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
