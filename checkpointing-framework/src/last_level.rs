//! The last level: states are gathered in a store, then committed to a directory as one.

use std::{path::PathBuf, sync::Arc};

use actors_checkpoint::{
    Blob, Checkpointing, CheckpointingConfig, Key, SnapshotDir, SnapshotError, Version,
    message::{Get, Inventory, Put},
};
use actors_core::{Link, System};
use parking_lot::Mutex;

use crate::{
    hierarchy::{LAST, PARTNER},
    stores::KEEP,
};

/// Cheap to clone. Its files are read and written where that holds up no actor.
#[derive(Clone)]
pub(crate) struct LastLevel {
    system: System,
    pub(crate) store: Link<Checkpointing>,
    directory: Arc<Mutex<SnapshotDir>>,
    meta: Arc<[u8]>,
}

impl LastLevel {
    pub(crate) async fn open(
        system: &System,
        path: PathBuf,
        meta: Vec<u8>,
    ) -> Result<Self, SnapshotError> {
        let disk = system.host().disk.clone();
        let directory = system.host().blocking(move || SnapshotDir::open(disk, &path)).await?;
        let config = CheckpointingConfig::level(LAST).keep(KEEP).hold_from(PARTNER);
        Ok(Self {
            system: system.clone(),
            store: system.spawn(Checkpointing::new(config)),
            directory: Arc::new(Mutex::new(directory)),
            meta: meta.into(),
        })
    }

    async fn on_directory<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut SnapshotDir) -> T + Send + 'static,
    ) -> T {
        let directory = self.directory.clone();
        self.system.host().blocking(move || work(&mut directory.lock())).await
    }

    /// The committed versions.
    pub(crate) async fn versions(&self) -> Vec<Version> {
        self.on_directory(|directory| directory.versions()).await
    }

    /// Takes a committed version into the store, if it is not there.
    pub(crate) async fn fetch(
        &self,
        version: Version,
        members: &[Key],
    ) -> Result<(), SnapshotError> {
        let held = self.store.call(Inventory).await.unwrap_or_default();
        let holds = |key| held.iter().any(|(k, versions)| k == key && versions.contains(&version));
        if members.iter().all(holds) {
            return Ok(());
        }
        let snapshot = self.on_directory(move |directory| directory.load(version)).await?;
        for (key, version, blob) in snapshot.entries {
            let _ =
                self.store.call(Put { key, version, blob, level: LAST, only_newer: false }).await;
        }
        Ok(())
    }

    /// Drops newer versions from the directory.
    pub(crate) async fn rollback(&self, version: Option<Version>) -> Result<(), SnapshotError> {
        let version = version.unwrap_or(0);
        self.on_directory(move |directory| directory.rollback(version).map(drop)).await
    }

    /// Commits a version that is whole in the store. One that was restored from the directory and
    /// placed again is there already.
    pub(crate) async fn save(&self, version: Version, members: Vec<Key>) -> Result<(), String> {
        let mut entries: Vec<(Key, Version, Blob)> = Vec::new();
        for key in members {
            let get = Get { key: key.clone(), version: Some(version), level: 0, below: None };
            let entry = self.store.call(get).await.map_err(|error| error.to_string())?;
            let entry = entry.map_err(|error| error.to_string())?;
            entries.push((key, version, entry.blob));
        }
        let meta = self.meta.clone();
        let commit = move |directory: &mut SnapshotDir| match directory.newest() {
            Some(newest) if newest >= version => Ok(()),
            _ => directory.commit(version, &entries, &meta).map(drop),
        };
        let directory = self.directory.clone();
        let saved = self.system.host().background(move || commit(&mut directory.lock()));
        saved.await.map_err(|error| error.to_string())
    }
}
