//! A process that saves and is killed at a random moment, again and again, over the same directory: what was
//! committed stays, whole.
//!
//! What is drawn comes from the seed; where in its work a kill finds the process does not.

use std::{fs, path::Path, sync::Arc, thread, time::Duration};

use actors_checkpoint::{
    Blob, Key, Snapshot, SnapshotDir, SnapshotError, SnapshotProblem, Version,
};
use actors_core::host::RealDisk;
use anyhow::{Context, Result, bail, ensure};
use fastrand::Rng;

use crate::process::NodeProcess;

/// Committed versions that are kept.
const KEEP: usize = 2;
/// No kill comes later after the process is ready.
const LATEST: Duration = Duration::from_millis(20);

/// What has happened.
#[derive(Clone, Copy, Debug, Default)]
pub struct Done {
    /// Processes that were killed.
    pub rounds: u32,
    /// Versions that were reported as committed.
    pub committed: u64,
    /// Kills within a commit: it was begun, and not reported.
    pub within: u32,
    /// Of these, in one that writes states of older files again, so that those can go.
    pub compacting: u32,
    /// Of all of these, how many times the version turned out to be there.
    pub unreported: u32,
    /// Kills before the first commit of the process.
    pub before: u32,
    /// Kills that left a temporary file.
    pub torn: u32,
    /// Processes that were stopped for a while before they were killed, or killed as they stood.
    pub stopped: u32,
}

type Entries = Vec<(Key, Version, Blob)>;

/// What a version holds: states of several sizes, each of them drawn from the version at which it changed last.
/// Some change at every version, some at every 4th at least, some never.
pub fn entries(version: Version) -> Entries {
    let mut entries =
        vec![("text".into(), version, text(version)), ("empty".into(), 1, state(0, 1, 0))];
    for key in 1..=HOT {
        let changes = |at: &Version| at.is_multiple_of(ALL) || at % HOT == key - 1;
        let at = (1..=version).rev().find(changes).unwrap_or(1);
        let most = if key == HOT { 100_000 } else { 10_000 };
        entries.push((format!("hot {key}").into(), at, state(key, at, most)));
    }
    for key in 0..COLD {
        entries.push((format!("cold {key}").into(), 1, state(HOT + 1 + key, 1, 2_000)));
    }
    entries
}

/// States that change, and at every 4th version all of them do. Then less than half of every older file is of use.
const HOT: u64 = 12;
const ALL: u64 = 4;
/// States that never change.
const COLD: u64 = 2;

/// Whether a version has states that lie in files which are of little use otherwise.
const fn compacts(version: Version) -> bool {
    version.is_multiple_of(ALL)
}

fn text(version: Version) -> Blob {
    Blob::encode(&format!("state {version}")).expect("a text encodes")
}

/// Half as many bytes as it may have at least.
fn state(key: u64, version: Version, most: usize) -> Blob {
    let mut rng = Rng::with_seed(version << 8 | key);
    let mut bytes = vec![0_u8; rng.usize(most / 2..=most)];
    rng.fill(&mut bytes);
    Blob::raw(&bytes)
}

/// The same with the blobs of an earlier version where nothing has changed: what a process has that goes on.
fn entries_after(before: &Entries, version: Version) -> Entries {
    let mut entries = entries(version);
    for (key, at, blob) in &mut entries {
        if let Some((.., same)) = before.iter().find(|(k, v, _)| k == key && v == at) {
            *blob = same.clone();
        }
    }
    entries
}

fn meta(version: Version) -> Vec<u8> {
    format!("about {version}").into_bytes()
}

/// What the process does: commits version after version, and tells before and after each, until it is killed.
///
/// # Errors
/// The directory does not open, or a commit fails.
pub fn save_for_ever(path: &Path) -> Result<()> {
    println!("ready");
    let mut directory = SnapshotDir::open(Arc::new(RealDisk), path)?.keep(KEEP);
    let (loaded, _) = directory.load_newest();
    let (mut version, mut before) =
        loaded.map_or((0, Vec::new()), |found| (found.version, found.entries));
    loop {
        version += 1;
        let entries = entries_after(&before, version);
        println!("{BEGUN}{version}");
        let done = directory.commit(version, &entries, &meta(version))?;
        ensure!(done.referred > 0 || version == 1 || compacts(version), "{done:?}");
        ensure!(done.compacted > 0 || !compacts(version), "{done:?}");
        println!("{COMMITTED}{version}");
        before = entries;
    }
}

const BEGUN: &str = "begun ";
const COMMITTED: &str = "committed ";

/// Runs so many rounds, over one directory, with `program` as the process: one that does
/// [`save_for_ever`] in the directory that is its second argument.
///
/// # Errors
/// What was lost, mixed or left over, and in which round.
pub fn run(
    program: &Path,
    seed: u64,
    rounds: u32,
    mut progress: impl FnMut(&Done),
) -> Result<Done> {
    let temporary = tempfile::tempdir()?;
    let path = temporary.path().join("states");
    let (mut rng, mut done, mut last) = (Rng::with_seed(seed), Done::default(), 0);
    for round in 1..=rounds {
        last = kill_one(program, &path, last, &mut rng, &mut done)
            .with_context(|| format!("round {round}, of the versions to {last}"))?;
        done.rounds = round;
        progress(&done);
    }
    Ok(done)
}

/// One process: starts, saves, is killed. Gives the newest version, which the next one goes on from.
fn kill_one(
    program: &Path,
    path: &Path,
    last: Version,
    rng: &mut Rng,
    done: &mut Done,
) -> Result<Version> {
    let address = path.to_str().context("a path that is text")?;
    let process = NodeProcess::start(program, "saves", address)?;
    let mut delay = || thread::sleep(LATEST.mul_f64(rng.f64()));
    delay();
    let is_stopped = done.rounds % 4 == 3;
    if is_stopped {
        process.stop();
        process.wait_until_stopped();
        // A reader needs no writer that goes on, nor one that has ended.
        newest(path, last, done.committed > 0)?;
        done.stopped += 1;
        if done.rounds % 8 == 3 {
            process.resume();
            delay();
        }
    }
    process.kill();
    process.wait_for_end();

    let log = process.log();
    let newest_of = |what: &str| {
        let versions = log.iter().filter_map(|line| line.strip_prefix(what)?.parse().ok());
        versions.max().unwrap_or(last)
    };
    let (begun, committed): (Version, Version) = (newest_of(BEGUN), newest_of(COMMITTED));
    let is_ours =
        |line: &String| line == "ready" || line.starts_with(BEGUN) || line.starts_with(COMMITTED);
    ensure!(log.iter().all(is_ours), "it failed by itself: {log:#?}");

    done.committed += committed - last;
    let found = newest(path, committed, done.committed > 0)?;
    ensure!(found <= begun, "version {found}, and {begun} is the last that was begun");
    done.within += u32::from(begun > committed);
    done.compacting += u32::from(begun > committed && compacts(begun));
    done.unreported += u32::from(found > committed);
    done.before += u32::from(begun == last);
    done.torn += u32::from(names(path)?.iter().any(|name| name.ends_with(".tmp")));
    drop(process);
    cleaned_up(path, found)?;
    Ok(found)
}

/// The newest version, all of those that are listed being whole; 0 if there is none. It is `at_least`, and
/// there is a manifest if a commit `has_ended`.
fn newest(path: &Path, at_least: Version, has_ended: bool) -> Result<Version> {
    let opened = SnapshotDir::open_read_only(Arc::new(RealDisk), path);
    let may_miss = |error: &SnapshotError| !has_ended && error.what == SnapshotProblem::Missing;
    let directory = match opened {
        Err(error) if at_least == 0 && may_miss(&error) => return Ok(0),
        opened => opened?,
    };
    let corrupt = directory.corrupt();
    ensure!(corrupt.iter().all(may_miss), "{corrupt:?}");
    for version in directory.versions() {
        is_whole(&directory.load(version)?)?;
    }
    let newest = directory.newest().unwrap_or(0);
    ensure!(newest >= at_least, "version {newest}, and {at_least} was reported as committed");
    Ok(newest)
}

fn is_whole(snapshot: &Snapshot) -> Result<()> {
    let version = snapshot.version;
    if snapshot.entries != entries(version) || snapshot.meta != meta(version) {
        bail!("version {version} holds something else");
    }
    Ok(())
}

/// The next one to open sees the same version, and removes what the dead one has left.
fn cleaned_up(path: &Path, newest: Version) -> Result<()> {
    let directory = SnapshotDir::open(Arc::new(RealDisk), path)?;
    let (loaded, _) = directory.load_newest();
    ensure!(loaded.as_ref().map_or(0, |snapshot| snapshot.version) == newest, "{directory:?}");
    if let Some(snapshot) = &loaded {
        is_whole(snapshot)?;
    }
    let versions = directory.versions();
    ensure!(versions.len() <= KEEP, "{versions:?}");
    let mut expected = vec!["LOCK".to_owned(), "MANIFEST".to_owned()];
    for file in directory.files() {
        expected.extend(file.file_name().map(|name| name.to_string_lossy().into_owned()));
    }
    let left: Vec<_> = names(path)?.into_iter().filter(|name| !expected.contains(name)).collect();
    ensure!(left.is_empty(), "left over: {left:?}");
    Ok(())
}

fn names(path: &Path) -> Result<Vec<String>> {
    match fs::read_dir(path) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        listed => listed?.map(|entry| Ok(entry?.file_name().to_string_lossy().into())).collect(),
    }
}
