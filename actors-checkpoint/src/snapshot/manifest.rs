//! The manifest: which data files are the committed versions, and which still have records of theirs.
//! `docs/formats.md` has the layout.

use std::collections::BTreeSet;

use bytes::Bytes;

use super::{
    SnapshotProblem,
    data::{FEATURES, FORMAT, Seal, known_format},
    reader::{Fault, Reader},
};
use crate::Version;

const MAGIC: [u8; 8] = *b"ACKPTMAN";
const PREFIX: &str = "snapshot-";
const SUFFIX: &str = ".data";

/// A data file that is needed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    /// The version that it was written as.
    pub(super) version: Version,
    pub(super) seal: Seal,
    /// The older files that it refers to, if the version is a committed one. Else only records in it are
    /// needed.
    pub(super) refers: Option<BTreeSet<Version>>,
}

impl Listed {
    pub(super) const fn is_version(&self) -> bool {
        self.refers.is_some()
    }

    pub(super) fn name(&self) -> String {
        file_name(self.version)
    }
}

/// The name of the data file of a version. Sixteen hexadecimal digits: the order of names is the order of
/// versions.
pub(super) fn file_name(version: Version) -> String {
    format!("{PREFIX}{version:016x}{SUFFIX}")
}

pub(super) fn is_data(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// The version that a file of this name is of, if it is a data file.
pub(super) fn version_of(name: &str) -> Option<Version> {
    let digits = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?;
    let version = Version::from_str_radix(digits, 16).ok()?;
    (file_name(version) == name).then_some(version)
}

/// Parts the files into those that a committed version is or refers to, and the others.
pub(super) fn part(files: Vec<Listed>) -> (Vec<Listed>, Vec<Listed>) {
    let needed: BTreeSet<Version> =
        files.iter().filter_map(|file| file.refers.as_ref()).flatten().copied().collect();
    files.into_iter().partition(|file| file.is_version() || needed.contains(&file.version))
}

/// # Errors
/// More files, or references of one, than the format can hold.
pub(super) fn encode(files: &[Listed]) -> Result<Vec<u8>, SnapshotProblem> {
    let counted = |count: usize| {
        u32::try_from(count).map_err(|_| SnapshotProblem::TooLong("the list of files".into()))
    };
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&FEATURES.to_le_bytes());
    bytes.extend_from_slice(&counted(files.len())?.to_le_bytes());
    for file in files {
        let Listed { version, seal, refers } = file;
        let name = file.name();
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&seal.length.to_le_bytes());
        bytes.extend_from_slice(&seal.crc.to_le_bytes());
        bytes.extend_from_slice(&u16::from(file.is_version()).to_le_bytes());
        bytes.extend_from_slice(&(name.len() as u16).to_le_bytes());
        let count = counted(refers.as_ref().map_or(0, BTreeSet::len))?;
        bytes.extend_from_slice(&count.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
        for older in refers.iter().flatten() {
            bytes.extend_from_slice(&older.to_le_bytes());
        }
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// The files, oldest first.
pub(super) fn decode(bytes: Bytes) -> Result<Vec<Listed>, Fault> {
    let mut reader = Reader::new(bytes);
    reader.magic(MAGIC, "manifest")?;
    known_format(&mut reader)?;
    let count = reader.u32()?;
    let mut files: Vec<Listed> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let file = decode_file(&mut reader)?;
        check(&file, &files).map_err(|what| (at, SnapshotProblem::Invalid(what.into())))?;
        files.push(file);
    }
    reader.checksum("manifest", 0)?;
    reader.end()?;
    let (needed, others) = part(files);
    if let Some(file) = others.first() {
        let what = format!("{}, which no version needs", file.name());
        return Err((16, SnapshotProblem::Invalid(what)));
    }
    Ok(needed)
}

fn decode_file(reader: &mut Reader) -> Result<Listed, Fault> {
    let start = reader.at();
    let version = reader.u64()?;
    let seal = Seal { length: reader.u64()?, crc: reader.u32()? };
    let (is_version, name_length) = (reader.u16()?, reader.u16()?);
    let count = reader.u32()?;
    let name = reader.text(name_length.into())?;
    let invalid = |what: &str| Err((start, SnapshotProblem::Invalid(what.into())));
    if name != file_name(version) {
        return invalid("a file name that is not that of its version");
    }
    let mut refers = BTreeSet::new();
    for _ in 0..count {
        let older = reader.u64()?;
        if refers.last().is_some_and(|last| *last >= older) {
            return invalid("references that are not in order");
        }
        refers.insert(older);
    }
    let refers = match is_version {
        1 => Some(refers),
        0 if refers.is_empty() => None,
        _ => return invalid("a file that is neither a version nor a part of one"),
    };
    Ok(Listed { version, seal, refers })
}

fn check(file: &Listed, before: &[Listed]) -> Result<(), &'static str> {
    if before.last().is_some_and(|last| last.version >= file.version) {
        return Err("versions that are not in order");
    }
    let is_listed =
        |older: &Version| before.binary_search_by_key(older, |file| file.version).is_ok();
    match file.refers.iter().flatten().all(is_listed) {
        true => Ok(()),
        false => Err("a reference to a file that is not listed"),
    }
}
