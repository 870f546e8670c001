//! Whether nodes that only have much to do are taken for dead: many node processes that send each other
//! bulk, on processors that have no time left. Any `Down` is a false one.

use std::{
    process::ExitCode,
    time::{Duration, Instant},
};

use actors_node::Detection;
use actors_tests::peer::{Peer, connected};
use anyhow::Context;
use clap::Parser;

/// Between two looks.
const LOOK: Duration = Duration::from_secs(10);

/// Looks for nodes that are declared dead while they only have much to do
#[derive(Parser)]
struct Options {
    /// For so long
    #[arg(long, default_value_t = 60)]
    seconds: u64,
    /// Node processes, each of which sends bulk to two others
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u64).range(3..=50))]
    nodes: u64,
    /// Threads that do nothing but spin [default: twice as many as there are processors]
    #[arg(long)]
    spinning: Option<usize>,
}

fn main() -> anyhow::Result<ExitCode> {
    let options = Options::parse();
    let processors = std::thread::available_parallelism()?.get();
    let spinning = options.spinning.unwrap_or(2 * processors);
    let own = std::env::current_exe()?;
    let program = own.with_file_name("test-peer");
    anyhow::ensure!(program.exists(), "{} is not built", program.display());
    let names = (1..=options.nodes).map(|n| format!("n{n}"));
    let start = |name: String| Peer::local(&program, &name, Detection::default());
    let peers = connected(names.map(start).collect());
    load(&peers, spinning);
    println!(
        "{} nodes, bulk from each to two others, {spinning} spinning threads on {processors} processors",
        peers.len()
    );
    let began = Instant::now();
    loop {
        let rest = Duration::from_secs(options.seconds).saturating_sub(began.elapsed());
        std::thread::sleep(rest.min(LOOK));
        let seen = Seen::of(&peers)?;
        println!("after {:.0?}: {seen:?}", began.elapsed());
        if seen.down > 0 || seen.refused > 0 {
            peers.iter().for_each(|peer| println!("{}: {:?}", peer.name(), peer.all("down ")));
            return Ok(ExitCode::FAILURE);
        }
        if rest.is_zero() {
            anyhow::ensure!(seen.moved > 0, "nothing was carried");
            return Ok(ExitCode::SUCCESS);
        }
    }
}

fn load(peers: &[Peer], spinning: usize) {
    for (n, peer) in peers.iter().enumerate() {
        for further in [1, 2] {
            let to = peers[(n + further) % peers.len()].name();
            peer.tell(&format!("book {to}"));
            peer.wait_for(&format!("book {to}"));
            peer.tell(&format!("bulk {to}"));
        }
    }
    (0..spinning).for_each(|n| peers[n % peers.len()].tell("spin"));
}

/// What all nodes together have seen.
#[derive(Debug)]
#[allow(dead_code, reason = "printed")]
struct Seen {
    suspected: usize,
    recovered: usize,
    down: usize,
    refused: usize,
    /// Bytes.
    moved: u64,
}

impl Seen {
    fn of(peers: &[Peer]) -> anyhow::Result<Self> {
        let count = |line: &str| peers.iter().map(|peer| peer.all(line).len()).sum();
        let mut moved = 0;
        for peer in peers {
            peer.tell("moved");
            let line = peer.all("moved ").pop().context("it says so")?;
            moved += line["moved ".len()..].parse::<u64>()?;
        }
        Ok(Self {
            suspected: count("suspected "),
            recovered: count("recovered "),
            down: count("down "),
            refused: count("bulk refused "),
            moved,
        })
    }
}
