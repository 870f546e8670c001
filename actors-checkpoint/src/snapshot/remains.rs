//! What can still be read of a directory without a whole version.

use std::{collections::BTreeSet, path::PathBuf};

use super::{
    Snapshot, SnapshotDir, SnapshotError, SnapshotProblem,
    data::{self, Damage},
    load::Resolved,
    manifest::{file_name, version_of},
};
use crate::{Key, Version};

impl SnapshotDir {
    /// What can be read when no version is whole: the states of the newest one that are as their own
    /// checksums say, and for those that are lost what older versions have of the same keys. Names everything
    /// that cannot be read, with its file, byte and key as far as they are known. This is no version: what it
    /// has may be of several.
    pub fn load_remains(&self) -> (Option<Snapshot>, Vec<SnapshotError>) {
        let mut remains = Remains::new(self.corrupt.clone());
        for version in self.readable() {
            match self.read_rest(version, &mut remains) {
                Ok((resolved, is_cut_off)) => remains.take(resolved, is_cut_off),
                Err(error) => remains.tell(error),
            }
        }
        (remains.snapshot, remains.corrupt)
    }

    /// The versions, newest first; without a good manifest, whatever may be one.
    fn readable(&self) -> Vec<Version> {
        let mut versions = self.versions();
        if !self.corrupt.is_empty() {
            let names = self.folder.names().unwrap_or_default();
            versions = names.iter().filter_map(|name| version_of(name)).collect();
        }
        versions.reverse();
        versions
    }

    /// What can be read of a version, and whether states were lost without their names.
    fn read_rest(
        &self,
        version: Version,
        remains: &mut Remains,
    ) -> Result<(Resolved, bool), SnapshotError> {
        let name = file_name(version);
        let mut damage = Damage::default();
        let found = data::read_rest(self.folder.read(&name)?, &mut damage);
        let is_whole = damage.faults.is_empty();
        if !is_whole {
            self.distrust(version);
        }
        let mut lost = Vec::new();
        for (offset, what) in damage.faults {
            let key = match &what {
                SnapshotProblem::State { key, .. } => Some(key.clone()),
                _ => None,
            };
            let error = self.folder.fault(&name, (offset, what));
            match key {
                Some(key) => lost.push((key, error)),
                None => remains.tell(error),
            }
        }
        let is_another = |seal| self.listed(version).is_some_and(|listed| listed.seal != seal);
        let found = found.filter(|found| {
            found.version == version
                && !(is_whole && self.corrupt.is_empty() && is_another(found.seal))
        });
        let Some(found) = found else {
            let what = "not the file of its version".to_owned();
            let file = self.folder.file(&name);
            return Err(SnapshotError::new(file, SnapshotProblem::Invalid(what)));
        };
        let mut resolved = self.resolve(found);
        self.places.lock().load(&mut resolved.snapshot.entries, &resolved.places);
        resolved.lost.extend(lost);
        Ok((resolved, damage.is_cut_off))
    }
}

/// What versions have of each other's states.
struct Remains {
    snapshot: Option<Snapshot>,
    /// Keys of which the newest one lost something.
    lost: BTreeSet<Key>,
    /// The newest one lost states without their names.
    is_cut_off: bool,
    held: BTreeSet<(Key, Version)>,
    corrupt: Vec<SnapshotError>,
    told: BTreeSet<(PathBuf, Option<u64>)>,
}

impl Remains {
    fn new(corrupt: Vec<SnapshotError>) -> Self {
        Self {
            snapshot: None,
            lost: BTreeSet::new(),
            is_cut_off: false,
            held: BTreeSet::new(),
            told: corrupt.iter().map(place_of).collect(),
            corrupt,
        }
    }

    /// Several versions may have lost the same state.
    fn tell(&mut self, error: SnapshotError) {
        if self.told.insert(place_of(&error)) {
            self.corrupt.push(error);
        }
    }

    /// All of the newest one, and of older ones only what that has lost.
    fn take(&mut self, resolved: Resolved, is_cut_off: bool) {
        let Resolved { snapshot: Snapshot { version, entries, meta }, lost, .. } = resolved;
        let is_first = self.snapshot.is_none();
        let snapshot =
            self.snapshot.get_or_insert_with(|| Snapshot { version, entries: Vec::new(), meta });
        for (key, version, blob) in entries {
            let is_wanted = is_first || self.is_cut_off || self.lost.contains(&key);
            if is_wanted && self.held.insert((key.clone(), version)) {
                snapshot.entries.push((key, version, blob));
            }
        }
        self.is_cut_off |= is_first && is_cut_off;
        for (key, error) in lost {
            if is_first {
                self.lost.insert(key);
            }
            self.tell(error);
        }
    }
}

fn place_of(error: &SnapshotError) -> (PathBuf, Option<u64>) {
    (error.file.clone(), error.offset)
}
