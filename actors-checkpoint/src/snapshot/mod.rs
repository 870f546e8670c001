mod data;
mod directory;
mod error;
mod manifest;
mod reader;

use bytes::Bytes;

pub use directory::{Committed, SnapshotDir};
pub use error::{SnapshotError, SnapshotProblem};

use crate::{Blob, Key, Version};

/// One committed version, read back and verified. The states share one buffer with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version.
    pub version: Version,
    /// The states.
    pub entries: Vec<(Key, Version, Blob)>,
    /// What the writer put beside them.
    pub meta: Bytes,
}
