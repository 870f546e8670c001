//! The workloads.

use std::{
    fs::File,
    hint::black_box,
    io::Write,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use actors_checkpoint::{
    Blob, Capture, CheckpointLink, Checkpointing, CheckpointingConfig, Key, SnapshotDir,
};
use actors_core::{Actor, Context, Handler, Link, Message, System, host::RealDisk};
use serde::{Deserialize, Serialize};

use crate::{Row, allocations};

type Workload = fn(usize, usize) -> anyhow::Result<Row>;

/// By name; run with the number of repetitions and what the bytes are divided by.
pub(crate) const ALL: [(&str, Workload); 8] = [
    ("capture-raw", capture_raw),
    ("capture-serde", capture_serde),
    ("restore-raw", restore_raw),
    ("restore-serde", restore_serde),
    ("pause", pause),
    ("save", save),
    ("save-changed", save_changed),
    ("many-small", many_small),
];

const MIB: usize = 1 << 20;

/// Runs both in turn and gives the medians.
fn beside(reps: usize, mut ours: impl FnMut(), mut bare: impl FnMut()) -> (u64, u64) {
    let (mut a, mut b) = (Vec::new(), Vec::new());
    ours();
    bare();
    for _ in 0..reps {
        a.push(time(&mut ours));
        b.push(time(&mut bare));
    }
    (median(&mut a), median(&mut b))
}

fn time(work: &mut impl FnMut()) -> u64 {
    let start = Instant::now();
    work();
    nanos(start.elapsed())
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

fn median(values: &mut [u64]) -> u64 {
    percentile(values, 50)
}

fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    values[(values.len() - 1) * percent / 100]
}

fn row(
    workload: &'static str,
    beside: &'static str,
    (ns, beside_ns): (u64, u64),
    goal: &'static str,
    note: String,
) -> Row {
    let ratio = Some(beside_ns as f64 / ns as f64);
    Row { workload, beside, ns, beside_ns: Some(beside_ns), ratio, goal, note }
}

/// A numeric state, captured into a buffer that is used again, with its checksum.
fn capture_raw(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    let state = vec![1.5_f64; 64 * MIB / 8 / divisor];
    let mut capture = Capture::new(2);
    let mut copy = state.clone();
    let ours = || drop(black_box(capture.raw(black_box(&state))));
    let bare = || black_box(&mut copy).copy_from_slice(black_box(&state));
    let times = beside(reps, ours, bare);
    Ok(row("capture-raw", "memcpy", times, "≥ 0.85", format!("{} MiB", 64 / divisor)))
}

fn restore_raw(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    let state = vec![1.5_f64; 64 * MIB / 8 / divisor];
    let blob = Blob::raw(&state);
    let ours = || drop(black_box(black_box(&blob).to_vec::<f64>()));
    let bare = || drop(black_box(black_box(&state).clone()));
    let times = beside(reps, ours, bare);
    Ok(row("restore-raw", "memcpy", times, "≥ 0.8", format!("{} MiB", 64 / divisor)))
}

#[derive(Clone, Serialize, Deserialize)]
struct Record {
    name: String,
    counts: Vec<u32>,
    weights: Vec<f32>,
    flags: (bool, bool, u64),
}

/// About a kilobyte.
fn record() -> Record {
    Record {
        name: "the state of an actor".into(),
        counts: (0..150).map(|n| n * 1_000_003).collect(),
        weights: (0..50).map(|n| n as f32).collect(),
        flags: (true, false, 7),
    }
}

const TIMES: usize = 10_000;

fn capture_serde(reps: usize, _: usize) -> anyhow::Result<Row> {
    let state = record();
    let mut capture = Capture::new(2);
    let mut buffer = Vec::with_capacity(4096);
    let ours = || {
        for _ in 0..TIMES {
            let _ = black_box(capture.encode(black_box(&state)));
        }
    };
    let bare = || {
        for _ in 0..TIMES {
            buffer.clear();
            let _ = rmp_serde::encode::write(&mut buffer, black_box(&state));
            black_box(crc32fast::hash(&buffer));
        }
    };
    let (ns, beside_ns) = beside(reps, ours, bare);
    let before = allocations::so_far();
    for _ in 0..TIMES {
        let _ = black_box(capture.encode(black_box(&state)));
    }
    let allocated = (allocations::so_far() - before) as f64 / TIMES as f64;
    let bytes = Blob::encode(&state)?.len();
    let note = format!("{bytes} B, {allocated:.2} allocations");
    let times = (ns / TIMES as u64, beside_ns / TIMES as u64);
    Ok(row("capture-serde", "rmp-serde and crc32", times, "≥ 0.77, none", note))
}

fn restore_serde(reps: usize, _: usize) -> anyhow::Result<Row> {
    let blob = Blob::encode(&record())?;
    let ours = || {
        for _ in 0..TIMES {
            let _ = black_box(black_box(&blob).decode::<Record>());
        }
    };
    let bare = || {
        for _ in 0..TIMES {
            let _ = black_box(rmp_serde::from_slice::<Record>(black_box(blob.bytes())));
        }
    };
    let (ns, beside_ns) = beside(reps, ours, bare);
    let times = (ns / TIMES as u64, beside_ns / TIMES as u64);
    Ok(row("restore-serde", "rmp-serde", times, "≥ 0.8", format!("{} B", blob.len())))
}

/// An actor with a large state that captures it when it is told to, and answers how long that took.
struct Owner {
    state: Vec<f64>,
    capture: Capture,
    store: Link<Checkpointing>,
    version: u64,
}

struct Step;

impl Actor for Owner {}

impl Message for Step {
    type Reply = Duration;
}

impl Handler<Step> for Owner {
    async fn handle(&mut self, _: Step, _: &mut Context<Self>) -> Duration {
        self.version += 1;
        self.state[0] += 1.0;
        let start = Instant::now();
        let blob = self.capture.raw(&self.state);
        drop(self.store.checkpoint_blob("state", self.version, blob, 1));
        start.elapsed()
    }
}

/// How long an actor stands still for a checkpoint, alone and while level 2 pulls and saves, in turn.
fn pause(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    const STEPS: usize = 300;
    let system = System::new();
    let directory = tempfile::tempdir()?;
    let above = CheckpointingConfig::level(2).directory(directory.path());
    let above = system.spawn(Checkpointing::new(above));
    let store = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).parent(&above)));
    let owner = system.spawn(Owner {
        state: vec![1.5; 16 * MIB / 8 / divisor],
        // As many as both levels keep and a save holds: else some are allocated anew.
        capture: Capture::new(16),
        store: store.clone(),
        version: 0,
    });
    let measure = || -> anyhow::Result<u64> {
        let mut pauses = Vec::new();
        for _ in 0..STEPS {
            pauses.push(nanos(owner.call_blocking(Step, Duration::from_secs(60))?));
        }
        Ok(percentile(&mut pauses, 99))
    };
    let (mut alone, mut beside, mut saves) = (Vec::new(), Vec::new(), 0);
    // The first round warms up.
    for round in 0..=reps {
        let quiet = measure()?;
        let (busy, saved) = while_saving(&system, &above, measure)?;
        if round > 0 {
            alone.push(quiet);
            beside.push(busy);
            saves += saved;
        }
    }
    let note = format!("p99 of {STEPS}, {} MiB, {saves} saves meanwhile", 16 / divisor);
    let times = (median(&mut beside), median(&mut alone));
    Ok(row("pause", "without level 2", times, "≥ 0.8", note))
}

/// Measures while the level pulls and saves without a break, and counts the saves.
fn while_saving(
    system: &System,
    level: &Link<Checkpointing>,
    measure: impl Fn() -> anyhow::Result<u64>,
) -> anyhow::Result<(u64, u32)> {
    let over = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let saves = scope.spawn(|| {
            let mut saves = 0_u32;
            while !over.load(Ordering::Relaxed) {
                let saved = system.block_on(async {
                    level.update().forever().await.ok();
                    level.save().forever().await
                });
                saves += u32::from(saved.is_ok());
            }
            saves
        });
        let measured = measure();
        over.store(true, Ordering::Relaxed);
        Ok((measured?, saves.join().unwrap_or_default()))
    })
}

/// Saving a store, and writing the same bytes with one fsync.
fn save(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    let directory = tempfile::tempdir_in(".")?;
    let bytes = 1024 * MIB / divisor;
    let blobs: Vec<Blob> = (0..16).map(|i| Blob::raw(&vec![i as u8; bytes / 16])).collect();
    let mut snapshots = SnapshotDir::open(Arc::new(RealDisk), directory.path())?.keep(1);
    let (mut ours, mut bare) = (Vec::new(), Vec::new());
    for version in 1..=reps.clamp(1, 5) as u64 {
        let entries: Vec<_> = (0..)
            .zip(&blobs)
            .map(|(i, blob)| (format!("k{i}").into(), version, blob.clone()))
            .collect();
        let start = Instant::now();
        snapshots.commit(version, &entries, b"")?;
        ours.push(nanos(start.elapsed()));

        bare.push(write_bare(directory.path(), &blobs)?);
    }
    let times = (median(&mut ours), median(&mut bare));
    Ok(row("save", "write and fsync", times, "≥ 0.9", format!("{} MiB", 1024 / divisor)))
}

/// Saving a store of which 1 % has changed since the last save, and writing all of its bytes with one fsync. Old
/// files are written anew within some of the saves; the figure is the mean of all.
fn save_changed(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    const STATE: usize = 64 * 1024;
    let directory = tempfile::tempdir_in(".")?;
    let states = 1024 * MIB / STATE / divisor;
    let blob = |version: u64| Blob::raw(&vec![version as u8; STATE]);
    let mut entries: Vec<(Key, u64, Blob)> =
        (0..states).map(|i| (format!("k{i}").into(), 0, blob(0))).collect();
    let mut snapshots = SnapshotDir::open(Arc::new(RealDisk), directory.path())?.keep(1);
    snapshots.commit(1, &entries, b"")?;
    let (mut ours, mut bare, mut bytes) = (Vec::new(), Vec::new(), 0);
    let saves = 8 * reps as u64;
    for version in 2..2 + saves {
        // Here and there: a stride that leads to each of them.
        for i in 0..states / 100 {
            let at = (version as usize * 7919 + i * 101) % states;
            entries[at] = (entries[at].0.clone(), version, blob(version));
        }
        let start = Instant::now();
        bytes += snapshots.commit(version, &entries, b"")?.bytes;
        ours.push(nanos(start.elapsed()));
        if version % 8 == 2 {
            let blobs: Vec<Blob> = entries.iter().map(|(_, _, blob)| blob.clone()).collect();
            bare.push(write_bare(directory.path(), &blobs)?);
        }
    }
    let mean = ours.iter().sum::<u64>() / saves;
    let worst = ours.iter().max().copied().unwrap_or(0) / 1_000_000;
    let note = format!(
        "{} MiB, {} MiB a save, median {} ms, worst {worst} ms of {saves}",
        1024 / divisor,
        bytes / saves / MIB as u64,
        median(&mut ours) / 1_000_000
    );
    Ok(row("save-changed", "write all and fsync", (mean, median(&mut bare)), "≥ 10", note))
}

fn write_bare(directory: &Path, blobs: &[Blob]) -> anyhow::Result<u64> {
    let path = directory.join("bare");
    let start = Instant::now();
    let mut file = File::create(&path)?;
    for blob in blobs {
        file.write_all(blob.bytes())?;
    }
    file.sync_all()?;
    let taken = nanos(start.elapsed());
    std::fs::remove_file(path)?;
    Ok(taken)
}

/// A small actor that checkpoints itself.
struct Small {
    state: [u8; 100],
    key: Key,
    store: Link<Checkpointing>,
    /// Checkpoints that were taken.
    taken: Arc<AtomicUsize>,
}

struct Save(u64);

impl Actor for Small {}

impl Message for Save {
    type Reply = ();
}

impl Handler<Save> for Small {
    async fn handle(&mut self, Save(version): Save, _: &mut Context<Self>) {
        let blob = Blob::raw(&self.state);
        drop(self.store.checkpoint_blob(&self.key, version, blob, 1));
        self.taken.fetch_add(1, Ordering::Release);
    }
}

/// Each of many actors checkpoints itself once; the time goes by until all are stored.
fn many_small(reps: usize, divisor: usize) -> anyhow::Result<Row> {
    let actors = 100_000 / divisor;
    let system = System::new();
    let store = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
    let taken = Arc::new(AtomicUsize::new(0));
    let small: Vec<Link<Small>> = (0..actors)
        .map(|i| {
            let key = format!("small/{i}").into();
            system.spawn(Small { state: [7; 100], key, store: store.clone(), taken: taken.clone() })
        })
        .collect();
    let mut times = Vec::new();
    for version in 1..=reps as u64 + 1 {
        let start = Instant::now();
        for actor in &small {
            actor.send(Save(version)).map_err(|_| anyhow::anyhow!("an actor is dead"))?;
        }
        while taken.load(Ordering::Acquire) < actors * version as usize {
            std::thread::yield_now();
        }
        // What was put before has been stored when this is answered.
        let stored = system.block_on(async { store.describe().forever().await })?;
        anyhow::ensure!(stored.keys == actors, "{} are stored", stored.keys);
        times.push(nanos(start.elapsed()) / actors as u64);
    }
    times.remove(0);
    let note = format!("{actors} actors, 100 B each; per actor");
    let ns = median(&mut times);
    Ok(Row {
        workload: "many-small",
        beside: "",
        ns,
        beside_ns: None,
        ratio: None,
        goal: "≤ 1 µs",
        note,
    })
}
