//! The command line.

use std::{path::PathBuf, str::FromStr};

use anyhow::{Context, ensure};
use clap::{Parser, Subcommand};

use crate::{peers, workload::WORKLOADS};

/// Benchmarks of actors-core and its peers, in the manner of the Savina suite.
#[derive(Debug, Parser)]
pub(crate) struct Options {
    /// Print one JSON object per line instead of tables.
    #[arg(long)]
    pub(crate) json: bool,

    /// Workloads to run; all without it.
    #[arg(long, value_delimiter = ',', value_parser = workload)]
    pub(crate) only: Vec<String>,

    /// Systems to run beside ours; all without it, none with "".
    #[arg(long, value_delimiter = ',', value_parser = peer)]
    pub(crate) peers: Option<Vec<String>>,

    /// Repetitions; the median counts.
    #[arg(long, default_value_t = 5, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) reps: u32,

    /// A tenth of the operations.
    #[arg(long)]
    pub(crate) quick: bool,

    /// Draw times relative to ours into this file (SVG).
    #[arg(long, value_name = "FILE")]
    pub(crate) chart: Option<PathBuf>,

    /// A system that is another program: COMMAND is run with a workload and its size, and prints what
    /// this program prints for a repetition.
    #[arg(long, value_name = "NAME=COMMAND")]
    pub(crate) external: Vec<External>,

    #[command(subcommand)]
    pub(crate) hidden: Option<Hidden>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Hidden {
    /// One repetition, in this process.
    #[command(hide = true)]
    Once {
        /// The system.
        system: String,
        /// The workload.
        workload: String,
        /// Operations.
        n: u64,
    },
}

/// A system that is another program.
#[derive(Clone, Debug)]
pub(crate) struct External {
    pub(crate) name: String,
    pub(crate) command: Vec<String>,
}

impl FromStr for External {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> anyhow::Result<Self> {
        let (name, command) = text.split_once('=').context("NAME=COMMAND is wanted")?;
        let command: Vec<_> = command.split_whitespace().map(str::to_owned).collect();
        ensure!(!command.is_empty(), "the command is empty");
        Ok(Self { name: name.into(), command })
    }
}

fn workload(name: &str) -> Result<String, String> {
    let names = WORKLOADS.iter().map(|workload| workload.name);
    known(name, names.collect())
}

fn peer(name: &str) -> Result<String, String> {
    if name.is_empty() {
        return Ok(String::new());
    }
    known(name, peers::PEERS.iter().skip(1).map(|peer| peer.name()).collect())
}

fn known(name: &str, names: Vec<&str>) -> Result<String, String> {
    if names.contains(&name) {
        Ok(name.into())
    } else {
        Err(format!("one of {} is wanted", names.join(", ")))
    }
}
