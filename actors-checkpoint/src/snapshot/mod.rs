mod data;
mod directory;
mod error;
mod folder;
mod load;
mod manifest;
mod places;
mod reader;
mod record;
mod remains;
mod settle;

use bytes::Bytes;

pub use directory::{Committed, SnapshotDir};
pub use error::{SnapshotError, SnapshotProblem};
pub(crate) use load::Seen;

use crate::{Blob, Key, Version};

/// One committed version, read back and verified. The states of one file share its buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    /// The version.
    pub version: Version,
    /// The states.
    pub entries: Vec<(Key, Version, Blob)>,
    /// What the writer put beside them.
    pub meta: Bytes,
}
