use std::{path::Path, sync::Arc};

use actors_core::{Call, Link};
use bytemuck::Pod;
use crossbeam_channel::Receiver;
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    Blob, Capture, Checkpoint, CheckpointEvent, Checkpointing, IntervalChange, IntervalError,
    Intervals, Key, LoadError, PutError, RegisterError, Request, RestoreError, Restored, SaveError,
    Version,
    message::{
        All, BatchReport, Best, Describe, Description, Entry, Get, Inventory, Load, LoadReport,
        Protect, Put, PutLater, PutMany, Reached, Register, Reset, Save, SaveReport, SetIntervals,
        SetParent, Subscribe, Update, UpdateReport,
    },
    request::Limit,
};

/// What can be asked of a [`Checkpointing`] actor, here or on another node, by its link.
///
/// Every request is sent when the method is called, in order; awaiting it gives the answer. It waits
/// 5 s unless [`Request::within`] or [`Call::within`] says otherwise; no answer in time is
/// [`CallError::Timeout`](actors_core::CallError::Timeout), never the answer that something is
/// missing. Dropping it abandons the answer, not the request.
pub trait CheckpointLink {
    /// Captures a value and stores it at this level and those above, up to `level`. The value is
    /// encoded before this returns: what becomes of it later is not in the checkpoint.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let reached = local.checkpoint("run/1", 1, &("a state", 42), 1).await?;
    /// assert_eq!(reached.level, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`PutError`] says which level has the state all the same.
    fn checkpoint<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: &T,
        level: u8,
    ) -> Request<Reached, PutError>;

    /// As [`checkpoint`](Self::checkpoint), of numbers or other plain data as raw bytes.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// local.checkpoint_raw("heights", 1, &[1.0_f32, 2.0], 1).await?;
    /// assert_eq!(local.restore_raw::<f32>("heights", 1).await?, [1.0, 2.0]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn checkpoint_raw<T: Pod>(
        &self,
        key: impl Into<Key>,
        version: Version,
        elements: &[T],
        level: u8,
    ) -> Request<Reached, PutError>;

    /// As [`checkpoint`](Self::checkpoint), of a state that was captured already: by a
    /// [`Capture`](crate::Capture), or under a schema.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let mut capture = Capture::default();
    /// let state = capture.raw(&[1_u64, 2]).with_schema(3);
    /// local.checkpoint_blob("counts", 1, state, 1).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn checkpoint_blob(
        &self,
        key: impl Into<Key>,
        version: Version,
        blob: Blob,
        level: u8,
    ) -> Request<Reached, PutError>;

    /// As [`checkpoint`](Self::checkpoint), of a [`Checkpoint`]: with its schema and codec, or raw.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let heights = vec![1.0_f64, 2.0];
    /// local.checkpoint_state("heights", 1, &heights, 1).await?;
    /// let back = local.restore_state::<Vec<f64>>("heights", 1).await?;
    /// assert_eq!((back.state, back.version), (heights, 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint).
    fn checkpoint_state<S: Checkpoint>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: &S,
        level: u8,
    ) -> Request<Reached, PutError>;

    /// As [`checkpoint_state`](Self::checkpoint_state), of a shared state that is captured later, beside
    /// the caller and the checkpointing actor: the caller spends nothing on it but a message. Since
    /// nobody can change what is shared, the checkpoint has the state as it is now. To go on, the owner
    /// makes a new one, or changes it with [`Arc::make_mut`], which copies it while a capture is under way.
    ///
    /// The state is stored when it is captured; of two captures at a time the later one may be stored
    /// first. The checkpointing actor has to be of this node.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// use std::sync::Arc;
    /// let mut table = Arc::new(vec![0_u64; 1000]);
    /// let stored = local.checkpoint_later("table", 1, table.clone(), 1);
    /// Arc::make_mut(&mut table)[0] = 7;
    /// stored.await?;
    /// assert_eq!(local.restore_raw::<u64>("table", 1).await?[0], 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`checkpoint`](Self::checkpoint); [`CallError::NotExported`](actors_core::CallError::NotExported) on a link to another node.
    fn checkpoint_later<S: Checkpoint + Sync>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: Arc<S>,
        level: u8,
    ) -> Request<Reached, PutError>;

    /// Many captured states in one go, for small ones that are checkpointed together. Each is stored,
    /// or refused, by itself.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let batch = (0..100_u64).map(|i| Ok((format!("cell {i}").into(), 1, Blob::encode(&i)?)));
    /// let batch = batch.collect::<Result<Vec<_>, PutError>>()?;
    /// let report = local.checkpoint_batch(batch, 1).await?;
    /// assert!(report.refused.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`PutError`]: a level could not be reached.
    fn checkpoint_batch(
        &self,
        states: Vec<(Key, Version, Blob)>,
        level: u8,
    ) -> Request<BatchReport, PutError>;

    /// The newest value of a key at `level`, or at the highest level there is below it.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # local.checkpoint("sum", 1, &7_u64, 1).await?;
    /// let sum: u64 = local.restore("sum", 1).await?;
    /// let missing = local.restore::<u64>("product", 1).await;
    /// assert!(matches!(missing, Err(RestoreError::Missing { .. })));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`RestoreError`]: missing, corrupt, of another type, or no answer.
    fn restore<T: DeserializeOwned + Send + 'static>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<T, RestoreError>;

    /// As [`restore`](Self::restore), of a state that was captured raw.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # local.checkpoint_raw("heights", 1, &[1.0_f64, 2.0], 1).await?;
    /// let heights = local.restore_raw::<f64>("heights", 1).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    fn restore_raw<T: Pod + Send>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<Vec<T>, RestoreError>;

    /// As [`restore`](Self::restore), of a [`Checkpoint`]. Versions that cannot be read (corrupt, of
    /// another type, of an unknown schema) are passed over for older ones of the same level, and told.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// local.checkpoint("sum", 1, &7_u64, 1).await?;
    /// local.checkpoint_state("sum", 2, &vec![7_u64], 1).await?;
    /// let sum = local.restore_state::<Vec<u64>>("sum", 1).await?;
    /// assert_eq!((sum.version, sum.passed_over), (2, vec![]));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`RestoreError`]; if no version can be read, that of the newest.
    fn restore_state<S: Checkpoint>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<Restored<S>, RestoreError>;

    /// The state of a key at a certain version, not decoded, and where it was found. `None` is the
    /// newest.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # for v in 1..=2 { local.checkpoint("sum", v, &(10 * v), 1).await?; }
    /// let first = local.restore_version("sum", Some(1), 1).await?;
    /// assert_eq!((first.level, first.blob.decode::<u64>()?), (1, 10));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    fn restore_version(
        &self,
        key: impl Into<Key>,
        version: Option<Version>,
        level: u8,
    ) -> Request<Entry, RestoreError>;

    /// The newest state of a key over this level and all above. A level above that is lost is left
    /// out, unless nothing was found below it.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # local.checkpoint("sum", 9, &1_u64, 1).await?;
    /// assert_eq!(local.restore_best("sum").await?.version, 9);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`restore`](Self::restore).
    fn restore_best(&self, key: impl Into<Key>) -> Request<Entry, RestoreError>;

    /// The keys held at this level, with their versions, oldest first.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # local.checkpoint("sum", 1, &1_u64, 1).await?;
    /// assert_eq!(local.inventory().await?, [("sum".into(), vec![1])]);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn inventory(&self) -> Call<Vec<(Key, Vec<Version>)>>;

    /// The newest state of every key held at this level, in the order of the keys.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// for (key, entry) in local.checkpoints().await? {
    ///     println!("{key} is at version {}", entry.version);
    /// }
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn checkpoints(&self) -> Call<Vec<(Key, Entry)>>;

    /// Makes `child` a child of this actor, and this actor its parent, in place of any other.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2)));
    /// above.register(&local).await?;
    /// assert_eq!(local.describe().await?.parent, Some(above.id()));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`RegisterError`]; nothing changed.
    fn register(&self, child: &Self) -> Request<(), RegisterError>;

    /// Parts this actor from its parent; the parent forgets it.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// local.leave_parent().await?;
    /// assert_eq!(local.describe().await?.parent, None);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`RegisterError::Call`].
    fn leave_parent(&self) -> Request<(), RegisterError>;

    /// Pulls from all children what is newer there. Children that are slow or dead are left out and
    /// reported. Asked while an update runs, it waits for the next one.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let report = local.update().await?;
    /// assert!(report.skipped.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn update(&self) -> Call<UpdateReport>;

    /// Writes everything held at this level to the actor's directory, as a new snapshot.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// let saved = local.save().await;
    /// assert_eq!(saved, Err(SaveError::NoDirectory)); // it was given none
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`SaveError`]; the last good snapshot is as it was.
    fn save(&self) -> Request<SaveReport, SaveError>;

    /// As [`save`](Self::save), to a directory of the actor's node.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # let directory = tempfile::tempdir()?;
    /// local.save_to(directory.path()).await?;
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`save`](Self::save).
    fn save_to(&self, directory: &Path) -> Request<SaveReport, SaveError>;

    /// Takes over the states of the newest whole snapshot in the actor's directory. States that are
    /// held already stay.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// assert_eq!(local.load().await, Err(LoadError::NoDirectory)); // it was given none
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`LoadError`]; the store is as it was.
    fn load(&self) -> Request<LoadReport, LoadError>;

    /// As [`load`](Self::load), from a directory of the actor's node.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # let directory = tempfile::tempdir()?;
    /// # local.save_to(directory.path()).await?;
    /// let report = local.load_from(directory.path()).await?;
    /// assert!(report.corrupt.is_empty());
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`load`](Self::load).
    fn load_from(&self, directory: &Path) -> Request<LoadReport, LoadError>;

    /// Forgets a key at this level; gives how many versions there were.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// # local.checkpoint("sum", 1, &1_u64, 1).await?;
    /// assert_eq!(local.reset("sum").await?, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn reset(&self, key: impl Into<Key>) -> Call<usize>;

    /// Forgets everything at this level; gives how many versions there were.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// assert_eq!(local.reset_all().await?, 0);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn reset_all(&self) -> Call<usize>;

    /// Tells the actor that a level above has committed `version`: what it holds of it, or of the
    /// version before it, stays until a newer one is protected. Gives the version that is protected.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// assert_eq!(local.protect(3).await?, 3);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn protect(&self, version: Version) -> Call<Version>;

    /// Changes what the actor does by itself; gives the intervals as they are then.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// use std::time::Duration;
    /// let every = IntervalChange::every(Duration::from_secs(5));
    /// let intervals = local.set_intervals(every, IntervalChange::NONE).await?;
    /// assert!(intervals.update.on && !intervals.save.on);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`IntervalError`]; nothing changed.
    fn set_intervals(
        &self,
        update: IntervalChange,
        save: IntervalChange,
    ) -> Request<Intervals, IntervalError>;

    /// What happens from now on that nobody asks for, or that goes wrong. A subscriber that falls 4096
    /// events behind loses the newest. The actor has to be of this node.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(1)));
    /// let events = local.subscribe().await?;
    /// for version in 1..=2 {
    ///     local.checkpoint("sum", version, &7_u64, 1).await?;
    /// }
    /// assert!(matches!(events.recv()?, CheckpointEvent::Evicted(old) if old.version == 1));
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn subscribe(&self) -> Call<Receiver<CheckpointEvent>>;

    /// What the actor is and has.
    ///
    /// ```
    /// # use actors_checkpoint::*;
    /// # use actors_core::System;
    /// # let system = System::new();
    /// # let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    /// # system.block_on(async {
    /// assert_eq!(local.describe().await?.level, 1);
    /// # Ok::<(), Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    fn describe(&self) -> Call<Description>;
}

impl CheckpointLink for Link<Checkpointing> {
    fn checkpoint<T: Serialize + ?Sized>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: &T,
        level: u8,
    ) -> Request<Reached, PutError> {
        match Blob::encode(state) {
            Ok(blob) => self.checkpoint_blob(key, version, blob, level),
            Err(error) => Request::failed(error),
        }
    }

    fn checkpoint_raw<T: Pod>(
        &self,
        key: impl Into<Key>,
        version: Version,
        elements: &[T],
        level: u8,
    ) -> Request<Reached, PutError> {
        self.checkpoint_blob(key, version, Blob::raw(elements), level)
    }

    fn checkpoint_blob(
        &self,
        key: impl Into<Key>,
        version: Version,
        blob: Blob,
        level: u8,
    ) -> Request<Reached, PutError> {
        let put = Put { key: key.into(), version, blob, level, only_newer: false };
        Request::new(self.call(put), Ok)
    }

    fn checkpoint_state<S: Checkpoint>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: &S,
        level: u8,
    ) -> Request<Reached, PutError> {
        match state.capture(&mut Capture::new(0)) {
            Ok(blob) => self.checkpoint_blob(key, version, blob, level),
            Err(error) => Request::failed(error),
        }
    }

    fn checkpoint_later<S: Checkpoint + Sync>(
        &self,
        key: impl Into<Key>,
        version: Version,
        state: Arc<S>,
        level: u8,
    ) -> Request<Reached, PutError> {
        let capture = Box::new(move || state.capture(&mut Capture::new(0)));
        Request::new(self.call(PutLater { key: key.into(), version, level, capture }), Ok)
    }

    fn checkpoint_batch(
        &self,
        entries: Vec<(Key, Version, Blob)>,
        level: u8,
    ) -> Request<BatchReport, PutError> {
        Request::new(self.call(PutMany { entries, level }), Ok)
    }

    fn restore_state<S: Checkpoint>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<Restored<S>, RestoreError> {
        let (link, get) = (self.clone(), Get::newest(key, level));
        let newest = self.call(get.clone());
        Request::of(async move |limit| {
            let newest = limit.on(newest).await??;
            readable(&link, get, newest, S::restore, limit).await
        })
    }

    fn restore<T: DeserializeOwned + Send + 'static>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<T, RestoreError> {
        Request::new(self.call(Get::newest(key, level)), |entry| entry.blob.decode())
    }

    fn restore_raw<T: Pod + Send>(
        &self,
        key: impl Into<Key>,
        level: u8,
    ) -> Request<Vec<T>, RestoreError> {
        Request::new(self.call(Get::newest(key, level)), |entry| entry.blob.to_vec())
    }

    fn restore_version(
        &self,
        key: impl Into<Key>,
        version: Option<Version>,
        level: u8,
    ) -> Request<Entry, RestoreError> {
        Request::new(self.call(Get { version, ..Get::newest(key, level) }), Ok)
    }

    fn restore_best(&self, key: impl Into<Key>) -> Request<Entry, RestoreError> {
        Request::new(self.call(Best { key: key.into(), above: None }), Ok)
    }

    fn inventory(&self) -> Call<Vec<(Key, Vec<Version>)>> {
        self.call(Inventory)
    }

    fn checkpoints(&self) -> Call<Vec<(Key, Entry)>> {
        self.call(All)
    }

    fn register(&self, child: &Self) -> Request<(), RegisterError> {
        Request::new(self.call(Register { child: child.clone() }), Ok)
    }

    fn leave_parent(&self) -> Request<(), RegisterError> {
        Request::new(self.call(SetParent { parent: None }), Ok)
    }

    fn update(&self) -> Call<UpdateReport> {
        self.call(Update)
    }

    fn save(&self) -> Request<SaveReport, SaveError> {
        Request::new(self.call(Save { directory: None }), Ok)
    }

    fn save_to(&self, directory: &Path) -> Request<SaveReport, SaveError> {
        Request::new(self.call(Save { directory: Some(directory.into()) }), Ok)
    }

    fn load(&self) -> Request<LoadReport, LoadError> {
        Request::new(self.call(Load { directory: None }), Ok)
    }

    fn load_from(&self, directory: &Path) -> Request<LoadReport, LoadError> {
        Request::new(self.call(Load { directory: Some(directory.into()) }), Ok)
    }

    fn reset(&self, key: impl Into<Key>) -> Call<usize> {
        self.call(Reset { key: Some(key.into()) })
    }

    fn reset_all(&self) -> Call<usize> {
        self.call(Reset { key: None })
    }

    fn protect(&self, version: Version) -> Call<Version> {
        self.call(Protect { version })
    }

    fn set_intervals(
        &self,
        update: IntervalChange,
        save: IntervalChange,
    ) -> Request<Intervals, IntervalError> {
        Request::new(self.call(SetIntervals { update, save }), Ok)
    }

    fn subscribe(&self) -> Call<Receiver<CheckpointEvent>> {
        self.call(Subscribe)
    }

    fn describe(&self) -> Call<Description> {
        self.call(Describe)
    }
}

/// The first of this entry and the older ones of its level that can be read.
pub(crate) async fn readable<S>(
    link: &Link<Checkpointing>,
    get: Get,
    mut entry: Entry,
    read: impl Fn(&Blob) -> Result<S, RestoreError>,
    limit: Limit,
) -> Result<Restored<S>, RestoreError> {
    let mut passed_over: Vec<(Version, RestoreError)> = Vec::new();
    loop {
        let Entry { version, blob, level } = entry;
        match read(&blob) {
            Ok(state) => return Ok(Restored { state, version, level, passed_over }),
            Err(why) => passed_over.push((version, why)),
        }
        let older = link.call(Get { below: Some(version), ..get.clone() });
        entry = match limit.on(older).await? {
            Ok(entry) => entry,
            Err(RestoreError::Missing { .. }) => return Err(passed_over.remove(0).1),
            Err(error) => return Err(error),
        };
    }
}
