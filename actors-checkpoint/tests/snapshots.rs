//! Snapshot directories: whole or not at all, whatever happens.

use std::{
    io,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_checkpoint::{
    Blob, Key, Snapshot, SnapshotDir, SnapshotError, SnapshotProblem, Version,
};
use actors_core::{host::Disk, sim::SimDisk};

type Entries = Vec<(Key, Version, Blob)>;

const DIR: &str = "run/states";

fn open(disk: &SimDisk) -> Result<SnapshotDir, SnapshotError> {
    SnapshotDir::open(Arc::new(disk.clone()), DIR)
}

/// Small states of every kind, an empty one among them.
fn small(version: Version) -> Entries {
    vec![
        ("text".into(), version, Blob::encode(&format!("state {version}")).expect("it encodes")),
        ("raw".into(), version, Blob::raw(&[version as f64; 3]).with_schema(2)),
        (Key::new(""), version, Blob::raw::<u32>(&[])),
    ]
}

/// As [`small`], and one that is written in a piece of its own.
fn large(version: Version) -> Entries {
    let mut entries = small(version);
    entries.insert(1, ("large".into(), version, Blob::raw(&vec![version; 9000])));
    entries.push(("last".into(), version, Blob::raw(&[version])));
    entries
}

/// As [`small`], and one that makes the file longer than 10,000 bytes, of bytes that differ in every version.
fn middle(version: Version) -> Entries {
    let mut bytes = [0_u8; 10_000];
    fastrand::Rng::with_seed(version).fill(&mut bytes);
    let mut entries = small(version);
    entries.insert(1, ("middle".into(), version, Blob::raw(&bytes)));
    entries
}

fn meta(version: Version) -> Vec<u8> {
    format!("about {version}").into_bytes()
}

/// What was committed as this version, and nothing else.
fn assert_whole(found: &Snapshot, entries: fn(Version) -> Entries) {
    assert_eq!(found.entries, entries(found.version));
    assert_eq!(found.meta, meta(found.version));
    for (_, _, blob) in &found.entries {
        blob.verify().expect("a loaded state is whole");
    }
}

/// A disk with the versions 1 to `newest`, all of them safe.
fn committed(seed: u64, newest: Version, entries: fn(Version) -> Entries) -> SimDisk {
    let disk = SimDisk::new(seed);
    let mut open = open(&disk).expect("it opens");
    for version in 1..=newest {
        open.commit(version, &entries(version), &meta(version)).expect("committed");
    }
    disk
}

fn data_file(version: Version) -> PathBuf {
    Path::new(DIR).join(format!("snapshot-{version:016x}.data"))
}

fn overwrite(disk: &SimDisk, file: &Path, bytes: &[u8]) {
    disk.create(file).expect("created").write_all(bytes).expect("written");
}

#[test]
fn committed_versions_are_read_back_and_the_newest_are_kept() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens").keep(3);
    for version in [1, 2, 5, 6] {
        let done = writer.commit(version, &large(version), &meta(version)).expect("committed");
        assert_eq!(done.file, data_file(version));
        assert_eq!(done.bytes, disk.read(&done.file).expect("it is there").len() as u64);
        assert_eq!(done.removed, if version == 6 { vec![1] } else { vec![] });
        assert_eq!(done.not_removed, []);
    }
    assert_eq!(writer.versions(), [2, 5, 6]);
    assert!(disk.read(&data_file(1)).is_err());
    for version in [2, 5, 6] {
        assert_whole(&writer.load(version).expect("it is whole"), large);
    }
    assert_eq!(writer.load(1).unwrap_err().what, SnapshotProblem::Missing);
    let reader = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
    assert_eq!((reader.versions(), reader.newest()), (vec![2, 5, 6], Some(6)));
    let (newest, corrupt) = reader.load_newest();
    assert_whole(&newest.expect("there is one"), large);
    assert_eq!(corrupt, []);
}

#[test]
fn there_is_one_writer_and_readers_write_nothing() {
    let disk = committed(1, 1, small);
    let writer = open(&disk).expect("it opens");
    assert_eq!(open(&disk).unwrap_err().what, SnapshotProblem::Locked);
    let mut reader = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
    let refused = reader.commit(2, &[], b"").unwrap_err();
    assert_eq!(refused.what, SnapshotProblem::ReadOnly);
    assert_eq!(reader.rollback(0).unwrap_err().what, SnapshotProblem::ReadOnly);
    drop(writer);
    open(&disk).expect("the lock is free");
}

#[test]
fn versions_only_grow_but_for_a_rollback() {
    let disk = committed(1, 2, small);
    let mut writer = open(&disk).expect("it opens");
    for version in [0, 1, 2] {
        let refused = writer.commit(version, &small(version), b"").unwrap_err();
        assert_eq!(refused.what, SnapshotProblem::NotNewer { version, newest: 2 });
    }
    assert_eq!(writer.rollback(2), Ok(vec![]));
    assert_eq!(writer.rollback(1), Ok(vec![2]));
    drop(writer);
    let after = disk.crash();
    let mut writer = open(&after).expect("it opens");
    assert_eq!(writer.versions(), [1]);
    writer.commit(2, &small(2), &meta(2)).expect("committed again");
    assert_whole(&writer.load(2).expect("it is whole"), small);
}

#[test]
fn an_empty_commit_is_a_version() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    assert_eq!(writer.load_newest(), (None, vec![]));
    writer.commit(0, &[], &[]).expect("committed");
    let (newest, _) = writer.load_newest();
    assert_eq!(newest, Some(Snapshot { version: 0, entries: vec![], meta: vec![].into() }));
}

/// Runs a commit of version 3 over versions 1 and 2, with a fault put in at each operation, until
/// there is an operation too many.
fn at_every_operation(
    seed: u64,
    entries: fn(Version) -> Entries,
    put_fault: impl Fn(&SimDisk, u64),
    mut check: impl FnMut(u64, SimDisk, Result<(), SnapshotError>),
) {
    for nth in 1.. {
        let disk = committed(seed, 2, entries);
        let first = disk.operations() + 1;
        put_fault(&disk, first + nth - 1);
        let done =
            open(&disk).and_then(|mut writer| writer.commit(3, &entries(3), &meta(3)).map(drop));
        let is_past_the_end = disk.operations() < first + nth - 1;
        check(nth, disk, done);
        if is_past_the_end {
            assert!(nth > 10, "a commit takes more operations than {nth}");
            return;
        }
    }
}

#[test]
fn ckpt_9_a_crash_at_any_operation_leaves_the_old_or_the_new_version_whole() {
    let (mut old, mut new) = (0, 0);
    for seed in 0..150 {
        let off = |disk: &SimDisk, n| disk.fail_from(n, io::ErrorKind::BrokenPipe);
        at_every_operation(
            seed,
            if seed % 2 == 0 { small } else { large },
            off,
            |nth, disk, done| {
                let entries = if seed % 2 == 0 { small } else { large };
                let after = disk.crash();
                let reader = SnapshotDir::open_read_only(Arc::new(after.clone()), DIR);
                let (newest, corrupt) = reader.expect("it opens").load_newest();
                let newest = newest.unwrap_or_else(|| panic!("lost: seed {seed}, operation {nth}"));
                assert_eq!(corrupt, [], "seed {seed}, operation {nth}");
                assert_whole(&newest, entries);
                if done.is_ok() {
                    assert_eq!(
                        newest.version, 3,
                        "committed is committed: seed {seed}, operation {nth}"
                    );
                }
                match newest.version {
                    2 => old += 1,
                    3 => new += 1,
                    other => panic!("version {other}: seed {seed}, operation {nth}"),
                }
                // A writer cleans up and goes on, also over the same version, and crashes again.
                let mut writer = open(&after).expect("it opens");
                let seen = writer.newest().expect("as the reader saw");
                assert_eq!(seen, newest.version);
                writer.commit(seen + 1, &entries(seen + 1), &meta(seen + 1)).expect("committed");
                drop(writer);
                let names = after.list(Path::new(DIR)).expect("it lists");
                assert_eq!(names.len(), 4, "two versions, manifest and lock: {names:?}");
                let (newest, corrupt) = open(&after.crash()).expect("it opens").load_newest();
                assert_eq!(corrupt, []);
                let newest = newest.expect("there is one");
                assert_eq!(newest.version, seen + 1);
                assert_whole(&newest, entries);
            },
        );
    }
    assert!(old > 100 && new > 100, "both were seen: {old} old, {new} new");
}

#[test]
fn ckpt_9_a_power_loss_after_a_new_writer_has_cleaned_up_loses_nothing() {
    for seed in 0..100 {
        for nth in 1.. {
            let disk = SimDisk::new(seed);
            let mut writer = open(&disk).expect("it opens").keep(1);
            writer.commit(1, &small(1), &meta(1)).expect("committed");
            let at = disk.operations() + nth;
            disk.fail_from(at, io::ErrorKind::BrokenPipe);
            let done = writer.commit(2, &small(2), &meta(2));
            drop(writer);
            let is_past_the_end = disk.operations() < at;
            // The process has died, the machine goes on: what was not synced is seen all the same.
            disk.heal();
            drop(open(&disk).expect("it opens"));
            let (newest, corrupt) = open(&disk.crash()).expect("it opens").load_newest();
            let newest = newest.unwrap_or_else(|| panic!("lost: seed {seed}, operation {nth}"));
            assert_eq!(corrupt, [], "seed {seed}, operation {nth}");
            assert_whole(&newest, small);
            assert!(newest.version == 2 || done.is_err());
            if is_past_the_end {
                break;
            }
        }
    }
}

#[test]
fn ckpt_9_a_crash_at_any_operation_of_the_first_commit_leaves_it_or_nothing() {
    for seed in 0..100 {
        for nth in 1.. {
            let disk = SimDisk::new(seed);
            disk.fail_from(nth, io::ErrorKind::BrokenPipe);
            let done = open(&disk).and_then(|mut writer| writer.commit(1, &large(1), &meta(1)));
            let (newest, corrupt) = open(&disk.crash()).expect("it opens").load_newest();
            if let Some(newest) = &newest {
                assert_whole(newest, large);
            }
            assert!(newest.is_some() || done.is_err(), "lost: seed {seed}, operation {nth}");
            let harmless = |e: &SnapshotError| e.what == SnapshotProblem::Missing;
            assert!(corrupt.iter().all(harmless), "{corrupt:?}");
            if disk.operations() < nth {
                break;
            }
        }
    }
}

#[test]
fn ckpt_9_enospc_and_eio_at_any_operation_are_told_and_the_old_version_stays() {
    for kind in [io::ErrorKind::StorageFull, io::ErrorKind::Other] {
        for seed in 0..60 {
            let fault = |disk: &SimDisk, n| disk.fail_at(n, kind);
            at_every_operation(seed, large, fault, |nth, disk, done| {
                if let Err(error) = &done {
                    assert!(error.file.starts_with("run"), "{error}");
                    let told = match kind {
                        io::ErrorKind::StorageFull => error.what == SnapshotProblem::Full,
                        _ => matches!(error.what, SnapshotProblem::Io { .. }),
                    };
                    assert!(told, "{error}");
                }
                for disk in [disk.clone(), disk.crash()] {
                    let (newest, corrupt) = open(&disk).expect("it opens").load_newest();
                    let newest = newest.expect("the old or the new one");
                    assert_eq!(corrupt, [], "seed {seed}, operation {nth}");
                    assert!(newest.version == 3 || (newest.version == 2 && done.is_err()));
                    assert_whole(&newest, large);
                }
            });
        }
    }
}

#[test]
fn ckpt_9_after_a_failed_commit_the_same_writer_tries_again() {
    for seed in 0..60 {
        for keep in [1, 2] {
            for nth in 1.. {
                let disk = committed(seed, 2, large);
                let mut writer = open(&disk).expect("it opens").keep(keep);
                let at = disk.operations() + nth;
                disk.fail_at(at, io::ErrorKind::Other);
                let first = writer.commit(3, &large(3), &meta(3));
                let is_past_the_end = disk.operations() < at;
                disk.heal();
                if first.is_err() {
                    let (newest, _) = writer.load_newest();
                    assert_whole(&newest.expect("the writer still reads"), large);
                    writer.commit(3, &large(3), &meta(3)).expect("a retry works");
                }
                writer.commit(4, &large(4), &meta(4)).expect("and the next one");
                drop(writer);
                let after = disk.crash();
                let reopened = open(&after).expect("it opens");
                assert_eq!(reopened.newest(), Some(4));
                assert_eq!(reopened.corrupt(), []);
                for version in reopened.versions() {
                    assert_whole(&reopened.load(version).expect("it is whole"), large);
                }
                if is_past_the_end {
                    break;
                }
            }
        }
    }
}

#[test]
fn ckpt_9_after_a_failed_commit_other_states_under_its_version_never_mix() {
    for seed in 0..60 {
        for nth in 1..25 {
            let disk = committed(seed, 2, large);
            let mut writer = open(&disk).expect("it opens").keep(1);
            disk.fail_at(disk.operations() + nth, io::ErrorKind::Other);
            if writer.commit(3, &large(3), &meta(3)).is_ok() {
                break;
            }
            disk.heal();
            disk.fail_from(disk.operations() + 1 + seed % 25, io::ErrorKind::BrokenPipe);
            let second = writer.commit(3, &small(3), &meta(3));
            if let Err(error) = &second {
                let refused = matches!(error.what, SnapshotProblem::NotNewer { .. });
                assert!(refused || matches!(error.what, SnapshotProblem::Io { .. }), "{error}");
            }
            let (newest, corrupt) = open(&disk.crash()).expect("it opens").load_newest();
            let newest = newest.unwrap_or_else(|| panic!("lost: seed {seed}, operation {nth}"));
            assert_eq!(corrupt, [], "seed {seed}, operation {nth}");
            let is = |entries: fn(Version) -> Entries| newest.entries == entries(newest.version);
            assert!(is(large) || (newest.version == 3 && is(small)), "{newest:?}");
            assert!(second.is_err() || (newest.version == 3 && is(small)), "{newest:?}");
        }
    }
}

#[test]
fn ckpt_9_after_a_failed_commit_the_next_one_leaves_nothing_behind() {
    for seed in 0..60 {
        for nth in 1..25 {
            let disk = committed(seed, 2, small);
            let mut writer = open(&disk).expect("it opens");
            disk.fail_at(disk.operations() + nth, io::ErrorKind::Other);
            let _ = writer.commit(3, &small(3), &meta(3));
            disk.heal();
            writer.commit(4, &small(4), &meta(4)).expect("committed");
            let names = disk.list(Path::new(DIR)).expect("it lists");
            assert_eq!(names.len(), 4, "two versions, manifest and lock: {names:?}");
        }
    }
}

#[test]
fn ckpt_9_faults_one_after_the_other_never_lose_the_last_committed_version() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut disk = SimDisk::new(seed);
        let mut last = 0;
        let mut tried = 0;
        for _ in 0..12 {
            let mut faults = rng.usize(..3);
            while faults > 0 {
                disk.fail_at(disk.operations() + rng.u64(1..40), io::ErrorKind::Other);
                faults -= 1;
            }
            if let Ok(writer) = open(&disk) {
                let mut writer = writer.keep(rng.usize(1..4));
                for _ in 0..rng.usize(..4) {
                    tried += 1;
                    if writer.commit(tried, &small(tried), &meta(tried)).is_ok() {
                        last = tried;
                    }
                }
            }
            if rng.bool() {
                disk = disk.crash();
            }
            disk.heal();
            let reader = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR);
            let newest = reader.ok().and_then(|reader| reader.load_newest().0);
            assert!(newest.as_ref().map_or(0, |s| s.version) >= last, "seed {seed}");
            if let Some(newest) = newest {
                assert_whole(&newest, small);
                tried = tried.max(newest.version);
            }
        }
    }
}

#[test]
fn ckpt_9_the_space_is_looked_at_before() {
    let disk = committed(1, 2, small);
    let mut writer = open(&disk).expect("it opens");
    let used: u64 = disk
        .list(Path::new(DIR))
        .expect("it lists")
        .iter()
        .map(|file| disk.read(file).expect("it is there").len() as u64)
        .sum();
    disk.set_capacity(used + 100);
    let before = disk.operations();
    let refused = writer.commit(3, &small(3), &meta(3)).unwrap_err();
    assert!(matches!(refused.what, SnapshotProblem::NoSpace { free: 100, .. }), "{refused}");
    assert_eq!(disk.operations(), before + 1, "nothing but the question was done");
    disk.set_capacity(used + 10_000);
    writer.commit(3, &small(3), &meta(3)).expect("there is room");
}

/// Every way to read the directory gives version 2 whole, or version 1 and what is wrong with 2.
fn assert_old_or_new(disk: &SimDisk, what: &str) -> Option<SnapshotError> {
    assert_old_or_new_of(small, disk, what)
}

fn assert_old_or_new_of(
    entries: fn(Version) -> Entries,
    disk: &SimDisk,
    what: &str,
) -> Option<SnapshotError> {
    let reader = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
    let (newest, corrupt) = reader.load_newest();
    let newest = newest.unwrap_or_else(|| panic!("{what}: nothing is left: {corrupt:?}"));
    assert_whole(&newest, entries);
    if newest.version == 1 {
        assert!(!corrupt.is_empty(), "{what}: told");
    }
    corrupt.into_iter().next()
}

#[test]
fn ckpt_9_every_truncation_is_found() {
    let disk = committed(1, 2, small);
    for file in [data_file(2), Path::new(DIR).join("MANIFEST")] {
        let whole = disk.read(&file).expect("it is there");
        for length in 0..whole.len() {
            overwrite(&disk, &file, &whole[..length]);
            let what = format!("{} cut to {length}", file.display());
            let error = assert_old_or_new(&disk, &what).unwrap_or_else(|| panic!("{what}"));
            assert_eq!(error.file, file);
            assert!(error.offset.is_some_and(|offset| offset <= length as u64), "{error}");
        }
        overwrite(&disk, &file, &[&whole[..], b"x"].concat());
        assert_eq!(assert_old_or_new(&disk, "a byte more").expect("told").file, file);
        overwrite(&disk, &file, &whole);
    }
}

#[test]
fn ckpt_9_every_flipped_bit_is_found() {
    let disk = committed(1, 2, small);
    for file in [data_file(2), Path::new(DIR).join("MANIFEST")] {
        let whole = disk.read(&file).expect("it is there");
        for bit in 0..8 * whole.len() {
            let mut bytes = whole.clone();
            bytes[bit / 8] ^= 1 << (bit % 8);
            overwrite(&disk, &file, &bytes);
            let what = format!("bit {bit} of {}", file.display());
            let error = assert_old_or_new(&disk, &what).unwrap_or_else(|| panic!("{what}"));
            assert_eq!(error.file, file, "{what}");
            assert!(error.offset.is_some_and(|offset| offset <= whole.len() as u64), "{error}");
        }
        overwrite(&disk, &file, &whole);
    }
    assert_eq!(assert_old_or_new(&disk, "as it was"), None);
}

#[test]
fn ckpt_9_a_file_damaged_at_any_of_10_000_bytes_gives_the_version_before() {
    let disk = committed(1, 2, middle);
    let file = data_file(2);
    let old = disk.read(&data_file(1)).expect("it is there");
    let whole = disk.read(&file).expect("it is there");
    assert!(whole.len() > 10_000);
    let mut rng = fastrand::Rng::with_seed(2);
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << rng.u8(..8);
        let mut lost = whole.clone();
        lost[at..].fill(0);
        for (how, bytes) in [
            ("cut off", whole[..at].to_vec()),
            ("flipped", flipped),
            ("zeroes", lost),
            ("the version before", [&whole[..at], &old[at..]].concat()),
        ] {
            overwrite(&disk, &file, &bytes);
            let what = format!("{how} from byte {at}");
            let error = assert_old_or_new_of(middle, &disk, &what);
            if bytes == whole {
                assert_eq!(error, None, "{what}");
                continue;
            }
            let error = error.unwrap_or_else(|| panic!("{what}: not told"));
            assert_eq!(error.file, file, "{what}");
            // Of a whole file of another version, none of the bytes is wrong.
            let is_in_it = error.offset.is_some_and(|offset| offset <= bytes.len() as u64);
            assert!(is_in_it || bytes == old, "{what}: {error}");
        }
    }
}

/// A CRC over bytes and their own CRC is always the same: a checksum of the file must not be one.
#[test]
fn ckpt_9_pieces_of_two_versions_are_no_version() {
    let disk = committed(1, 2, small);
    disk.remove(&Path::new(DIR).join("MANIFEST")).expect("removed");
    let [one, two] = [1, 2].map(|version| disk.read(&data_file(version)).expect("it is there"));
    let metadata = 40..40 + meta(1).len() + 4;
    // The header of 1 with the rest of 2, and 1 with the metadata of 2.
    let first = [&one[..40], &two[40..]].concat();
    let second = [&one[..40], &two[metadata.clone()], &one[metadata.end..]].concat();
    for mixed in [first, second] {
        overwrite(&disk, &data_file(1), &mixed);
        let writer = open(&disk).expect("it opens");
        assert_eq!(writer.versions(), [2]);
        let [error] = writer.corrupt() else { panic!("{:?}", writer.corrupt()) };
        let SnapshotProblem::Checksum { part, .. } = &error.what else { panic!("{error}") };
        assert_eq!((&error.file, part.as_str()), (&data_file(1), "file"));
    }
}

#[test]
fn ckpt_9_damage_to_any_files_at_once_gives_a_whole_version_or_none() {
    let mut rng = fastrand::Rng::with_seed(3);
    let mut found = [0; 3];
    for _ in 0..5000 {
        let disk = committed(1, 2, small);
        for file in [data_file(1), data_file(2), Path::new(DIR).join("MANIFEST")] {
            let mut bytes = disk.read(&file).expect("it is there");
            match rng.u8(..8) {
                0 => bytes.truncate(rng.usize(..bytes.len())),
                1 => {
                    let at = rng.usize(..bytes.len() - 8);
                    bytes[at..at + 8].fill(rng.u8(..));
                }
                2 => bytes = disk.read(&data_file(rng.u64(1..3))).expect("it is there"),
                3 => bytes.extend_from_slice(b"more"),
                _ => {}
            }
            overwrite(&disk, &file, &bytes);
        }
        let read = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
        let mut writer = open(&disk).expect("it opens");
        assert_eq!(writer.load_newest(), read.load_newest());
        let (newest, corrupt) = writer.load_newest();
        if let Some(newest) = &newest {
            assert_whole(newest, small);
        }
        let version = newest.map_or(0, |newest| newest.version);
        assert!(version == 2 || !corrupt.is_empty(), "told");
        found[version as usize] += 1;
        // And it goes on from there.
        writer.commit(3, &small(3), &meta(3)).expect("committed");
        let (newest, corrupt) = writer.load_newest();
        assert_whole(&newest.expect("there is one"), small);
        assert_eq!(corrupt, []);
    }
    assert!(found.iter().all(|times| *times > 100), "{found:?}");
}

#[test]
fn ckpt_9_a_manifest_names_no_other_files_than_versions() {
    let disk = committed(1, 2, small);
    let manifest = Path::new(DIR).join("MANIFEST");
    let whole = disk.read(&manifest).expect("it is there");
    // The name of version 1 ends where the record of version 2 begins.
    let name = b"snapshot-0000000000000001.data";
    assert_eq!(&whole[44..74], name);
    for other in ["LOCK", "MANIFEST", "snapshot-0000000000000002.data", "../x", "", "a.tmp"] {
        let length = (other.len() as u16).to_le_bytes();
        let mut bytes =
            [&whole[..38], &length, &whole[40..44], other.as_bytes(), &whole[74..whole.len() - 4]]
                .concat();
        bytes.extend_from_slice(&crc32fast::hash(&bytes).to_le_bytes());
        overwrite(&disk, &manifest, &bytes);
        let writer = open(&disk).expect("it opens");
        let [error] = writer.corrupt() else { panic!("{:?}", writer.corrupt()) };
        assert_eq!((&error.file, error.offset), (&manifest, Some(16)), "{error}");
        assert_eq!(writer.versions(), [1, 2]);
    }
}

#[test]
fn ckpt_9_a_state_with_fields_that_no_writer_gives_it_is_refused() {
    let disk = SimDisk::new(1);
    let text = Blob::encode("hi").expect("it encodes");
    let mut writer = open(&disk).expect("it opens");
    writer.commit(1, &[("a".into(), 1, text)], b"").expect("committed");
    let whole = disk.read(&data_file(1)).expect("it is there");
    let record = 44;
    for (field, value) in [(28, 4_u32), (32, 4), (32, u32::MAX)] {
        let mut bytes = whole.clone();
        bytes[record + field..][..4].copy_from_slice(&value.to_le_bytes());
        let head = record + 41;
        let crc = crc32fast::hash(&bytes[record..head]);
        bytes[head..head + 4].copy_from_slice(&crc.to_le_bytes());
        overwrite(&disk, &data_file(1), &bytes);
        let error = writer.load(1).unwrap_err();
        assert!(matches!(error.what, SnapshotProblem::Invalid(_)), "{error}");
        assert_eq!(error.offset, Some(record as u64));
    }
}

#[test]
fn ckpt_9_without_a_manifest_the_data_files_tell() {
    let manifest = Path::new(DIR).join("MANIFEST");
    for damage in [None, Some(&b""[..]), Some(b"garbage that is no manifest")] {
        let disk = committed(1, 2, small);
        match damage {
            None => disk.remove(&manifest).expect("removed"),
            Some(bytes) => overwrite(&disk, &manifest, bytes),
        }
        let mut writer = open(&disk).expect("it opens");
        assert_eq!(writer.versions(), [1, 2]);
        assert_eq!(writer.corrupt()[0].file, manifest);
        let done = writer.commit(3, &small(3), &meta(3)).expect("committed");
        assert_eq!(done.removed, [1]);
        assert_eq!(writer.corrupt(), [], "there is a good manifest again");
        drop(writer);
        assert_eq!(open(&disk).expect("it opens").versions(), [2, 3]);
    }
    // Nor are data files taken for what they are not.
    let disk = committed(1, 2, small);
    disk.remove(&manifest).expect("removed");
    disk.rename(&data_file(1), &data_file(9)).expect("renamed");
    let writer = open(&disk).expect("it opens");
    assert_eq!(writer.versions(), [2]);
    assert_eq!(writer.corrupt()[0].file, data_file(9));
    assert!(disk.read(&data_file(9)).is_ok(), "and nothing is removed");
}

#[test]
fn ckpt_9_a_swapped_or_missing_data_file_is_found() {
    let disk = committed(1, 2, small);
    let first = disk.read(&data_file(1)).expect("it is there");
    overwrite(&disk, &data_file(2), &first);
    let error = assert_old_or_new(&disk, "swapped").expect("told");
    assert!(matches!(error.what, SnapshotProblem::Invalid(_)), "{error}");
    disk.remove(&data_file(2)).expect("removed");
    let error = assert_old_or_new(&disk, "missing").expect("told");
    assert_eq!((error.file, error.what), (data_file(2), SnapshotProblem::Missing));
}

#[test]
fn ckpt_9_lengths_from_a_file_take_no_memory() {
    let disk = committed(1, 1, small);
    let whole = disk.read(&data_file(1)).expect("it is there");
    let reader = || SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
    // Records, metadata length: as large as they can be, under a header whose checksum is right.
    for field in [20, 28] {
        let mut bytes = whole.clone();
        bytes[field..field + 8].fill(0xff);
        let crc = crc32fast::hash(&bytes[..36]);
        bytes[36..40].copy_from_slice(&crc.to_le_bytes());
        overwrite(&disk, &data_file(1), &bytes);
        let error = reader().load(1).unwrap_err();
        assert!(error.offset.is_some(), "{error}");
    }
    let mut rng = fastrand::Rng::with_seed(9);
    for _ in 0..20_000 {
        let mut bytes = whole.clone();
        for _ in 0..rng.usize(1..8) {
            let at = rng.usize(..bytes.len());
            bytes[at] = rng.u8(..);
        }
        bytes.truncate(rng.usize(..=bytes.len()));
        let is_whole = bytes == whole;
        overwrite(&disk, &data_file(1), &bytes);
        assert_eq!(reader().load(1).is_ok(), is_whole);
    }
}

#[test]
fn a_file_of_another_format_is_refused_not_guessed() {
    let disk = committed(1, 1, small);
    let whole = disk.read(&data_file(1)).expect("it is there");
    for (at, format, features) in [(8, 2, 0), (10, 1, 2)] {
        let mut bytes = whole.clone();
        bytes[at] = 2;
        overwrite(&disk, &data_file(1), &bytes);
        let reader = SnapshotDir::open_read_only(Arc::new(disk.clone()), DIR).expect("it opens");
        let error = reader.load(1).unwrap_err();
        assert_eq!(error.what, SnapshotProblem::Format { format, features });
        assert_eq!(error.offset, Some(8));
    }
}

#[test]
fn the_files_are_those_of_the_documentation() {
    let disk = SimDisk::new(1);
    let mut writer = open(&disk).expect("it opens");
    let text = Blob::encode("hi").expect("it encodes").with_schema(1);
    let entries = [
        ("a".into(), 6, text),
        ("b".into(), 7, Blob::raw(&[1_u16, 2])),
        ("c".into(), 5, Blob::raw(&[0xcc_u8; 200])),
    ];
    writer.commit(7, &entries, b"m").expect("committed");
    writer.commit(8, &entries[2..], b"").expect("committed");
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md");
    let documented = std::fs::read_to_string(page).expect("the page is there");
    let manifest = Path::new(DIR).join("MANIFEST");
    let vectors = [("data", data_file(7)), ("reference", data_file(8)), ("manifest", manifest)];
    for (name, file) in vectors {
        let start = format!("<!-- test vector: {name} -->\n```\n");
        let at = documented.find(&start).expect("the page has it") + start.len();
        let end = documented[at..].find("```").expect("it ends") + at;
        let expected: String = documented[at..end].split_whitespace().collect();
        let written = disk.read(&file).expect("it is there");
        let hex: String = written.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(hex, expected, "{name}");
    }
}
