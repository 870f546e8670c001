//! What membership by gossip costs, and how soon it finds a failure, beside what SWIM predicts: engines
//! in simulated time, so the figures are exact for their seeds.
//!
//! ```text
//! cargo run --release -p actors-node --features simulation --example membership            # all
//! cargo run --release -p actors-node --features simulation --example membership -- 10 100  # these sizes
//! ```

use std::{f64::consts::E, time::Duration};

use actors_node::{
    Swim,
    simulation::{Figures, Run},
};

/// Nodes above this know so many others alone.
const ALL_KNOWN: usize = 1_000;
const SAMPLE: usize = 100;

fn main() {
    let asked: Vec<usize> = std::env::args().skip(1).filter_map(|n| n.parse().ok()).collect();
    let sizes = if asked.is_empty() { vec![10, 100, 1_000, 10_000] } else { asked };
    let settings = Swim::default();
    let period = settings.period.as_secs_f64();
    println!("period {period} s; SWIM: first detection after {:.2} s", period * E / (E - 1.0));
    println!(
        "{:>6} {:>5} {:>5} | {:>7} {:>7} {:>6} {:>6} | {:>6} {:>6} | {:>15} {:>15} {:>15} | {:>8}",
        "nodes",
        "loss",
        "runs",
        "pkt/s",
        "B/s",
        "dial/s",
        "conn",
        "susp.",
        "deaths",
        "suspected s",
        "found s",
        "all know s",
        "predicted"
    );
    for nodes in sizes {
        for loss in [0, 50, 100] {
            row(nodes, loss, settings);
        }
    }
}

fn row(nodes: usize, loss: u32, settings: Swim) {
    let runs = match nodes {
        ..=100 => 100,
        101..=1_000 => 10,
        _ => 2,
    };
    let sample = (nodes > ALL_KNOWN).then_some(SAMPLE);
    let quiet = Duration::from_secs(60);
    let figures: Vec<Figures> = (0..runs)
        .map(|seed| Run { seed, nodes, sample, loss, quiet, settings }.figures())
        .collect();
    let mean = |of: fn(&Figures) -> f64| figures.iter().map(of).sum::<f64>() / runs as f64;
    println!(
        "{nodes:>6} {:>4}% {runs:>5} | {:>7.2} {:>7.0} {:>6.2} {:>6.1} | {:>6} {:>6} | {:>15} {:>15} {:>15} | {:>8.1}",
        loss / 10,
        mean(|f| f.packets),
        mean(|f| f.bytes),
        mean(|f| f.dials),
        mean(|f| f.connections),
        figures.iter().map(|f| f.false_suspicions).sum::<usize>(),
        figures.iter().map(|f| f.false_deaths).sum::<usize>(),
        spread(&figures, |f| f.suspected),
        spread(&figures, |f| f.found),
        spread(&figures, |f| f.known),
        predicted(sample.unwrap_or(nodes), settings),
    );
}

/// The mean, and the longest.
fn spread(figures: &[Figures], of: fn(&Figures) -> Duration) -> String {
    let all: Vec<f64> = figures.iter().map(|f| of(f).as_secs_f64()).collect();
    let mean = all.iter().sum::<f64>() / all.len() as f64;
    format!("{mean:.1} ({:.1})", all.iter().copied().fold(0.0, f64::max))
}

/// When the first declares a node dead: the first detection, and the shortest suspicion.
fn predicted(nodes: usize, settings: Swim) -> f64 {
    let suspicion = f64::from(settings.suspicion) * (nodes as f64).log10().max(1.0);
    settings.period.as_secs_f64() * (E / (E - 1.0) + suspicion)
}
