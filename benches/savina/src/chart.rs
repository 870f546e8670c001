//! Times relative to ours, as a picture.

use std::path::Path;

use anyhow::{anyhow, ensure};
use plotters::prelude::*;

use crate::run::Results;

const WIDTH: u32 = 900;
const ROW: u32 = 24;
const MARGIN: u32 = 130;

/// A point for each system and row of times; left of the line is faster than ours.
pub(crate) fn draw(results: &Results, file: &Path) -> anyhow::Result<()> {
    let rows = rows(results);
    ensure!(!rows.is_empty(), "no times to draw");
    let ratios = || rows.iter().flat_map(|(_, ratios)| ratios.iter().flatten().copied());
    let (low, high) = (ratios().fold(0.5, f64::min) / 1.2, ratios().fold(2.0, f64::max) * 1.2);
    let legend = (high / low).powf(0.15);
    draw_rows(&results.systems, &rows, low..high * legend, file)
        .map_err(|error| anyhow!("{}: {error}", file.display()))
}

/// A row's name, and the time of each system by ours.
type Ratios = (&'static str, Vec<Option<f64>>);

fn rows(results: &Results) -> Vec<Ratios> {
    let ratios = |row: &'static str| {
        let time = |system: &String| results.find(system, row).and_then(|measured| measured.ns);
        let ours = time(&results.systems[0])?;
        let ratio = |system| time(system).map(|theirs| theirs / ours);
        Some((row, results.systems.iter().map(ratio).collect()))
    };
    results.workloads.iter().flat_map(|w| w.rows()).filter_map(|(row, _)| ratios(row)).collect()
}

fn draw_rows(
    systems: &[String],
    rows: &[Ratios],
    range: std::ops::Range<f64>,
    file: &Path,
) -> Result<(), Box<dyn std::error::Error>> {
    let size = (WIDTH, MARGIN + ROW * rows.len() as u32);
    let area = SVGBackend::new(file, size).into_drawing_area();
    area.fill(&WHITE)?;
    let mut chart = ChartBuilder::on(&area)
        .caption("Time of an operation by that of actors", ("sans-serif", 18))
        .margin(12)
        .x_label_area_size(36)
        .y_label_area_size(120)
        .build_cartesian_2d(range.log_scale(), (0..rows.len()).into_segmented())?;
    chart
        .configure_mesh()
        .disable_x_mesh()
        .y_labels(rows.len())
        .y_label_formatter(&|at| match at {
            SegmentValue::CenterOf(i) if *i < rows.len() => from_top(rows, *i).0.into(),
            _ => String::new(),
        })
        .x_label_formatter(&|ratio| format!("{ratio}"))
        .draw()?;
    for (i, system) in systems.iter().enumerate() {
        let colour = Palette99::pick(i).to_rgba();
        let points = (0..rows.len()).filter_map(|row| {
            from_top(rows, row).1[i].map(|ratio| (ratio, SegmentValue::CenterOf(row)))
        });
        chart
            .draw_series(points.map(|at| Circle::new(at, 4, colour.filled())))?
            .label(system)
            .legend(move |(x, y)| Circle::new((x + 10, y), 4, colour.filled()));
    }
    chart
        .configure_series_labels()
        .position(SeriesLabelPosition::LowerRight)
        .background_style(WHITE.mix(0.8))
        .border_style(BLACK.mix(0.3))
        .draw()?;
    area.present()?;
    Ok(())
}

/// The axis counts upwards, a reader downwards.
fn from_top(rows: &[Ratios], i: usize) -> &Ratios {
    &rows[rows.len() - 1 - i]
}
