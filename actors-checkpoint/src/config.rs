use std::{path::PathBuf, time::Duration};

use actors_core::Link;
use serde::{Deserialize, Serialize};

use crate::{Checkpointing, Interval, Intervals};

/// Versions of a key that are kept unless told otherwise.
const DEFAULT_KEEP: usize = 2;
/// How long relatives may take to answer unless told otherwise.
const DEFAULT_PATIENCE: Duration = Duration::from_secs(2);

/// How a [`Checkpointing`] actor is to be.
///
/// ```
/// # use actors_checkpoint::CheckpointingConfig;
/// # use std::time::Duration;
/// let config = CheckpointingConfig::level(2)
///     .keep(3)
///     .budget(1 << 30)
///     .directory("checkpoints")
///     .update_every(Duration::from_secs(10))
///     .save_every(Duration::from_secs(60));
/// ```
#[derive(Clone, Debug)]
#[must_use = "it configures an actor"]
pub struct CheckpointingConfig {
    pub(crate) level: u8,
    pub(crate) keep: usize,
    pub(crate) budget: Option<u64>,
    pub(crate) parent: Option<Link<Checkpointing>>,
    pub(crate) directory: Option<PathBuf>,
    pub(crate) intervals: Intervals,
    pub(crate) patience: Duration,
    pub(crate) hold: Option<u8>,
}

impl CheckpointingConfig {
    /// An actor of this level; 1 is the lowest, next to the actors whose states it holds. It keeps
    /// two versions, has no budget, parent or directory, and does nothing by itself.
    pub const fn level(level: u8) -> Self {
        Self {
            level,
            keep: DEFAULT_KEEP,
            budget: None,
            parent: None,
            directory: None,
            intervals: Intervals { update: Interval::OFF, save: Interval::OFF },
            patience: DEFAULT_PATIENCE,
            hold: None,
        }
    }

    /// Keeps that many versions of each key, 1 at least.
    pub const fn keep(mut self, versions: usize) -> Self {
        self.keep = versions;
        self
    }

    /// Keeps at most that many bytes of states: see [`Store`](crate::Store) for what goes first.
    pub const fn budget(mut self, bytes: u64) -> Self {
        self.budget = Some(bytes);
        self
    }

    /// Has this parent from its start, and registers with it.
    pub fn parent(mut self, parent: &Link<Checkpointing>) -> Self {
        self.parent = Some(parent.clone());
        self
    }

    /// Saves to this directory, and loads from it, on the disk of the actor's system.
    pub fn directory(mut self, directory: impl Into<PathBuf>) -> Self {
        self.directory = Some(directory.into());
        self
    }

    /// Pulls from its children by itself. A period below [`Interval::MINIMUM`] is a failed start.
    pub const fn update_every(mut self, period: Duration) -> Self {
        self.intervals.update = Interval::every(period);
        self
    }

    /// Saves by itself, if anything has changed since. A period below [`Interval::MINIMUM`], or no
    /// directory, is a failed start.
    pub const fn save_every(mut self, period: Duration) -> Self {
        self.intervals.save = Interval::every(period);
        self
    }

    /// Holds versions that are put for `level` or higher, beyond `keep`, until one at or above them is
    /// [protected](crate::message::Protect): a group may have to go back to them. Only for stores
    /// that are told what is protected; a budget that they fill refuses what is new.
    pub const fn hold_from(mut self, level: u8) -> Self {
        self.hold = Some(level);
        self
    }

    /// How long a child may take to answer before an update or a registration goes on without it;
    /// 2 s unless told otherwise.
    pub const fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }
}

/// What another node starts a [`Checkpointing`] actor from, once it is [exported](crate::export).
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct CheckpointingArgs {
    /// As [`CheckpointingConfig::level`].
    pub level: u8,
    /// As [`CheckpointingConfig::keep`].
    pub keep: usize,
    /// As [`CheckpointingConfig::budget`].
    pub budget: Option<u64>,
    /// As [`CheckpointingConfig::parent`].
    pub parent: Option<Link<Checkpointing>>,
    /// As [`CheckpointingConfig::hold_from`].
    #[serde(default)]
    pub hold: Option<u8>,
}

impl From<CheckpointingArgs> for CheckpointingConfig {
    fn from(args: CheckpointingArgs) -> Self {
        let CheckpointingArgs { level, keep, budget, parent, hold } = args;
        Self { keep, budget, parent, hold, ..Self::level(level) }
    }
}
