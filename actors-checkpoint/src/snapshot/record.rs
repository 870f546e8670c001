//! One record of a data file: a state, or the place in an older file that has it.

use bytes::Bytes;

use super::{
    SnapshotProblem,
    reader::{Fault, Reader, same},
};
use crate::{Blob, Key, Kind, Version};

/// Where a state lies.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// The version that the file was written as.
    pub(super) file: Version,
    /// Where its record begins.
    pub(super) offset: u64,
    /// Bytes of the record.
    pub(super) length: u64,
    /// The checksum of the record, which covers that of the state.
    pub(super) crc: u32,
}

/// What a record says.
#[derive(Debug)]
pub(super) struct Record {
    pub(super) key: Key,
    pub(super) version: Version,
    pub(super) place: Place,
    /// Nothing if the place is in another file.
    pub(super) blob: Option<Blob>,
}

/// What is wrong with a record.
pub(super) enum Broken {
    /// It is known which state is lost, and where the next record begins.
    State(Fault),
    /// Nothing after it can be found.
    Rest(Fault),
}

const HEAD: u64 = 40;
const CRC: u64 = 4;
/// The number of the file that a reference has beside the fields of every record.
const FILE: u64 = 8;

const MESSAGE_PACK: u32 = 0;
const RAW: u32 = 1;
const ENCODED: u32 = 2;
const REFERENCE: u32 = 3;

/// Bytes of the record of a state.
pub(super) fn state_length(key: &Key, blob: &Blob) -> u64 {
    HEAD + CRC + (key.as_str().len() + type_name(blob).len() + blob.len()) as u64
}

/// Bytes of a reference to one.
pub(super) const fn reference_length(key: &str) -> u64 {
    HEAD + FILE + CRC + key.len() as u64
}

/// # Errors
/// A key or a type name that the format cannot hold.
pub(super) fn check_names(key: &Key, blob: &Blob) -> Result<(), SnapshotProblem> {
    let fits = |text: &str| u32::try_from(text.len()).is_ok();
    let fit = fits(key.as_str()) && fits(type_name(blob));
    fit.then_some(()).ok_or_else(|| SnapshotProblem::TooLong("a name".into()))
}

/// Appends the record but for the state, and gives its checksum.
pub(super) fn append_state_head(
    piece: &mut Vec<u8>,
    key: &Key,
    version: Version,
    blob: &Blob,
) -> u32 {
    let start = piece.len();
    let (kind, width) = match blob.kind() {
        Kind::MessagePack => (MESSAGE_PACK, 0),
        Kind::Raw { width, .. } => (RAW, *width),
        Kind::Encoded { .. } => (ENCODED, 0),
    };
    let type_name = type_name(blob);
    piece.extend_from_slice(&(key.as_str().len() as u32).to_le_bytes());
    piece.extend_from_slice(&(type_name.len() as u32).to_le_bytes());
    piece.extend_from_slice(&version.to_le_bytes());
    piece.extend_from_slice(&(blob.len() as u64).to_le_bytes());
    piece.extend_from_slice(&blob.schema().to_le_bytes());
    piece.extend_from_slice(&width.to_le_bytes());
    piece.extend_from_slice(&kind.to_le_bytes());
    piece.extend_from_slice(&blob.crc().to_le_bytes());
    piece.extend_from_slice(key.as_str().as_bytes());
    piece.extend_from_slice(type_name.as_bytes());
    append_checksum(piece, start)
}

/// Appends a reference, and gives its checksum.
pub(super) fn append_reference(
    piece: &mut Vec<u8>,
    key: &Key,
    version: Version,
    place: &Place,
) -> u32 {
    let start = piece.len();
    piece.extend_from_slice(&(key.as_str().len() as u32).to_le_bytes());
    piece.extend_from_slice(&0_u32.to_le_bytes());
    piece.extend_from_slice(&version.to_le_bytes());
    piece.extend_from_slice(&place.length.to_le_bytes());
    piece.extend_from_slice(&place.offset.to_le_bytes());
    piece.extend_from_slice(&REFERENCE.to_le_bytes());
    piece.extend_from_slice(&place.crc.to_le_bytes());
    piece.extend_from_slice(&place.file.to_le_bytes());
    piece.extend_from_slice(key.as_str().as_bytes());
    append_checksum(piece, start)
}

pub(super) fn append_checksum(piece: &mut Vec<u8>, start: usize) -> u32 {
    let crc = crc32fast::hash(&piece[start..]);
    piece.extend_from_slice(&crc.to_le_bytes());
    crc
}

fn type_name(blob: &Blob) -> &str {
    match blob.kind() {
        Kind::MessagePack => "",
        Kind::Raw { type_name, .. } => type_name,
        Kind::Encoded { codec } => codec,
    }
}

/// Reads a record of the file of version `file`, and gives its checksum to `sum`.
pub(super) fn read(
    reader: &mut Reader,
    file: Version,
    mut sum: impl FnMut(u32),
) -> Result<Record, Broken> {
    let start = reader.at();
    let head = Head::read(reader).map_err(Broken::Rest)?;
    sum(head.crc);
    let Head { key, version, length, kind, .. } = head;
    let Some(kind) = kind else {
        return match head.place {
            Some(place) if place.file < file => Ok(Record { key, version, place, blob: None }),
            _ => {
                let what = "a reference to a file that is not older".to_owned();
                Err(Broken::Rest((start, SnapshotProblem::Invalid(what))))
            }
        };
    };
    let at = reader.at();
    let state = reader.take(length).map_err(|(at, what)| Broken::Rest((at, what)))?;
    let lost = |(at, what)| Broken::State((at, of_state(&key, version, what)));
    same("state", at, head.state_crc, crc32fast::hash(&state)).map_err(lost)?;
    let place = Place { file, offset: start, length: reader.at() - start, crc: head.crc };
    let blob = Some(Blob::from_parts(state, kind, head.schema, head.state_crc));
    Ok(Record { key, version, place, blob })
}

/// The state that a reference stands for, out of the whole file that has it.
pub(super) fn read_at(
    file: &Bytes,
    key: &Key,
    version: Version,
    place: &Place,
) -> Result<Blob, Fault> {
    let at = place.offset;
    let found = (file.len() as u64).saturating_sub(at);
    let lost = |(at, what)| (at, of_state(key, version, what));
    let wanted = place.length.max(HEAD + CRC);
    if found < wanted {
        return Err(lost((at, SnapshotProblem::Truncated { wanted, found })));
    }
    let record = file.slice(at as usize..(at + place.length) as usize);
    let mut reader = Reader::new(record);
    let read = read(&mut reader, place.file, drop);
    let read = read.map_err(|broken| match broken {
        Broken::State((within, what)) => (at + within, what),
        Broken::Rest((within, what)) => lost((at + within, what)),
    })?;
    reader.end().map_err(|(within, what)| lost((at + within, what)))?;
    match read.blob {
        Some(blob)
            if read.place.crc == place.crc && read.key == *key && read.version == version =>
        {
            Ok(blob)
        }
        _ => Err(lost((at, SnapshotProblem::Invalid("another record is there".into())))),
    }
}

/// The same problem, as one of a certain state.
pub(super) fn of_state(key: &Key, version: Version, why: SnapshotProblem) -> SnapshotProblem {
    SnapshotProblem::State { key: key.clone(), version, why: Box::new(why) }
}

/// A record up to its checksum.
struct Head {
    key: Key,
    version: Version,
    length: u64,
    schema: u32,
    state_crc: u32,
    /// That of a state; a reference has none.
    kind: Option<Kind>,
    /// That of a reference.
    place: Option<Place>,
    crc: u32,
}

impl Head {
    fn read(reader: &mut Reader) -> Result<Self, Fault> {
        let start = reader.at();
        let (key_length, type_length) = (reader.u32()?, reader.u32()?);
        let (version, length) = (reader.u64()?, reader.u64()?);
        let (schema, width) = (reader.u32()?, reader.u32()?);
        let (tag, state_crc) = (reader.u32()?, reader.u32()?);
        let is_reference = tag == REFERENCE;
        let file = if is_reference { reader.u64()? } else { 0 };
        let key = Key::from(reader.text(key_length.into())?);
        let type_name = reader.text(type_length.into())?;
        let crc = reader.checksum("record header", start)?;
        let kind = match (tag, width, &*type_name) {
            (MESSAGE_PACK, 0, "") => Some(Kind::MessagePack),
            (RAW, ..) => Some(Kind::Raw { type_name: type_name.into(), width }),
            (ENCODED, 0, _) => Some(Kind::Encoded { codec: type_name.into() }),
            (REFERENCE, _, "") => None,
            _ => {
                let what =
                    format!("a state of kind {tag} with elements {type_name:?} of {width} B");
                return Err((start, SnapshotProblem::Invalid(what)));
            }
        };
        // Its place stands where a state has its schema and width.
        let offset = u64::from(width) << 32 | u64::from(schema);
        let place = is_reference.then_some(Place { file, offset, length, crc: state_crc });
        Ok(Self { key, version, length, schema, state_crc, kind, place, crc })
    }
}
