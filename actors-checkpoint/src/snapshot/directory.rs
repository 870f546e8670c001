use std::{
    collections::BTreeSet,
    convert::Infallible,
    fmt, io,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_core::host::{Disk, DiskLock};
use bytes::Bytes;

use super::{
    Snapshot, SnapshotError, SnapshotProblem,
    data::{self, Seal},
    manifest::{self, Listed, file_name, is_data},
    reader::Fault,
};
use crate::{Blob, Key, Version};

const MANIFEST: &str = "MANIFEST";
const LOCK: &str = "LOCK";
const TEMPORARY: &str = ".tmp";
/// Committed versions that are kept unless told otherwise.
const DEFAULT_KEEP: usize = 2;

/// Committed versions in a directory: each is whole or not there, whenever the machine stops.
///
/// Every call blocks: make it from [`Host::blocking`](actors_core::host::Host::blocking).
///
/// A commit writes one data file under a temporary name, makes it safe, gives it its name, and then
/// replaces the manifest, which lists the committed versions, in the same way. Only after that is
/// what it no longer lists removed. Any failure before the new manifest is safe leaves the last
/// version as it was.
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
    disk: Arc<dyn Disk>,
    path: PathBuf,
    keep: usize,
    listed: Vec<Listed>,
    corrupt: Vec<SnapshotError>,
    /// A commit failed half-way: what is on disk has to be looked at before the next one.
    unsettled: bool,
    /// The version of the last commit, if it failed: it may be there all the same.
    failed: Option<Version>,
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
    /// are whole are the committed versions. [`corrupt`](Self::corrupt) tells.
    ///
    /// # Errors
    /// [`SnapshotProblem::Locked`], [`SnapshotProblem::Io`].
    pub fn open(disk: Arc<dyn Disk>, path: impl Into<PathBuf>) -> Result<Self, SnapshotError> {
        let path = path.into();
        make_directory(&*disk, &path).map_err(|e| SnapshotError::io(&path, &e))?;
        let lock_file = path.join(LOCK);
        let lock = disk.lock(&lock_file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => SnapshotError::new(&lock_file, SnapshotProblem::Locked),
            _ => SnapshotError::io(&lock_file, &error),
        })?;
        let mut open = Self::unread(disk, path, Some(lock));
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
        let mut open = Self::unread(disk, path.into(), None);
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
        entries: &[(Key, Version, Blob)],
        meta: &[u8],
    ) -> Result<Committed, SnapshotError> {
        self.settle_if_needed()?;
        if self.failed.take() == Some(version)
            && let Some(committed) = self.committed_already(version, entries, meta)
        {
            return Ok(committed);
        }
        if let Some(newest) = self.newest().filter(|newest| *newest >= version) {
            return Err(self.error(SnapshotProblem::NotNewer { version, newest }));
        }
        let committed = self.commit_newer(version, entries, meta);
        committed.inspect_err(|_| self.failed = Some(version))
    }

    /// The newest version, if it is just this one.
    fn committed_already(
        &self,
        version: Version,
        entries: &[(Key, Version, Blob)],
        meta: &[u8],
    ) -> Option<Committed> {
        let Ok(seal) = data::write(version, entries, meta, |_| Ok::<_, Infallible>(()));
        let newest = self.listed.last()?;
        (newest.version == version && newest.seal == seal).then(|| Committed {
            version,
            file: self.path.join(&newest.name),
            bytes: seal.length,
            removed: Vec::new(),
            not_removed: Vec::new(),
        })
    }

    fn commit_newer(
        &mut self,
        version: Version,
        entries: &[(Key, Version, Blob)],
        meta: &[u8],
    ) -> Result<Committed, SnapshotError> {
        let length = data::length(entries, meta).map_err(|what| self.error(what))?;
        self.check_space(length)?;

        let name = file_name(version);
        let written = self.write_safely(&name, |write| data::write(version, entries, meta, write));
        let seal = written.inspect_err(|_| self.unsettled = true)?;
        let mut listed = self.listed.clone();
        listed.push(Listed { version, seal, name });
        let old = listed.drain(..listed.len().saturating_sub(self.keep)).collect::<Vec<_>>();
        self.replace_manifest(listed)?;

        let not_removed = self.remove_files(&old);
        Ok(Committed {
            version,
            file: self.path.join(file_name(version)),
            bytes: seal.length,
            removed: old.into_iter().map(|listed| listed.version).collect(),
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
        let (kept, dropped): (Vec<_>, Vec<_>) =
            self.listed.iter().cloned().partition(|listed| listed.version <= version);
        if dropped.is_empty() {
            return Ok(Vec::new());
        }
        self.replace_manifest(kept)?;
        self.remove_files(&dropped);
        // A data file that came back could be taken for committed if the manifest were lost.
        self.sync_names().inspect_err(|_| self.unsettled = true)?;
        Ok(dropped.into_iter().map(|listed| listed.version).collect())
    }

    /// The committed versions, oldest first. They are verified when they are loaded.
    pub fn versions(&self) -> Vec<Version> {
        self.listed.iter().map(|listed| listed.version).collect()
    }

    /// The newest committed version.
    pub fn newest(&self) -> Option<Version> {
        self.listed.last().map(|listed| listed.version)
    }

    /// What was found corrupt when the directory was opened: the manifest, and then data files.
    pub fn corrupt(&self) -> &[SnapshotError] {
        &self.corrupt
    }

    /// The directory.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Reads a version and verifies all of it.
    ///
    /// # Errors
    /// [`SnapshotProblem::Missing`] if it is not committed; else what is wrong with its file, and
    /// where.
    pub fn load(&self, version: Version) -> Result<Snapshot, SnapshotError> {
        let missing =
            || SnapshotError::new(self.path.join(file_name(version)), SnapshotProblem::Missing);
        let listed = self.listed.iter().find(|listed| listed.version == version);
        let listed = listed.ok_or_else(missing)?;
        let (snapshot, seal) = self.read_data(&listed.name)?;
        if snapshot.version != version || seal != listed.seal {
            let what = "not the file that the manifest lists".to_owned();
            let file = self.path.join(&listed.name);
            return Err(SnapshotError::new(file, SnapshotProblem::Invalid(what)));
        }
        Ok(snapshot)
    }

    /// Reads the newest version that is whole, and names what is corrupt: whatever was when the
    /// directory was opened, and every version that is newer than the one given.
    pub fn load_newest(&self) -> (Option<Snapshot>, Vec<SnapshotError>) {
        let mut corrupt = self.corrupt.clone();
        for listed in self.listed.iter().rev() {
            match self.load(listed.version) {
                Ok(snapshot) => return (Some(snapshot), corrupt),
                Err(error) => corrupt.push(error),
            }
        }
        (None, corrupt)
    }

    fn unread(disk: Arc<dyn Disk>, path: PathBuf, lock: Option<Box<dyn DiskLock>>) -> Self {
        Self {
            disk,
            path,
            keep: DEFAULT_KEEP,
            listed: Vec::new(),
            corrupt: Vec::new(),
            unsettled: false,
            failed: None,
            lock,
        }
    }

    fn settle_if_needed(&mut self) -> Result<(), SnapshotError> {
        if self.lock.is_none() {
            return Err(self.error(SnapshotProblem::ReadOnly));
        }
        if self.unsettled { self.settle() } else { Ok(()) }
    }

    /// Makes the names safe as they are seen now, before anything is removed on the word of a
    /// manifest that a crash could still take back. Then removes what belongs to no version; without
    /// a good manifest only temporary files, as nothing else tells what does.
    fn settle(&mut self) -> Result<(), SnapshotError> {
        self.unsettled = true;
        let from_manifest = self.find_versions()?;
        self.sync_names()?;
        let listed: BTreeSet<&str> = self.listed.iter().map(|l| l.name.as_str()).collect();
        for file in self.files()? {
            let Some(name) = file.file_name().and_then(|name| name.to_str()) else { continue };
            let leftover = name.ends_with(TEMPORARY)
                || (from_manifest && is_data(name) && !listed.contains(name));
            if leftover {
                self.disk.remove(&file).map_err(|e| SnapshotError::io(&file, &e))?;
            }
        }
        self.unsettled = false;
        Ok(())
    }

    /// Reads the manifest, or failing that all data files. True if the manifest is good.
    fn find_versions(&mut self) -> Result<bool, SnapshotError> {
        self.corrupt.clear();
        let file = self.path.join(MANIFEST);
        match self.disk.read(&file) {
            Ok(bytes) => match manifest::decode(Bytes::from(bytes)) {
                Ok(listed) => {
                    self.listed = listed;
                    return Ok(true);
                }
                Err(fault) => self.corrupt.push(at(&file, fault)),
            },
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(SnapshotError::io(&file, &error)),
        }
        self.scan()?;
        Ok(false)
    }

    fn scan(&mut self) -> Result<(), SnapshotError> {
        self.listed.clear();
        for file in self.files()? {
            let name = file.file_name().and_then(|name| name.to_str());
            let Some(name) = name.filter(|name| is_data(name)) else { continue };
            match self.read_data(name) {
                Ok((Snapshot { version, .. }, seal)) if name == file_name(version) => {
                    self.listed.push(Listed { version, seal, name: name.into() });
                }
                Ok((Snapshot { version, .. }, _)) => {
                    let what = format!("a file that holds version {version}");
                    self.corrupt.push(SnapshotError::new(&file, SnapshotProblem::Invalid(what)));
                }
                Err(error) => self.corrupt.push(error),
            }
        }
        self.listed.sort_by_key(|listed| listed.version);
        let missing = SnapshotError::new(self.path.join(MANIFEST), SnapshotProblem::Missing);
        if self.corrupt.is_empty() && !self.listed.is_empty() {
            self.corrupt.push(missing);
        }
        Ok(())
    }

    fn read_data(&self, name: &str) -> Result<(Snapshot, Seal), SnapshotError> {
        let file = self.path.join(name);
        let bytes = self.disk.read(&file).map_err(|e| SnapshotError::io(&file, &e))?;
        data::read(Bytes::from(bytes)).map_err(|fault| at(&file, fault))
    }

    fn check_space(&self, data: u64) -> Result<(), SnapshotError> {
        let free =
            self.disk.free_space(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))?;
        let mut listed = self.listed.clone();
        listed.push(Listed {
            version: 0,
            seal: Seal { length: 0, crc: 0 },
            name: file_name(Version::MAX),
        });
        let manifest = manifest::encode(&listed).map_err(|what| self.error(what))?.len() as u64;
        let needed = data.saturating_add(manifest);
        if needed > free {
            return Err(self.error(SnapshotProblem::NoSpace { needed, free }));
        }
        Ok(())
    }

    fn replace_manifest(&mut self, listed: Vec<Listed>) -> Result<(), SnapshotError> {
        let bytes = manifest::encode(&listed).map_err(|what| self.error(what))?;
        let written = self.write_safely(MANIFEST, |write| write(&bytes));
        written.inspect_err(|_| self.unsettled = true)?;
        self.listed = listed;
        self.corrupt.clear();
        Ok(())
    }

    /// Writes a file that is there under its name whole or not at all.
    fn write_safely<T>(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<T>,
    ) -> Result<T, SnapshotError> {
        let (file, temporary) =
            (self.path.join(name), self.path.join(format!("{name}{TEMPORARY}")));
        let in_place = || {
            let mut to = self.disk.create(&temporary)?;
            let written = write(&mut |bytes| to.write_all(bytes))?;
            to.sync()?;
            drop(to);
            self.disk.rename(&temporary, &file)?;
            Ok(written)
        };
        let written = in_place().map_err(|error: io::Error| {
            // What is left of it, if this fails too, goes when the directory is settled.
            let _ = self.disk.remove(&temporary);
            SnapshotError::io(&file, &error)
        })?;
        self.sync_names()?;
        Ok(written)
    }

    fn remove_files(&mut self, gone: &[Listed]) -> Vec<SnapshotError> {
        let mut failed = Vec::new();
        for listed in gone {
            let file = self.path.join(&listed.name);
            match self.disk.remove(&file) {
                Err(error) if error.kind() != io::ErrorKind::NotFound => {
                    failed.push(SnapshotError::io(&file, &error));
                }
                _ => {}
            }
        }
        self.unsettled |= !failed.is_empty();
        failed
    }

    fn files(&self) -> Result<Vec<PathBuf>, SnapshotError> {
        self.disk.list(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))
    }

    fn sync_names(&self) -> Result<(), SnapshotError> {
        self.disk.sync_dir(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))
    }

    fn error(&self, what: SnapshotProblem) -> SnapshotError {
        SnapshotError::new(&self.path, what)
    }
}

impl fmt::Debug for SnapshotDir {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SnapshotDir")
            .field("path", &self.path)
            .field("versions", &self.versions())
            .finish_non_exhaustive()
    }
}

fn at(file: &Path, (offset, what): Fault) -> SnapshotError {
    SnapshotError { offset: Some(offset), ..SnapshotError::new(file, what) }
}

/// Makes a directory whose name is safe, with those of all directories above it. One with a manifest
/// has been through this: its writer had opened it.
fn make_directory(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let manifest = path.join(MANIFEST);
    if disk.list(path).is_ok_and(|files| files.contains(&manifest)) {
        return Ok(());
    }
    disk.create_dir_all(path)?;
    for above in path.ancestors().skip(1) {
        let above = if above.as_os_str().is_empty() { Path::new(".") } else { above };
        match disk.sync_dir(above) {
            // Not ours to read, so not ours to have made.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}
