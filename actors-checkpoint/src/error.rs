use actors_core::CallError;
use serde::{Deserialize, Serialize};

use crate::{Key, SnapshotError, Version};

/// Why a store did not take a state. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum StoreError {
    /// The memory budget is used up by states that must not be evicted.
    #[error(transparent)]
    Budget(#[from] BudgetExceeded),
    /// The store keeps newer versions of the key already, and no older ones.
    #[error("version {version} is older than all versions kept, the oldest is {oldest}")]
    Outdated {
        /// The version that was to be stored.
        version: Version,
        /// The oldest one kept.
        oldest: Version,
        /// The newest one.
        newest: Version,
    },
}

/// A state does not fit beside those that must not be evicted for it: the newest of each key, the
/// protected ones, and, if it is neither itself, those that are newer. A retry succeeds once keys
/// are reset or the budget is raised.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[error("{needed} B are needed beyond the memory budget of {budget} B")]
pub struct BudgetExceeded {
    /// The budget in bytes.
    pub budget: u64,
    /// Bytes missing after everything that may go was counted as gone.
    pub needed: u64,
}

/// Why a checkpoint is not at the level that was asked for.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum PutError {
    /// The state does not serialise. Nothing happened.
    #[error("the state does not encode: {0}")]
    Encode(String),
    /// A level did not take the state; those below it have it.
    #[error("level {level} refused the state: {why}")]
    Refused {
        /// The level that refused.
        level: u8,
        /// The highest level that has it.
        reached: Option<u8>,
        /// Why.
        why: StoreError,
    },
    /// A level has the state, the one above it could not be reached or died with it in hand. A retry
    /// is safe: the same version replaces itself.
    #[error("stored at level {reached}, but not above: {why}")]
    ParentLost {
        /// The highest level known to have the state.
        reached: u8,
        /// What became of the level above.
        why: CallError,
    },
    /// The state came as changes of a version that the level does not have. Between levels only: the whole
    /// state is then sent.
    #[error("the version that was changed is not there")]
    NoBase,
    /// The first checkpointing actor gave no answer. A retry is safe.
    #[error(transparent)]
    Call(#[from] CallError),
}

impl PutError {
    /// The highest level that is known to have the state all the same.
    pub const fn reached(&self) -> Option<u8> {
        match self {
            Self::Refused { reached, .. } => *reached,
            Self::ParentLost { reached, .. } => Some(*reached),
            Self::Encode(_) | Self::NoBase | Self::Call(_) => None,
        }
    }

    /// The same, from a level below that has the state.
    pub(crate) const fn stored_at(mut self, level: u8) -> Self {
        if let Self::Refused { reached: reached @ None, .. } = &mut self {
            *reached = Some(level);
        }
        self
    }
}

/// Why there is no state. Reading changes nothing: every retry is safe.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RestoreError {
    /// The level that answered does not hold it.
    #[error("level {level} has no {}{key}", Wanted(.version))]
    Missing {
        /// The key.
        key: Key,
        /// The version asked for, if it was a certain one.
        version: Option<Version>,
        /// The level that answered.
        level: u8,
    },
    /// The bytes are not those that were captured. An older version may be whole.
    #[error("the state is corrupt: checksum {found:08x}, expected {expected:08x}")]
    Corrupt {
        /// The checksum of the capture.
        expected: u32,
        /// The checksum of the bytes.
        found: u32,
    },
    /// The state is of another kind or type of elements.
    #[error("the state is {found}, not {wanted}")]
    WrongType {
        /// What was asked for.
        wanted: String,
        /// What it is.
        found: String,
    },
    /// The bytes are not whole elements.
    #[error("{length} B are not whole elements of {width} B")]
    Length {
        /// Bytes there are.
        length: u64,
        /// Bytes of an element.
        width: u32,
    },
    /// The value is of another type.
    #[error("the state does not decode as {wanted}: {why}")]
    Decode {
        /// The type asked for.
        wanted: String,
        /// What the codec said.
        why: String,
    },
    /// The state is of a schema that this program does not know: it is newer, or nobody turns it into
    /// this type any more. An older version may be of one that it does know.
    #[error("the state is of schema {found}, {wanted} knows up to {known}")]
    Schema {
        /// The type asked for.
        wanted: String,
        /// Its schema.
        known: u32,
        /// That of the state.
        found: u32,
    },
    /// The state is of an older schema, and the new type does not take it.
    #[error("the state does not upgrade from schema {from} to {to} of {wanted}: {why}")]
    Upgrade {
        /// The type asked for.
        wanted: String,
        /// The schema of the state.
        from: u32,
        /// The schema of the type.
        to: u32,
        /// What the conversion said.
        why: String,
    },
    /// The level above could not be reached, or died with the question in hand.
    #[error("the level above level {level} is lost: {why}")]
    ParentLost {
        /// The highest level that was reached.
        level: u8,
        /// What became of the one above.
        why: CallError,
    },
    /// The first checkpointing actor gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why two checkpointing actors are not parent and child. Nothing changed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum RegisterError {
    /// They are the same actor.
    #[error("an actor cannot be its own parent")]
    SameActor,
    /// A parent must be of a higher level than its child: this is what ends every request upward.
    #[error("level {parent} is not above level {child}")]
    LevelOrder {
        /// The level of the parent.
        parent: u8,
        /// The level of the child.
        child: u8,
    },
    /// The child gave no answer.
    #[error("no answer from the child: {0}")]
    Child(CallError),
    /// The parent gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why the intervals are as they were.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum IntervalError {
    /// The period is below [`Interval::MINIMUM`](crate::Interval::MINIMUM).
    #[error("a period of {period:?} is below the minimum of {minimum:?}")]
    TooShort {
        /// The period asked for.
        period: std::time::Duration,
        /// The shortest there is.
        minimum: std::time::Duration,
    },
    /// Saving was switched on, and the actor has no snapshot directory.
    #[error("there is no snapshot directory to save to")]
    NoDirectory,
    /// The actor gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why the store was not saved. The last good snapshot is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum SaveError {
    /// Neither the request nor the actor names a snapshot directory.
    #[error("there is no snapshot directory to save to")]
    NoDirectory,
    /// The directory, as it says.
    #[error(transparent)]
    Snapshot(#[from] SnapshotError),
    /// The actor gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

/// Why nothing was loaded. The store is as it was.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum LoadError {
    /// Neither the request nor the actor names a snapshot directory.
    #[error("there is no snapshot directory to load from")]
    NoDirectory,
    /// The directory has no snapshot that is whole; what is wrong with those there are.
    #[error("there is no whole snapshot: {}", Listed(.0))]
    NoSnapshot(Vec<SnapshotError>),
    /// The actor gave no answer.
    #[error(transparent)]
    Call(#[from] CallError),
}

struct Wanted<'a>(&'a Option<Version>);

impl std::fmt::Display for Wanted<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        self.0.map_or(Ok(()), |version| write!(f, "version {version} of "))
    }
}

struct Listed<'a>(&'a [SnapshotError]);

impl std::fmt::Display for Listed<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none was committed");
        }
        for (i, error) in self.0.iter().enumerate() {
            write!(f, "{}{error}", if i == 0 { "" } else { "; " })?;
        }
        Ok(())
    }
}
