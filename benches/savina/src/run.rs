//! All repetitions: systems in turn, each repetition in a process of its own.

use std::{
    env,
    io::Read,
    process::{Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

use crate::{
    measure::Sample,
    options::Options,
    peers::{self, Peer},
    workload::{THREADS, WORKLOADS, Workload},
};

/// A repetition that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(120);

/// A number of a system: the median over all repetitions.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Measured {
    pub(crate) system: String,
    pub(crate) workload: String,
    pub(crate) n: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) min_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ns: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) bytes: Option<f64>,
}

/// What was measured, with the systems in the order of their columns.
#[derive(Debug)]
pub(crate) struct Results {
    pub(crate) systems: Vec<String>,
    pub(crate) workloads: Vec<&'static Workload>,
    pub(crate) measured: Vec<Measured>,
}

impl Results {
    pub(crate) fn find(&self, system: &str, row: &str) -> Option<&Measured> {
        self.measured.iter().find(|m| m.system == system && m.workload == row)
    }
}

/// Runs what the options ask for, and tells each number when it is known. What fails is told on stderr
/// and has no result.
pub(crate) fn all(
    options: &Options,
    mut tell: impl FnMut(&Measured) -> anyhow::Result<()>,
) -> anyhow::Result<Results> {
    let systems = systems(options)?;
    let wanted = |workload: &&Workload| {
        options.only.is_empty() || options.only.iter().any(|name| name == workload.name)
    };
    let workloads: Vec<_> = WORKLOADS.iter().filter(wanted).collect();
    let bar = ProgressBar::new((systems.len() * workloads.len()) as u64 * u64::from(options.reps));
    bar.set_style(ProgressStyle::with_template("{bar:30} {pos}/{len} {msg}")?);

    let mut measured = Vec::new();
    for workload in &workloads {
        let mut samples = vec![Some(Vec::new()); systems.len()];
        for _ in 0..options.reps {
            for (system, samples) in systems.iter().zip(&mut samples) {
                bar.set_message(format!("{} {}", workload.name, system.name));
                let Some(so_far) = samples else {
                    bar.inc(1);
                    continue;
                };
                match system.once(workload, options.quick) {
                    Ok(once) if once.is_empty() => *samples = None,
                    Ok(once) => so_far.extend(once),
                    Err(error) => {
                        bar.suspend(|| eprintln!("{} {}: {error:#}", workload.name, system.name));
                        *samples = None;
                    }
                }
                bar.inc(1);
            }
        }
        for (system, samples) in systems.iter().zip(samples) {
            for number in medians(&system.name, workload, &samples.unwrap_or_default()) {
                tell(&number)?;
                measured.push(number);
            }
        }
    }
    bar.finish_and_clear();
    let systems = systems.into_iter().map(|system| system.name).collect();
    Ok(Results { systems, workloads, measured })
}

/// A program that does one repetition.
struct System {
    name: String,
    command: Vec<String>,
    heavy: bool,
}

fn systems(options: &Options) -> anyhow::Result<Vec<System>> {
    let this = env::current_exe()?.to_str().context("a path in UTF-8")?.to_owned();
    let ours = peers::PEERS[0].name();
    let wanted = |peer: &&&dyn Peer| {
        let name = peer.name();
        name == ours || options.peers.as_ref().is_none_or(|peers| peers.iter().any(|p| p == name))
    };
    let built_in = peers::PEERS.iter().filter(wanted).map(|peer| System {
        name: peer.name().into(),
        command: vec![this.clone(), "once".into(), peer.name().into()],
        heavy: peer.is_heavy(),
    });
    let external = options.external.iter().map(|external| System {
        name: external.name.clone(),
        command: external.command.clone(),
        heavy: false,
    });
    Ok(built_in.chain(external).collect())
}

impl System {
    fn once(&self, workload: &Workload, quick: bool) -> anyhow::Result<Vec<Sample>> {
        let n = if self.heavy { workload.n_heavy } else { workload.n };
        let n = if quick { n / 10 } else { n };
        let mut child = Command::new(&self.command[0])
            .args(&self.command[1..])
            .args([workload.name, &n.to_string()])
            .env("ASYNC_STD_THREAD_COUNT", THREADS.to_string())
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{} does not start", self.command[0]))?;
        let start = Instant::now();
        let status = loop {
            if let Some(status) = child.try_wait()? {
                break status;
            }
            if start.elapsed() > PATIENCE {
                child.kill()?;
                child.wait()?;
                bail!("no result after {} s", PATIENCE.as_secs());
            }
            thread::sleep(Duration::from_millis(10));
        };
        ensure!(status.success(), "{status}");
        let mut output = String::new();
        child.stdout.take().expect("it is piped").read_to_string(&mut output)?;
        output.lines().map(|line| serde_json::from_str(line).context(line.to_owned())).collect()
    }
}

fn medians(system: &str, workload: &Workload, samples: &[Sample]) -> Vec<Measured> {
    let row = |row: &'static str| {
        let of_row = |sample: &&Sample| match sample.row.as_str() {
            "" => row == workload.name,
            name => row == name,
        };
        let samples: Vec<_> = samples.iter().filter(of_row).collect();
        let all =
            |of: fn(&Sample) -> Option<f64>| samples.iter().filter_map(move |sample| of(sample));
        Some(Measured {
            system: system.into(),
            workload: row.into(),
            n: samples.first()?.n,
            ns: median(all(|sample| sample.ns).collect()),
            min_ns: all(|sample| sample.ns).reduce(f64::min),
            p50_ns: median(all(|sample| sample.p50_ns).collect()),
            p99_ns: median(all(|sample| sample.p99_ns).collect()),
            bytes: median(all(|sample| sample.bytes).collect()),
        })
    };
    workload.rows().filter_map(|(name, _)| row(name)).collect()
}

fn median(mut values: Vec<f64>) -> Option<f64> {
    values.sort_unstable_by(f64::total_cmp);
    let middle = values.len() / 2;
    match values.len() {
        0 => None,
        n if n % 2 == 1 => Some(values[middle]),
        _ => Some(f64::midpoint(values[middle - 1], values[middle])),
    }
}
