//! The core under load, with all it promises checked: see [`actors_tests::stress`].

use std::{
    path::PathBuf,
    process::ExitCode,
    time::{Duration, Instant},
};

use actors_tests::stress::{Done, PHASES, Plan, round};
use clap::Parser;
use indicatif::{HumanCount, ProgressBar, ProgressStyle};

/// Round after round of everything the core promises, under load. Ends with 1 and a word on what was not
/// kept, or on what hangs.
#[derive(Parser)]
struct Options {
    /// Rounds are begun until so many seconds have passed; one at least.
    #[arg(long, default_value_t = 0)]
    seconds: u64,
    /// Of the full numbers (millions of messages and actors), so much.
    #[arg(long, default_value_t = 1.0)]
    scale: f64,
    /// What is drawn; the threads of the machine interleave as they like.
    #[arg(long)]
    seed: Option<u64>,
    /// Seconds after which a phase has hung.
    #[arg(long, default_value_t = 120)]
    deadline: u64,
    /// Writes what was done to this file.
    #[arg(long)]
    json: Option<PathBuf>,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let seed = options.seed.unwrap_or_else(|| fastrand::u64(..1 << 32));
    println!("stress: --seed {seed} --scale {}", options.scale);
    let bar = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("{spinner} {elapsed_precise} {msg}")
            .expect("the template is a constant"),
    );
    let (start, mut rounds, mut totals) = (Instant::now(), 0, Vec::<Done>::new());
    let failure = loop {
        let plan = Plan {
            seed: seed.wrapping_add(rounds * 1000),
            scale: options.scale,
            deadline: Duration::from_secs(options.deadline),
        };
        let done = round(&plan, |phase, operations| {
            let count = HumanCount(operations);
            bar.set_message(format!("round {}: {phase}, {count}", rounds + 1));
            bar.tick();
        });
        match done {
            Ok(done) => add(&mut totals, done),
            Err(error) => break Some(error),
        }
        rounds += 1;
        if start.elapsed() >= Duration::from_secs(options.seconds) {
            break None;
        }
    };
    bar.finish_and_clear();
    for done in &totals {
        let rate = done.operations as f64 / done.took.as_secs_f64();
        let count = HumanCount(done.operations).to_string();
        let rate = HumanCount(rate as u64).to_string();
        println!(
            "{:10} {count:>14} in {:7.2} s, {rate:>12} /s",
            done.phase,
            done.took.as_secs_f64()
        );
    }
    if let Some(file) = options.json {
        let phase = |done: &Done| {
            let took = done.took.as_secs_f64();
            serde_json::json!({ "name": done.phase, "operations": done.operations, "seconds": took })
        };
        let report = serde_json::json!({
            "seed": seed,
            "scale": options.scale,
            "rounds": rounds,
            "phases": totals.iter().map(phase).collect::<Vec<_>>(),
            "failure": failure.as_ref().map(|failure| format!("{failure:#}")),
        });
        std::fs::write(file, serde_json::to_vec_pretty(&report)?)?;
    }
    if let Some(failure) = failure {
        println!("stress: FAILED: {failure:#}");
        return Ok(ExitCode::FAILURE);
    }
    println!("stress: {rounds} rounds of {} phases, all promises kept", PHASES.len());
    Ok(ExitCode::SUCCESS)
}

fn add(totals: &mut Vec<Done>, done: Vec<Done>) {
    if totals.is_empty() {
        *totals = done;
        return;
    }
    for (total, done) in totals.iter_mut().zip(done) {
        total.operations += done.operations;
        total.took += done.took;
    }
}
