//! What checkpoints cost beside what they cannot do without: a copy, a codec, a write.
//!
//! Ours and the bare work take turns within one process; the figures are medians. `cargo run --release -p
//! checkpoint`.

mod allocations;
mod workloads;

use std::io::Write;

use clap::Parser;
use comfy_table::{Table, presets};
use serde::Serialize;

/// What checkpoints cost.
#[derive(Parser)]
struct Arguments {
    /// Only these workloads.
    #[arg(long, value_delimiter = ',')]
    only: Vec<String>,
    /// How often each is measured.
    #[arg(long, default_value_t = 9)]
    reps: usize,
    /// A sixteenth of the bytes.
    #[arg(long)]
    quick: bool,
    /// One object per line instead of a table.
    #[arg(long)]
    json: bool,
}

/// One line of the table.
#[derive(Serialize)]
struct Row {
    workload: &'static str,
    /// What it is beside.
    beside: &'static str,
    /// Nanoseconds, medians.
    ns: u64,
    beside_ns: Option<u64>,
    /// The rate of ours by that of the other: 1 is as fast.
    ratio: Option<f64>,
    goal: &'static str,
    note: String,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let mut rows = Vec::new();
    for (name, run) in workloads::ALL {
        if !arguments.only.is_empty() && !arguments.only.iter().any(|only| only == name) {
            continue;
        }
        let row = run(arguments.reps.max(1), if arguments.quick { 16 } else { 1 })?;
        match arguments.json {
            true => writeln!(std::io::stdout(), "{}", serde_json::to_string(&row)?)?,
            false => eprintln!("{name}: done"),
        }
        rows.push(row);
    }
    if !arguments.json {
        writeln!(std::io::stdout(), "{}", table(&rows))?;
    }
    Ok(())
}

fn table(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header(["workload", "ours, µs", "beside", "µs", "ratio", "goal", ""]);
    for row in rows {
        let micros = |ns: u64| format!("{:.1}", ns as f64 / 1000.0);
        table.add_row([
            row.workload.to_string(),
            micros(row.ns),
            row.beside.to_string(),
            row.beside_ns.map_or_else(String::new, micros),
            row.ratio.map_or_else(String::new, |ratio| format!("{ratio:.2}")),
            row.goal.to_string(),
            row.note.clone(),
        ]);
    }
    table
}
