//! What a [`Checkpointing`] actor takes. [`CheckpointLink`](crate::CheckpointLink) sends these; they
//! are public for those that need to name them, and cross nodes.

use std::{fmt, path::PathBuf};

use actors_core::{ActorId, CallError, Link, Message};
use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

use crate::{
    Blob, CheckpointEvent, Checkpointing, Delta, IntervalChange, IntervalError, Intervals, Key,
    LoadError, PutError, RegisterError, RestoreError, SaveError, SnapshotError, StoreError,
    Version,
};

/// Store a state here and in every level above, up to `level`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Put {
    /// Under this key.
    pub key: Key,
    /// As this version.
    pub version: Version,
    /// The state.
    pub blob: Blob,
    /// The highest level that is to have it.
    pub level: u8,
    /// A level that has this version, or a newer one, refuses it: it is then
    /// [`Outdated`](crate::StoreError::Outdated), whatever the level keeps.
    #[serde(default)]
    pub only_newer: bool,
}

impl Message for Put {
    type Reply = Result<Reached, PutError>;
}

/// As [`Put`], of a state that has not changed much since the version that was put last.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutDelta {
    /// Under this key.
    pub key: Key,
    /// As this version.
    pub version: Version,
    /// What has changed.
    pub delta: Delta,
    /// The highest level that is to have it.
    pub level: u8,
    /// As [`Put::only_newer`].
    pub only_newer: bool,
}

impl Message for PutDelta {
    /// [`PutError::NoBase`] asks for the whole state.
    type Reply = Result<Reached, PutError>;
}

/// Store many states, as [`Put`] does each, in one go.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct PutMany {
    /// The states.
    pub entries: Vec<(Key, Version, Blob)>,
    /// The highest level that is to have them.
    pub level: u8,
}

impl Message for PutMany {
    type Reply = Result<BatchReport, PutError>;
}

/// What became of many states.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct BatchReport {
    /// The highest level that has those that were not refused.
    pub level: u8,
    /// Those that a level did not take; the levels below it have them.
    pub refused: Vec<Refused>,
}

/// A state that a level did not take.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refused {
    /// Its key.
    pub key: Key,
    /// Its version.
    pub version: Version,
    /// The level.
    pub level: u8,
    /// Why.
    pub why: StoreError,
}

/// Capture a state beside the actor, then store it as [`Put`] does. It does not cross nodes.
pub struct PutLater {
    /// Under this key.
    pub key: Key,
    /// As this version.
    pub version: Version,
    /// The highest level that is to have it.
    pub level: u8,
    /// Captures the state.
    pub capture: Box<dyn FnOnce() -> Result<Blob, PutError> + Send>,
}

impl Message for PutLater {
    type Reply = Result<Reached, PutError>;
}

impl fmt::Debug for PutLater {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("PutLater")
            .field("key", &self.key)
            .field("version", &self.version)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}

/// A state is stored, safe from whatever this level is safe from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reached {
    /// The highest level that has it: the one asked for, or the highest there is.
    pub level: u8,
}

/// The state of a key, from the first actor upward whose level is `level` or higher, or that has no
/// parent.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Get {
    /// The key.
    pub key: Key,
    /// A certain version, or the newest.
    pub version: Option<Version>,
    /// The level.
    pub level: u8,
    /// The newest below this one.
    #[serde(default)]
    pub below: Option<Version>,
}

impl Get {
    /// The newest state of a key.
    pub fn newest(key: impl Into<Key>, level: u8) -> Self {
        Self { key: key.into(), version: None, level, below: None }
    }
}

impl Message for Get {
    type Reply = Result<Entry, RestoreError>;
}

/// The newest state of a key here and in all levels above. A level above that is lost is left out,
/// unless no state was found below it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Best {
    /// The key.
    pub key: Key,
    /// Only versions above this one count.
    pub above: Option<Version>,
}

impl Message for Best {
    type Reply = Result<Entry, RestoreError>;
}

/// A state that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// Its version.
    pub version: Version,
    /// The state.
    pub blob: Blob,
    /// The level that had it.
    pub level: u8,
}

/// The keys held here, with their versions, oldest first.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Inventory;

impl Message for Inventory {
    type Reply = Vec<(Key, Vec<Version>)>;
}

/// The newest state of every key held here.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct All;

impl Message for All {
    type Reply = Vec<(Key, Entry)>;
}

/// Become the parent of `child`; it becomes your child.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Register {
    /// The child, of a lower level.
    pub child: Link<Checkpointing>,
}

impl Message for Register {
    type Reply = Result<(), RegisterError>;
}

/// Forget a child. It keeps its parent: the way to part two is [`SetParent`] with `None`.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Unregister {
    /// The child.
    pub child: ActorId,
}

impl Message for Unregister {
    /// Whether it was one.
    type Reply = bool;
}

/// Have this parent, or none; the one before forgets this child. [`Register`] sends it.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct SetParent {
    /// The parent.
    pub parent: Option<Parent>,
}

impl Message for SetParent {
    type Reply = Result<(), RegisterError>;
}

/// A level above.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Parent {
    /// The actor.
    pub link: Link<Checkpointing>,
    /// Its level.
    pub level: u8,
}

/// Pull the newest states from all children.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Update;

impl Message for Update {
    type Reply = UpdateReport;
}

/// What an update brought.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateReport {
    /// States that are new here.
    pub pulled: usize,
    /// Bytes of states that children have sent: of one that is on another node only what has changed.
    pub moved: u64,
    /// Children that were left out, and why. The next update asks them for what is missing.
    pub skipped: Vec<(ActorId, Skipped)>,
}

/// Why an update left a child out.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Skipped {
    /// It gave no answer in time, or is no more. A child of this node that is dead is forgotten.
    #[error(transparent)]
    Call(#[from] CallError),
    /// Its states do not all fit.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What has changed in a child's store since its answer that had this cursor.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Pull {
    /// `None` asks for everything.
    pub since: Option<Cursor>,
    /// States may come as what has changed since the last answer.
    #[serde(default)]
    pub deltas: bool,
}

impl Message for Pull {
    type Reply = Changes;
}

/// A place in the history of one store. It holds for one life of its actor.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cursor {
    /// The life.
    pub incarnation: u32,
    /// [`Store::changes`](crate::Store::changes).
    pub change: u64,
}

/// The newest states of the keys that have changed.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Changes {
    /// The states.
    pub entries: Vec<(Key, Version, Blob)>,
    /// For the next [`Pull`].
    pub cursor: Cursor,
    /// States as what has changed in them.
    #[serde(default)]
    pub deltas: Vec<(Key, Version, Delta)>,
}

/// Write everything held here as a new snapshot.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Save {
    /// To this directory instead of the actor's own.
    pub directory: Option<PathBuf>,
}

impl Message for Save {
    type Reply = Result<SaveReport, SaveError>;
}

/// A snapshot that is safe on disk.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SaveReport {
    /// Its number: snapshots of a directory are counted.
    pub snapshot: Version,
    /// States in it.
    pub entries: usize,
    /// Bytes on disk.
    pub bytes: u64,
}

/// Take over the states of the newest whole snapshot. What is held already stays.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub struct Load {
    /// From this directory instead of the actor's own.
    pub directory: Option<PathBuf>,
}

impl Message for Load {
    type Reply = Result<LoadReport, LoadError>;
}

/// What a load brought.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LoadReport {
    /// The number of the snapshot.
    pub snapshot: Version,
    /// False if no snapshot is whole, and this is what can be read of the newest one, and in place of what it
    /// has lost, of older ones.
    pub is_whole: bool,
    /// States that are new here.
    pub loaded: usize,
    /// States of the snapshot that do not fit here, and why.
    pub left_out: Vec<(Key, Version, StoreError)>,
    /// What is corrupt in the directory: newer snapshots, states that they have lost, the manifest.
    pub corrupt: Vec<SnapshotError>,
}

/// Forget a key, or everything, in memory and here only.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Reset {
    /// The key; `None` is all.
    pub key: Option<Key>,
}

impl Message for Reset {
    /// How many versions there were.
    type Reply = usize;
}

/// A level above has committed this version: keep it here until a newer one is protected.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Protect {
    /// The version.
    pub version: Version,
}

impl Message for Protect {
    /// The version that is protected now.
    type Reply = Version;
}

/// Forget every version above this one, everything with `None`: the group that they belong to was
/// rolled back. A protected version above it is no longer protected.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Rollback {
    /// The version that the group goes on from.
    pub above: Option<Version>,
}

impl Message for Rollback {
    /// How many versions there were.
    type Reply = usize;
}

/// Change what the actor does by itself. All of it, or on an error nothing.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub struct SetIntervals {
    /// Pulling from the children.
    pub update: IntervalChange,
    /// Saving to the snapshot directory.
    pub save: IntervalChange,
}

impl Message for SetIntervals {
    type Reply = Result<Intervals, IntervalError>;
}

/// Tell what happens from now on. It does not cross nodes.
#[derive(Clone, Copy, Debug)]
pub struct Subscribe;

impl Message for Subscribe {
    /// One that falls 4096 events behind loses the newest.
    type Reply = Receiver<CheckpointEvent>;
}

/// What the actor is and has.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub struct Describe;

impl Message for Describe {
    type Reply = Description;
}

/// What a checkpointing actor is and has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Description {
    /// Its level.
    pub level: u8,
    /// Its parent.
    pub parent: Option<ActorId>,
    /// Its children, in the order of their identities.
    pub children: Vec<ActorId>,
    /// What it does by itself.
    pub intervals: Intervals,
    /// Where it saves to.
    pub directory: Option<PathBuf>,
    /// Keys held.
    pub keys: usize,
    /// Bytes of states held.
    pub bytes: u64,
    /// Bytes it may hold.
    pub budget: Option<u64>,
    /// The version last protected.
    pub protected: Option<Version>,
}
