//! Reading versions back, with all that they refer to.

use std::collections::BTreeMap;

use bytes::Bytes;

use super::{
    Snapshot, SnapshotDir, SnapshotError, SnapshotProblem,
    data::{self, Found, Seal},
    manifest::file_name,
    places::Places,
    record::{Place, Record, read_at},
};
use crate::{Blob, Key, Version};

/// What was read of a version.
pub(super) struct Resolved {
    pub(super) snapshot: Snapshot,
    /// Of the entries.
    pub(super) places: Vec<Place>,
    /// What is missing of it, and why.
    pub(super) lost: Vec<(Key, SnapshotError)>,
}

/// Where the states of a version lie, for a writer that opens the same directory later.
#[derive(Debug)]
pub(crate) struct Seen {
    places: Places,
    files: BTreeMap<Version, Seal>,
}

impl SnapshotDir {
    /// Reads a version and verifies all of it.
    ///
    /// # Errors
    /// [`SnapshotProblem::Missing`] if it is not committed; else what is wrong with its file or one that it
    /// refers to, and where.
    pub fn load(&self, version: Version) -> Result<Snapshot, SnapshotError> {
        let (mut snapshot, places) = self.read(version)?;
        self.places.lock().load(&mut snapshot.entries, &places);
        Ok(snapshot)
    }

    pub(super) fn read(&self, version: Version) -> Result<(Snapshot, Vec<Place>), SnapshotError> {
        let name = file_name(version);
        let missing = || SnapshotError::new(self.folder.file(&name), SnapshotProblem::Missing);
        let listed = self.listed(version).filter(|listed| listed.is_version());
        let listed = listed.ok_or_else(missing)?;
        let bytes = self.folder.read(&name);
        let found = bytes
            .and_then(|bytes| data::read(bytes).map_err(|fault| self.folder.fault(&name, fault)))
            .inspect_err(|_| self.distrust(version))?;
        if found.version != version || found.seal != listed.seal {
            self.distrust(version);
            let what = "not the file that the manifest lists".to_owned();
            let file = self.folder.file(&name);
            return Err(SnapshotError::new(file, SnapshotProblem::Invalid(what)));
        }
        let Resolved { snapshot, places, lost } = self.resolve(found);
        match lost.into_iter().next() {
            Some((_, error)) => Err(error),
            None => Ok((snapshot, places)),
        }
    }

    /// Reads the newest version that is whole, and names what is corrupt: whatever was when the
    /// directory was opened, and every version that is newer than the one given.
    pub fn load_newest(&self) -> (Option<Snapshot>, Vec<SnapshotError>) {
        let mut corrupt = self.corrupt.clone();
        for version in self.versions().into_iter().rev() {
            match self.load(version) {
                Ok(snapshot) => return (Some(snapshot), corrupt),
                Err(error) => corrupt.push(error),
            }
        }
        (None, corrupt)
    }

    /// What this has loaded, for the next to open the directory in this process.
    pub(crate) fn seen(&self) -> Seen {
        let files = self.files.iter().map(|file| (file.version, file.seal)).collect();
        Seen { places: std::mem::take(&mut self.places.lock()), files }
    }

    /// Takes over what another one has loaded, as far as it is still there.
    pub(crate) fn trust(&self, mut seen: Seen) {
        let is_here = |file| {
            let seal = seen.files.get(&file);
            seal.is_some() && seal == self.listed(file).map(|listed| &listed.seal)
        };
        seen.places.keep_in(is_here);
        self.places.lock().add(seen.places);
    }

    /// Fetches what a version refers to. Each file is read once.
    pub(super) fn resolve(&self, found: Found) -> Resolved {
        let Found { version, meta, mut records, .. } = found;
        let mut wanted: BTreeMap<Version, Vec<usize>> = BTreeMap::new();
        for (at, record) in records.iter().enumerate().filter(|(_, r)| r.blob.is_none()) {
            wanted.entry(record.place.file).or_default().push(at);
        }
        let mut lost = Vec::new();
        for (file, references) in wanted {
            let before = lost.len();
            self.fetch(file, &references, &mut records, &mut lost);
            if lost.len() > before {
                self.distrust(file);
            }
        }
        let (mut entries, mut places) = (Vec::new(), Vec::new());
        for Record { key, version, place, blob } in records {
            if let Some(blob) = blob {
                entries.push((key, version, blob));
                places.push(place);
            }
        }
        Resolved { snapshot: Snapshot { version, entries, meta }, places, lost }
    }

    fn fetch(
        &self,
        file: Version,
        references: &[usize],
        records: &mut [Record],
        lost: &mut Vec<(Key, SnapshotError)>,
    ) {
        let name = file_name(file);
        let bytes = self.folder.read(&name);
        let used: u64 = references.iter().map(|at| records[*at].place.length).sum();
        for at in references {
            let Record { key, version, place, blob } = &mut records[*at];
            let read = match &bytes {
                Ok(bytes) => read_at(bytes, key, *version, place)
                    .map(|blob| as_used(blob, used, bytes))
                    .map_err(|fault| self.folder.fault(&name, fault)),
                Err(error) => Err(error.clone().of_state(key, *version, place)),
            };
            match read {
                Ok(read) => *blob = Some(read),
                Err(error) => lost.push((key.clone(), error)),
            }
        }
    }

    /// Nothing more is going to lie in a file of which something cannot be read.
    pub(super) fn distrust(&self, file: Version) {
        self.places.lock().distrust(file);
    }
}

/// A file of which little is used is not to stay in memory.
fn as_used(blob: Blob, used: u64, file: &Bytes) -> Blob {
    if used.saturating_mul(2) < file.len() as u64 { blob.detached() } else { blob }
}
