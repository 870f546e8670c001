//! What a job reports: lines while it runs ([`Events`]), tables and JSON at its end ([`Report`]).

use std::fmt::{self, Display};
use std::io::{self, IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use comfy_table::{CellAlignment, Table, presets};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};
use serde::{Serialize, Serializer};
use thiserror::Error;

use crate::grid::write_atomically;

/// The account of a finished job.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Report {
    /// Steps computed.
    pub(crate) steps: u64,
    /// The scheme's rate.
    pub(crate) rate: f64,
    /// Node processes that computed from the start.
    pub(crate) nodes: u32,
    /// Node processes kept for replacement.
    pub(crate) spares: u32,
    /// Strips that the grid was cut into.
    pub(crate) strips: usize,
    /// Seconds from the first step to the last, losses included.
    pub(crate) wall_s: f64,
    /// Seconds spent in the stencil, summed over the strips.
    pub(crate) compute_s: f64,
    /// Time in capture on the strips' critical path, in percent of the compute time.
    pub(crate) checkpoint_overhead_pct: f64,
    /// Whether the result equals the serial one bit for bit; none if that was not asked.
    pub(crate) identical: Option<bool>,
    /// Every node lost, in the order of detection.
    pub(crate) failures: Vec<Failure>,
    /// Every node that stood still and was not lost, in the order of their going on.
    pub(crate) pauses: Vec<Pause>,
    /// What each level cost, the cheapest first.
    pub(crate) checkpoints: Vec<Level>,
}

/// A lost node and what became of its strips.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Failure {
    /// The node's name.
    pub(crate) node: u32,
    /// What happened to it: `kill`, `stop`, or `silent` when nobody was asked to do it.
    pub(crate) kind: String,
    /// Of a node that stood still: whether it then heard that it was declared dead, and ended itself.
    pub(crate) fenced: Option<bool>,
    /// The slowest strip's step when it happened.
    pub(crate) at_step: u64,
    /// Milliseconds until the loss was known.
    pub(crate) detect_ms: Option<f64>,
    /// The node that took its strips.
    pub(crate) restarted_on: Option<u32>,
    /// The level that the strips were restored from.
    pub(crate) level: Option<RecoveryLevel>,
    /// The step that they were restored to.
    pub(crate) restored_step: Option<u64>,
    /// Steps that had to be computed again.
    pub(crate) lost_steps: Option<u64>,
    /// Milliseconds from knowing of the loss until all strips ran again.
    pub(crate) recover_ms: Option<f64>,
}

/// A node that stood still for less than it takes to declare it dead: nothing was lost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Pause {
    /// The node's name.
    pub(crate) node: u32,
    /// The slowest strip's step when it began.
    pub(crate) at_step: u64,
    /// How long it was.
    pub(crate) seconds: f64,
}

impl Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { node, at_step, seconds } = self;
        write!(f, "node {node} stood still for {seconds} s at step {at_step}: nothing was lost")
    }
}

/// What the checkpoints of one level cost.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct Level {
    /// Which level.
    pub(crate) level: RecoveryLevel,
    /// Checkpoints taken, over all strips.
    pub(crate) count: u64,
    /// Their sizes together, in bytes.
    pub(crate) bytes: u64,
    /// Mean milliseconds for which a checkpoint held up its strip.
    pub(crate) mean_ms: f64,
}

/// Where a strip's state can come from, the cheapest first. JSON has `1`, `2`, `"directory"` and `"input"`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum RecoveryLevel {
    /// Level 1: the memory of the strip's own node.
    Memory,
    /// Level 2: another node.
    Partner,
    /// The last level: a directory.
    Directory,
    /// No checkpoint: the job's input.
    Input,
}

impl Display for RecoveryLevel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory => "level 1",
            Self::Partner => "level 2",
            Self::Directory => "the directory",
            Self::Input => "the input",
        })
    }
}

impl Serialize for RecoveryLevel {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Memory => to.serialize_u8(1),
            Self::Partner => to.serialize_u8(2),
            Self::Directory => to.serialize_str("directory"),
            Self::Input => to.serialize_str("input"),
        }
    }
}

impl Report {
    /// Writes the report as JSON to the file at `path`, whole or not at all.
    ///
    /// # Errors
    ///
    /// [`ReportError`]; a file that stood at `path` is then as it was.
    pub(crate) fn write_json(&self, path: &Path) -> Result<(), ReportError> {
        write_atomically(path, |out| {
            serde_json::to_writer_pretty(&mut *out, self)?;
            out.write_all(b"\n")
        })
        .map_err(|source| ReportError { path: path.to_owned(), source })
    }

    /// The report for people: failures, the cost of checkpoints, and a summary.
    pub(crate) fn table(&self) -> String {
        let mut failures = match self.failures.as_slice() {
            [] => "No node was lost.".to_owned(),
            failures => failure_table(failures).to_string(),
        };
        self.pauses.iter().for_each(|pause| failures += &format!("\n{pause}"));
        let checkpoints = match self.checkpoints.as_slice() {
            [] => "No checkpoint was taken.".to_owned(),
            levels => level_table(levels).to_string(),
        };
        let summary = self.summary();
        format!("{failures}\n\n{checkpoints}\n\n{summary}")
    }

    fn summary(&self) -> String {
        let verdict = match self.identical {
            Some(true) => "identical bit for bit to the failure-free result",
            Some(false) => "NOT IDENTICAL to the failure-free result",
            None => "not verified",
        };
        format!(
            "{} steps of {} on {} and {} in {:.2} s, {:.2} s of it in the stencil over all strips; \
             checkpoints cost {:.2} % of that.\nResult: {verdict}.",
            self.steps,
            counted(self.strips as u64, "strip"),
            counted(self.nodes.into(), "node"),
            counted(self.spares.into(), "spare"),
            self.wall_s,
            self.compute_s,
            self.checkpoint_overhead_pct,
        )
    }
}

/// The report could not be written.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct ReportError {
    path: PathBuf,
    source: io::Error,
}

/// The lines and the progress bar on standard error while a job runs. A bar is shown on a terminal only; lines go
/// above it.
pub(crate) struct Events {
    place: Place,
}

enum Place {
    Nowhere,
    Terminal(ProgressBar),
    Lines(Mutex<Box<dyn Write + Send>>),
}

impl Events {
    /// Events of a job of `steps` steps; with `quiet` none of them is shown.
    pub(crate) fn new(steps: u64, quiet: bool) -> Self {
        let stderr = io::stderr();
        let place = if quiet {
            Place::Nowhere
        } else if stderr.is_terminal() {
            Place::Terminal(progress_bar(steps))
        } else {
            Place::Lines(Mutex::new(Box::new(stderr)))
        };
        Self { place }
    }

    /// The slowest strip is at `step`, which is an earlier one after a roll-back.
    pub(crate) fn at_step(&self, step: u64) {
        if let Place::Terminal(bar) = &self.place {
            bar.set_position(step);
        }
    }

    /// A node was lost when the slowest strip was at `step`.
    pub(crate) fn node_lost(&self, node: u32, step: u64, detect_ms: Option<f64>) {
        let after = detect_ms
            .map_or_else(String::new, |ms| format!(", detected after {}", milliseconds(ms)));
        self.note(&format!("node {node} lost at step {step}{after}"));
    }

    /// The strips of a lost node run again.
    pub(crate) fn restarted(&self, restart: &Restart<'_>) {
        self.note(&restart.to_string());
    }

    /// Any other line.
    pub(crate) fn note(&self, line: &str) {
        match &self.place {
            Place::Nowhere => {}
            Place::Terminal(bar) => bar.println(line),
            // A job does not end because no one reads its lines.
            Place::Lines(out) => {
                let mut out = out.lock().unwrap_or_else(PoisonError::into_inner);
                let _ = writeln!(out, "{line}").and_then(|()| out.flush());
            }
        }
    }

    /// Takes the bar away; what follows can be printed plainly.
    pub(crate) fn finish(&self) {
        if let Place::Terminal(bar) = &self.place {
            bar.finish_and_clear();
        }
    }
}

/// That strips of a lost node were restarted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Restart<'a> {
    /// The strips' numbers, at least one.
    pub(crate) strips: &'a [u32],
    /// The node that they are on now.
    pub(crate) node: u32,
    /// The level that they were restored from.
    pub(crate) level: RecoveryLevel,
    /// The step that they were restored to.
    pub(crate) step: u64,
    /// Steps to compute again.
    pub(crate) lost_steps: u64,
    /// Milliseconds from knowing of the loss until all strips ran again.
    pub(crate) recover_ms: f64,
}

impl Display for Restart<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let plural = if self.strips.len() == 1 { "" } else { "s" };
        let strips = runs(self.strips);
        write!(
            f,
            "strip{plural} {} restarted on node {} from {}, step {}: {} lost, running again after {}",
            strips,
            self.node,
            self.level,
            self.step,
            counted(self.lost_steps, "step"),
            milliseconds(self.recover_ms),
        )
    }
}

/// Numbers in ascending order, as `1, 4 to 7`.
fn runs(numbers: &[u32]) -> String {
    let follows = |a: &u32, b: &u32| a + 1 == *b;
    let run = |run: &[u32]| match run {
        [first, _, .., last] => format!("{first} to {last}"),
        few => few.iter().map(u32::to_string).collect::<Vec<_>>().join(", "),
    };
    numbers.chunk_by(follows).map(run).collect::<Vec<_>>().join(", ")
}

fn progress_bar(steps: u64) -> ProgressBar {
    let template = "{wide_bar} {human_pos} of {human_len} steps, {rate}, {eta} to go";
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{:.0} a second", state.per_sec());
    };
    let style = ProgressStyle::with_template(template).expect("the template is a constant");
    let style = style.with_key("rate", rate);
    ProgressBar::with_draw_target(Some(steps), ProgressDrawTarget::stderr()).with_style(style)
}

fn failure_table(failures: &[Failure]) -> Table {
    let mut table = table(&[
        "node",
        "kind",
        "at step",
        "detected",
        "on node",
        "from",
        "step",
        "lost",
        "recovered",
    ]);
    for failure in failures {
        table.add_row([
            failure.node.to_string(),
            match failure.fenced {
                None => failure.kind.clone(),
                Some(true) => format!("{}, fenced", failure.kind),
                Some(false) => format!("{}, NOT FENCED", failure.kind),
            },
            failure.at_step.to_string(),
            or_dash(failure.detect_ms.map(milliseconds)),
            or_dash(failure.restarted_on),
            or_dash(failure.level),
            or_dash(failure.restored_step),
            or_dash(failure.lost_steps.map(|steps| counted(steps, "step"))),
            or_dash(failure.recover_ms.map(milliseconds)),
        ]);
    }
    table
}

fn level_table(levels: &[Level]) -> Table {
    let mut table = table(&["checkpoints in", "taken", "bytes", "mean hold-up"]);
    for level in levels {
        table.add_row([
            level.level.to_string(),
            level.count.to_string(),
            level.bytes.to_string(),
            format!("{:.3} ms", level.mean_ms),
        ]);
    }
    table
}

/// A table with this head, whose columns are aligned right but for the first.
fn table(head: &[&str]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    table.set_header(head);
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

fn or_dash(value: Option<impl Display>) -> String {
    value.map_or_else(|| "-".to_owned(), |value| value.to_string())
}

/// Milliseconds, with as many decimals as tell something.
fn milliseconds(ms: f64) -> String {
    let decimals = if ms < 20.0 { 1 } else { 0 };
    format!("{ms:.decimals$} ms")
}

fn counted(count: u64, thing: &str) -> String {
    let plural = if count == 1 { "" } else { "s" };
    format!("{count} {thing}{plural}")
}

#[cfg(test)]
mod tests;
