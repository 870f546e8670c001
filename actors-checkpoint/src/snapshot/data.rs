//! A data file: one committed version, which describes and verifies itself but for the states that it
//! refers to. `docs/formats.md` has the layout.

use bytes::Bytes;
use crc32fast::Hasher;

use super::{
    SnapshotProblem,
    reader::{Fault, Reader, same},
    record::{
        self, Broken, Place, Record, append_checksum, append_reference, append_state_head,
        check_names, reference_length, state_length,
    },
};
use crate::{Blob, Key, Version};

const MAGIC: [u8; 8] = *b"ACKPTDAT";
const END: [u8; 8] = *b"ACKPTEND";
/// The format that is written, and the only one that is read.
pub(super) const FORMAT: u16 = 1;
/// Feature bits that are known: none.
pub(super) const FEATURES: u16 = 0;

const HEADER: u64 = 40;
const FOOTER: u64 = 20;
const CRC: u64 = 4;

/// What a data file is known by from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) length: u64,
    pub(super) crc: u32,
}

/// A version to write.
#[derive(Clone, Copy)]
pub(super) struct Content<'a> {
    pub(super) version: Version,
    pub(super) entries: &'a [(Key, Version, Blob)],
    /// For each of the entries where it lies already; nothing if it is to be written in full.
    pub(super) known: &'a [Option<Place>],
    pub(super) meta: &'a [u8],
}

impl<'a> Content<'a> {
    /// How long the file will be.
    ///
    /// # Errors
    /// A key or a type name that the format cannot hold.
    pub(super) fn length(&self) -> Result<u64, SnapshotProblem> {
        let mut length = HEADER + self.meta.len() as u64 + CRC + FOOTER;
        for ((key, _, blob), known) in self.records() {
            check_names(key, blob)?;
            length += match known {
                Some(_) => reference_length(key.as_str()),
                None => state_length(key, blob),
            };
        }
        Ok(length)
    }

    /// Writes the file piece by piece. Gives the place of each state.
    pub(super) fn write<E>(
        &self,
        mut to: impl FnMut(&[u8]) -> Result<(), E>,
    ) -> Result<(Seal, Vec<Place>), E> {
        let mut whole = Hasher::new();
        let mut written = 0;
        let mut piece = self.start(&mut whole);
        let mut places = Vec::with_capacity(self.entries.len());
        for ((key, version, blob), known) in self.records() {
            if let Some(place) = known {
                let crc = append_reference(&mut piece, key, *version, place);
                whole.update(&crc.to_le_bytes());
                places.push(*place);
            } else {
                let offset = written + piece.len() as u64;
                let crc = append_state_head(&mut piece, key, *version, blob);
                whole.update(&crc.to_le_bytes());
                let length = state_length(key, blob);
                places.push(Place { file: self.version, offset, length, crc });
            }
            let state = if known.is_some() { &[] } else { &blob.bytes()[..] };
            if state.len() < DIRECT {
                piece.extend_from_slice(state);
            }
            if state.len() < DIRECT && piece.len() < DIRECT {
                continue;
            }
            written += piece.len() as u64;
            to(&piece)?;
            piece.clear();
            if state.len() >= DIRECT {
                written += state.len() as u64;
                to(state)?;
            }
        }
        let length = written + piece.len() as u64 + FOOTER;
        let crc = append_footer(&mut piece, length, whole);
        to(&piece)?;
        Ok((Seal { length, crc }, places))
    }

    fn records(&self) -> impl Iterator<Item = (&'a (Key, Version, Blob), &'a Option<Place>)> {
        self.entries.iter().zip(self.known)
    }

    /// The header and the metadata.
    fn start(&self, whole: &mut Hasher) -> Vec<u8> {
        let mut piece = Vec::with_capacity(HEADER as usize + self.meta.len() + CRC as usize);
        piece.extend_from_slice(&MAGIC);
        piece.extend_from_slice(&FORMAT.to_le_bytes());
        piece.extend_from_slice(&FEATURES.to_le_bytes());
        piece.extend_from_slice(&self.version.to_le_bytes());
        piece.extend_from_slice(&(self.entries.len() as u64).to_le_bytes());
        piece.extend_from_slice(&(self.meta.len() as u64).to_le_bytes());
        whole.update(&append_checksum(&mut piece, 0).to_le_bytes());
        let start = piece.len();
        piece.extend_from_slice(self.meta);
        whole.update(&append_checksum(&mut piece, start).to_le_bytes());
        piece
    }
}

/// The checksum of the file is that of the checksums of its pieces. Over the pieces themselves it would not
/// depend on what they hold: a CRC over bytes and their CRC is always the same.
fn append_footer(piece: &mut Vec<u8>, length: u64, mut whole: Hasher) -> u32 {
    let start = piece.len();
    piece.extend_from_slice(&END);
    piece.extend_from_slice(&length.to_le_bytes());
    whole.update(&piece[start..]);
    let crc = whole.finalize();
    piece.extend_from_slice(&crc.to_le_bytes());
    crc
}

/// States from this size are written from where they are; smaller ones are gathered.
const DIRECT: usize = 64 * 1024;

/// What a file says. The states are slices of its bytes.
#[derive(Debug)]
pub(super) struct Found {
    pub(super) version: Version,
    pub(super) meta: Bytes,
    pub(super) records: Vec<Record>,
    pub(super) seal: Seal,
}

/// Reads and verifies a whole file.
pub(super) fn read(bytes: Bytes) -> Result<Found, Fault> {
    let mut damage = Damage::default();
    let found = read_rest(bytes, &mut damage);
    match damage.faults.into_iter().next() {
        Some(fault) => Err(fault),
        None => found.ok_or_else(|| (0, SnapshotProblem::Magic("snapshot".into()))),
    }
}

/// What is wrong with a file.
#[derive(Default)]
pub(super) struct Damage {
    pub(super) faults: Vec<Fault>,
    /// States were lost without their names.
    pub(super) is_cut_off: bool,
}

/// Reads what can be read: every state that is as its own checksum says. Nothing without a good header.
pub(super) fn read_rest(bytes: Bytes, damage: &mut Damage) -> Option<Found> {
    let length = bytes.len() as u64;
    let mut reader = Reader::new(bytes);
    let mut whole = Hasher::new();
    let header = Header::read(&mut reader, &mut whole);
    let Header { version, records: count, meta_length } =
        header.map_err(|fault| damage.cut_off(fault)).ok()?;
    let mut found =
        Found { version, meta: Bytes::new(), records: Vec::new(), seal: Seal { length, crc: 0 } };
    let start = reader.at();
    match reader.take(meta_length) {
        Ok(meta) => found.meta = meta,
        Err(fault) => {
            damage.cut_off(fault);
            return Some(found);
        }
    }
    match reader.checksum("metadata", start) {
        Ok(crc) => whole.update(&crc.to_le_bytes()),
        Err(fault) => {
            found.meta = Bytes::new();
            damage.faults.push(fault);
        }
    }
    for _ in 0..count {
        match record::read(&mut reader, version, |crc| whole.update(&crc.to_le_bytes())) {
            Ok(record) => found.records.push(record),
            Err(Broken::State(fault)) => damage.faults.push(fault),
            Err(Broken::Rest(fault)) => {
                damage.cut_off(fault);
                return Some(found);
            }
        }
    }
    match read_footer(&mut reader, length, whole) {
        Ok(crc) => found.seal.crc = crc,
        Err(fault) => damage.faults.push(fault),
    }
    Some(found)
}

impl Damage {
    fn cut_off(&mut self, fault: Fault) {
        self.is_cut_off = true;
        self.faults.push(fault);
    }
}

struct Header {
    version: Version,
    records: u64,
    meta_length: u64,
}

impl Header {
    fn read(reader: &mut Reader, whole: &mut Hasher) -> Result<Self, Fault> {
        reader.magic(MAGIC, "snapshot")?;
        known_format(reader)?;
        let (version, records, meta_length) = (reader.u64()?, reader.u64()?, reader.u64()?);
        whole.update(&reader.checksum("header", 0)?.to_le_bytes());
        Ok(Self { version, records, meta_length })
    }
}

fn read_footer(reader: &mut Reader, length: u64, mut whole: Hasher) -> Result<u32, Fault> {
    let start = reader.at();
    reader.magic(END, "whole snapshot")?;
    let stated = reader.u64()?;
    whole.update(reader.since(start));
    let found = whole.finalize();
    let crc = same("file", 0, reader.u32()?, found)?;
    reader.end()?;
    if stated != length {
        let what = format!("a file of {length} B that says it has {stated} B");
        return Err((start, SnapshotProblem::Invalid(what)));
    }
    Ok(crc)
}

/// Reads the format version and the feature bits.
pub(super) fn known_format(reader: &mut Reader) -> Result<(), Fault> {
    let at = reader.at();
    let (format, features) = (reader.u16()?, reader.u16()?);
    if format != FORMAT || features & !FEATURES != 0 {
        return Err((at, SnapshotProblem::Format { format, features }));
    }
    Ok(())
}
