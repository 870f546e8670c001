//! A disk in memory that forgets, keeps or tears at a crash whatever was not made safe.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt, io,
    path::{Component, Path, PathBuf},
    sync::Arc,
};

use fastrand::Rng;
use parking_lot::Mutex;

use crate::host::{Disk, DiskFile, DiskLock};

/// What a crash keeps or loses of unsafe data, at once.
const SECTOR: usize = 512;

/// A simulated disk. Clones share it.
///
/// | what | survives a [`crash`](Self::crash) |
/// |---|---|
/// | bytes written before a [`sync`](DiskFile::sync) that succeeded | always |
/// | bytes written since | not at all, wholly, up to some byte, or some sectors of them: drawn from the seed |
/// | names before a [`sync_dir`](Disk::sync_dir) of their directory that succeeded | always |
/// | names made, replaced or removed since | each by itself: any state it had since, drawn from the seed |
///
/// A sync that fails leaves what was written unsafe for ever, as the kernel drops the pages: a later
/// sync succeeds and makes nothing of it safe. A write that fails may have written some of it, a
/// rename or removal that fails may have happened. Faults are put in by operation number: every
/// call of [`Disk`] and [`DiskFile`] counts.
///
/// ```
/// use actors_core::{host::Disk, sim::SimDisk};
/// use std::path::Path;
///
/// let disk = SimDisk::new(7);
/// let mut file = disk.create(Path::new("a"))?;
/// file.write_all(b"safe")?;
/// file.sync()?;
/// disk.sync_dir(Path::new("."))?;
/// file.write_all(b", or not")?;
/// let after = disk.crash();
/// assert!(after.read(Path::new("a"))?.starts_with(b"safe"));
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct SimDisk(Arc<Mutex<State>>);

struct State {
    rng: Rng,
    files: BTreeMap<u64, Content>,
    names: BTreeMap<PathBuf, Name>,
    locks: BTreeSet<PathBuf>,
    next_file: u64,
    capacity: Option<u64>,
    operations: u64,
    faults: BTreeMap<u64, io::ErrorKind>,
    off_from: Option<(u64, io::ErrorKind)>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Node {
    File(u64),
    Directory,
}

/// A name with every state it had since its directory was last made safe, the safe one first.
#[derive(Clone, Default)]
struct Name {
    states: Vec<Option<Node>>,
}

#[derive(Default)]
struct Content {
    seen: Vec<u8>,
    safe: Vec<u8>,
    changes: Vec<Change>,
    /// A sync failed: no later one makes anything safe, until the file is written anew.
    lost: bool,
}

enum Change {
    Truncate,
    Append(Vec<u8>),
}

impl SimDisk {
    /// An empty disk whose faults and crashes are drawn from `seed`.
    pub fn new(seed: u64) -> Self {
        Self(Arc::new(Mutex::new(State {
            rng: Rng::with_seed(seed),
            files: BTreeMap::new(),
            names: BTreeMap::new(),
            locks: BTreeSet::new(),
            next_file: 0,
            capacity: None,
            operations: 0,
            faults: BTreeMap::new(),
            off_from: None,
        })))
    }

    /// The disk as it is found after a power loss now: without what was lost, without locks and
    /// faults, its capacity the same. This one is left as it is, for those who still hold it.
    #[must_use]
    pub fn crash(&self) -> Self {
        let mut state = self.0.lock();
        let seed = state.rng.u64(..);
        let mut rng = Rng::with_seed(seed);
        let after = Self::new(seed);
        {
            let mut found = after.0.lock();
            found.capacity = state.capacity;
            found.next_file = state.next_file;
            for (path, name) in &state.names {
                // A directory comes before what is in it: without it, that is gone too.
                if let Some(node) = rng.choice(&name.states).copied().flatten()
                    && found.is_directory(parent(path))
                {
                    found.names.insert(path.clone(), Name { states: vec![Some(node)] });
                }
            }
            for (file, content) in &state.files {
                let kept = content.after_crash(&mut rng);
                found.files.insert(
                    *file,
                    Content { seen: kept.clone(), safe: kept, ..Content::default() },
                );
            }
            found.rng = rng;
            found.drop_nameless();
        }
        after
    }

    /// How many operations there were.
    pub fn operations(&self) -> u64 {
        self.0.lock().operations
    }

    /// Lets the operation with this number fail; 1 is the first of this disk.
    pub fn fail_at(&self, operation: u64, kind: io::ErrorKind) {
        self.0.lock().faults.insert(operation, kind);
    }

    /// Lets this operation and all after it fail: the machine is off, or the disk is.
    pub fn fail_from(&self, operation: u64, kind: io::ErrorKind) {
        self.0.lock().off_from = Some((operation, kind));
    }

    /// No operation fails any more, but for want of room.
    pub fn heal(&self) {
        let mut state = self.0.lock();
        state.faults.clear();
        state.off_from = None;
    }

    /// Room for that many bytes in files. A write beyond it writes what fits, and fails with
    /// [`io::ErrorKind::StorageFull`].
    pub fn set_capacity(&self, bytes: u64) {
        self.0.lock().capacity = Some(bytes);
    }
}

impl State {
    /// Counts an operation; on a fault, tells whether what it does is done all the same.
    fn begin(&mut self) -> Result<(), (io::Error, bool)> {
        self.operations += 1;
        let number = self.operations;
        let off = self.off_from.filter(|(from, _)| number >= *from).map(|(_, kind)| kind);
        let Some(kind) = self.faults.remove(&number).or(off) else { return Ok(()) };
        // Of a machine that is off, only the operation at which it went off may have happened.
        let may_happen = self.off_from.is_none_or(|(from, _)| number <= from);
        Err((kind.into(), may_happen && self.rng.bool()))
    }

    /// For operations that change nothing, or that do nothing on a fault.
    fn check(&mut self) -> io::Result<()> {
        self.begin().map_err(|(error, _)| error)
    }

    fn node(&self, path: &Path) -> Option<Node> {
        if path.as_os_str().is_empty() {
            return Some(Node::Directory);
        }
        self.names.get(path)?.states.last().copied().flatten()
    }

    fn is_directory(&self, path: &Path) -> bool {
        self.node(path) == Some(Node::Directory)
    }

    fn file(&self, path: &Path) -> io::Result<u64> {
        match self.node(path) {
            Some(Node::File(file)) => Ok(file),
            Some(Node::Directory) => Err(io::ErrorKind::IsADirectory.into()),
            None => Err(io::ErrorKind::NotFound.into()),
        }
    }

    fn file_or_new(&mut self, path: &Path) -> io::Result<u64> {
        match self.file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            found => return found,
        }
        if !self.is_directory(parent(path)) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let file = self.next_file;
        self.next_file += 1;
        self.files.insert(file, Content::default());
        self.set(path, Some(Node::File(file)));
        Ok(file)
    }

    fn set(&mut self, path: &Path, node: Option<Node>) {
        let name =
            self.names.entry(path.to_path_buf()).or_insert_with(|| Name { states: vec![None] });
        name.states.push(node);
    }

    fn rename(&mut self, from: &Path, to: &Path) -> io::Result<()> {
        let file = self.file(from)?;
        if !self.is_directory(parent(to)) || self.is_directory(to) {
            return Err(io::ErrorKind::NotFound.into());
        }
        self.set(to, Some(Node::File(file)));
        self.set(from, None);
        Ok(())
    }

    fn used(&self) -> u64 {
        self.files.values().map(|content| content.seen.len() as u64).sum()
    }

    fn free(&self) -> u64 {
        self.capacity.map_or(u64::MAX, |capacity| capacity.saturating_sub(self.used()))
    }

    /// A file that no state of any name leads to is gone.
    fn drop_nameless(&mut self) {
        let named: BTreeSet<u64> = self
            .names
            .values()
            .flat_map(|name| &name.states)
            .filter_map(|node| match node {
                Some(Node::File(file)) => Some(*file),
                _ => None,
            })
            .collect();
        self.files.retain(|file, _| named.contains(file));
    }
}

impl Content {
    fn append(&mut self, bytes: &[u8]) {
        self.seen.extend_from_slice(bytes);
        self.changes.push(Change::Append(bytes.to_vec()));
    }

    fn truncate(&mut self) {
        self.seen.clear();
        self.changes.push(Change::Truncate);
        self.lost = false;
    }

    fn sync(&mut self) {
        if !self.lost {
            self.safe.clone_from(&self.seen);
            self.changes.clear();
        }
    }

    /// The kernel drops the pages that it could not write: what of them is on the disk is settled.
    fn fail_sync(&mut self, rng: &mut Rng) {
        self.safe = self.after_crash(rng);
        self.changes.clear();
        self.lost = true;
    }

    fn after_crash(&self, rng: &mut Rng) -> Vec<u8> {
        if self.changes.is_empty() {
            return self.safe.clone();
        }
        match rng.u8(..4) {
            0 => self.safe.clone(),
            1 => self.replay(usize::MAX),
            2 => {
                let written = self.changes.iter().map(|change| match change {
                    Change::Truncate => 1,
                    Change::Append(bytes) => bytes.len(),
                });
                self.replay(rng.usize(..=written.sum::<usize>()))
            }
            _ => self.sectors(rng),
        }
    }

    /// The changes up to some byte of them.
    fn replay(&self, mut bytes_left: usize) -> Vec<u8> {
        let mut content = self.safe.clone();
        for change in &self.changes {
            if bytes_left == 0 {
                break;
            }
            match change {
                Change::Truncate => {
                    content.clear();
                    bytes_left -= 1;
                }
                Change::Append(bytes) => {
                    let kept = bytes.len().min(bytes_left);
                    content.extend_from_slice(&bytes[..kept]);
                    bytes_left -= kept;
                }
            }
        }
        content
    }

    /// The length of the end with some sectors of the beginning: what was never written is zero.
    fn sectors(&self, rng: &mut Rng) -> Vec<u8> {
        let mut content = self.replay(usize::MAX);
        for (i, sector) in content.chunks_mut(SECTOR).enumerate() {
            if rng.bool() {
                let before = self.safe.get(i * SECTOR..).unwrap_or_default();
                let known = before.len().min(sector.len());
                sector[..known].copy_from_slice(&before[..known]);
                sector[known..].fill(0);
            }
        }
        content
    }
}

impl Disk for SimDisk {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.check()?;
        let file = state.file_or_new(&plain(path))?;
        let content = state.files.get_mut(&file).expect("a named file has content");
        content.truncate();
        Ok(Box::new(OpenFile { disk: self.0.clone(), file }))
    }

    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.0.lock();
        state.check()?;
        let file = state.file_or_new(&plain(path))?;
        Ok(Box::new(OpenFile { disk: self.0.clone(), file }))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let mut state = self.0.lock();
        state.check()?;
        let file = state.file(&plain(path))?;
        Ok(state.files[&file].seen.clone())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let (from, to) = (plain(from), plain(to));
        match state.begin() {
            Ok(()) => state.rename(&from, &to),
            Err((error, happens)) => {
                if happens {
                    let _ = state.rename(&from, &to);
                }
                Err(error)
            }
        }
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        let begun = state.begin();
        let path = plain(path);
        if !matches!(begun, Err((_, false))) {
            let removed = state.file(&path).map(|_| state.set(&path, None));
            if begun.is_ok() {
                removed?;
            }
        }
        begun.map_err(|(error, _)| error)
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        let mut state = self.0.lock();
        state.check()?;
        let found = plain(dir);
        if !state.is_directory(&found) {
            return Err(io::ErrorKind::NotFound.into());
        }
        let here =
            state.names.keys().filter(|path| parent(path) == found && state.node(path).is_some());
        Ok(here.filter_map(|path| Some(dir.join(path.file_name()?))).collect())
    }

    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check()?;
        let mut path = PathBuf::new();
        for part in plain(dir).components() {
            path.push(part);
            match state.node(&path) {
                Some(Node::Directory) => {}
                Some(Node::File(_)) => return Err(io::ErrorKind::NotADirectory.into()),
                None => state.set(&path, Some(Node::Directory)),
            }
        }
        Ok(())
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.0.lock();
        state.check()?;
        let dir = plain(dir);
        if !state.is_directory(&dir) {
            return Err(io::ErrorKind::NotFound.into());
        }
        for (path, name) in &mut state.names {
            if parent(path) == dir {
                name.states.drain(..name.states.len() - 1);
            }
        }
        state.names.retain(|_, name| name.states != [None]);
        state.drop_nameless();
        Ok(())
    }

    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        let mut state = self.0.lock();
        state.check()?;
        let path = plain(path);
        state.file_or_new(&path)?;
        if !state.locks.insert(path.clone()) {
            return Err(io::ErrorKind::WouldBlock.into());
        }
        Ok(Box::new(HeldLock { disk: self.0.clone(), path }))
    }

    fn free_space(&self, _dir: &Path) -> io::Result<u64> {
        let mut state = self.0.lock();
        state.check()?;
        Ok(state.free())
    }
}

struct OpenFile {
    disk: Arc<Mutex<State>>,
    file: u64,
}

impl DiskFile for OpenFile {
    fn write_all(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut state = self.disk.lock();
        let begun = state.begin();
        let free = usize::try_from(state.free()).unwrap_or(usize::MAX);
        let fits = bytes.len().min(free);
        let written = match begun {
            Ok(()) => fits,
            Err((_, true)) => state.rng.usize(..=fits),
            Err((_, false)) => 0,
        };
        // A file whose last name was made safe as removed is written to no avail.
        if let Some(content) = state.files.get_mut(&self.file) {
            content.append(&bytes[..written]);
        }
        begun.map_err(|(error, _)| error)?;
        if fits < bytes.len() {
            return Err(io::ErrorKind::StorageFull.into());
        }
        Ok(())
    }

    fn sync(&mut self) -> io::Result<()> {
        let mut state = self.disk.lock();
        let begun = state.begin();
        let State { files, rng, .. } = &mut *state;
        if let Some(content) = files.get_mut(&self.file) {
            match begun {
                Ok(()) => content.sync(),
                Err(_) => content.fail_sync(rng),
            }
        }
        begun.map_err(|(error, _)| error)
    }
}

struct HeldLock {
    disk: Arc<Mutex<State>>,
    path: PathBuf,
}

impl DiskLock for HeldLock {}

impl Drop for HeldLock {
    fn drop(&mut self) {
        self.disk.lock().locks.remove(&self.path);
    }
}

impl fmt::Debug for SimDisk {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let state = self.0.lock();
        f.debug_struct("SimDisk")
            .field("files", &state.files.len())
            .field("operations", &state.operations)
            .finish_non_exhaustive()
    }
}

/// The path without what leads nowhere: `./a`, `/a` and `a` are the same.
fn plain(path: &Path) -> PathBuf {
    path.components().filter(|part| matches!(part, Component::Normal(_))).collect()
}

fn parent(path: &Path) -> &Path {
    path.parent().unwrap_or(Path::new(""))
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    fn path(name: &str) -> &Path {
        Path::new(name)
    }

    fn here() -> &'static Path {
        Path::new(".")
    }

    fn written(disk: &SimDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
        let mut file = disk.create(path(name)).expect("created");
        file.write_all(bytes).expect("written");
        file
    }

    fn safe(disk: &SimDisk, name: &str, bytes: &[u8]) {
        written(disk, name, bytes).sync().expect("synced");
        disk.sync_dir(here()).expect("synced");
    }

    /// What a file may be after a crash, over many seeds.
    fn after_crashes(prepare: impl Fn(&SimDisk)) -> HashSet<Option<Vec<u8>>> {
        let crashes = (0..400).map(|seed| {
            let disk = SimDisk::new(seed);
            prepare(&disk);
            disk.crash().read(path("f")).ok()
        });
        crashes.collect()
    }

    #[test]
    fn what_was_synced_survives() {
        let found = after_crashes(|disk| safe(disk, "f", b"safe"));
        assert_eq!(found, HashSet::from([Some(b"safe".to_vec())]));
    }

    #[test]
    fn what_was_not_synced_is_lost_kept_or_torn() {
        let found = after_crashes(|disk| {
            safe(disk, "f", b"safe");
            disk.append(path("f")).unwrap().write_all(&[b'x'; 2000]).unwrap();
        });
        let mut lengths: Vec<_> = found.iter().map(|f| f.as_ref().map_or(0, Vec::len)).collect();
        lengths.sort_unstable();
        assert_eq!((lengths[0], lengths[lengths.len() - 1]), (4, 2004));
        assert!(lengths.iter().any(|n| (5..2004).contains(n)), "cut off");
        let holed =
            |f: &Option<Vec<u8>>| f.as_ref().is_some_and(|f| f.len() == 2004 && f.contains(&0));
        assert!(found.iter().any(holed), "sectors missing");
        assert!(found.iter().flatten().all(|f| f.starts_with(b"safe")));
    }

    #[test]
    fn a_name_that_was_not_synced_is_there_or_not() {
        let found = after_crashes(|disk| written(disk, "f", b"x").sync().unwrap());
        assert_eq!(found, HashSet::from([None, Some(b"x".to_vec())]));
        let found = after_crashes(|disk| {
            safe(disk, "f", b"old");
            safe(disk, "g", b"new");
            disk.rename(path("g"), path("f")).unwrap();
        });
        assert_eq!(found, HashSet::from([Some(b"old".to_vec()), Some(b"new".to_vec())]));
        let found = after_crashes(|disk| {
            safe(disk, "f", b"x");
            disk.remove(path("f")).unwrap();
        });
        assert_eq!(found, HashSet::from([None, Some(b"x".to_vec())]));
    }

    #[test]
    fn a_file_goes_with_its_directory() {
        let found: HashSet<bool> = (0..100)
            .map(|seed| {
                let disk = SimDisk::new(seed);
                disk.create_dir_all(path("d/e")).unwrap();
                written(&disk, "d/e/f", b"x").sync().unwrap();
                disk.sync_dir(path("d/e")).unwrap();
                disk.sync_dir(path("d")).unwrap();
                let after = disk.crash();
                assert_eq!(after.list(path("d")).is_ok(), after.read(path("d/e/f")).is_ok());
                after.read(path("d/e/f")).is_ok()
            })
            .collect();
        assert_eq!(found, HashSet::from([true, false]), "`d` itself was not safe");
    }

    #[test]
    fn a_sync_after_one_that_failed_makes_nothing_safe() {
        let found = after_crashes(|disk| {
            safe(disk, "f", b"");
            let mut file = disk.append(path("f")).unwrap();
            file.write_all(b"xyz").unwrap();
            disk.fail_at(disk.operations() + 1, io::ErrorKind::Other);
            file.sync().unwrap_err();
            file.sync().expect("the kernel has forgotten");
            assert_eq!(disk.read(path("f")).unwrap(), b"xyz");
        });
        assert!(found.contains(&Some(Vec::new())) && found.contains(&Some(b"xyz".to_vec())));
    }

    #[test]
    fn faults_come_at_their_operation() {
        let disk = SimDisk::new(1);
        disk.fail_at(2, io::ErrorKind::StorageFull);
        disk.fail_from(4, io::ErrorKind::BrokenPipe);
        let kinds: Vec<_> = (0..6).map(|_| disk.list(here()).map_err(|e| e.kind()).err()).collect();
        let (full, off) = (Some(io::ErrorKind::StorageFull), Some(io::ErrorKind::BrokenPipe));
        assert_eq!(kinds, [None, full, None, off, off, off]);
        disk.heal();
        assert!(disk.list(here()).is_ok());
        assert_eq!(disk.operations(), 7);
    }

    #[test]
    fn a_full_disk_takes_what_fits() {
        let disk = SimDisk::new(1);
        disk.set_capacity(5);
        let mut file = disk.create(path("f")).unwrap();
        let full = file.write_all(b"1234567").unwrap_err();
        assert_eq!(full.kind(), io::ErrorKind::StorageFull);
        assert_eq!(disk.read(path("f")).unwrap(), b"12345");
        assert_eq!(disk.free_space(here()).unwrap(), 0);
        disk.remove(path("f")).unwrap();
        drop(file);
        disk.sync_dir(here()).unwrap();
        assert_eq!(disk.free_space(here()).unwrap(), 5, "room once nothing can bring it back");
    }

    #[test]
    fn the_same_seed_crashes_alike() {
        let run = |seed| {
            let disk = SimDisk::new(seed);
            let _file = written(&disk, "f", &[7; 5000]);
            let _lock = disk.lock(path("lock")).unwrap();
            let after = disk.crash();
            drop(after.lock(path("lock")).expect("no lock survives"));
            (after.read(path("f")).ok(), after.crash().list(here()).unwrap())
        };
        (0..50).for_each(|seed| assert_eq!(run(seed), run(seed)));
    }
}
