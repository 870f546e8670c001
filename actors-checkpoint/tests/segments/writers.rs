//! Writers that find damage, and checkpointing actors that save little by little.

use std::sync::Arc;

use actors_checkpoint::{
    CheckpointLink, Checkpointing, CheckpointingConfig, LoadError, SaveError, SnapshotProblem,
};
use actors_core::{
    Link, System,
    host::{Disk, Host},
    sim::SimDisk,
};

use crate::history::*;

#[test]
fn ckpt_9_a_file_in_which_damage_was_found_is_not_referred_to_again() {
    for at_open in [false, true] {
        let (disk, mut writer) = committed(1, 13);
        let file = data_file(10);
        let mut bytes = disk.read(&file).expect("it is there");
        // Not the large one, for which alone the file would be worth a reference.
        let in_it = entries(13).into_iter().filter(|(_, version, _)| *version == 10);
        let (.., small) = in_it.min_by_key(|(.., blob)| blob.len()).expect("some lie there");
        let at = bytes.windows(small.len()).position(|bytes| bytes == small.bytes());
        bytes[at.expect("it lies there")] ^= 1;
        overwrite(&disk, &file, &bytes);
        let mut states = entries(14);
        if at_open {
            drop(writer);
            // The newest alone, so that it is what was loaded last.
            disk.remove(&data_file(12)).expect("removed");
            writer = open(&disk).expect("it opens");
            let (remains, corrupt) = writer.load_remains();
            assert!(!corrupt.is_empty());
            states = entries_after(&remains.expect("most is there").entries, 14);
        } else {
            assert_eq!(writer.load(13).unwrap_err().file, file);
        }
        // All is written that lies there, damaged or not: from now on every version is whole.
        let done = writer.commit(14, &states, &meta(14)).expect("committed");
        assert!(done.referred > 0, "{done:?}");
        disk.remove(&file).expect("removed");
        assert_whole(&writer.load(14).expect("it is whole"));
        writer.commit(15, &entries(15), &meta(15)).expect("committed");
        assert_tidy(&disk, &writer);
    }
}

fn with_disk(disk: &SimDisk) -> System {
    let mut host = Host::real();
    host.disk = Arc::new(disk.clone());
    System::builder().host(host).build()
}

fn spawn(system: &System) -> Link<Checkpointing> {
    system.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(1).directory(DIR)))
}

const STATES: u64 = 50;

async fn change(level: &Link<Checkpointing>, keys: std::ops::Range<u64>, version: u64) {
    for key in keys {
        let state = vec![key * version; 100];
        level.checkpoint_raw(&*format!("{key}"), version, &state, 1).await.expect("stored");
    }
}

/// Saves, and gives the bytes that this took.
async fn save(level: &Link<Checkpointing>) -> u64 {
    level.save().forever().await.expect("saved").bytes
}

#[test]
fn ckpt_2_a_save_writes_what_has_changed_also_after_a_load_and_after_a_failed_save() {
    let disk = SimDisk::new(1);
    let system = with_disk(&disk);
    system.block_on(async {
        let first = spawn(&system);
        change(&first, 0..STATES, 1).await;
        let whole = save(&first).await;
        change(&first, 3..5, 2).await;
        assert!(save(&first).await * 5 < whole, "after a save");

        disk.fail_from(disk.operations() + 4, std::io::ErrorKind::Other);
        change(&first, 5..7, 2).await;
        assert!(matches!(first.save().forever().await, Err(SaveError::Snapshot(_))));
        disk.heal();
        assert!(save(&first).await * 5 < whole, "after a failed one");
        first.load().forever().await.expect("loaded");
        change(&first, 7..9, 2).await;
        assert!(save(&first).await * 5 < whole, "what was held already is known still");
        first.reset_all().await.expect("it answers");
        first.load().forever().await.expect("loaded");
        change(&first, 9..10, 2).await;
        assert!(save(&first).await * 5 < whole, "what was loaded in its place is known too");
        let all = first.checkpoints().await;
        let down = first.down();
        drop(first);
        down.await;

        let second = spawn(&system);
        let report = second.load().forever().await.expect("loaded");
        assert!(report.is_whole);
        assert_eq!(second.checkpoints().await, all);
        change(&second, 10..12, 3).await;
        assert!(save(&second).await * 5 < whole, "after a load");
        assert_tidy_store(&disk, &second).await;
    });
}

async fn assert_tidy_store(disk: &SimDisk, level: &Link<Checkpointing>) {
    let after = disk.crash();
    let (newest, corrupt) = read_only(&after).load_newest();
    let newest = newest.expect("it is saved");
    assert_eq!(corrupt, []);
    for (key, version, blob) in newest.entries {
        let held = level.restore_version(&key, Some(version), 1).await.expect("it is held");
        assert_eq!(held.blob, blob);
    }
}

#[test]
fn ckpt_8_a_load_from_a_damaged_directory_gives_what_is_left_and_names_the_rest() {
    let disk = SimDisk::new(1);
    let system = with_disk(&disk);
    system.block_on(async {
        let first = spawn(&system);
        change(&first, 0..STATES, 1).await;
        save(&first).await;
        for version in 2..4 {
            change(&first, 0..3, version).await;
            save(&first).await;
        }
        // All refer to the first file.
        let file = data_file(1);
        let mut bytes = disk.read(&file).expect("it is there");
        let end = bytes.len() - 30;
        bytes[end] ^= 1;
        overwrite(&disk, &file, &bytes);
        first.reset_all().await.expect("it answers");
        let report = first.load().forever().await.expect("most is there");
        assert_eq!(
            (report.is_whole, report.snapshot, report.loaded),
            (false, 3, STATES as usize - 1)
        );
        let [error] = &report.corrupt[..] else { panic!("{:?}", report.corrupt) };
        let SnapshotProblem::State { key, version: 1, .. } = &error.what else { panic!("{error}") };
        assert_eq!((&error.file, key.as_str()), (&file, "49"));
        assert_eq!(first.restore_raw::<u64>("48", 1).await, Ok(vec![48; 100]));
        assert_eq!(first.restore_raw::<u64>("0", 1).await, Ok(vec![0; 100]));
        assert!(first.restore_raw::<u64>("49", 1).await.is_err());
        // What is left is saved apart from the damage, and is whole again.
        save(&first).await;
        disk.remove(&file).expect("removed");
        assert!(first.load().forever().await.expect("loaded").is_whole);
        for version in [2, 3, 4] {
            let _ = disk.remove(&data_file(version));
        }
        assert!(matches!(first.load().await, Err(LoadError::NoSnapshot(_))));
    });
}
