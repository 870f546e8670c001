//! With a manifest of any bytes, a directory has versions that are whole, or typed errors; and the next
//! commit is good.

#![no_main]

use std::sync::LazyLock;

use actors_checkpoint::{Snapshot, SnapshotProblem, Version};
use actors_core::sim::SimDisk;
use actors_fuzz::{
    committed, data_file, entries, open, open_read_only, read, sealed_manifest, write,
};
use libfuzzer_sys::fuzz_target;

static DATA: LazyLock<[Vec<u8>; 2]> = LazyLock::new(|| {
    let disk = committed();
    [1, 2].map(|version| read(&disk, &data_file(version)))
});

fuzz_target!(|manifest: &[u8]| {
    check(manifest);
    check(&sealed_manifest(manifest.to_vec()));
});

fn check(manifest: &[u8]) {
    let disk = SimDisk::new(1);
    for (version, data) in (1..).zip(&*DATA) {
        write(&disk, &data_file(version), data);
    }
    write(&disk, "MANIFEST", manifest);
    let reader = open_read_only(&disk);
    let versions = reader.versions();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let (newest, corrupt) = reader.load_newest();
    if !reader.corrupt().is_empty() {
        assert_eq!(versions, [1, 2], "{corrupt:?}");
    }
    newest.iter().for_each(assert_whole);

    let mut writer = open(&disk);
    assert_eq!(writer.versions(), versions);
    let next = writer.newest().unwrap_or(0).saturating_add(1);
    match writer.commit(next, &entries(next), b"meta") {
        Ok(_) => {}
        Err(error) if next == Version::MAX => {
            assert!(matches!(error.what, SnapshotProblem::NotNewer { .. }), "{error}");
            return;
        }
        Err(error) => panic!("{error}"),
    }
    drop(writer);
    let writer = open(&disk);
    assert_eq!(writer.corrupt(), []);
    let newest = writer.load(next).expect("it is committed");
    assert_whole(&newest);
}

fn assert_whole(found: &Snapshot) {
    assert_eq!(found.entries, entries(found.version));
    assert_eq!(&found.meta[..], b"meta");
}
