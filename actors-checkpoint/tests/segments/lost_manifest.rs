//! What the data files say by themselves.

use actors_checkpoint::SnapshotProblem;
use actors_core::host::Disk;

use crate::history::*;

#[test]
fn ckpt_9_without_a_manifest_versions_are_found_with_all_that_they_refer_to() {
    for newest in 9..25 {
        let (disk, writer) = committed(newest, newest);
        let (versions, files) = (writer.versions(), writer.files());
        drop(writer);
        overwrite(&disk, &manifest(), b"garbage that is no manifest");
        let mut writer = open(&disk).expect("it opens");
        assert!(versions.iter().all(|version| writer.versions().contains(version)));
        assert!(files.iter().all(|file| writer.files().contains(file)));
        assert_eq!(writer.corrupt()[0].file, manifest());
        for version in writer.versions() {
            assert_whole(&writer.load(version).expect("what is listed is whole"));
        }
        // It goes on, and the next manifest is as if nothing had been.
        let loaded = writer.load(newest).expect("it is whole");
        let next = newest + 1;
        let done = writer.commit(next, &entries_after(&loaded.entries, next), &meta(next));
        assert!(done.expect("committed").referred > 0);
        drop(writer);
        let writer = open(&disk).expect("it opens");
        assert_eq!((writer.corrupt(), writer.versions()), (&[][..], vec![newest, next]));
        assert_tidy(&disk, &writer);
    }
}

#[test]
fn ckpt_9_without_a_manifest_a_version_that_has_lost_a_state_is_none_and_its_states_remain() {
    let (disk, writer) = committed(1, 13);
    let needed = writer.files();
    drop(writer);
    let shared = data_file(10);
    assert!(needed.contains(&shared));
    disk.remove(&manifest()).expect("removed");
    disk.remove(&shared).expect("removed");
    let reader = read_only(&disk);
    assert_eq!(reader.versions(), []);
    let of_shared = |error: &&actors_checkpoint::SnapshotError| {
        error.file == shared && matches!(error.what, SnapshotProblem::State { .. })
    };
    assert!(reader.corrupt().iter().any(|error| of_shared(&error)), "{:?}", reader.corrupt());
    assert_eq!(reader.load_newest().0, None);
    let (remains, corrupt) = reader.load_remains();
    let remains = remains.expect("the newest file is there");
    assert_eq!(remains.version, 13);
    let lost: Vec<_> = corrupt.iter().filter(of_shared).collect();
    let expected = entries(13);
    let there = expected.iter().filter(|entry| remains.entries.contains(entry)).count();
    assert!(there >= expected.len() - lost.len() && there < expected.len(), "{there} are there");
}

/// A file with damage in one part of it is no version, but others refer to its other parts.
#[test]
fn ckpt_9_without_a_manifest_a_damaged_file_still_has_the_records_that_are_whole() {
    let (disk, writer) = committed(1, 13);
    drop(writer);
    disk.remove(&manifest()).expect("removed");
    let file = data_file(10);
    let mut bytes = disk.read(&file).expect("it is there");
    let end = bytes.len() - 1;
    bytes[end] ^= 1;
    overwrite(&disk, &file, &bytes);
    let mut writer = open(&disk).expect("it opens");
    assert!(writer.corrupt().iter().any(|error| error.file == file));
    assert!(!writer.versions().contains(&10) && writer.files().contains(&file));
    let loaded = writer.load(13).expect("it is whole");
    assert_whole(&loaded);
    writer.commit(14, &entries_after(&loaded.entries, 14), &meta(14)).expect("committed");
    drop(writer);
    let writer = open(&disk).expect("it opens");
    assert_eq!((writer.corrupt(), writer.versions()), (&[][..], vec![13, 14]));
    assert_tidy(&disk, &writer);
}
