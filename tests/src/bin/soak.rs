//! Supervision under random failures, for long: see [`actors_tests::soak`].

use std::{process::ExitCode, time::Duration};

use actors_tests::soak::{Plan, run};
use clap::Parser;
use indicatif::{ProgressBar, ProgressStyle};

/// A random tree of supervisors under random failures. Ends with 1 and a word on who was lost.
#[derive(Parser)]
struct Options {
    /// So long there are failures.
    #[arg(long, default_value_t = 300)]
    seconds: u64,
    /// Actors in the tree.
    #[arg(long, default_value_t = 2000)]
    actors: usize,
    /// What is drawn; the threads of the machine interleave as they like.
    #[arg(long)]
    seed: Option<u64>,
    /// Failures every 2 ms.
    #[arg(long, default_value_t = 4)]
    strikes: u32,
    /// Seconds after which somebody who does not come back is lost.
    #[arg(long, default_value_t = 60)]
    deadline: u64,
}

fn main() -> ExitCode {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    let Options { actors, seconds, strikes, .. } = options;
    println!("soak: --seed {seed} --actors {actors} --seconds {seconds} --strikes {strikes}");
    let plan = Plan {
        seed,
        actors,
        strikes,
        duration: Duration::from_secs(seconds),
        deadline: Duration::from_secs(options.deadline),
    };
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}")
            .expect("the template is a constant"),
    );
    let outcome = run(&plan, |done| {
        bar.set_message(format!("{} failures, {} lives", done.failures, done.lives));
        bar.tick();
    });
    bar.finish_and_clear();
    match outcome {
        Ok(done) => {
            println!("soak: nobody was lost: {done:?}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            println!("soak: FAILED with --seed {seed}: {error:#}");
            ExitCode::FAILURE
        }
    }
}
