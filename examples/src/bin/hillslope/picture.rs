//! A picture of what diffusion did: the relief before, the relief after under the same sun and in the same tints, and
//! the elevation change (red where the ground sank, blue where it rose, white where it stayed), side by side. Grey is
//! where there is no value.

use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};

use png::{BitDepth, ColorType, Compression, Encoder};
use thiserror::Error;

use crate::grid::{Grid, Header, write_atomically};

/// Draws the elevations of `before`, those of `after` and their difference into a PNG file at `path`, whole or not at
/// all. What lies between the panels is transparent.
///
/// # Errors
///
/// [`PictureError`]; a file that stood at `path` is then as it was.
///
/// # Panics
///
/// When `after` has not as many cells as `before`.
pub(crate) fn draw(before: &Grid, after: &[f64], path: &Path) -> Result<(), PictureError> {
    assert_eq!(before.cells.len(), after.len(), "cells of the two grids");
    let panels = Panels::new(before, after);
    write_atomically(path, |out| encode(&panels, out))
        .map_err(|source| PictureError { path: path.to_owned(), source })
}

/// The picture could not be written.
#[derive(Debug, Error)]
#[error("{}: {source}", path.display())]
pub(crate) struct PictureError {
    path: PathBuf,
    source: io::Error,
}

fn encode(panels: &Panels<'_>, out: &mut BufWriter<&File>) -> io::Result<()> {
    let layout = Layout::of(panels.before.ncols, panels.before.nrows);
    let dimension = |pixels: usize| u32::try_from(pixels).map_err(io::Error::other);
    let mut encoder = Encoder::new(out, dimension(layout.width())?, dimension(layout.height())?);
    encoder.set_color(ColorType::Rgba);
    encoder.set_depth(BitDepth::Eight);
    encoder.set_compression(Compression::High);
    let mut png = encoder.write_header()?;
    let mut pixels = png.stream_writer()?;
    let mut line = Vec::with_capacity(layout.width() * 4);
    for y in 0..layout.height() {
        line.clear();
        for x in 0..layout.width() {
            let pixel = match layout.cell(x, y) {
                Some((panel, row, col)) => panels.pixel(panel, row, col),
                None => TRANSPARENT,
            };
            line.extend(pixel);
        }
        pixels.write_all(&line)?;
    }
    pixels.finish()?;
    png.finish()?;
    Ok(())
}

/// Where the cells of the three panels fall: each is `up` pixels wide, and every `stride`th is drawn.
#[derive(Debug, PartialEq)]
struct Layout {
    cols: usize,
    rows: usize,
    up: usize,
    stride: usize,
    gap: usize,
}

impl Layout {
    fn of(ncols: usize, nrows: usize) -> Self {
        let longer = ncols.max(nrows);
        let stride = longer.div_ceil(LONGEST_PANEL);
        let up = SHORTEST_PANEL.div_ceil(longer);
        let (cols, rows) = (ncols.div_ceil(stride), nrows.div_ceil(stride));
        let gap = (cols * up).div_ceil(40);
        Self { cols, rows, up, stride, gap }
    }

    fn width(&self) -> usize {
        PANELS * self.cols * self.up + (PANELS - 1) * self.gap
    }

    fn height(&self) -> usize {
        self.rows * self.up
    }

    /// Panel, row and column of the cell at a pixel; none in a gap.
    fn cell(&self, x: usize, y: usize) -> Option<(usize, usize, usize)> {
        let pitch = self.cols * self.up + self.gap;
        let (panel, x) = (x / pitch, x % pitch);
        let (row, col) = (y / self.up, x / self.up);
        (col < self.cols).then_some((panel, row * self.stride, col * self.stride))
    }
}

/// The two reliefs, and what makes their panels comparable.
struct Panels<'a> {
    before: &'a Grid,
    after: &'a [f64],
    /// Exaggerated elevation differences are divided by these, in x and in y, to give slopes.
    spacing: (f64, f64),
    /// Elevations at the two ends of the tints.
    tinted: (f64, f64),
    /// The change that gets the full colour.
    full_change: f64,
}

impl<'a> Panels<'a> {
    fn new(before: &'a Grid, after: &'a [f64]) -> Self {
        let (x, y) = metres(&before.header, before.nrows);
        let mut panels =
            Self { before, after, spacing: (x, y), tinted: (0.0, 0.0), full_change: 0.0 };
        let valued = || (0..after.len()).filter(|&cell| !before.is_nodata(before.cells[cell]));

        let mut elevations: Vec<f64> = valued().map(|cell| before.cells[cell]).collect();
        panels.tinted = (percentile(&mut elevations, 0.01), percentile(&mut elevations, 0.99));
        let change = |cell: usize| (after[cell] - before.cells[cell]).abs();
        let mut changes: Vec<f64> = valued().map(change).filter(|&by| by > 0.0).collect();
        panels.full_change = percentile(&mut changes, 0.98);

        // Flat country is exaggerated until its steeper slopes show, and the Alps are not.
        let slope = |cell: usize| {
            let (x, y) = panels.slopes(&before.cells, cell / before.ncols, cell % before.ncols);
            x.hypot(y)
        };
        let mut slopes: Vec<f64> = valued().map(slope).collect();
        let steep = percentile(&mut slopes, 0.9);
        if steep > 0.0 {
            let exaggeration = (STEEP / steep).max(1.0);
            panels.spacing = (x / exaggeration, y / exaggeration);
        }
        panels
    }

    fn pixel(&self, panel: usize, row: usize, col: usize) -> [u8; 4] {
        let cell = row * self.before.ncols + col;
        if self.before.is_nodata(self.before.cells[cell]) {
            return NO_VALUE;
        }
        let [r, g, b] = match panel {
            0 => self.relief(&self.before.cells, row, col),
            1 => self.relief(self.after, row, col),
            _ => self.change(cell),
        };
        [r, g, b, u8::MAX]
    }

    /// The tint of the elevation, lit by the sun.
    fn relief(&self, cells: &[f64], row: usize, col: usize) -> [u8; 3] {
        let (low, high) = self.tinted;
        let z = cells[row * self.before.ncols + col];
        let tint = blend(&TINTS, (z - low) / (high - low));
        let light = AMBIENT + (LIT - AMBIENT) * self.hillshade(cells, row, col);
        tint.map(|channel| to_byte(channel * light))
    }

    fn change(&self, cell: usize) -> [u8; 3] {
        let by = (self.after[cell] - self.before.cells[cell]) / self.full_change;
        let by = if by.is_nan() { 0.0 } else { by };
        blend(&CHANGES, (by + 1.0) / 2.0).map(to_byte)
    }

    /// How much of the sun's light the ground gets, from 0 to 1.
    fn hillshade(&self, cells: &[f64], row: usize, col: usize) -> f64 {
        let (east, north) = self.slopes(cells, row, col);
        let (azimuth, altitude) = (SUN_AZIMUTH.to_radians(), SUN_ALTITUDE.to_radians());
        // The sun's direction on the upward normal (-east, -north, 1).
        let towards =
            altitude.sin() - altitude.cos() * (azimuth.sin() * east + azimuth.cos() * north);
        (towards / (1.0 + east * east + north * north).sqrt()).max(0.0)
    }

    /// Rise to the east and to the north over the 3 x 3 cells around one (Horn 1981). A cell that is not there, or has
    /// no value, counts as the middle one.
    fn slopes(&self, cells: &[f64], row: usize, col: usize) -> (f64, f64) {
        let Grid { ncols, nrows, .. } = *self.before;
        let middle = cells[row * ncols + col];
        let at = |south: usize, east: usize| {
            let (row, col) = ((row + south).wrapping_sub(1), (col + east).wrapping_sub(1));
            if row >= nrows || col >= ncols {
                return middle;
            }
            let cell = row * ncols + col;
            if self.before.is_nodata(self.before.cells[cell]) { middle } else { cells[cell] }
        };
        let side = |a: f64, b: f64, c: f64| a + 2.0 * b + c;
        let east = side(at(0, 2), at(1, 2), at(2, 2)) - side(at(0, 0), at(1, 0), at(2, 0));
        let north = side(at(0, 0), at(0, 1), at(0, 2)) - side(at(2, 0), at(2, 1), at(2, 2));
        (east / (8.0 * self.spacing.0), north / (8.0 * self.spacing.1))
    }
}

/// Metres from cell to cell, to the east and to the north. Small cells at a possible latitude are taken for degrees.
fn metres(header: &Header, nrows: usize) -> (f64, f64) {
    let size = header.cellsize;
    let south = header.y.coordinate();
    if south.abs() > 90.0 || size >= LARGEST_DEGREES {
        return (size, size);
    }
    let middle = south + size * nrows as f64 / 2.0;
    let metres = size * METRES_PER_DEGREE;
    (metres * middle.to_radians().cos().max(0.01), metres)
}

/// The value that the fraction `part` of `values` does not exceed; 0 when there are none.
fn percentile(values: &mut [f64], part: f64) -> f64 {
    let Some(last) = values.len().checked_sub(1) else {
        return 0.0;
    };
    let rank = (last as f64 * part).round() as usize;
    *values.select_nth_unstable_by(rank, f64::total_cmp).1
}

/// The colour at `at` (0 to 1, clamped) of evenly spaced colours, in 0 to 1.
fn blend(colours: &[[u8; 3]], at: f64) -> [f64; 3] {
    let at = if at.is_nan() { 0.5 } else { at.clamp(0.0, 1.0) };
    let place = at * (colours.len() - 1) as f64;
    let from = (place as usize).min(colours.len() - 2);
    let part = place - from as f64;
    std::array::from_fn(|channel| {
        let channel = |colour: [u8; 3]| f64::from(colour[channel]) / 255.0;
        channel(colours[from]) * (1.0 - part) + channel(colours[from + 1]) * part
    })
}

fn to_byte(channel: f64) -> u8 {
    (channel * 255.0).round().clamp(0.0, 255.0) as u8
}

const PANELS: usize = 3;

/// Pixels of a panel's longer side: smaller grids are enlarged, larger ones thinned out.
const SHORTEST_PANEL: usize = 400;
const LONGEST_PANEL: usize = 2000;

/// Degrees clockwise from north, and above the horizon.
const SUN_AZIMUTH: f64 = 315.0;
const SUN_ALTITUDE: f64 = 45.0;

/// Light on ground that the sun does not reach, and on ground that faces it.
const AMBIENT: f64 = 0.3;
const LIT: f64 = 1.18;

/// The slope that one cell in ten exceeds once the relief is exaggerated.
const STEEP: f64 = 0.9;

const LARGEST_DEGREES: f64 = 0.1;
const METRES_PER_DEGREE: f64 = 111_320.0;

const TRANSPARENT: [u8; 4] = [0; 4];
const NO_VALUE: [u8; 4] = [176, 176, 176, 255];

/// From valley green over tan to bright heights.
const TINTS: [[u8; 3]; 6] = [
    [88, 130, 98],
    [132, 160, 108],
    [178, 184, 124],
    [206, 192, 142],
    [222, 206, 174],
    [240, 236, 230],
];

/// `ColorBrewer`'s RdBu, white in the middle.
const CHANGES: [[u8; 3]; 9] = [
    [103, 0, 31],
    [178, 24, 43],
    [214, 96, 77],
    [244, 165, 130],
    [255, 255, 255],
    [146, 197, 222],
    [67, 147, 195],
    [33, 102, 172],
    [5, 48, 97],
];

#[cfg(test)]
mod tests;
