use std::{io, path::{Path, PathBuf}};

use crate::host::{Disk, DiskFile, DiskLock};

/// Placeholder until the simulated disk is in.
#[derive(Clone, Debug)]
pub struct SimDisk(#[allow(dead_code, reason = "placeholder")] u64);

impl SimDisk {
    /// New.
    pub fn new(seed: u64) -> Self { Self(seed) }
}
fn no<T>() -> io::Result<T> { Err(io::ErrorKind::Unsupported.into()) }
impl Disk for SimDisk {
    fn create(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> { no() }
    fn append(&self, _: &Path) -> io::Result<Box<dyn DiskFile>> { no() }
    fn read(&self, _: &Path) -> io::Result<Vec<u8>> { no() }
    fn rename(&self, _: &Path, _: &Path) -> io::Result<()> { no() }
    fn remove(&self, _: &Path) -> io::Result<()> { no() }
    fn list(&self, _: &Path) -> io::Result<Vec<PathBuf>> { no() }
    fn create_dir_all(&self, _: &Path) -> io::Result<()> { no() }
    fn sync_dir(&self, _: &Path) -> io::Result<()> { no() }
    fn lock(&self, _: &Path) -> io::Result<Box<dyn DiskLock>> { no() }
    fn free_space(&self, _: &Path) -> io::Result<u64> { no() }
}
