//! Space is given back, and versions refer to few files.

use std::path::Path;

use actors_checkpoint::{Blob, SnapshotProblem};
use actors_core::{host::Disk, sim::SimDisk};

use crate::history::*;

fn used(disk: &SimDisk) -> u64 {
    let files = disk.list(Path::new(DIR)).expect("it lists");
    files.iter().map(|file| disk.read(file).expect("it is there").len() as u64).sum()
}

/// One state after the other changes, at each version one: no file is ever mostly of no use for long, and there
/// are as many of them as versions.
#[test]
fn ckpt_12_files_are_few_and_their_space_is_given_back() {
    let keys = 60_u64;
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let state = |key: u64, version: u64| {
        (format!("{key:02}").into(), version, Blob::raw(&[version, key].repeat(64)))
    };
    let mut entries: Entries = (0..keys).map(|key| state(key, 1)).collect();
    let whole = writer.commit(1, &entries, b"").expect("committed").bytes;
    let (mut most, mut copied, mut written, mut largest) = (0, 0, 0, 0);
    for version in 2..=1000 {
        let key = (version * 7) % keys;
        entries[key as usize] = state(key, version);
        let done = writer.commit(version, &entries, b"").expect("committed");
        most = most.max(writer.files().len());
        copied += done.compacted;
        written += done.bytes;
        largest = largest.max(used(&disk));
        if version % 50 == 0 {
            assert_eq!(writer.load(version).expect("it is whole").entries, entries);
        }
    }
    // Two versions, and what they refer to.
    assert!((10..=2 + 2 * 16).contains(&most), "{most} files");
    assert!(largest < 5 * whole, "{largest} B, of which {whole} B are of use");
    assert!(copied > 1000, "{copied} states were copied");
    assert!(written < 1000 * whole / 2, "{written} B were written for 1000 times {whole} B");
    drop(writer);
    let reader = read_only(&disk.crash());
    assert_eq!(reader.load_newest().0.expect("it is whole").entries, entries);
}

#[test]
fn ckpt_12_a_file_that_is_mostly_of_no_use_goes_once_no_version_refers_to_it() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let state = |key: u64, version| (format!("{key}").into(), version, Blob::raw(&[version; 100]));
    let mut entries: Entries = (0..10).map(|key| state(key, 1)).collect();
    writer.commit(1, &entries, b"").expect("committed");
    (0..3).for_each(|key| entries[key] = state(key as u64, 2));
    let second = writer.commit(2, &entries, b"").expect("committed");
    assert_eq!((second.referred, second.compacted), (7, 0));
    entries[5] = state(5, 3);
    let third = writer.commit(3, &entries, b"").expect("committed");
    assert_eq!((third.referred, third.compacted), (9, 0), "more than half of it is of use");
    entries[6] = state(6, 4);
    let fourth = writer.commit(4, &entries, b"").expect("committed");
    assert_eq!((fourth.referred, fourth.compacted), (4, 5), "less than half, with its header");
    assert_eq!(writer.files(), [1, 2, 3, 4].map(data_file), "version 3 needs it");
    writer.commit(5, &entries, b"").expect("committed");
    assert_eq!(writer.files(), [2, 3, 4, 5].map(data_file));
    assert!(disk.read(&data_file(1)).is_err());
    assert_eq!(writer.load(5).expect("it is whole").entries, entries);
}

#[test]
fn ckpt_9_without_room_to_compact_a_version_is_committed_all_the_same() {
    let mut tried = 0;
    for newest in 1..40 {
        let (_, mut writer) = committed(1, newest);
        let next = newest + 1;
        let compacting = writer.commit(next, &entries(next), &meta(next)).expect("committed");
        if compacting.compacted == 0 {
            continue;
        }
        tried += 1;
        let (disk, mut writer) = committed(1, newest);
        // What was removed takes its room until that is safe.
        disk.set_capacity(1 << 40);
        let taken = (1 << 40) - disk.free_space(Path::new(DIR)).expect("asked");
        disk.set_capacity(taken + 20);
        let refused = writer.commit(next, &entries(next), &meta(next)).unwrap_err();
        let SnapshotProblem::NoSpace { needed, free: 20 } = refused.what else {
            panic!("{refused}")
        };
        disk.set_capacity(taken + needed);
        let done = writer.commit(next, &entries(next), &meta(next)).expect("committed");
        assert_eq!(done.compacted, 0);
        assert_eq!(done.referred, compacting.referred + compacting.compacted);
        assert_tidy(&disk, &writer);
    }
    assert!(tried > 5, "{tried} versions were compacted");
}
