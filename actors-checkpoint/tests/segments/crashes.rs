//! Crashes and failing disks during commits that refer to older files, copy out of them and remove them.

use std::io;

use actors_checkpoint::{Committed, SnapshotDir, SnapshotError, SnapshotProblem, Version};
use actors_core::{host::Disk, sim::SimDisk};

use crate::history::*;

/// What the commits that were struck would have done.
#[derive(Debug, Default)]
struct Reached {
    commits: u32,
    referring: u32,
    compacting: u32,
    /// Commits that remove the file of an older version than those that go.
    reclaiming: u32,
    old: u32,
    new: u32,
}

impl Reached {
    fn count(&mut self, done: &Committed, before: usize, after: usize) {
        self.commits += 1;
        self.referring += u32::from(done.referred > 0);
        self.compacting += u32::from(done.compacted > 0);
        self.reclaiming += u32::from(before + 1 - after > 1);
    }

    fn assert_much(&self) {
        let Self { commits, referring, compacting, reclaiming, old, new } = *self;
        let least = [referring, compacting, reclaiming, old, new].into_iter().min();
        assert!(least >= Some(50) && commits > 200, "{self:?}");
    }
}

/// A writer at some version, and the states of the next one as it has them.
fn prepared(seed: u64) -> (SimDisk, SnapshotDir, Version, Entries) {
    let newest = 8 + seed % 16;
    let next = newest + 1;
    if seed.is_multiple_of(3) {
        let (disk, writer, loaded) = reopened(seed, newest);
        return (disk, writer, next, entries_after(&loaded, next));
    }
    let (disk, writer) = committed(seed, newest);
    (disk, writer, next, entries(next))
}

/// Commits with a fault put in at each operation, until there is an operation too many.
fn at_every_operation(
    seed: u64,
    reached: &mut Reached,
    put_fault: impl Fn(&SimDisk, u64),
    mut check: impl FnMut(SimDisk, SnapshotDir, Version, Result<Committed, SnapshotError>) -> Version,
) {
    let (_, mut writer, next, entries) = prepared(seed);
    let before = writer.files().len();
    let would = writer.commit(next, &entries, &meta(next)).expect("nothing fails");
    let after = writer.files().len();
    for nth in 1.. {
        let (disk, mut writer, next, entries) = prepared(seed);
        let at = disk.operations() + nth;
        put_fault(&disk, at);
        let done = writer.commit(next, &entries, &meta(next));
        let is_past_the_end = disk.operations() < at;
        reached.count(&would, before, after);
        let found = check(disk, writer, next, done);
        assert!(
            found == next || found == next - 1,
            "version {found}: seed {seed}, operation {nth}"
        );
        let count = if found == next { &mut reached.new } else { &mut reached.old };
        *count += 1;
        if is_past_the_end {
            assert!(nth > 10, "a commit takes more operations than {nth}");
            return;
        }
    }
}

/// All that is committed is whole, with the manifest and without it. Gives the newest version.
fn assert_all_whole(disk: &SimDisk) -> Version {
    let reader = read_only(disk);
    assert_eq!(reader.corrupt(), []);
    for version in reader.versions() {
        assert_whole(&reader.load(version).unwrap_or_else(|error| panic!("lost: {error}")));
    }
    let newest = reader.newest().expect("there is one");
    disk.remove(&manifest()).expect("removed");
    let scanned = read_only(disk);
    assert!(reader.versions().iter().all(|version| scanned.versions().contains(version)));
    for version in scanned.versions() {
        assert_whole(&scanned.load(version).expect("what is listed is whole"));
    }
    newest
}

#[test]
fn ckpt_9_a_crash_at_any_operation_of_a_commit_that_compacts_leaves_the_old_or_the_new_version_whole()
 {
    let mut reached = Reached::default();
    for seed in 0..48 {
        let off = |disk: &SimDisk, at| disk.fail_from(at, io::ErrorKind::BrokenPipe);
        at_every_operation(seed, &mut reached, off, |disk, writer, next, done| {
            drop(writer);
            let found = assert_all_whole(&disk.crash());
            assert!(found == next || done.is_err(), "committed is committed: seed {seed}");
            // A writer cleans up and goes on, and the machine stops again.
            let after = disk.crash();
            let mut writer = open(&after).expect("it opens");
            let (loaded, corrupt) = writer.load_newest();
            assert_eq!(corrupt, []);
            let loaded = loaded.expect("there is one");
            assert_whole(&loaded);
            assert_tidy(&after, &writer);
            let going_on = loaded.version + 1;
            let entries = entries_after(&loaded.entries, going_on);
            let done = writer.commit(going_on, &entries, &meta(going_on)).expect("committed");
            assert!(done.referred > 0, "what was loaded is referred to: {done:?}");
            assert_tidy(&after, &writer);
            drop(writer);
            assert_eq!(assert_all_whole(&after.crash()), going_on);
            found
        });
    }
    reached.assert_much();
}

#[test]
fn ckpt_9_enospc_and_eio_at_any_operation_of_a_commit_that_compacts_are_told_and_survived() {
    let mut reached = Reached::default();
    for (seed, kind) in
        (0..48).zip([io::ErrorKind::StorageFull, io::ErrorKind::Other].iter().cycle())
    {
        let fault = |disk: &SimDisk, at| disk.fail_at(at, *kind);
        at_every_operation(seed, &mut reached, fault, |disk, mut writer, next, done| {
            if let Err(error) = &done {
                let told = match kind {
                    io::ErrorKind::StorageFull => error.what == SnapshotProblem::Full,
                    _ => matches!(error.what, SnapshotProblem::Io { .. }),
                };
                assert!(told, "{error}");
            }
            let found = assert_all_whole(&disk.crash());
            assert!(found == next || done.is_err(), "committed is committed: seed {seed}");
            // The same writer tries again, and goes on.
            disk.heal();
            if done.is_err() {
                let again = writer.commit(next, &entries(next), &meta(next));
                let again = again.expect("a retry works");
                assert_eq!(again.version, next);
            }
            writer.commit(next + 1, &entries(next + 1), &meta(next + 1)).expect("and the next one");
            assert_tidy(&disk, &writer);
            drop(writer);
            assert_eq!(assert_all_whole(&disk.crash()), next + 1);
            found
        });
    }
    reached.assert_much();
}

/// Whatever happens, nothing that was committed is lost, and no version is a mix.
#[test]
fn ckpt_9_faults_one_after_the_other_never_lose_or_mix_versions_of_several_files() {
    let (mut compacted, mut crashed) = (0, 0);
    for seed in 0..200 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let mut disk = SimDisk::new(seed);
        let (mut last, mut tried) = (0, 0);
        for _ in 0..12 {
            for _ in 0..rng.usize(..3) {
                disk.fail_at(disk.operations() + rng.u64(1..60), io::ErrorKind::Other);
            }
            if let Ok(writer) = open(&disk) {
                let mut writer = writer.keep(rng.usize(1..4));
                let loaded = writer.load_newest().0.map_or(Vec::new(), |loaded| loaded.entries);
                for _ in 0..rng.usize(..6) {
                    tried += 1;
                    match writer.commit(tried, &entries_after(&loaded, tried), &meta(tried)) {
                        Ok(done) => {
                            last = tried;
                            compacted += done.compacted;
                        }
                        Err(_) => continue,
                    }
                    if writer.versions().contains(&(tried - 1)) && rng.u8(..4) == 0 {
                        last = tried - 1;
                        // The same number comes again, if it is gone.
                        if writer.rollback(last).is_ok() {
                            tried = last;
                        }
                    }
                }
            }
            if rng.bool() {
                disk = disk.crash();
                crashed += 1;
            }
            disk.heal();
            let reader = SnapshotDir::open_read_only(std::sync::Arc::new(disk.clone()), DIR);
            let newest = reader.ok().and_then(|reader| reader.load_newest().0);
            assert!(newest.as_ref().map_or(0, |s| s.version) >= last, "seed {seed}");
            if let Some(newest) = newest {
                assert_whole(&newest);
                tried = tried.max(newest.version);
                last = newest.version;
            }
        }
    }
    assert!(compacted > 500 && crashed > 500, "{compacted} compacted, {crashed} crashes");
}
