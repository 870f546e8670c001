//! Saving, loading, and doing both by themselves.

use std::{sync::Arc, time::Duration};

use actors_checkpoint::{
    Blob, CheckpointLink, Checkpointing, CheckpointingConfig, Interval, IntervalChange,
    IntervalError, LoadError, SaveError, SnapshotDir, SnapshotProblem,
};
use actors_core::{
    Link, Status, System,
    host::{Disk, Host, RealDisk},
    sim::SimDisk,
};

fn spawn(system: &System, config: CheckpointingConfig) -> Link<Checkpointing> {
    system.spawn(Checkpointing::new(config))
}

async fn until<T>(mut ask: impl AsyncFnMut() -> T, mut wanted: impl FnMut(&T) -> bool) {
    while !wanted(&ask().await) {
        std::thread::yield_now();
    }
}

fn with_disk(disk: &SimDisk) -> System {
    let mut host = Host::real();
    host.disk = Arc::new(disk.clone());
    System::builder().host(host).build()
}

#[test]
fn ckpt_2_a_saved_store_is_loaded_as_it_was() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let config = || CheckpointingConfig::level(2).keep(3).directory(directory.path().join("a/b"));
    system.block_on(async {
        let first = spawn(&system, config());
        for version in 1..=3 {
            first.checkpoint("value", version, &("text", version), 2).await.expect("stored");
            first.checkpoint_raw("raw", version, &[version; 9], 2).await.expect("stored");
        }
        first.checkpoint_raw::<f32>("empty", 7, &[], 2).await.expect("stored");
        first.protect(2).await.expect("it answers");
        let report = first.save().forever().await.expect("saved");
        assert_eq!((report.snapshot, report.entries), (1, 7));
        let (inventory, all) = (first.inventory().await, first.checkpoints().await);
        let down = first.down();
        drop(first);
        down.await;

        let second = spawn(&system, config());
        let report = second.load().forever().await.expect("loaded");
        assert_eq!((report.snapshot, report.loaded), (1, 7));
        assert_eq!((report.left_out, report.corrupt), (vec![], vec![]));
        assert_eq!((second.inventory().await, second.checkpoints().await), (inventory, all));
        assert_eq!(second.describe().await.unwrap().protected, Some(2));
    });
}

/// A group may have to go back to them after the process was lost, too.
#[test]
fn ckpt_2_ckpt_12_what_was_held_is_held_after_a_load() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let config = || CheckpointingConfig::level(2).keep(2).hold_from(2).directory(directory.path());
    system.block_on(async {
        let first = spawn(&system, config());
        for version in 1..=6 {
            first.checkpoint("value", version, &version, 2).await.expect("stored");
        }
        first.protect(2).await.expect("it answers");
        first.save().forever().await.expect("saved");
        let down = first.down();
        drop(first);
        down.await;

        let second = spawn(&system, config());
        assert_eq!(second.load().forever().await.expect("loaded").left_out, []);
        assert_eq!(second.inventory().await, Ok(vec![("value".into(), vec![2, 3, 4, 5, 6])]));
        second.checkpoint("value", 7, &7, 2).await.expect("stored");
        second.protect(5).await.expect("it answers");
        assert_eq!(second.inventory().await, Ok(vec![("value".into(), vec![5, 6, 7])]));
    });
}

#[test]
fn ckpt_2_a_load_keeps_what_is_newer_here() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1).directory(directory.path()));
    system.block_on(async {
        local.checkpoint("k", 1, "old", 1).await.expect("stored");
        local.save().forever().await.expect("saved");
        local.checkpoint("k", 1, "changed", 1).await.expect("stored");
        local.checkpoint("k", 2, "new", 1).await.expect("stored");
        local.load().forever().await.expect("loaded");
        assert_eq!(local.inventory().await, Ok(vec![("k".into(), vec![1, 2])]));
        let first = local.restore_version("k", Some(1), 1).await.expect("it is there");
        assert_eq!(first.blob.decode::<String>().as_deref(), Ok("changed"));
    });
}

#[test]
fn ckpt_8_without_a_configured_directory_one_is_named() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1));
    system.block_on(async {
        assert_eq!(local.save().await, Err(SaveError::NoDirectory));
        assert_eq!(local.load().await, Err(LoadError::NoDirectory));
        local.checkpoint("k", 1, &1_u8, 1).await.expect("stored");
        local.save_to(directory.path()).forever().await.expect("saved");
        local.reset_all().await.expect("it answers");
        local.load_from(directory.path()).forever().await.expect("loaded");
        assert_eq!(local.restore::<u8>("k", 1).await, Ok(1));
    });
}

#[test]
fn ckpt_8_a_failed_load_keeps_the_store() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1));
    system.block_on(async {
        local.checkpoint("k", 1, &1_u8, 1).await.expect("stored");
        let missing = directory.path().join("nowhere");
        let Err(LoadError::NoSnapshot(why)) = local.load_from(&missing).await else {
            panic!("there is nothing to load")
        };
        assert_eq!((&why[0].file, &why[0].what), (&missing, &SnapshotProblem::Missing));
        let empty = local.load_from(directory.path()).await;
        assert_eq!(empty, Err(LoadError::NoSnapshot(vec![])));

        let saved = local.save_to(directory.path()).forever().await.expect("saved");
        let file = directory.path().join("snapshot-0000000000000001.data");
        assert_eq!(std::fs::metadata(&file).expect("it is there").len(), saved.bytes);
        std::fs::write(&file, b"something else").expect("it is written");
        local.checkpoint("k", 2, &2_u8, 1).await.expect("stored");
        let Err(LoadError::NoSnapshot(why)) = local.load_from(directory.path()).await else {
            panic!("there is nothing whole to load")
        };
        assert_eq!((&why[0].file, why[0].offset), (&file, Some(0)));
        assert_eq!(local.inventory().await, Ok(vec![("k".into(), vec![1, 2])]));
    });
}

#[test]
fn ckpt_8_a_load_falls_back_to_the_snapshot_before_and_says_so() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1).directory(directory.path()));
    system.block_on(async {
        for version in 1..=3 {
            local.checkpoint("k", version, &version, 1).await.expect("stored");
            let saved = local.save().forever().await.expect("saved");
            assert_eq!(saved.snapshot, version);
        }
        let newest = directory.path().join("snapshot-0000000000000003.data");
        let mut bytes = std::fs::read(&newest).expect("it is there");
        let end = bytes.len() - 25;
        bytes[end] ^= 1;
        std::fs::write(&newest, bytes).expect("it is written");
        local.reset_all().await.expect("it answers");
        let report = local.load().forever().await.expect("loaded");
        assert_eq!(report.snapshot, 2);
        assert_eq!(report.corrupt.len(), 1);
        assert_eq!(report.corrupt[0].file, newest);
        assert_eq!(local.restore::<u64>("k", 1).await, Ok(2));
    });
}

#[test]
fn ckpt_9_a_failed_save_is_told_and_the_next_one_works() {
    let disk = SimDisk::new(5);
    let system = with_disk(&disk);
    let local = spawn(&system, CheckpointingConfig::level(1).directory("states"));
    system.block_on(async {
        local.checkpoint("k", 1, &1_u8, 1).await.expect("stored");
        local.save().forever().await.expect("saved");
        local.checkpoint("k", 2, &2_u8, 1).await.expect("stored");
        disk.set_capacity(0);
        let Err(SaveError::Snapshot(full)) = local.save().forever().await else {
            panic!("there is no room")
        };
        assert!(matches!(full.what, SnapshotProblem::NoSpace { free: 0, .. }), "{full}");
        disk.set_capacity(u64::MAX);
        disk.fail_from(disk.operations() + 1, std::io::ErrorKind::Other);
        assert!(matches!(local.save().forever().await, Err(SaveError::Snapshot(_))));
        disk.heal();
        local.reset_all().await.expect("it answers");
        local.load().forever().await.expect("the last good one is there");
        assert_eq!(local.restore::<u8>("k", 1).await, Ok(1));
        let saved = local.save().forever().await.expect("saved");
        assert_eq!(saved.snapshot, 2);
    });
}

#[test]
fn two_actors_do_not_write_to_one_directory() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let config = || CheckpointingConfig::level(1).directory(directory.path());
    let (first, second) = (spawn(&system, config()), spawn(&system, config()));
    system.block_on(async {
        first.save().forever().await.expect("saved");
        let Err(SaveError::Snapshot(error)) = second.save().forever().await else {
            panic!("it is locked")
        };
        assert_eq!(error.what, SnapshotProblem::Locked);
        second.load().forever().await.expect("reading needs no lock");
        let down = first.down();
        drop(first);
        down.await;
        until(async || second.save().forever().await, Result::is_ok).await;
    });
}

#[test]
fn saves_asked_for_at_once_are_all_answered_and_the_last_state_is_on_disk() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1).directory(directory.path()));
    system.block_on(async {
        let mut saves = Vec::new();
        for version in 1..=20 {
            local.checkpoint("k", version, &version, 1).await.expect("stored");
            saves.push(local.save().forever());
            saves.push(local.save_to(&directory.path().join("other")).forever());
        }
        for save in saves {
            save.await.expect("saved");
        }
        for place in [directory.path().to_path_buf(), directory.path().join("other")] {
            let saved = SnapshotDir::open_read_only(Arc::new(RealDisk), place).expect("it opens");
            let (newest, corrupt) = saved.load_newest();
            assert_eq!(corrupt, []);
            let newest = newest.expect("there is one");
            let last = newest.entries.last().expect("it has entries");
            assert_eq!(last.1, 20);
        }
    });
}

#[test]
fn ckpt_7_a_save_interval_saves_what_has_changed_and_stops() {
    let directory = tempfile::tempdir().expect("a temporary directory");
    let place = || SnapshotDir::open_read_only(Arc::new(RealDisk), directory.path());
    let system = System::new();
    let period = Duration::from_millis(10);
    let config = CheckpointingConfig::level(1).directory(directory.path()).save_every(period);
    let local = spawn(&system, config);
    system.block_on(async {
        local.checkpoint("k", 1, &1_u8, 1).await.expect("stored");
        let has_k = |found: &Result<SnapshotDir, _>| {
            let newest = found.as_ref().ok().and_then(|open| open.load_newest().0);
            newest.is_some_and(|newest| newest.entries.len() == 1)
        };
        until(async || place(), has_k).await;
        let off = local.set_intervals(IntervalChange::NONE, IntervalChange::STOP).await;
        assert!(!off.expect("it is set").save.on);
    });
}

#[test]
fn ckpt_7_intervals_in_virtual_time_tick_at_their_period_and_not_after_a_stop() {
    let run = actors_core::sim::simulate(3, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let clock = system.host().clock.clone();
        let config = CheckpointingConfig::level(1).directory("states");
        let local = spawn(&system, config);
        let disk = system.host().disk.clone();
        let saved = move || {
            SnapshotDir::open_read_only(disk.clone(), "states").ok().and_then(|d| d.newest())
        };
        let change = async |version: u64| {
            local.checkpoint("k", version, &version, 1).await.expect("stored");
        };
        let second = Duration::from_secs(1);
        change(1).await;
        clock.sleep(10 * second).await;
        let off = saved();

        let every = IntervalChange::every(2 * second);
        local.set_intervals(IntervalChange::NONE, every).await.expect("it is set");
        clock.sleep(second).await;
        // Starting again is no new start: the tick comes when it was to come.
        let again = local.set_intervals(IntervalChange::NONE, IntervalChange::START).await;
        assert_eq!(again.expect("it is set").save, Interval::every(2 * second));
        clock.sleep(second / 2).await;
        let before = saved();
        clock.sleep(second).await;
        let after = saved();
        clock.sleep(20 * second).await;
        let unchanged = saved();
        change(2).await;
        clock.sleep(3 * second).await;
        let changed = saved();
        local.set_intervals(IntervalChange::NONE, IntervalChange::STOP).await.expect("it is set");
        change(3).await;
        clock.sleep(20 * second).await;
        [off, before, after, unchanged, changed, saved()]
    });
    assert_eq!(run.output, [None, None, Some(1), Some(1), Some(2), Some(2)]);
}

#[test]
fn ckpt_7_a_bad_interval_changes_nothing() {
    let system = System::new();
    let local = spawn(&system, CheckpointingConfig::level(1));
    system.block_on(async {
        let start = local.describe().await.unwrap().intervals;
        assert!(!start.update.on && !start.save.on);
        let good = IntervalChange::every(Duration::from_secs(9));
        let short = Interval::MINIMUM - Duration::from_nanos(1);
        let too_short = Err(IntervalError::TooShort { period: short, minimum: Interval::MINIMUM });
        assert_eq!(local.set_intervals(good, IntervalChange::every(short)).await, too_short);
        assert_eq!(local.set_intervals(IntervalChange::every(short), good).await, too_short);
        assert_eq!(local.set_intervals(good, good).await, Err(IntervalError::NoDirectory));
        assert_eq!(local.describe().await.unwrap().intervals, start, "nothing changed");

        // What is not named stays.
        let set = local.set_intervals(good, IntervalChange::NONE).await.expect("it is set");
        assert_eq!((set.update, set.save), (Interval::every(Duration::from_secs(9)), start.save));
        let set = local.set_intervals(IntervalChange::STOP, IntervalChange::NONE).await;
        let expected = Interval { period: Duration::from_secs(9), on: false };
        assert_eq!(set.expect("it is set").update, expected);
    });
}

#[test]
fn ckpt_7_a_bad_configured_interval_is_a_failed_start() {
    let system = System::new();
    let second = Duration::from_secs(1);
    for config in [
        CheckpointingConfig::level(1).save_every(second),
        CheckpointingConfig::level(1).update_every(Duration::ZERO),
    ] {
        let failed = spawn(&system, config);
        system.block_on(async { failed.down().await });
        assert!(matches!(failed.info().status, Status::Dead(_)));
    }
}

#[test]
fn what_does_not_fit_after_a_load_is_the_oldest() {
    let disk: Arc<dyn Disk> = Arc::new(SimDisk::new(1));
    let mut saved = SnapshotDir::open(disk.clone(), "states").expect("it opens");
    let entry = |key: &str, version| (key.into(), version, Blob::raw(&[0_u8; 40]));
    saved.commit(1, &[entry("a", 1), entry("b", 2), entry("c", 3)], b"").expect("committed");
    let mut host = Host::real();
    host.disk = disk;
    let system = System::builder().host(host).build();
    let local = spawn(&system, CheckpointingConfig::level(1).budget(100));
    system.block_on(async {
        let report = local.load_from("states".as_ref()).forever().await.expect("loaded");
        assert_eq!(report.loaded, 2);
        assert_eq!((&report.left_out[0].0, report.left_out[0].1), (&"a".into(), 1));
    });
}
