//! Results as tables and as JSON.

use std::io::{self, Write};

use clap::ValueEnum;
use comfy_table::{CellAlignment, Table, presets};
use serde::Serialize;

use crate::{measure::Sample, run::Measured, workload::Workload};

#[derive(Serialize)]
struct Line {
    system: String,
    workload: String,
    n: u64,
    /// Median; none when most repetitions never came to it.
    ns: Option<f64>,
    min_ns: Option<f64>,
    max_ns: Option<f64>,
    p50_ns: Option<f64>,
    p99_ns: Option<f64>,
    lost: Option<u64>,
    reordered: Option<u64>,
}

impl Line {
    fn of(row: &Measured) -> Self {
        let all = |of: fn(&Sample) -> Option<f64>| {
            let mut all: Vec<f64> =
                row.samples.iter().map(|sample| of(sample).unwrap_or(f64::INFINITY)).collect();
            all.sort_by(f64::total_cmp);
            all
        };
        let median = |of| Some(all(of)[row.samples.len() / 2]).filter(|value| value.is_finite());
        let ns = all(|sample| sample.ns);
        Self {
            system: row.system.name.clone(),
            workload: name(row.workload),
            n: row.samples[0].n,
            ns: median(|sample| sample.ns),
            min_ns: ns.first().copied().filter(|value| value.is_finite()),
            max_ns: ns.last().copied().filter(|value| value.is_finite()),
            p50_ns: median(|sample| sample.p50_ns),
            p99_ns: median(|sample| sample.p99_ns),
            lost: row.samples.iter().filter_map(|sample| sample.lost).max(),
            reordered: row.samples.iter().filter_map(|sample| sample.reordered).max(),
        }
    }
}

fn name(value: impl ValueEnum) -> String {
    value.to_possible_value().map_or_else(String::new, |value| value.get_name().to_owned())
}

/// One line for each system.
pub(crate) fn json(rows: &[Measured]) -> anyhow::Result<()> {
    for row in rows {
        writeln!(io::stdout(), "{}", serde_json::to_string(&Line::of(row))?)?;
    }
    Ok(())
}

/// With ratios to ours, which is the first.
pub(crate) fn table(workload: Workload, rows: &[Measured]) -> anyhow::Result<()> {
    let lines: Vec<Line> = rows.iter().map(Line::of).collect();
    let mut table = Table::new();
    table.load_style(presets::ASCII_MARKDOWN);
    table.set_header([
        "system",
        "median",
        "× ours",
        "min",
        "max",
        "p50",
        "p99",
        "lost",
        "reordered",
    ]);
    for line in &lines {
        let ratio = line.ns.zip(lines[0].ns).map(|(theirs, ours)| format!("{:.2}", theirs / ours));
        let never = if workload.fault().is_some() { "never" } else { "" };
        let number =
            |value: Option<f64>| value.map_or(String::new(), |value| format!("{value:.0}"));
        let count = |value: Option<u64>| value.map_or(String::new(), |value| value.to_string());
        table.add_row([
            line.system.clone(),
            line.ns.map_or(never.into(), |ns| format!("{ns:.0}")),
            ratio.unwrap_or_default(),
            number(line.min_ns),
            number(line.max_ns),
            number(line.p50_ns),
            number(line.p99_ns),
            count(line.lost),
            count(line.reordered),
        ]);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    writeln!(io::stdout(), "{}\n\n{table}\n", workload.unit())?;
    Ok(())
}
