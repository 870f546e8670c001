//! What the fuzz targets share. `.ci/fuzz` runs them; `cargo run --example seeds` writes their seeds anew.

use std::{
    path::Path,
    sync::{Arc, LazyLock},
};

use actors_checkpoint::{Blob, Key, SnapshotDir, Version};
use actors_core::{host::Disk, sim::SimDisk};

/// The directory, on a disk in memory.
pub const DIR: &str = "states";

/// Writes a file, in place of any that was there.
pub fn write(disk: &SimDisk, name: &str, bytes: &[u8]) {
    disk.create_dir_all(Path::new(DIR)).expect("nothing is in the way");
    disk.create(&Path::new(DIR).join(name)).expect("made").write_all(bytes).expect("written");
}

/// The content of a file.
pub fn read(disk: &SimDisk, name: &str) -> Vec<u8> {
    disk.read(&Path::new(DIR).join(name)).expect("it is there")
}

/// The name of the file of a version.
pub fn data_file(version: Version) -> String {
    format!("snapshot-{version:016x}.data")
}

/// Opens it to write.
pub fn open(disk: &SimDisk) -> SnapshotDir {
    SnapshotDir::open(Arc::new(disk.clone()), DIR).expect("the disk does not fail")
}

/// Opens it to read.
pub fn open_read_only(disk: &SimDisk) -> SnapshotDir {
    SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("the disk does not fail")
}

/// States of every kind, some of which stay the same.
pub fn entries(version: Version) -> Vec<(Key, Version, Blob)> {
    static LASTING: LazyLock<[Blob; 2]> = LazyLock::new(|| [lasting(1), lasting(2)]);
    let [first, second] = LASTING.clone();
    vec![
        ("text".into(), version, Blob::encode("state").expect("a text encodes")),
        ("first".into(), 1, first),
        ("raw".into(), version, Blob::raw(&[version; 2]).with_schema(2)),
        (Key::new(""), 1, Blob::raw::<u32>(&[])),
        ("second".into(), 2, second),
    ]
}

/// Large enough to be referred to.
fn lasting(byte: u8) -> Blob {
    Blob::raw(&[byte; 300])
}

/// The state that a change of state in a message is applied to, as version 1.
pub fn base() -> Blob {
    Blob::raw(&[7_u8; 64])
}

/// The versions that are there before those that are tested.
pub const BEFORE: [Version; 3] = [1, 2, 3];

/// A disk with the versions 2 and 3, and the file of version 1 to which both refer.
pub fn committed() -> SimDisk {
    let disk = SimDisk::new(1);
    let mut directory = open(&disk);
    for version in BEFORE {
        let done = directory.commit(version, &entries(version), b"meta");
        let done = done.expect("the disk does not fail");
        assert_eq!(done.referred, if version == 1 { 0 } else { 2 });
    }
    assert_eq!((directory.versions(), directory.files().len()), (vec![2, 3], 3));
    disk
}

/// The data files of [`committed`].
pub fn data_files() -> &'static [Vec<u8>; 3] {
    static DATA: LazyLock<[Vec<u8>; 3]> = LazyLock::new(|| {
        let disk = committed();
        BEFORE.map(|version| read(&disk, &data_file(version)))
    });
    &DATA
}

/// A disk with these alone.
pub fn without_manifest() -> SimDisk {
    let disk = SimDisk::new(1);
    for (version, data) in BEFORE.into_iter().zip(data_files()) {
        write(&disk, &data_file(version), data);
    }
    disk
}

/// The same manifest with the right checksum: else nothing but checksums would be tested.
pub fn sealed_manifest(mut file: Vec<u8>) -> Vec<u8> {
    if let Some(end) = file.len().checked_sub(4) {
        seal(&mut file, 0, end, end);
    }
    file
}

/// The same data file with the right checksums and length, as far as it can be read.
pub fn sealed_data(mut file: Vec<u8>) -> Vec<u8> {
    let _ = seal_data(&mut file);
    file
}

/// How many references a whole data file has.
pub fn references(file: &[u8]) -> Option<usize> {
    let mut at = end_of(file, 44, number(file, 28, 8)?)?;
    let mut found = 0;
    for _ in 0..number(file, 20, 8)? {
        let names = number(file, at, 4)? + number(file, at + 4, 4)?;
        let is_reference = number(file, at + 32, 4)? == REFERENCE;
        found += usize::from(is_reference);
        at = match is_reference {
            true => end_of(file, at + 52, names)?,
            false => end_of(file, at + 44, names + number(file, at + 16, 8)?)?,
        };
    }
    Some(found)
}

/// The kind of a record that stands for one of another file.
const REFERENCE: u64 = 3;

fn seal_data(file: &mut [u8]) -> Option<()> {
    let mut sums = Vec::new();
    sums.extend(seal(file, 0, 36, 36)?);
    let records = number(file, 20, 8)?;
    let mut at = end_of(file, 40, number(file, 28, 8)?)?;
    sums.extend(seal(file, 40, at, at)?);
    at += 4;
    for _ in 0..records {
        let names = number(file, at, 4)? + number(file, at + 4, 4)?;
        if number(file, at + 32, 4)? == REFERENCE {
            let head = end_of(file, at + 48, names)?;
            sums.extend(seal(file, at, head, head)?);
            at = head + 4;
            continue;
        }
        let head = end_of(file, at + 40, names)?;
        let end = end_of(file, head + 4, number(file, at + 16, 8)?)?;
        seal(file, head + 4, end, at + 36)?;
        sums.extend(seal(file, at, head, head)?);
        at = end;
    }
    let length = file.len() as u64;
    file.get_mut(at + 8..at + 16)?.copy_from_slice(&length.to_le_bytes());
    sums.extend_from_slice(&file[at..at + 16]);
    let crc = crc32fast::hash(&sums);
    file.get_mut(at + 16..at + 20)?.copy_from_slice(&crc.to_le_bytes());
    Some(())
}

/// Writes the checksum of `file[start..end]` at `to`.
fn seal(file: &mut [u8], start: usize, end: usize, to: usize) -> Option<[u8; 4]> {
    let crc = crc32fast::hash(file.get(start..end)?).to_le_bytes();
    file.get_mut(to..to + 4)?.copy_from_slice(&crc);
    Some(crc)
}

fn number(file: &[u8], at: usize, width: usize) -> Option<u64> {
    let mut number = [0; 8];
    number[..width].copy_from_slice(file.get(at..at + width)?);
    Some(u64::from_le_bytes(number))
}

/// The end of something of this length, if it is in the file.
fn end_of(file: &[u8], start: usize, length: u64) -> Option<usize> {
    let end = start.checked_add(usize::try_from(length).ok()?)?;
    (end <= file.len()).then_some(end)
}
