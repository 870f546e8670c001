use std::{fmt, io, path::PathBuf};

use serde::{Deserialize, Serialize};

use super::record::{Place, of_state};
use crate::{Key, Version};

/// What went wrong with a snapshot directory, in which file, and where in it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SnapshotError {
    /// The file, or the directory.
    pub file: PathBuf,
    /// The byte in it, if it is about one.
    pub offset: Option<u64>,
    /// What is wrong.
    pub what: SnapshotProblem,
}

/// What can go wrong with a snapshot directory.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SnapshotProblem {
    /// Another writer has it. A retry succeeds when it has ended.
    #[error("locked by another writer")]
    Locked,
    /// It was opened to read only.
    #[error("opened to read only")]
    ReadOnly,
    /// There is not enough room. A retry succeeds when there is.
    #[error("no space: {needed} B needed, {free} B free")]
    NoSpace {
        /// Bytes that the commit takes.
        needed: u64,
        /// Bytes that are free.
        free: u64,
    },
    /// The disk became full during the write. A retry succeeds when there is room.
    #[error("the disk is full")]
    Full,
    /// The disk failed.
    #[error("{kind}: {message}")]
    Io {
        /// The [`io::ErrorKind`], as it prints.
        kind: String,
        /// What the system said.
        message: String,
    },
    /// There is no such file or version.
    #[error("missing")]
    Missing,
    /// Committed versions only grow. [`rollback`](crate::SnapshotDir::rollback) drops newer ones.
    #[error("version {version} is not newer than {newest}")]
    NotNewer {
        /// The version that was to be committed.
        version: Version,
        /// The newest there is.
        newest: Version,
    },
    /// The version is too large for the format: a key, a type name or the number of versions.
    #[error("{0} is too long for the format")]
    TooLong(String),
    /// It does not begin, or end, as such a file does.
    #[error("not a {0}")]
    Magic(String),
    /// It is of a format that this program does not know.
    #[error("format {format} with features {features:#06x} is unknown")]
    Format {
        /// The format version.
        format: u16,
        /// The feature bits.
        features: u16,
    },
    /// It ends before it is complete.
    #[error("cut off: {wanted} B expected, {found} B there")]
    Truncated {
        /// Bytes that should follow.
        wanted: u64,
        /// Bytes that do.
        found: u64,
    },
    /// Bytes follow after the end.
    #[error("{0} B too many")]
    Excess(u64),
    /// Bytes are not those that were written.
    #[error("checksum of the {part} is {found:08x}, expected {expected:08x}")]
    Checksum {
        /// What they are.
        part: String,
        /// The checksum when they were written.
        expected: u32,
        /// Their checksum.
        found: u32,
    },
    /// A field has a value that no writer gives it.
    #[error("{0}")]
    Invalid(String),
    /// One state cannot be read. The file is the one that has it, which may be older than the version that
    /// refers to it.
    #[error("version {version} of {key:?} is lost: {why}")]
    State {
        /// Its key.
        key: Key,
        /// Its version.
        version: Version,
        /// What is wrong with it.
        why: Box<Self>,
    },
}

impl SnapshotError {
    pub(crate) fn new(file: impl Into<PathBuf>, what: SnapshotProblem) -> Self {
        Self { file: file.into(), offset: None, what }
    }

    pub(crate) fn io(file: impl Into<PathBuf>, error: &io::Error) -> Self {
        let what = match error.kind() {
            io::ErrorKind::NotFound => SnapshotProblem::Missing,
            io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => SnapshotProblem::Full,
            kind => SnapshotProblem::Io { kind: format!("{kind:?}"), message: error.to_string() },
        };
        Self::new(file, what)
    }

    /// The same, of a state that lies in the file.
    pub(super) fn of_state(self, key: &Key, version: Version, place: &Place) -> Self {
        let what = of_state(key, version, self.what);
        Self { offset: Some(place.offset), what, ..self }
    }
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.file.display())?;
        if let Some(offset) = self.offset {
            write!(f, ", byte {offset}")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for SnapshotError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        Some(&self.what)
    }
}
