//! What is written, and what is referred to.

use actors_checkpoint::{Blob, Key, Version};
use actors_core::{host::Disk, sim::SimDisk};

use crate::history::*;

fn blobs(count: usize, seed: u64) -> Vec<Blob> {
    let mut rng = fastrand::Rng::with_seed(seed);
    let mut blob = || {
        let mut bytes = [0_u8; 1000];
        rng.fill(&mut bytes);
        Blob::raw(&bytes)
    };
    (0..count).map(|_| blob()).collect()
}

fn keyed(blobs: &[Blob], version: Version) -> Entries {
    (0..).zip(blobs).map(|(key, blob)| (format!("{key}").into(), version, blob.clone())).collect()
}

#[test]
fn a_version_of_which_little_has_changed_is_written_in_little() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let mut entries = keyed(&blobs(1000, 1), 1);
    let first = writer.commit(1, &entries, b"").expect("committed");
    assert_eq!((first.referred, first.compacted), (0, 0));
    for entry in &mut entries[500..510] {
        *entry = (entry.0.clone(), 2, Blob::raw(&[2_u8; 1000]));
    }
    let second = writer.commit(2, &entries, b"").expect("committed");
    assert_eq!((second.referred, second.compacted), (990, 0));
    assert_eq!(second.bytes, disk.read(&second.file).expect("it is there").len() as u64);
    assert!(second.bytes * 10 < first.bytes, "{} of {}", second.bytes, first.bytes);
    assert_eq!(writer.load(2).expect("it is whole").entries, entries);
    // The file of a version that is not kept any more stays for its states.
    let third = writer.commit(3, &entries, b"").expect("committed");
    // Most of the second file is references: what it has of its own is better written again.
    assert_eq!((third.referred, third.compacted, third.removed), (990, 10, vec![1]));
    assert_eq!(writer.versions(), [2, 3]);
    assert_eq!(writer.files(), [1, 2, 3].map(data_file), "version 2 needs the first");
    assert_eq!(writer.load(3).expect("it is whole").entries, entries);
    let reader = read_only(&disk);
    assert_eq!((reader.versions(), reader.files()), (writer.versions(), writer.files()));
}

/// The checksum of bytes that end in their own CRC is always the same: it does not tell whether a state is
/// another one.
#[test]
fn ckpt_9_a_state_that_was_replaced_under_its_version_is_written_though_its_checksum_is_the_same() {
    let with_crc = |byte: u8| {
        let bytes = [byte; 500];
        let crc = crc32fast::hash(&bytes).to_le_bytes();
        Blob::raw(&[&bytes[..], &crc].concat())
    };
    let (one, other) = (with_crc(1), with_crc(2));
    assert!(one.crc() == other.crc() && one != other);
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    for (version, blob) in [(1, &one), (2, &other), (3, &one)] {
        let entries = [("k".into(), 1, blob.clone())];
        assert_eq!(writer.commit(version, &entries, b"").expect("committed").referred, 0);
        assert_eq!(writer.load(version).expect("it is whole").entries, entries);
    }
}

#[test]
fn the_same_state_under_another_key_version_or_schema_is_another() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let blob = Blob::raw(&[7_u8; 500]);
    let key = || Key::from("k");
    writer.commit(1, &[(key(), 1, blob.clone())], b"").expect("committed");
    let others =
        [("l".into(), 1, blob.clone()), (key(), 2, blob.clone()), (key(), 1, blob.with_schema(1))];
    for (version, other) in (2..).zip(others) {
        let entries = [other];
        assert_eq!(writer.commit(version, &entries, b"").expect("committed").referred, 0);
        assert_eq!(writer.load(version).expect("it is whole").entries, entries);
    }
}

#[test]
fn what_a_writer_has_loaded_it_refers_to() {
    let (disk, mut writer, loaded) = reopened(1, 9);
    let entries = entries_after(&loaded, 10);
    let done = writer.commit(10, &entries, &meta(10)).expect("committed");
    let (_, mut other) = committed(1, 9);
    let by_the_other = other.commit(10, &super::history::entries(10), &meta(10));
    assert!(done.referred > 0 && Ok(&done) == by_the_other.as_ref(), "{done:?} {by_the_other:?}");
    assert_tidy(&disk, &writer);
    // A load gives other blobs of the same states: all of them are known.
    let again = writer.load(10).expect("it is whole").entries;
    let of_both = [&again[..6], &entries[6..]].concat();
    let both = writer.commit(11, &of_both, b"").expect("committed");
    assert_eq!(both.referred + both.compacted, 22, "all but the small and the empty one");
}

#[test]
fn what_a_writer_has_not_seen_it_writes() {
    let (disk, writer) = committed(1, 9);
    drop(writer);
    let mut writer = open(&disk).expect("it opens");
    let done = writer.commit(10, &entries(10), &meta(10)).expect("committed");
    assert_eq!((done.referred, done.compacted), (0, 0));
    assert_tidy(&disk, &writer);
}

#[test]
fn ckpt_9_after_a_rollback_other_states_under_its_versions_never_mix() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens").keep(3);
    let (old, new) = (blobs(6, 1), blobs(6, 2));
    writer.commit(1, &keyed(&old[..2], 1), b"").expect("committed");
    writer.commit(2, &keyed(&old, 1), b"").expect("committed");
    writer.commit(3, &keyed(&old, 1), b"").expect("committed");
    assert_eq!(writer.rollback(1), Ok(vec![2, 3]));
    assert_eq!(writer.files(), [data_file(1)]);
    // What came with version 2 lies nowhere any more.
    let again = writer.commit(2, &keyed(&old, 1), b"").expect("committed again");
    assert_eq!((again.referred, again.compacted), (2, 0));
    assert_eq!(writer.load(2).expect("it is whole").entries, keyed(&old, 1));
    assert_eq!(writer.rollback(1), Ok(vec![2]));
    // Nor in the file that has others now.
    writer.commit(2, &keyed(&new, 1), b"").expect("committed again");
    let third = writer.commit(3, &keyed(&old, 1), b"").expect("committed again");
    assert_eq!(third.referred, 0, "the first two are not the last ones under their keys");
    for (version, blobs) in [(1, &old[..2]), (2, &new), (3, &old)] {
        assert_eq!(writer.load(version).expect("it is whole").entries, keyed(blobs, 1));
    }
    drop(writer);
    let after = disk.crash();
    let reader = read_only(&after);
    assert_eq!((reader.versions(), reader.corrupt()), (vec![1, 2, 3], &[][..]));
    assert_eq!(reader.load(3).expect("it is whole").entries, keyed(&old, 1));
}

/// Somebody has taken an old file for old.
#[test]
fn ckpt_9_a_file_that_was_taken_away_is_not_referred_to() {
    let (disk, mut writer) = committed(1, 9);
    let oldest = writer.files().swap_remove(0);
    assert_ne!(oldest, data_file(8), "a file that is no version any more");
    disk.remove(&oldest).expect("removed");
    writer.commit(10, &entries(10), &meta(10)).expect("committed");
    assert_whole(&writer.load(10).expect("it is whole"));
    writer.commit(11, &entries(11), &meta(11)).expect("committed");
    drop(writer);
    let writer = open(&disk).expect("it opens");
    assert_eq!(writer.versions(), [10, 11]);
    assert_tidy(&disk, &writer);
}

#[test]
fn a_snapshot_keeps_no_file_in_memory_of_which_it_has_little() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let entries = keyed(&blobs(100, 1), 1);
    writer.commit(1, &entries, b"").expect("committed");
    writer.commit(2, &entries[..66], b"").expect("committed");
    // Without room to write them again.
    disk.set_capacity(1 << 40);
    let free = disk.free_space(DIR.as_ref()).expect("asked");
    disk.set_capacity((1 << 40) - free + 3000);
    let third = writer.commit(3, &entries[..10], b"").expect("committed");
    assert_eq!((third.referred, third.compacted), (10, 0));
    for (version, is_shared) in [(2, true), (3, false)] {
        let found = writer.load(version).expect("it is whole");
        let places = found.entries.iter().map(|(.., blob)| blob.bytes().as_ptr() as usize);
        let places: Vec<_> = places.take(10).collect();
        let lie_as_in_the_file =
            places.windows(2).all(|w| w[1].wrapping_sub(w[0]) == 1000 + 44 + 3);
        assert_eq!(lie_as_in_the_file, is_shared, "version {version}");
    }
}
