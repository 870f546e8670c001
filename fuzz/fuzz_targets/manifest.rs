//! With a manifest of any bytes, a directory has versions that are whole, or typed errors; and the next
//! commit is good.

#![no_main]

use actors_checkpoint::{Snapshot, SnapshotProblem, Version};
use actors_fuzz::{
    BEFORE, entries, open, open_read_only, sealed_manifest, without_manifest, write,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|manifest: &[u8]| {
    check(manifest);
    check(&sealed_manifest(manifest.to_vec()));
});

fn check(manifest: &[u8]) {
    let disk = without_manifest();
    write(&disk, "MANIFEST", manifest);
    let reader = open_read_only(&disk);
    let versions = reader.versions();
    assert!(versions.is_sorted_by(|one, next| one < next), "{versions:?}");
    let (newest, corrupt) = reader.load_newest();
    if !reader.corrupt().is_empty() {
        assert_eq!(versions, BEFORE, "{corrupt:?}");
    }
    newest.iter().for_each(assert_whole);
    let _ = reader.load_remains();

    let mut writer = open(&disk);
    assert_eq!((writer.versions(), writer.files()), (versions, reader.files()));
    let next = writer.newest().unwrap_or(0).saturating_add(1);
    // What it has loaded it refers to, where the manifest says that it is needed.
    let mut states = entries(next);
    let loaded = writer.load_newest().0.map_or(Vec::new(), |found| found.entries);
    for (key, version, blob) in loaded {
        if let Some(same) = states.iter_mut().find(|(k, v, _)| *k == key && *v == version) {
            same.2 = blob;
        }
    }
    match writer.commit(next, &states, b"meta") {
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
