//! The manifest: which data files are the committed versions. `docs/formats.md` has the layout.

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

/// A committed version.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Listed {
    pub(super) version: Version,
    pub(super) seal: Seal,
    /// The name of the file, in the same directory.
    pub(super) name: String,
}

/// The name of the data file of a version. Sixteen hexadecimal digits: the order of names is the order of
/// versions.
pub(super) fn file_name(version: Version) -> String {
    format!("{PREFIX}{version:016x}{SUFFIX}")
}

pub(super) fn is_data(name: &str) -> bool {
    name.starts_with(PREFIX) && name.ends_with(SUFFIX)
}

/// # Errors
/// More versions, or a longer name, than the format can hold.
pub(super) fn encode(listed: &[Listed]) -> Result<Vec<u8>, SnapshotProblem> {
    let too_long = |what: &str| SnapshotProblem::TooLong(what.into());
    let count = u32::try_from(listed.len()).map_err(|_| too_long("the list of versions"))?;
    let mut bytes = MAGIC.to_vec();
    bytes.extend_from_slice(&FORMAT.to_le_bytes());
    bytes.extend_from_slice(&FEATURES.to_le_bytes());
    bytes.extend_from_slice(&count.to_le_bytes());
    for Listed { version, seal, name } in listed {
        let length = u16::try_from(name.len()).map_err(|_| too_long("a file name"))?;
        bytes.extend_from_slice(&version.to_le_bytes());
        bytes.extend_from_slice(&seal.length.to_le_bytes());
        bytes.extend_from_slice(&seal.crc.to_le_bytes());
        bytes.extend_from_slice(&length.to_le_bytes());
        bytes.extend_from_slice(name.as_bytes());
    }
    let crc = crc32fast::hash(&bytes);
    bytes.extend_from_slice(&crc.to_le_bytes());
    Ok(bytes)
}

/// The versions, oldest first.
pub(super) fn decode(bytes: Bytes) -> Result<Vec<Listed>, Fault> {
    let mut reader = Reader::new(bytes);
    reader.magic(MAGIC, "manifest")?;
    known_format(&mut reader)?;
    let count = reader.u32()?;
    let mut listed: Vec<Listed> = Vec::new();
    for _ in 0..count {
        let at = reader.at();
        let version = reader.u64()?;
        let seal = Seal { length: reader.u64()?, crc: reader.u32()? };
        let length = reader.u16()?;
        let name = reader.text(length.into())?;
        let invalid = |what: &str| Err((at, SnapshotProblem::Invalid(what.into())));
        if name != file_name(version) {
            return invalid("a file name that is not that of its version");
        }
        if listed.last().is_some_and(|last| last.version >= version) {
            return invalid("versions that are not in order");
        }
        listed.push(Listed { version, seal, name });
    }
    reader.checksum("manifest", 0)?;
    reader.end()?;
    Ok(listed)
}
