//! `kill -9` at random moments of a process that saves: see [`actors_tests::saves`].

use std::{env, process::ExitCode};

use actors_tests::saves::run;
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// Kills a saving process again and again. Ends with 1 and a word on what was lost or mixed.
#[derive(Parser)]
struct Options {
    /// Processes to kill.
    #[arg(default_value_t = 1000)]
    rounds: u32,
    /// What is drawn; where a kill finds the process is not.
    #[arg(long)]
    seed: Option<u64>,
}

fn main() -> anyhow::Result<ExitCode> {
    let Options { rounds, seed } = Options::parse();
    let seed = seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("saves: {rounds} --seed {seed}");
    let style = ProgressStyle::with_template("{bar:40} {pos}/{len} {msg}")?;
    let bar = ProgressBar::new(rounds.into()).with_style(style);
    let saver = env::current_exe()?.with_file_name("test-saver");
    let outcome = run(&saver, seed, rounds, |done| {
        bar.set_position(done.rounds.into());
        bar.set_message(format!("{} versions committed", done.committed));
    });
    bar.finish_and_clear();
    Ok(match outcome {
        Ok(done) => {
            println!("saves: nothing was lost: {done:#?}");
            // One in four commits is such a one: with so many rounds some must have been struck.
            if rounds >= 100 && done.compacting < rounds / 50 {
                println!("saves: FAILED: too few kills within a commit that compacts");
                return Ok(ExitCode::FAILURE);
            }
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("saves: FAILED with --seed {seed}: {error:#}");
            ExitCode::FAILURE
        }
    })
}
