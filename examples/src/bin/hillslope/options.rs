//! The command line, made into a [`Job`] of which everything is known to be possible.
//!
//! A job begins in two ways. [`Options::begin`] takes its [`Settings`] and its grid from the command line;
//! [`Options::resume`] takes them from the directory that the job had saved to, and refuses options that say otherwise.

use std::ffi::OsString;
use std::fmt::Display;
use std::fs;
use std::path::{Path, PathBuf};

use clap::builder::RangedI64ValueParser;
use clap::error::ErrorKind;
use clap::{Parser, value_parser};
use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::grid::{Grid, GridError, parent_directory};

mod faults;

pub(crate) use faults::{Kill, Stop};

/// What the command line asks for.
#[derive(Debug)]
pub(crate) enum Request {
    /// Print this text (help or version), end the line and exit with 0.
    Print(String),
    /// Run a job.
    Run(Box<Options>),
}

impl Request {
    /// Reads a command line, the program's name first.
    ///
    /// # Errors
    ///
    /// [`OptionError`] for whatever can be refused without knowing the grid.
    pub(crate) fn parse(
        line: impl IntoIterator<Item = impl Into<OsString> + Clone>,
    ) -> Result<Self, OptionError> {
        match Arguments::try_parse_from(line) {
            Ok(arguments) => Options::new(arguments).map(|options| Self::Run(Box::new(options))),
            Err(error) => match error.kind() {
                ErrorKind::DisplayHelp | ErrorKind::DisplayVersion => {
                    Ok(Self::Print(error.to_string().trim_end().to_owned()))
                }
                _ => Err(OptionError::Usage(first_paragraph(&error.to_string()))),
            },
        }
    }
}

/// A valid command line, before the grid is known.
#[derive(Debug)]
pub(crate) struct Options {
    arguments: Arguments,
}

impl Options {
    fn new(arguments: Arguments) -> Result<Self, OptionError> {
        let processes = arguments.nodes + arguments.spares;
        if processes > MAX_PROCESSES {
            return Err(OptionError::TooManyProcesses { processes });
        }
        for &kill in &arguments.kill {
            check_node(format!("--kill {kill}"), kill.node, processes)?;
        }
        for &stop in &arguments.stop {
            check_node(format!("--stop {stop}"), stop.node, processes)?;
        }
        for &node in &arguments.kill_successor {
            check_node(format!("--kill-successor {node}"), node, processes)?;
        }
        if let Some(dir) = &arguments.dir {
            check_directory("--dir", dir)?;
        }
        if let Some(dir) = &arguments.resume {
            check_resumable(dir)?;
        }
        check_outputs(&arguments)?;
        Ok(Self { arguments })
    }

    /// The directory to go on from, if the job is to be resumed rather than begun.
    pub(crate) fn resume_dir(&self) -> Option<&Path> {
        self.arguments.resume.as_deref()
    }

    /// The job from its beginning; reads the input.
    ///
    /// # Errors
    ///
    /// [`OptionError::Grid`] for a bad input, and whatever does not fit its size.
    pub(crate) fn begin(self) -> Result<Job, OptionError> {
        let arguments = &self.arguments;
        let (input_name, input) = match &arguments.input {
            Some(path) => (path.display().to_string(), Grid::read(path)?),
            None => (SHIPPED_NAME.to_owned(), Grid::parse(SHIPPED_NAME, SHIPPED_GRID)?),
        };
        let settings = Settings {
            steps: arguments.steps.unwrap_or(20_000),
            rate: arguments.rate.unwrap_or(0.2),
            strips: arguments.strips.unwrap_or(arguments.nodes as usize),
            level1_every: arguments.level1_every.unwrap_or(50),
            level2_every: arguments.level2_every.unwrap_or(200),
            save_every: arguments.save_every.unwrap_or(2000),
        };
        let default_kill = Kill { node: 2, step: settings.steps / 2 };
        let killable = arguments.nodes + arguments.spares >= default_kill.node;
        let killable = killable && !arguments.no_kill && arguments.listen.is_none();
        let as_asked = !arguments.kill.is_empty() || !arguments.stop.is_empty();
        let kills = if killable && !as_asked { vec![default_kill] } else { arguments.kill.clone() };
        self.job(settings, input_name, input, kills)
    }

    /// The job that [`Options::resume_dir`] holds, with the settings and the input that it was begun with.
    ///
    /// # Errors
    ///
    /// [`OptionError::Contradiction`] and [`OptionError::OtherInput`] when an option says otherwise.
    pub(crate) fn resume(self, saved: Settings, input: Grid) -> Result<Job, OptionError> {
        let arguments = &self.arguments;
        same("--steps", arguments.steps, saved.steps)?;
        same("--rate", arguments.rate, saved.rate)?;
        same("--strips", arguments.strips, saved.strips)?;
        same("--level1-every", arguments.level1_every, saved.level1_every)?;
        same("--level2-every", arguments.level2_every, saved.level2_every)?;
        same("--save-every", arguments.save_every, saved.save_every)?;
        if let Some(path) = &arguments.input
            && Grid::read(path)? != input
        {
            return Err(OptionError::OtherInput { path: path.clone() });
        }
        let input_name = "the resumed job's input".to_owned();
        let kills = arguments.kill.clone();
        self.job(saved, input_name, input, kills)
    }

    fn job(
        self,
        settings: Settings,
        input_name: String,
        input: Grid,
        kills: Vec<Kill>,
    ) -> Result<Job, OptionError> {
        let arguments = self.arguments;
        if !(1..=input.inner_rows()).contains(&settings.strips) {
            return Err(OptionError::Strips {
                strips: settings.strips,
                input: input_name,
                inner_rows: input.inner_rows(),
            });
        }
        let steps = settings.steps;
        if let Some(&kill) = kills.iter().find(|kill| kill.step > steps) {
            return Err(OptionError::TooLate { option: format!("--kill {kill}"), steps });
        }
        if let Some(&stop) = arguments.stop.iter().find(|stop| stop.step > steps) {
            return Err(OptionError::TooLate { option: format!("--stop {stop}"), steps });
        }
        Ok(Job {
            settings,
            input_name,
            input,
            nodes: arguments.nodes,
            spares: arguments.spares,
            kills,
            successor_kills: arguments.kill_successor,
            stops: arguments.stop,
            dir: arguments.dir.or(arguments.resume),
            output: arguments.output,
            png: arguments.png,
            json: arguments.json,
            verify: !arguments.no_verify,
            quiet: arguments.quiet,
            listen: arguments.listen,
        })
    }
}

/// A job that can be run as it stands.
#[derive(Debug)]
pub(crate) struct Job {
    /// What decides the result and how it is protected.
    pub(crate) settings: Settings,
    /// What messages call the input.
    pub(crate) input_name: String,
    /// The elevations at step 0.
    pub(crate) input: Grid,
    /// Node processes that hold strips from the start, named 1 to `nodes`.
    pub(crate) nodes: u32,
    /// Node processes kept for replacement, named from `nodes + 1`.
    pub(crate) spares: u32,
    /// The nodes to kill, as given.
    pub(crate) kills: Vec<Kill>,
    /// The nodes whose successors are to be killed while they take over.
    pub(crate) successor_kills: Vec<u32>,
    /// The nodes to let stand still for a time, as given.
    pub(crate) stops: Vec<Stop>,
    /// Where the last level is; of a resumed job, the directory that it goes on from.
    pub(crate) dir: Option<PathBuf>,
    /// Where to write the final grid.
    pub(crate) output: Option<PathBuf>,
    /// Where to draw the picture.
    pub(crate) png: Option<PathBuf>,
    /// Where to write the report.
    pub(crate) json: Option<PathBuf>,
    /// Whether to compare the result with the serial one.
    pub(crate) verify: bool,
    /// Whether to print errors only.
    pub(crate) quiet: bool,
    /// Where to take nodes that others start; none of its own are then started, nor killed.
    pub(crate) listen: Option<String>,
}

/// What a job keeps from its beginning to its end, however often it is resumed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Settings {
    /// Steps of the whole job, at least 1.
    pub(crate) steps: u64,
    /// The scheme's rate, in (0, 0.25].
    #[serde(with = "exact")]
    pub(crate) rate: f64,
    /// Number of strips, from 1 to the grid's inner rows.
    pub(crate) strips: usize,
    /// Steps between captures in the own node's memory; 0 for none.
    pub(crate) level1_every: u64,
    /// Steps between captures on another node; 0 for none.
    pub(crate) level2_every: u64,
    /// Steps between captures in the directory; 0 for none.
    pub(crate) save_every: u64,
}

/// Why a command line is refused: one line that names the option, or the place in the input.
#[derive(Debug, Error)]
pub(crate) enum OptionError {
    #[error("{0}")]
    Usage(String),
    #[error("--nodes and --spares: {processes} processes are more than {MAX_PROCESSES}")]
    TooManyProcesses { processes: u32 },
    #[error("{option}: no node {node}, the nodes are 1 to {processes}")]
    NoSuchNode { option: String, node: u32, processes: u32 },
    #[error("{option}: the job ends at step {steps}")]
    TooLate { option: String, steps: u64 },
    #[error("--strips {strips}: {input} has {inner_rows} inner rows, a strip takes at least one")]
    Strips { strips: usize, input: String, inner_rows: usize },
    #[error("{option} {}: {reason}", path.display())]
    Place { option: &'static str, path: PathBuf, reason: String },
    #[error("{option} {asked}: the resumed job has {saved}")]
    Contradiction { option: &'static str, asked: String, saved: String },
    #[error("--input {}: not the grid that the resumed job was begun with", path.display())]
    OtherInput { path: PathBuf },
    #[error(transparent)]
    Grid(#[from] GridError),
}

/// Linear hillslope diffusion on an elevation grid, computed by several node processes of which some are killed.
#[derive(Debug, Parser)]
#[command(name = "hillslope", version)]
struct Arguments {
    /// Elevations, an ESRI ASCII grid [default: the shipped sample]
    #[arg(long, value_name = "FILE")]
    input: Option<PathBuf>,

    /// Steps to compute [default: 20000]
    #[arg(long, value_name = "N", value_parser = value_parser!(u64).range(1..), allow_negative_numbers = true)]
    steps: Option<u64>,

    /// Diffusivity * time step / cell size^2, above 0 and at most 0.25 [default: 0.2]
    #[arg(long, value_name = "R", value_parser = rate, allow_negative_numbers = true)]
    rate: Option<f64>,

    /// Node processes that compute, named 1 to N
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = processes(1), allow_negative_numbers = true)]
    nodes: u32,

    /// Node processes that wait to replace a lost one, named from N + 1
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = processes(0), allow_negative_numbers = true)]
    spares: u32,

    /// Strips to cut the grid into [default: one a node]
    #[arg(long, value_name = "N", allow_negative_numbers = true)]
    strips: Option<usize>,

    /// Kill a node when the slowest strip reaches a step; may be repeated [default: node 2 half-way,
    /// without --stop]
    #[arg(long, value_name = "NODE@STEP", allow_negative_numbers = true)]
    kill: Vec<Kill>,

    /// Kill no node
    #[arg(long, conflicts_with = "kill")]
    no_kill: bool,

    /// Kill whichever node takes over the strips of this one, while it does; may be repeated
    #[arg(long, value_name = "NODE", allow_negative_numbers = true)]
    kill_successor: Vec<u32>,

    /// Let a node stand still for a time when the slowest strip reaches a step; may be repeated
    #[arg(long, value_name = "NODE@STEP+SECONDS", allow_negative_numbers = true)]
    stop: Vec<Stop>,

    /// Steps between checkpoints in the own node's memory, 0 for none [default: 50]
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true)]
    level1_every: Option<u64>,

    /// Steps between checkpoints on another node, 0 for none [default: 200]
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true)]
    level2_every: Option<u64>,

    /// Steps between checkpoints in a directory, 0 for none [default: 2000]
    #[arg(long, value_name = "STEPS", allow_negative_numbers = true)]
    save_every: Option<u64>,

    /// Directory for checkpoints that outlive the job [default: a temporary one]
    #[arg(long, value_name = "DIR", conflicts_with = "resume")]
    dir: Option<PathBuf>,

    /// Go on from the last checkpoint in the directory of an earlier job
    #[arg(long, value_name = "DIR")]
    resume: Option<PathBuf>,

    /// Write the final grid
    #[arg(long, value_name = "FILE.asc")]
    output: Option<PathBuf>,

    /// Draw the relief before and after, and the difference
    #[arg(long, value_name = "FILE.png")]
    png: Option<PathBuf>,

    /// Write the report
    #[arg(long, value_name = "FILE.json")]
    json: Option<PathBuf>,

    /// Compare the result with that of a serial computation, bit for bit (the default)
    #[arg(long = "verify", overrides_with = "no_verify")]
    _verify: bool,

    /// Compare with nothing
    #[arg(long, overrides_with = "_verify")]
    no_verify: bool,

    /// Print errors only
    #[arg(long)]
    quiet: bool,

    /// Start no node, take those that others start with `hillslope node --head ADDRESS --name N`
    #[arg(long, value_name = "ADDRESS", hide = true, conflicts_with_all = ["kill", "kill_successor", "stop"])]
    listen: Option<String>,
}

fn processes(at_least: u32) -> RangedI64ValueParser<u32> {
    value_parser!(u32).range(i64::from(at_least)..=i64::from(MAX_PROCESSES))
}

fn check_node(option: String, node: u32, processes: u32) -> Result<(), OptionError> {
    if (1..=processes).contains(&node) {
        return Ok(());
    }
    Err(OptionError::NoSuchNode { option, node, processes })
}

fn rate(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(rate) if rate > 0.0 && rate <= 0.25 => Ok(rate),
        _ => Err("expected a number above 0 and at most 0.25".to_owned()),
    }
}

/// Refuses an option that was given and is not what the resumed job has.
fn same<T: PartialEq + Display>(
    option: &'static str,
    asked: Option<T>,
    saved: T,
) -> Result<(), OptionError> {
    match asked {
        Some(asked) if asked != saved => Err(OptionError::Contradiction {
            option,
            asked: asked.to_string(),
            saved: saved.to_string(),
        }),
        _ => Ok(()),
    }
}

/// Every output must be a file that can be created or replaced, and no two the same.
fn check_outputs(arguments: &Arguments) -> Result<(), OptionError> {
    let outputs =
        [("--output", &arguments.output), ("--png", &arguments.png), ("--json", &arguments.json)];
    let mut earlier: Vec<(&str, PathBuf)> = Vec::new();
    for (option, path) in outputs {
        let Some(path) = path else { continue };
        let target = check_file(option, path)?;
        if let Some((other, _)) = earlier.iter().find(|(_, taken)| *taken == target) {
            return Err(place(option, path, format!("{other} names the same file")));
        }
        earlier.push((option, target));
    }
    Ok(())
}

/// The absolute path of an output, once a file can be written there.
fn check_file(option: &'static str, path: &Path) -> Result<PathBuf, OptionError> {
    let ends_in_slash = path.as_os_str().as_encoded_bytes().ends_with(b"/");
    let (Some(name), false) = (path.file_name(), ends_in_slash) else {
        return Err(place(option, path, "not the name of a file"));
    };
    if fs::metadata(path).is_ok_and(|found| !found.is_file()) {
        return Err(place(option, path, "not a regular file"));
    }
    let target = match fs::canonicalize(path) {
        Ok(target) => target,
        Err(_) => fs::canonicalize(parent_directory(path))
            .map_err(|error| place(option, path, error))?
            .join(name),
    };
    check_writable(option, path, parent_directory(&target))?;
    Ok(target)
}

/// `dir` must be a directory that can be written to, or one that can be created.
fn check_directory(option: &'static str, dir: &Path) -> Result<(), OptionError> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => check_writable(option, dir, dir),
        Ok(_) => Err(place(option, dir, "not a directory")),
        Err(_) => check_writable(option, dir, parent_directory(dir)),
    }
}

fn check_resumable(dir: &Path) -> Result<(), OptionError> {
    match fs::metadata(dir) {
        Ok(found) if found.is_dir() => check_writable("--resume", dir, dir),
        Ok(_) => Err(place("--resume", dir, "not a directory")),
        Err(error) => Err(place("--resume", dir, error)),
    }
}

/// Tries it, with a file that has no name: permissions alone do not tell of a read-only file system.
fn check_writable(option: &'static str, path: &Path, dir: &Path) -> Result<(), OptionError> {
    match tempfile::tempfile_in(dir) {
        Ok(_) => Ok(()),
        Err(error) => Err(place(option, path, error)),
    }
}

fn place(option: &'static str, path: &Path, reason: impl ToString) -> OptionError {
    OptionError::Place { option, path: path.to_owned(), reason: reason.to_string() }
}

/// What clap says ahead of its hints, on one line.
fn first_paragraph(message: &str) -> String {
    let message = message.strip_prefix("error: ").unwrap_or(message);
    let lines = message.lines().map(str::trim);
    let paragraph: Vec<&str> = lines.take_while(|line| !line.is_empty()).collect();
    paragraph.join(" ")
}

/// A number as text: not every format, JSON for one, gives back each `f64` bit for bit.
mod exact {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(number: &f64, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(number)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<f64, D::Error> {
        let text = String::deserialize(from)?;
        text.parse().map_err(D::Error::custom)
    }
}

/// More than a machine runs with sense, and few enough to start.
const MAX_PROCESSES: u32 = 256;

const SHIPPED_NAME: &str = "jacksboro.asc (shipped)";

const SHIPPED_GRID: &str = include_str!("../../../data/jacksboro.asc");

#[cfg(test)]
mod tests;
