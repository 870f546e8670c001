//! Results as tables and as JSON.

use std::io::{self, Write};

use comfy_table::{CellAlignment, Table, presets};

use crate::run::{Measured, Results};

/// One line.
pub(crate) fn json(measured: &Measured) -> anyhow::Result<()> {
    writeln!(io::stdout(), "{}", serde_json::to_string(&rounded(measured))?)?;
    Ok(())
}

/// A table for each row of numbers, with ratios to ours.
pub(crate) fn tables(results: &Results) {
    for (row, unit) in results.workloads.iter().flat_map(|workload| workload.rows()) {
        println!("{row}: {unit}\n{}\n", table(results, row));
    }
}

fn table(results: &Results, row: &str) -> Table {
    let ours = results.find(&results.systems[0], row);
    let columns: Vec<Column> =
        COLUMNS.iter().filter(|c| c.is_used(results, row)).copied().collect();
    let mut table = Table::new();
    table.load_style(presets::UTF8_FULL_CONDENSED);
    let mut head = vec!["system".to_owned()];
    for column in &columns {
        head.push(column.name.into());
        if column.ratio {
            head.push("× ours".into());
        }
    }
    table.set_header(head);
    for system in &results.systems {
        let measured = results.find(system, row);
        let mut cells = vec![system.clone()];
        for column in &columns {
            let value = measured.and_then(column.of);
            cells.push(value.map_or("n/a".into(), number));
            if column.ratio {
                let ratio = value.zip(ours.and_then(column.of)).map(|(theirs, ours)| theirs / ours);
                cells.push(ratio.map_or(String::new(), |ratio| format!("{ratio:.2}")));
            }
        }
        table.add_row(cells);
    }
    for column in table.column_iter_mut().skip(1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

#[derive(Clone, Copy)]
struct Column {
    name: &'static str,
    of: fn(&Measured) -> Option<f64>,
    ratio: bool,
}

static COLUMNS: &[Column] = &[
    Column { name: "ns", of: |m| m.ns, ratio: true },
    Column { name: "min", of: |m| m.min_ns, ratio: false },
    Column { name: "p50", of: |m| m.p50_ns, ratio: false },
    Column { name: "p99", of: |m| m.p99_ns, ratio: false },
    Column { name: "bytes", of: |m| m.bytes, ratio: true },
];

impl Column {
    fn is_used(&self, results: &Results, row: &str) -> bool {
        results.systems.iter().any(|s| results.find(s, row).and_then(self.of).is_some())
    }
}

/// Three digits at least, thousands set apart.
fn number(value: f64) -> String {
    if value < 100.0 {
        return format!("{value:.1}");
    }
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (i, digit) in digits.chars().enumerate() {
        if i > 0 && (digits.len() - i) % 3 == 0 {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

fn rounded(measured: &Measured) -> Measured {
    let round = |value: Option<f64>| value.map(|value| (value * 10.0).round() / 10.0);
    Measured {
        ns: round(measured.ns),
        min_ns: round(measured.min_ns),
        p50_ns: round(measured.p50_ns),
        p99_ns: round(measured.p99_ns),
        bytes: round(measured.bytes),
        ..measured.clone()
    }
}
