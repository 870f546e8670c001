//! The real disk and the simulated one do the same.

use std::{io::ErrorKind, path::Path, sync::Arc};

use actors_checkpoint::{Blob, SnapshotDir, SnapshotProblem};
use actors_core::{
    host::{Disk, RealDisk},
    sim::SimDisk,
};

/// Runs a test on both, in a directory of its own.
fn on_both(test: impl Fn(Arc<dyn Disk>, &Path)) {
    let directory = tempfile::tempdir().expect("a temporary directory");
    test(Arc::new(RealDisk), directory.path());
    let simulated = SimDisk::new(1);
    simulated.create_dir_all(Path::new("here")).expect("made");
    test(Arc::new(simulated), Path::new("here"));
}

#[test]
fn files_are_written_replaced_renamed_listed_and_removed() {
    on_both(|disk, dir| {
        let (a, b) = (dir.join("a"), dir.join("b"));
        let missing = |path: &Path| disk.read(path).map_err(|e| e.kind());
        assert_eq!(missing(&a), Err(ErrorKind::NotFound));
        assert_eq!(disk.remove(&a).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
        assert_eq!(disk.rename(&a, &b).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
        let mut file = disk.create(&a).expect("created");
        file.write_all(b"one").expect("written");
        file.write_all(b" two").expect("written");
        file.sync().expect("synced");
        assert_eq!(disk.read(&a).expect("read"), b"one two");
        disk.append(&a).expect("opened").write_all(b"!").expect("written");
        assert_eq!(disk.read(&a).expect("read"), b"one two!");
        disk.create(&a).expect("emptied");
        assert_eq!(disk.read(&a).expect("read"), b"");
        disk.append(&b).expect("created").write_all(b"b").expect("written");
        assert_eq!(disk.list(dir).expect("listed"), [a.clone(), b.clone()]);
        disk.rename(&b, &a).expect("renamed");
        assert_eq!(disk.read(&a).expect("read"), b"b");
        disk.sync_dir(dir).expect("synced");
        assert_eq!(disk.list(dir).expect("listed"), std::slice::from_ref(&a));
        disk.remove(&a).expect("removed");
        assert_eq!(disk.list(dir).expect("listed"), [] as [&Path; 0]);
        assert!(disk.free_space(dir).expect("asked") > 0);
    });
}

#[test]
fn directories_are_made_and_needed() {
    on_both(|disk, dir| {
        let deep = dir.join("x/y");
        assert_eq!(disk.list(&deep).map_err(|e| e.kind()), Err(ErrorKind::NotFound));
        let nowhere = disk.create(&deep.join("f")).map(drop).map_err(|e| e.kind());
        assert_eq!(nowhere, Err(ErrorKind::NotFound));
        disk.create_dir_all(&deep).expect("made");
        disk.create_dir_all(&deep).expect("made already");
        disk.create(&deep.join("f")).expect("created");
        assert_eq!(disk.list(dir).expect("listed"), [dir.join("x")]);
        assert_eq!(disk.list(&deep).expect("listed"), [deep.join("f")]);
    });
}

#[test]
fn a_lock_is_held_once() {
    on_both(|disk, dir| {
        let file = dir.join("lock");
        let held = disk.lock(&file).expect("locked");
        assert_eq!(disk.lock(&file).map(drop).map_err(|e| e.kind()), Err(ErrorKind::WouldBlock));
        drop(held);
        drop(disk.lock(&file).expect("locked again"));
    });
}

#[test]
fn a_snapshot_directory_works_on_both() {
    on_both(|disk, dir| {
        let dir = dir.join("deep/states");
        let blob = Blob::raw(&vec![3.5_f64; 20_000]);
        let mut writer = SnapshotDir::open(disk.clone(), &dir).expect("it opens");
        for version in 1..=3 {
            let entry = [("k".into(), version, blob.clone())];
            writer.commit(version, &entry, b"").expect("committed");
        }
        assert_eq!(writer.versions(), [2, 3]);
        let again = SnapshotDir::open(disk.clone(), &dir).unwrap_err();
        assert_eq!((again.file, again.what), (dir.join("LOCK"), SnapshotProblem::Locked));
        drop(writer);
        disk.create(&dir.join("snapshot-0000000000000004.data.tmp")).expect("created");
        disk.create(&dir.join("snapshot-0000000000000004.data")).expect("created");
        let writer = SnapshotDir::open(disk.clone(), &dir).expect("it opens");
        assert_eq!(disk.list(&dir).expect("listed").len(), 4, "leftovers are gone");
        assert_eq!(writer.load(3).expect("it is whole").entries[0].2, blob);
    });
}
