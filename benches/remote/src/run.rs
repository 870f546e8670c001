//! Repetitions: two processes each.

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, ChildStdout, Command, Stdio},
    thread,
    time::Duration,
};

use anyhow::{Context, bail};
use clap::ValueEnum;
use indicatif::ProgressBar;

use crate::{
    Arguments,
    measure::{self, Sample},
    report,
    systems::Name,
    workload::Workload,
};

/// Who is measured.
#[derive(Clone, Debug)]
pub(crate) struct System {
    pub(crate) name: String,
    command: Vec<String>,
    built_in: Option<Name>,
}

impl System {
    fn built_in(system: Name) -> anyhow::Result<Self> {
        let this = env::current_exe()?.to_str().context("the path is no text")?.to_owned();
        Ok(Self { name: name(system), command: vec![this], built_in: Some(system) })
    }

    /// `NAME=COMMAND`, with spaces between the command's arguments.
    pub(crate) fn external(text: &str) -> Result<Self, String> {
        let (name, command) = text.split_once('=').ok_or("NAME=COMMAND is expected")?;
        let command = command.split_whitespace().map(str::to_owned).collect();
        Ok(Self { name: name.to_owned(), command, built_in: None })
    }

    fn can(&self, workload: Workload) -> bool {
        self.built_in.is_none_or(|system| system.can(workload))
    }

    /// What the program is told beside its role.
    fn arguments(&self, role: &str) -> Vec<String> {
        let mut arguments = vec![role.to_owned()];
        arguments.extend(self.built_in.map(name));
        arguments
    }

    fn start(&self, arguments: &[String]) -> anyhow::Result<(Process, BufReader<ChildStdout>)> {
        let (program, first) = self.command.split_first().context("no command")?;
        let mut child = Command::new(program)
            .args(first)
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| program.clone())?;
        let output = child.stdout.take().context("no output")?;
        Ok((Process(child), BufReader::new(output)))
    }
}

/// What was measured of one system in one workload, by repetition.
pub(crate) struct Measured {
    pub(crate) system: System,
    pub(crate) workload: Workload,
    pub(crate) samples: Vec<Sample>,
}

pub(crate) fn run(arguments: &Arguments) -> anyhow::Result<()> {
    let workloads = or_all(&arguments.only, &Workload::ALL);
    let built_in = or_all(&arguments.systems, Name::value_variants());
    let mut systems = built_in.into_iter().map(System::built_in).collect::<Result<Vec<_>, _>>()?;
    systems.extend(arguments.external.iter().cloned());
    let bar = ProgressBar::new((workloads.len() * systems.len() * arguments.reps) as u64);
    for workload in workloads {
        let n = if arguments.quick { workload.size().div_ceil(10) } else { workload.size() };
        let mut rows: Vec<Measured> = Vec::new();
        for system in systems.iter().filter(|system| system.can(workload)) {
            rows.push(Measured { system: system.clone(), workload, samples: Vec::new() });
        }
        for _ in 0..arguments.reps {
            for row in &mut rows {
                let sample = repetition(&row.system, workload, n);
                row.samples
                    .push(sample.with_context(|| format!("{} {workload:?}", row.system.name))?);
                bar.inc(1);
            }
        }
        bar.suspend(|| match arguments.json {
            true => report::json(&rows),
            false => report::table(workload, &rows),
        })?;
    }
    bar.finish_and_clear();
    Ok(())
}

fn or_all<T: Copy>(some: &[T], all: &[T]) -> Vec<T> {
    if some.is_empty() { all.to_vec() } else { some.to_vec() }
}

fn repetition(system: &System, workload: Workload, n: u64) -> anyhow::Result<Sample> {
    let (server, address) = system.start(&system.arguments("server"))?;
    let address = address.lines().next().context("the server said nothing")??;
    let mut client = system.arguments("client");
    client.extend([name(workload), address, n.to_string()]);
    let (mut client, output) = system.start(&client)?;
    let mut lines = output.lines();
    let mut began = None;
    loop {
        let line =
            lines.next().with_context(|| format!("the client ended: {:?}", client.0.wait()))??;
        if line == "ready" {
            // Whatever the connection has to settle is done by then.
            thread::sleep(Duration::from_millis(300));
            began = Some(measure::now());
            server.signal(workload.fault().context("nothing was to happen")?)?;
            continue;
        }
        let sample: Sample = serde_json::from_str(&line)?;
        let ns = began.zip(sample.at).map(|(began, at)| at.saturating_sub(began) as f64);
        return Ok(Sample { ns: ns.or(sample.ns), at: None, ..sample });
    }
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// Killed when it is dropped.
struct Process(Child);

impl Process {
    fn signal(&self, signal: i32) -> anyhow::Result<()> {
        // SAFETY: the child was not waited for, so the number is its own.
        if unsafe { libc::kill(self.0.id() as i32, signal) } != 0 {
            bail!(std::io::Error::last_os_error());
        }
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}
