//! A store as it was at each version: few of its states change from one to the next.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex},
};

use actors_checkpoint::{Blob, Key, Snapshot, SnapshotDir, SnapshotError, Version};
use actors_core::{host::Disk, sim::SimDisk};

pub(crate) type Entries = Vec<(Key, Version, Blob)>;

pub(crate) const DIR: &str = "run/states";
const KEYS: u64 = 24;

/// Changes always, and is too small to be referred to.
const SMALL: u64 = 8;
/// Larger than what is written in a piece.
const LARGE: u64 = 9;
const EMPTY: u64 = 23;

/// The version of a key's state at a version of the store.
fn changed(key: u64, version: Version) -> Version {
    let changes = |at: &Version| match key {
        0..4 => at % 4 == key,
        4..8 => at % 8 == key,
        SMALL => true,
        LARGE => at.is_multiple_of(5),
        _ => at % 16 == key % 16,
    };
    (1..=version).rev().find(changes).unwrap_or(1)
}

/// The states at a version, each of them the same blob as long as it is the same state.
pub(crate) fn entries(version: Version) -> Entries {
    let entry = |key: u64| {
        let at = changed(key, version);
        (format!("key {key}").into(), at, state(key, at))
    };
    (0..KEYS).map(entry).collect()
}

fn state(key: u64, version: Version) -> Blob {
    type States = Mutex<HashMap<(u64, Version), Blob>>;
    static STATES: LazyLock<States> = LazyLock::new(States::default);
    let draw = || {
        let length = match key {
            SMALL => 30,
            LARGE => 70_000,
            EMPTY => 0,
            _ => 1000 + 100 * key as usize,
        };
        let mut bytes = vec![0_u8; length];
        fastrand::Rng::with_seed(version << 8 | key).fill(&mut bytes);
        Blob::raw(&bytes).with_schema(key as u32 % 3)
    };
    let mut states = STATES.lock().expect("no test panics while it holds this");
    states.entry((key, version)).or_insert_with(draw).clone()
}

/// The states at a version as a process has them that has loaded an older one and gone on.
pub(crate) fn entries_after(loaded: &[(Key, Version, Blob)], version: Version) -> Entries {
    let mut entries = entries(version);
    for (key, at, blob) in &mut entries {
        if let Some((.., same)) = loaded.iter().find(|(k, v, _)| k == key && v == at) {
            *blob = same.clone();
        }
    }
    entries
}

pub(crate) fn meta(version: Version) -> Vec<u8> {
    format!("about {version}").into_bytes()
}

pub(crate) fn assert_whole(found: &Snapshot) {
    assert_eq!(found.entries, entries(found.version));
    assert_eq!(found.meta, meta(found.version));
    found.entries.iter().for_each(|(_, _, blob)| blob.verify().expect("a loaded state is whole"));
}

pub(crate) fn open(disk: &SimDisk) -> Result<SnapshotDir, SnapshotError> {
    SnapshotDir::open(Arc::new(disk.clone()), DIR)
}

pub(crate) fn read_only(disk: &SimDisk) -> SnapshotDir {
    SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens")
}

/// A disk with versions to `newest`, and the writer that committed them.
pub(crate) fn committed(seed: u64, newest: Version) -> (SimDisk, SnapshotDir) {
    let disk = SimDisk::new(seed);
    let mut writer = open(&disk).expect("it opens");
    for version in 1..=newest {
        writer.commit(version, &entries(version), &meta(version)).expect("committed");
    }
    (disk, writer)
}

/// As [`committed`], but the writer has opened the directory anew and loaded the newest version.
pub(crate) fn reopened(seed: u64, newest: Version) -> (SimDisk, SnapshotDir, Entries) {
    let (disk, writer) = committed(seed, newest);
    drop(writer);
    let writer = open(&disk).expect("it opens");
    let loaded = writer.load(newest).expect("it is whole");
    assert_whole(&loaded);
    (disk, writer, loaded.entries)
}

pub(crate) fn data_file(version: Version) -> PathBuf {
    Path::new(DIR).join(format!("snapshot-{version:016x}.data"))
}

pub(crate) fn manifest() -> PathBuf {
    Path::new(DIR).join("MANIFEST")
}

pub(crate) fn overwrite(disk: &SimDisk, file: &Path, bytes: &[u8]) {
    disk.create(file).expect("created").write_all(bytes).expect("written");
}

/// Every version that is listed is whole, and nothing else is there but what they need.
pub(crate) fn assert_tidy(disk: &SimDisk, directory: &SnapshotDir) {
    for version in directory.versions() {
        assert_whole(&directory.load(version).expect("every version is whole"));
    }
    let mut expected = directory.files();
    expected.extend([Path::new(DIR).join("LOCK"), manifest()]);
    expected.sort();
    assert_eq!(disk.list(Path::new(DIR)).expect("it lists"), expected);
}
