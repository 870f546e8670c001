//! Benchmarks of `actors-core` and its peers, in the manner of the Savina suite.
//!
//! Every repetition runs in a process of its own, which is this program with a hidden subcommand: see
//! [`child`].

mod chart;
mod child;
mod measure;
mod options;
mod parts;
mod peers;
mod report;
mod run;
mod workload;

use clap::Parser;

use crate::options::{Hidden, Options};

fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    if let Some(Hidden::Once { system, workload, n }) = &options.hidden {
        return child::run(system, workload, *n);
    }
    let results =
        run::all(&options, |number| if options.json { report::json(number) } else { Ok(()) })?;
    if let Some(file) = &options.chart {
        chart::draw(&results, file)?;
    }
    if !options.json {
        report::tables(&results);
    }
    Ok(())
}
