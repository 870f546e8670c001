use std::{
    collections::BTreeSet,
    fmt,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_core::host::{Disk, DiskLock};
use parking_lot::Mutex;

use super::{
    SnapshotError, SnapshotProblem,
    data::{Content, Seal},
    folder::{Folder, MANIFEST},
    manifest::{self, Listed, file_name, part},
    places::{Places, Plan},
};
use crate::{Blob, Key, Version};

/// Committed versions that are kept unless told otherwise.
const DEFAULT_KEEP: usize = 2;

type Entry = (Key, Version, Blob);

/// Committed versions in a directory: each is whole or not there, whenever the machine stops.
///
/// Every call blocks: make it from [`Host::blocking`](actors_core::host::Host::blocking).
///
/// A commit writes one data file under a temporary name, makes it safe, gives it its name, and then
/// replaces the manifest, which lists the committed versions, in the same way. Only after that is
/// what it no longer lists removed. Any failure before the new manifest is safe leaves the last
/// version as it was.
///
/// The file has the states that are new, and says of the others where in older files they lie: of those
/// that this very `SnapshotDir` has committed or loaded, which are the same [`Blob`] or a clone of it under
/// the same key and version. Older files stay as long as a committed version refers to them. A file that
/// is mostly of no use, and the smallest of more than 16, are not referred to: their states are written again.
///
/// ```
/// use actors_checkpoint::{Blob, SnapshotDir};
/// use actors_core::host::RealDisk;
/// use std::sync::Arc;
///
/// # let temporary = tempfile::tempdir()?;
/// # let path = temporary.path();
/// let mut directory = SnapshotDir::open(Arc::new(RealDisk), path)?;
/// directory.commit(1, &[("grid".into(), 1, Blob::raw(&[1.0, 2.0]))], b"by example")?;
/// let (newest, corrupt) = directory.load_newest();
/// assert_eq!(newest.unwrap().entries[0].2.to_vec::<f64>()?, [1.0, 2.0]);
/// assert!(corrupt.is_empty());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub struct SnapshotDir {
    pub(super) folder: Folder,
    keep: usize,
    /// The versions and the files that they refer to, oldest first.
    pub(super) files: Vec<Listed>,
    pub(super) corrupt: Vec<SnapshotError>,
    /// A commit failed half-way: what is on disk has to be looked at before the next one.
    pub(super) unsettled: bool,
    /// The version of the last commit, if it failed: it may be there all the same.
    failed: Option<Version>,
    /// What the next version can refer to. A load finds out more.
    pub(super) places: Mutex<Places>,
    lock: Option<Box<dyn DiskLock>>,
}

/// A version that is safe.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Committed {
    /// The version.
    pub version: Version,
    /// Its file.
    pub file: PathBuf,
    /// Bytes of the file.
    pub bytes: u64,
    /// States that lie in older files.
    pub referred: usize,
    /// States that do too, and were written again so that those files can go.
    pub compacted: usize,
    /// Versions that are no longer kept.
    pub removed: Vec<Version>,
    /// Files that could not be removed. The next commit, or the next to open, tries again.
    pub not_removed: Vec<SnapshotError>,
}

impl SnapshotDir {
    /// Opens a directory to write, makes it if it is missing, and removes what interrupted writes
    /// have left. Nobody else can write to it until this is dropped or the process ends.
    ///
    /// A manifest that is corrupt or missing is made good by looking at the data files: those that
    /// are whole, with all that they refer to, are the committed versions. [`corrupt`](Self::corrupt) tells.
    ///
    /// # Errors
    /// [`SnapshotProblem::Locked`], [`SnapshotProblem::Io`].
    pub fn open(disk: Arc<dyn Disk>, path: impl Into<PathBuf>) -> Result<Self, SnapshotError> {
        let mut open = Self::unread(disk, path.into());
        open.lock = Some(open.folder.lock()?);
        open.settle()?;
        Ok(open)
    }

    /// Opens a directory to read the versions that are committed now. Takes no lock and changes
    /// nothing; a writer that goes on may remove the versions seen here.
    ///
    /// # Errors
    /// [`SnapshotProblem::Missing`], [`SnapshotProblem::Io`].
    pub fn open_read_only(
        disk: Arc<dyn Disk>,
        path: impl Into<PathBuf>,
    ) -> Result<Self, SnapshotError> {
        let mut open = Self::unread(disk, path.into());
        open.find_versions()?;
        Ok(open)
    }

    /// Keeps that many committed versions, 1 at least; 2 unless told otherwise.
    #[must_use]
    pub fn keep(mut self, versions: usize) -> Self {
        self.keep = versions.max(1);
        self
    }

    /// Commits a version: when this returns, it survives a crash. `meta` is given back with it.
    ///
    /// # Errors
    /// [`SnapshotProblem::NotNewer`], [`SnapshotProblem::NoSpace`], [`SnapshotProblem::Io`],
    /// [`SnapshotProblem::ReadOnly`], [`SnapshotProblem::TooLong`]. The versions before are as they
    /// were. After an error of the disk this version, too, may turn out to be committed, if the
    /// failure was in making its name safe; it is then whole. A retry with the same states is safe.
    pub fn commit(
        &mut self,
        version: Version,
        entries: &[Entry],
        meta: &[u8],
    ) -> Result<Committed, SnapshotError> {
        self.settle_if_needed()?;
        if self.failed.take() == Some(version)
            && let Some(committed) = self.committed_already(version, entries, meta)
        {
            return Ok(committed);
        }
        if let Some(newest) = self.newest().filter(|newest| *newest >= version) {
            return Err(self.folder.error(SnapshotProblem::NotNewer { version, newest }));
        }
        let plan = self.plan(version, entries, meta)?;
        let committed = self.commit_newer(version, entries, meta, &plan);
        committed.inspect_err(|_| self.failed = Some(version))
    }

    /// The newest version, if it is just this one.
    fn committed_already(
        &self,
        version: Version,
        entries: &[Entry],
        meta: &[u8],
    ) -> Option<Committed> {
        let newest = self.files.last().filter(|newest| newest.version == version)?;
        let (found, places) = self.read(version).ok()?;
        if found.entries != entries || found.meta != meta {
            return None;
        }
        self.places.lock().write(entries, &places);
        Some(Committed {
            version,
            file: self.folder.file(&newest.name()),
            bytes: newest.seal.length,
            referred: places.iter().filter(|place| place.file != version).count(),
            compacted: 0,
            removed: Vec::new(),
            not_removed: Vec::new(),
        })
    }

    /// What of a version is written, for which there is room.
    fn plan(
        &self,
        version: Version,
        entries: &[Entry],
        meta: &[u8],
    ) -> Result<Plan, SnapshotError> {
        let mut plan = self.all_known(entries)?;
        let length = |file: Version| self.listed(file).map_or(0, |listed| listed.seal.length);
        let without = plan.compact(length);
        let checked = self.check_space(Content { version, entries, known: &plan.known, meta });
        match (checked, without) {
            (Err(SnapshotError { what: SnapshotProblem::NoSpace { .. }, .. }), Some(plan)) => {
                self.check_space(Content { version, entries, known: &plan.known, meta })?;
                Ok(plan)
            }
            (checked, _) => checked.map(|()| plan),
        }
    }

    /// Refers to all states in files that are listed, and really there: somebody may have taken them
    /// for old.
    fn all_known(&self, entries: &[Entry]) -> Result<Plan, SnapshotError> {
        let mut places = self.places.lock();
        // After a rollback another file may come under the same number.
        places.keep_in(|file| self.listed(file).is_some());
        let plan = Plan::new(entries, &places);
        let files = plan.files();
        if files.is_empty() {
            return Ok(plan);
        }
        let names = self.folder.names()?;
        if files.iter().all(|file| names.contains(&file_name(*file))) {
            return Ok(plan);
        }
        places.keep_in(|file| names.contains(&file_name(file)));
        Ok(Plan::new(entries, &places))
    }

    fn commit_newer(
        &mut self,
        version: Version,
        entries: &[Entry],
        meta: &[u8],
        plan: &Plan,
    ) -> Result<Committed, SnapshotError> {
        let content = Content { version, entries, known: &plan.known, meta };
        let name = file_name(version);
        let written = self.folder.write_safely(&name, |write| content.write(write));
        let (seal, places) = written.inspect_err(|_| self.unsettled = true)?;
        let mut files = self.files.clone();
        files.push(Listed { version, seal, refers: Some(plan.files()) });
        let removed = drop_oldest(&mut files, self.keep);
        let not_removed = self.replace_files(files)?;
        self.places.lock().write(entries, &places);
        Ok(Committed {
            version,
            file: self.folder.file(&name),
            bytes: seal.length,
            referred: plan.referred(),
            compacted: plan.compacted,
            removed,
            not_removed,
        })
    }

    /// Drops the versions newer than `version`: the run that committed them was rolled back, or they
    /// are corrupt. When this returns, they are gone whatever happens. Gives what was dropped.
    ///
    /// # Errors
    /// [`SnapshotProblem::Io`], [`SnapshotProblem::ReadOnly`]. All of them are still there, or none.
    pub fn rollback(&mut self, version: Version) -> Result<Vec<Version>, SnapshotError> {
        self.settle_if_needed()?;
        let dropped: Vec<Version> =
            self.versions().into_iter().filter(|newer| *newer > version).collect();
        if dropped.is_empty() {
            return Ok(dropped);
        }
        let mut files = self.files.clone();
        files.retain(|file| file.version <= version);
        self.replace_files(files)?;
        // A data file that came back could be taken for committed if the manifest were lost.
        self.folder.sync_names().inspect_err(|_| self.unsettled = true)?;
        Ok(dropped)
    }

    /// The committed versions, oldest first. They are verified when they are loaded.
    pub fn versions(&self) -> Vec<Version> {
        let versions = self.files.iter().filter(|file| file.is_version());
        versions.map(|file| file.version).collect()
    }

    /// The newest committed version.
    pub fn newest(&self) -> Option<Version> {
        self.files.iter().rfind(|file| file.is_version()).map(|file| file.version)
    }

    /// The data files: those of the versions, and the older ones that they refer to.
    pub fn files(&self) -> Vec<PathBuf> {
        self.files.iter().map(|file| self.folder.file(&file.name())).collect()
    }

    /// What was found corrupt when the directory was opened: the manifest, and then data files.
    pub fn corrupt(&self) -> &[SnapshotError] {
        &self.corrupt
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        self.folder.path()
    }

    fn unread(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self {
            folder: Folder::new(disk, path),
            keep: DEFAULT_KEEP,
            files: Vec::new(),
            corrupt: Vec::new(),
            unsettled: false,
            failed: None,
            places: Mutex::default(),
            lock: None,
        }
    }

    fn settle_if_needed(&mut self) -> Result<(), SnapshotError> {
        if self.lock.is_none() {
            return Err(self.folder.error(SnapshotProblem::ReadOnly));
        }
        if self.unsettled { self.settle() } else { Ok(()) }
    }

    pub(super) fn listed(&self, file: Version) -> Option<&Listed> {
        let at = self.files.binary_search_by_key(&file, |listed| listed.version).ok()?;
        Some(&self.files[at])
    }

    fn check_space(&self, content: Content<'_>) -> Result<(), SnapshotError> {
        let data = content.length().map_err(|what| self.folder.error(what))?;
        let mut files = self.files.clone();
        let refers = content.known.iter().flatten().map(|place| place.file).collect();
        let seal = Seal { length: data, crc: 0 };
        files.push(Listed { version: content.version, seal, refers: Some(refers) });
        let manifest = manifest::encode(&files).map_err(|what| self.folder.error(what))?;
        let needed = data.saturating_add(manifest.len() as u64);
        let free = self.folder.free_space()?;
        if needed > free {
            return Err(self.folder.error(SnapshotProblem::NoSpace { needed, free }));
        }
        Ok(())
    }

    /// Writes a manifest of those of the files that are needed; then the others can go. Gives what could
    /// not be removed.
    fn replace_files(&mut self, files: Vec<Listed>) -> Result<Vec<SnapshotError>, SnapshotError> {
        let (files, _) = part(files);
        let bytes = manifest::encode(&files).map_err(|what| self.folder.error(what))?;
        let written = self.folder.write_safely(MANIFEST, |write| write(&bytes));
        written.inspect_err(|_| self.unsettled = true)?;
        let before = std::mem::replace(&mut self.files, files);
        self.corrupt.clear();

        let gone = before.iter().filter(|file| self.listed(file.version).is_none());
        let failed: Vec<_> =
            gone.filter_map(|file| self.folder.remove(&file.name()).err()).collect();
        self.unsettled |= !failed.is_empty();
        Ok(failed)
    }
}

/// Makes all but the newest `keep` versions mere files, and gives which these are.
fn drop_oldest(files: &mut [Listed], keep: usize) -> Vec<Version> {
    let versions = files.iter_mut().rev().filter(|file| file.is_version());
    let old = versions.skip(keep).map(|file| {
        file.refers = None;
        file.version
    });
    let old: BTreeSet<Version> = old.collect();
    old.into_iter().collect()
}

impl fmt::Debug for SnapshotDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotDir")
            .field("path", &self.path())
            .field("versions", &self.versions())
            .finish_non_exhaustive()
    }
}
