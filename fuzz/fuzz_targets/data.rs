//! A data file of any bytes, beside older ones that it may refer to, is a version, which is then written again
//! byte for byte, or a typed error. The others are as they were, and the next commit is good.

#![no_main]

use actors_checkpoint::{Snapshot, SnapshotDir};
use actors_core::sim::SimDisk;
use actors_fuzz::{
    BEFORE, DIR, data_file, entries, open, open_read_only, read, references, sealed_data,
    without_manifest, write,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|file: &[u8]| {
    check(file);
    check(&sealed_data(file.to_vec()));
});

fn check(file: &[u8]) {
    let disk = without_manifest();
    write(&disk, &data_file(7), file);
    let reader = open_read_only(&disk);
    let (remains, _) = reader.load_remains();
    verify(&remains.expect("the others are whole"));
    let (found, _) = reader.load_newest();
    let found = found.expect("the others are whole");
    verify(&found);
    if found.version == 7 {
        assert_eq!(reader.versions(), [1, 2, 3, 7]);
        written_again(&found, file);
    } else {
        assert_eq!((found.version, &found.entries), (3, &entries(3)));
        refused(&reader);
    }
    goes_on(&disk);
}

fn verify(found: &Snapshot) {
    for (_, _, blob) in &found.entries {
        blob.verify().expect("a loaded state is whole");
    }
}

/// In full, as nobody there knows where the states lie.
fn written_again(found: &Snapshot, file: &[u8]) {
    let again = SimDisk::new(1);
    open(&again).commit(7, &found.entries, &found.meta).expect("the disk does not fail");
    let is_same = read(&again, &data_file(7)) == file;
    assert_eq!(is_same, references(file) == Some(0));
    assert_eq!(open(&again).load(7).as_ref(), Ok(found));
}

fn refused(reader: &SnapshotDir) {
    assert_eq!(reader.versions(), BEFORE);
    let [error] = reader.corrupt() else { panic!("{:?}", reader.corrupt()) };
    assert!(error.file.starts_with(DIR), "{error}");
    // Only a whole file of another version is about no byte in it.
    assert!(error.offset.is_some() || error.to_string().contains("holds version"), "{error}");
}

fn goes_on(disk: &SimDisk) {
    let mut writer = open(disk);
    let (newest, _) = writer.load_newest();
    let states = newest.expect("the others are whole").entries;
    writer.commit(8, &states, b"meta").expect("the disk does not fail");
    drop(writer);
    let reader = open_read_only(disk);
    assert_eq!((reader.corrupt(), reader.newest()), (&[][..], Some(8)));
    assert_eq!(reader.load(8).expect("it is committed").entries, states);
}
