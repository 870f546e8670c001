//! A data file: one committed version, which describes and verifies itself. `docs/formats.md` has
//! the layout.

use bytes::Bytes;
use crc32fast::Hasher;

use super::{
    Snapshot, SnapshotProblem,
    reader::{Fault, Reader, same},
};
use crate::{Blob, Key, Kind, Version};

const MAGIC: [u8; 8] = *b"ACKPTDAT";
const END: [u8; 8] = *b"ACKPTEND";
/// The format that is written, and the only one that is read.
pub(super) const FORMAT: u16 = 1;
/// Feature bits that are known: none.
pub(super) const FEATURES: u16 = 0;

const HEADER: u64 = 40;
const RECORD: u64 = 44;
const FOOTER: u64 = 20;
const CRC: u64 = 4;

/// What a data file is known by from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Seal {
    pub(super) length: u64,
    pub(super) crc: u32,
}

/// How long the file will be.
///
/// # Errors
/// A key or a type name that the format cannot hold.
pub(super) fn length(
    entries: &[(Key, Version, Blob)],
    meta: &[u8],
) -> Result<u64, SnapshotProblem> {
    let mut length = HEADER + meta.len() as u64 + CRC + FOOTER;
    for (key, _, blob) in entries {
        for text in [key.as_str(), type_name(blob)] {
            let fits = u32::try_from(text.len()).is_ok();
            fits.then_some(()).ok_or_else(|| SnapshotProblem::TooLong("a name".into()))?;
            length += text.len() as u64;
        }
        length += RECORD + blob.len() as u64;
    }
    Ok(length)
}

/// Writes the file piece by piece.
pub(super) fn write<E>(
    version: Version,
    entries: &[(Key, Version, Blob)],
    meta: &[u8],
    mut to: impl FnMut(&[u8]) -> Result<(), E>,
) -> Result<Seal, E> {
    let mut whole = Hasher::new();
    let mut length = 0;
    let mut piece = Vec::with_capacity(HEADER as usize + meta.len());
    piece.extend_from_slice(&MAGIC);
    piece.extend_from_slice(&FORMAT.to_le_bytes());
    piece.extend_from_slice(&FEATURES.to_le_bytes());
    piece.extend_from_slice(&version.to_le_bytes());
    piece.extend_from_slice(&(entries.len() as u64).to_le_bytes());
    piece.extend_from_slice(&(meta.len() as u64).to_le_bytes());
    seal_piece(&mut piece, 0, &mut whole);
    let start = piece.len();
    piece.extend_from_slice(meta);
    seal_piece(&mut piece, start, &mut whole);

    for (key, entry_version, blob) in entries {
        append_record_head(&mut piece, key, *entry_version, blob, &mut whole);
        if blob.len() < DIRECT {
            piece.extend_from_slice(blob.bytes());
        }
        if blob.len() < DIRECT && piece.len() < DIRECT {
            continue;
        }
        length += piece.len() as u64;
        to(&piece)?;
        piece.clear();
        if blob.len() >= DIRECT {
            length += blob.len() as u64;
            to(blob.bytes())?;
        }
    }
    length += piece.len() as u64 + FOOTER;
    let start = piece.len();
    piece.extend_from_slice(&END);
    piece.extend_from_slice(&length.to_le_bytes());
    whole.update(&piece[start..]);
    let crc = whole.finalize();
    piece.extend_from_slice(&crc.to_le_bytes());
    to(&piece)?;
    Ok(Seal { length, crc })
}

/// States from this size are written from where they are; smaller ones are gathered.
const DIRECT: usize = 64 * 1024;

fn append_record_head(
    piece: &mut Vec<u8>,
    key: &Key,
    version: Version,
    blob: &Blob,
    whole: &mut Hasher,
) {
    let start = piece.len();
    let (tag, width) = match blob.kind() {
        Kind::MessagePack => (0_u32, 0),
        Kind::Raw { width, .. } => (1, *width),
        Kind::Encoded { .. } => (2, 0),
    };
    let type_name = type_name(blob);
    piece.extend_from_slice(&(key.as_str().len() as u32).to_le_bytes());
    piece.extend_from_slice(&(type_name.len() as u32).to_le_bytes());
    piece.extend_from_slice(&version.to_le_bytes());
    piece.extend_from_slice(&(blob.len() as u64).to_le_bytes());
    piece.extend_from_slice(&blob.schema().to_le_bytes());
    piece.extend_from_slice(&width.to_le_bytes());
    piece.extend_from_slice(&tag.to_le_bytes());
    piece.extend_from_slice(&blob.crc().to_le_bytes());
    piece.extend_from_slice(key.as_str().as_bytes());
    piece.extend_from_slice(type_name.as_bytes());
    seal_piece(piece, start, whole);
}

/// The checksum of the file is that of the checksums of its pieces. Over the pieces themselves it would not
/// depend on what they hold: a CRC over bytes and their CRC is always the same.
fn seal_piece(piece: &mut Vec<u8>, start: usize, whole: &mut Hasher) {
    let crc = crc32fast::hash(&piece[start..]).to_le_bytes();
    piece.extend_from_slice(&crc);
    whole.update(&crc);
}

fn type_name(blob: &Blob) -> &str {
    match blob.kind() {
        Kind::MessagePack => "",
        Kind::Raw { type_name, .. } => type_name,
        Kind::Encoded { codec } => codec,
    }
}

/// Reads and verifies a whole file. The states are slices of `bytes`.
pub(super) fn read(bytes: Bytes) -> Result<(Snapshot, Seal), Fault> {
    let length = bytes.len() as u64;
    let mut reader = Reader::new(bytes);
    reader.magic(MAGIC, "snapshot")?;
    known_format(&mut reader)?;
    let version = reader.u64()?;
    let records = reader.u64()?;
    let meta_length = reader.u64()?;
    let mut whole = Hasher::new();
    whole.update(&reader.checksum("header", 0)?.to_le_bytes());
    let start = reader.at();
    let meta = reader.take(meta_length)?;
    whole.update(&reader.checksum("metadata", start)?.to_le_bytes());
    let mut entries = Vec::new();
    for _ in 0..records {
        entries.push(read_record(&mut reader, &mut whole)?);
    }
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
    Ok((Snapshot { version, entries, meta }, Seal { length, crc }))
}

fn read_record(reader: &mut Reader, whole: &mut Hasher) -> Result<(Key, Version, Blob), Fault> {
    let start = reader.at();
    let key_length = reader.u32()?;
    let type_length = reader.u32()?;
    let version = reader.u64()?;
    let length = reader.u64()?;
    let schema = reader.u32()?;
    let width = reader.u32()?;
    let tag = reader.u32()?;
    let crc = reader.u32()?;
    let key = reader.text(key_length.into());
    let type_name = key.and_then(|key| Ok((key, reader.text(type_length.into())?)));
    let (key, type_name) = type_name?;
    whole.update(&reader.checksum("record header", start)?.to_le_bytes());
    let kind = match (tag, width, &*type_name) {
        (0, 0, "") => Kind::MessagePack,
        (1, ..) => Kind::Raw { type_name: type_name.into(), width },
        (2, 0, _) => Kind::Encoded { codec: type_name.into() },
        _ => {
            let what = format!("a state of kind {tag} with elements {type_name:?} of {width} B");
            return Err((start, SnapshotProblem::Invalid(what)));
        }
    };
    let start = reader.at();
    let state = reader.take(length)?;
    same("state", start, crc, crc32fast::hash(&state))?;
    Ok((Key::from(key), version, Blob::from_parts(state, kind, schema, crc)))
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
