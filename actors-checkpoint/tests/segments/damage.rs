//! Damage to the file of an older version that newer ones refer to.

use std::collections::BTreeSet;

use actors_checkpoint::{Key, SnapshotDir, SnapshotError, SnapshotProblem};
use actors_core::{host::Disk, sim::SimDisk};

use crate::history::*;

/// The versions that are committed, and the file that is damaged, which is none of them.
const NEWEST: u64 = 13;
const OLD: u64 = 10;

/// A disk with a file of an older version, of more than 10,000 bytes.
fn damaged_in_parts() -> (SimDisk, Vec<u8>) {
    let (disk, writer) = committed(1, NEWEST);
    assert_eq!(writer.versions(), [NEWEST - 1, NEWEST]);
    assert!(writer.files().contains(&data_file(OLD)), "{:?}", writer.files());
    let whole = disk.read(&data_file(OLD)).expect("it is there");
    assert!(whole.len() > 10_000, "{} B", whole.len());
    (disk, whole)
}

fn lost_key(error: &SnapshotError) -> Key {
    let SnapshotProblem::State { key, .. } = &error.what else { panic!("{error}") };
    assert_eq!(error.file, data_file(OLD));
    assert!(error.offset.is_some(), "{error}");
    key.clone()
}

/// Every state of the newest version, or the name of it and where it is lost. Gives how many are lost.
fn assert_rest(reader: &SnapshotDir, what: &str) -> usize {
    let (remains, corrupt) = reader.load_remains();
    let remains = remains.expect("the newest file is there");
    assert_eq!((remains.version, &remains.meta[..]), (NEWEST, &meta(NEWEST)[..]), "{what}");
    let lost: BTreeSet<Key> = corrupt.iter().map(lost_key).collect();
    let expected = entries(NEWEST);
    for (key, version, blob) in &remains.entries {
        // In place of what is lost there is what older versions had.
        let of = (1..=NEWEST).rev().map(entries);
        let mut as_committed = of.flatten().filter(|(k, v, _)| k == key && v == version);
        assert_eq!(&as_committed.next().expect("it was committed").2, blob, "{what}");
    }
    for entry in &expected {
        assert!(remains.entries.contains(entry) || lost.contains(&entry.0), "{what}: {}", entry.0);
    }
    lost.len()
}

#[test]
fn ckpt_9_an_older_file_damaged_at_any_of_10_000_bytes_costs_the_states_there_and_no_others() {
    let (disk, whole) = damaged_in_parts();
    let mut rng = fastrand::Rng::with_seed(3);
    let (mut unharmed, mut harmed, mut most) = (0, 0, 0);
    // The large state is most of it: the bytes around it, and some of those within.
    let places = (0..5_000).chain(whole.len() - 5_000..whole.len());
    for at in places {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << rng.u8(..8);
        let cut = whole[..at].to_vec();
        let mut lost = whole.clone();
        let end = lost.len().min(at + 512);
        lost[at..end].fill(0);
        for (how, bytes) in [("flipped", flipped), ("cut off", cut), ("zeroes", lost)] {
            if bytes == whole {
                continue;
            }
            overwrite(&disk, &data_file(OLD), &bytes);
            let what = format!("{how} at byte {at}");
            let reader = read_only(&disk);
            assert_eq!(reader.versions(), [NEWEST - 1, NEWEST], "{what}");
            match reader.load(NEWEST) {
                Ok(found) => {
                    assert_whole(&found);
                    unharmed += 1;
                }
                Err(error) => {
                    lost_key(&error);
                    let lost = assert_rest(&reader, &what);
                    assert!(lost > 0 && (how != "flipped" || lost == 1), "{what}: {lost} lost");
                    harmed += 1;
                    most = most.max(lost);
                }
            }
        }
    }
    assert!(unharmed > 1000 && harmed > 1000 && most > 1, "{unharmed} {harmed} {most}");
}

#[test]
fn ckpt_9_without_an_older_file_its_states_are_named_and_the_others_are_there() {
    let (disk, _) = damaged_in_parts();
    disk.remove(&data_file(OLD)).expect("removed");
    let reader = read_only(&disk);
    let error = reader.load(NEWEST).unwrap_err();
    let SnapshotProblem::State { why, .. } = &error.what else { panic!("{error}") };
    assert_eq!((&error.file, &**why), (&data_file(OLD), &SnapshotProblem::Missing));
    let lost = assert_rest(&reader, "missing");
    assert!(lost > 1 && lost < entries(NEWEST).len() - 2, "{lost} lost");
}

/// The newest version has lost a state that the one before it has too, at an older version and whole.
#[test]
fn ckpt_9_what_the_newest_version_has_lost_comes_from_older_ones() {
    let (disk, _) = committed(1, NEWEST);
    let reader = read_only(&disk);
    // Its own file: a state that it has in full. And one that both refer to.
    let flip = |version: u64, state: &[u8]| {
        let mut bytes = disk.read(&data_file(version)).expect("it is there");
        let at = bytes.windows(state.len()).position(|w| w == state).expect("it lies there");
        bytes[at + 20] ^= 1;
        overwrite(&disk, &data_file(version), &bytes);
        at as u64
    };
    let all = entries(NEWEST);
    let (key, version, blob) = all.iter().find(|(_, v, b)| *v == NEWEST && b.len() > 200).unwrap();
    let own = flip(NEWEST, blob.bytes());
    let before = reader.load_newest();
    assert_eq!(before.0.expect("there is a whole one").version, NEWEST - 1);
    assert_eq!((&before.1[0].file, before.1[0].offset), (&data_file(NEWEST), Some(own)));
    let shared = all.iter().find(|(_, v, _)| *v == OLD).expect("both refer to it");
    let old = flip(OLD, shared.2.bytes());
    assert_eq!(reader.load_newest().0, None);

    let (remains, corrupt) = reader.load_remains();
    let remains = remains.expect("most is there");
    let told: BTreeSet<_> =
        corrupt.iter().map(|error| (error.file.clone(), error.offset)).collect();
    assert!(
        told.contains(&(data_file(NEWEST), Some(own)))
            && told.contains(&(data_file(OLD), Some(old)))
    );
    let held: Vec<_> = remains.entries.iter().filter(|(k, ..)| k == key).collect();
    let older = entries(NEWEST - 1).into_iter().find(|(k, ..)| k == key).expect("it was there");
    assert!(older.1 < *version);
    assert_eq!(held, [&older]);
    assert_eq!(remains.entries.len(), all.len() - 1, "the other one is nowhere else");
}

/// Of a file that ends early nobody knows which states it had: what older versions have is better than nothing.
#[test]
fn ckpt_9_of_a_newest_version_that_is_cut_off_older_ones_have_the_rest() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens").keep(1);
    let done = writer.commit(1, &entries(1), &meta(1)).expect("committed");
    let whole = disk.read(&done.file).expect("it is there");
    overwrite(&disk, &done.file, &whole[..whole.len() / 2]);
    let reader = read_only(&disk);
    assert_eq!(reader.load_newest().0, None);
    let (remains, corrupt) = reader.load_remains();
    let remains = remains.expect("its head is there").entries;
    assert!((1..entries(1).len()).contains(&remains.len()), "{} states", remains.len());
    assert!(remains.iter().all(|entry| entries(1).contains(entry)));
    assert!(matches!(corrupt[..], [SnapshotError { what: SnapshotProblem::Truncated { .. }, .. }]));
    overwrite(&disk, &done.file, b"something else");
    let (remains, corrupt) = read_only(&disk).load_remains();
    assert_eq!((remains, corrupt.len()), (None, 2));
}

/// With the right checksums, as only a program that is wrong would write it.
#[test]
fn ckpt_9_a_reference_that_no_writer_makes_is_refused() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let entries: Entries = vec![("k".into(), 1, actors_checkpoint::Blob::raw(&[7_u8; 500]))];
    for version in 1..=3 {
        writer.commit(version, &entries, b"").expect("committed");
    }
    let whole = disk.read(&data_file(3)).expect("it is there");
    let record = 44;
    let number = |at: usize| u64::from_le_bytes(whole[record + at..][..8].try_into().unwrap());
    let (length, offset, file) = (number(16), number(24), number(40));
    assert_eq!((length, offset, file), (44 + 1 + 2 + 500, 44, 1));
    let changes: [(usize, u64); 12] = [
        // The checksum, and the file as it was.
        (36, file << 32 | 1),
        (40, 3),
        (40, 4),
        (40, u64::MAX),
        (40, 0),
        // A reference to a reference.
        (40, 2),
        (16, length - 1),
        (16, length + 1),
        (16, 0),
        (16, u64::MAX),
        (24, offset + 1),
        (24, u64::MAX),
    ];
    for (field, value) in changes {
        let mut bytes = whole.clone();
        bytes[record + field..][..8].copy_from_slice(&value.to_le_bytes());
        reseal(&mut bytes, record);
        overwrite(&disk, &data_file(3), &bytes);
        disk.remove(&manifest())
            .or_else(|error| match error.kind() {
                std::io::ErrorKind::NotFound => Ok(()),
                _ => Err(error),
            })
            .expect("removed");
        let reader = read_only(&disk);
        assert_eq!(reader.versions(), [1, 2], "field {field} as {value}");
        assert!(reader.corrupt()[0].offset.is_some(), "{:?}", reader.corrupt());
    }
    // As it was, resealed: the checksums above were right.
    let mut bytes = whole.clone();
    reseal(&mut bytes, record);
    assert_eq!(bytes, whole);
}

/// Makes the checksums right of a file of one reference and no metadata.
fn reseal(file: &mut [u8], record: usize) {
    let head = record + 48 + 1;
    let footer = head + 4;
    let crc = crc32fast::hash(&file[record..head]);
    file[head..footer].copy_from_slice(&crc.to_le_bytes());
    let sums = [&file[36..40], &file[40..44], &file[head..footer], &file[footer..footer + 16]];
    let crc = crc32fast::hash(&sums.concat());
    file[footer + 16..].copy_from_slice(&crc.to_le_bytes());
}
