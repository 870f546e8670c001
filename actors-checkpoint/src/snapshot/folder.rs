//! The files of a snapshot directory, and what makes them safe.

use std::{
    collections::BTreeSet,
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_core::host::{Disk, DiskLock};
use bytes::Bytes;

use super::{SnapshotError, SnapshotProblem, reader::Fault};

pub(super) const MANIFEST: &str = "MANIFEST";
pub(super) const TEMPORARY: &str = ".tmp";
const LOCK: &str = "LOCK";

/// A directory on a disk.
pub(super) struct Folder {
    disk: Arc<dyn Disk>,
    path: PathBuf,
}

impl Folder {
    pub(super) const fn new(disk: Arc<dyn Disk>, path: PathBuf) -> Self {
        Self { disk, path }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Makes it, if it is missing, and takes the lock of its one writer.
    pub(super) fn lock(&self) -> Result<Box<dyn DiskLock>, SnapshotError> {
        make_directory(&*self.disk, &self.path).map_err(|e| SnapshotError::io(&self.path, &e))?;
        let file = self.file(LOCK);
        self.disk.lock(&file).map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock => SnapshotError::new(&file, SnapshotProblem::Locked),
            _ => SnapshotError::io(&file, &error),
        })
    }

    pub(super) fn read(&self, name: &str) -> Result<Bytes, SnapshotError> {
        let file = self.file(name);
        self.disk.read(&file).map(Bytes::from).map_err(|e| SnapshotError::io(&file, &e))
    }

    /// The names of the files, in order.
    pub(super) fn names(&self) -> Result<BTreeSet<String>, SnapshotError> {
        let files = self.disk.list(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))?;
        let name = |file: &PathBuf| Some(file.file_name()?.to_str()?.to_owned());
        Ok(files.iter().filter_map(name).collect())
    }

    pub(super) fn sync_names(&self) -> Result<(), SnapshotError> {
        self.disk.sync_dir(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))
    }

    pub(super) fn free_space(&self) -> Result<u64, SnapshotError> {
        self.disk.free_space(&self.path).map_err(|e| SnapshotError::io(&self.path, &e))
    }

    /// Removes a file. One that is not there is no error.
    pub(super) fn remove(&self, name: &str) -> Result<(), SnapshotError> {
        let file = self.file(name);
        match self.disk.remove(&file) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => {
                Err(SnapshotError::io(&file, &error))
            }
            _ => Ok(()),
        }
    }

    /// Writes a file that is there under its name whole or not at all.
    pub(super) fn write_safely<T>(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn FnMut(&[u8]) -> io::Result<()>) -> io::Result<T>,
    ) -> Result<T, SnapshotError> {
        let (file, temporary) = (self.file(name), self.file(&format!("{name}{TEMPORARY}")));
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

    /// A problem of the directory as a whole.
    pub(super) fn error(&self, what: SnapshotProblem) -> SnapshotError {
        SnapshotError::new(&self.path, what)
    }

    /// What is wrong with a file.
    pub(super) fn fault(&self, name: &str, (offset, what): Fault) -> SnapshotError {
        SnapshotError { offset: Some(offset), ..SnapshotError::new(self.file(name), what) }
    }
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
