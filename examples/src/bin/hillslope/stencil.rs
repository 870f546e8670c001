//! One step of linear hillslope diffusion, twice: [`serial`] is the plain loop that results are checked against,
//! [`Strip`] is what the job computes with. They share no code, so that a fault in one shows.
//!
//! For every cell inside the grid's border, with exactly this order of operations:
//!
//! ```text
//! z' = z + rate * (((north + south) + (west + east)) - 4*z)
//! ```
//!
//! The border keeps its input. A NODATA cell of the input never changes, and counts as the cell's own elevation for
//! the cells beside it; a cell that merely comes to equal the NODATA value on the way stays an ordinary cell.

use std::ops::Range;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::grid::Grid;

/// The cells of `grid` after `steps` steps. `progress` is called with the number of each step completed.
pub(crate) fn serial(
    grid: &Grid,
    rate: f64,
    steps: u64,
    mut progress: impl FnMut(u64),
) -> Vec<f64> {
    let changing = changing_cells(grid);
    let mut old = grid.cells.clone();
    let mut new = grid.cells.clone();
    for step in 1..=steps {
        for &(here, [north, south, west, east]) in &changing {
            let z = old[here];
            new[here] =
                z + rate * (((old[north] + old[south]) + (old[west] + old[east])) - 4.0 * z);
        }
        std::mem::swap(&mut old, &mut new);
        progress(step);
    }
    old
}

/// Every cell that [`serial`] changes, with its north, south, west and east neighbours; the cell itself stands for a
/// NODATA neighbour.
fn changing_cells(grid: &Grid) -> Vec<(usize, [usize; 4])> {
    let Grid { ncols, nrows, .. } = *grid;
    let is_nodata = |cell: usize| grid.is_nodata(grid.cells[cell]);
    let mut changing = Vec::new();
    for row in 1..nrows.saturating_sub(1) {
        for col in 1..ncols.saturating_sub(1) {
            let here = row * ncols + col;
            if is_nodata(here) {
                continue;
            }
            let beside = [here - ncols, here + ncols, here - 1, here + 1];
            let beside = beside.map(|cell| if is_nodata(cell) { here } else { cell });
            changing.push((here, beside));
        }
    }
    changing
}

/// Cuts the inner rows of a grid of `nrows` rows into `strips` bands, from the north, that differ by at most one row.
///
/// # Panics
///
/// When `strips` is 0 or more than there are inner rows.
pub(crate) fn partition(nrows: usize, strips: usize) -> Vec<Range<usize>> {
    let inner = nrows.saturating_sub(2);
    assert!((1..=inner).contains(&strips), "{strips} strips of {inner} inner rows");
    let start = |strip: usize| 1 + strip * (inner / strips) + strip.min(inner % strips);
    (0..strips).map(|strip| start(strip)..start(strip + 1)).collect()
}

/// The part of the input that one strip needs: its rows and the row beyond each end.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Band {
    /// The strip's rows in the whole grid; the border rows are none of them.
    rows: Range<usize>,
    ncols: usize,
    nodata: Option<f64>,
    /// The rows `rows.start - 1 ..= rows.end`.
    cells: Vec<f64>,
}

impl Band {
    /// Cuts `rows`, one of the ranges that [`partition`] made, out of `grid`.
    ///
    /// # Panics
    ///
    /// When `rows` is empty or not within the grid's inner rows.
    pub(crate) fn cut(grid: &Grid, rows: Range<usize>) -> Self {
        assert!(
            1 <= rows.start && rows.start < rows.end && rows.end < grid.nrows,
            "rows {rows:?} of {}",
            grid.nrows
        );
        let cells = &grid.cells[(rows.start - 1) * grid.ncols..(rows.end + 1) * grid.ncols];
        Self { ncols: grid.ncols, nodata: grid.header.nodata, cells: cells.to_vec(), rows }
    }

    /// The cells of the strip's row `row` that are NODATA or have a NODATA neighbour, the fixed border apart.
    fn irregular(&self, row: usize) -> Vec<Irregular> {
        let Some(nodata) = self.nodata else {
            return Vec::new();
        };
        // The band begins one row to the north of the strip.
        let (north, own, south) = (row, row + 1, row + 2);
        let valued = |row: usize, col: usize| self.cells[row * self.ncols + col] != nodata;
        let cell = |col: usize| {
            let beside = [
                valued(north, col),
                valued(south, col),
                valued(own, col - 1),
                valued(own, col + 1),
            ];
            if !valued(own, col) {
                let valued = None;
                Some(Irregular { col, valued })
            } else if beside.contains(&false) {
                let valued = Some(beside);
                Some(Irregular { col, valued })
            } else {
                None
            }
        };
        (1..self.ncols.saturating_sub(1)).filter_map(cell).collect()
    }
}

/// A band of rows that is computed on its own, given the rows beyond its two ends at the same step.
#[derive(Clone, Debug)]
pub(crate) struct Strip {
    rows: Range<usize>,
    ncols: usize,
    cells: Vec<f64>,
    /// The step before, overwritten by the next one.
    spare: Vec<f64>,
    north_input: Vec<f64>,
    south_input: Vec<f64>,
    /// For each row, the cells that [`regular_row`] gets wrong.
    irregular: Vec<Vec<Irregular>>,
}

impl Strip {
    /// The strip at step 0.
    pub(crate) fn new(band: Band) -> Self {
        let irregular = (0..band.rows.len()).map(|row| band.irregular(row)).collect();
        let Band { rows, ncols, cells: mut north_input, .. } = band;
        let mut cells = north_input.split_off(ncols);
        let south_input = cells.split_off(cells.len() - ncols);
        Self { rows, ncols, spare: cells.clone(), cells, north_input, south_input, irregular }
    }

    /// Goes one step on. The halos are the rows beyond the northern and the southern end, at the step that this strip
    /// is at now: a neighbour's edge row, or `None` for the grid's border.
    ///
    /// # Panics
    ///
    /// When a halo is not one row long.
    pub(crate) fn step(&mut self, rate: f64, north: Option<&[f64]>, south: Option<&[f64]>) {
        let north_halo = north.unwrap_or(&self.north_input);
        let south_halo = south.unwrap_or(&self.south_input);
        assert_eq!(north_halo.len(), self.ncols, "northern halo");
        assert_eq!(south_halo.len(), self.ncols, "southern halo");
        let last = self.rows.len() - 1;
        let row_at = |row: usize| &self.cells[row * self.ncols..][..self.ncols];
        for (row, new) in self.spare.chunks_exact_mut(self.ncols).enumerate() {
            let around = Around {
                north: if row == 0 { north_halo } else { row_at(row - 1) },
                own: row_at(row),
                south: if row == last { south_halo } else { row_at(row + 1) },
            };
            regular_row(rate, &around, new);
            for cell in &self.irregular[row] {
                new[cell.col] = cell.next(rate, &around);
            }
        }
        std::mem::swap(&mut self.cells, &mut self.spare);
    }

    /// The northernmost row: the southern halo of the strip to the north.
    pub(crate) fn top_row(&self) -> &[f64] {
        &self.cells[..self.ncols]
    }

    /// The southernmost row: the northern halo of the strip to the south.
    pub(crate) fn bottom_row(&self) -> &[f64] {
        &self.cells[self.cells.len() - self.ncols..]
    }

    /// All cells, row by row from the north.
    pub(crate) fn cells(&self) -> &[f64] {
        &self.cells
    }

    /// Puts the cells of some step in place of the present ones.
    ///
    /// # Errors
    ///
    /// [`WrongSize`] when `cells` are not as many as the strip has; the strip is then unchanged.
    pub(crate) fn restore(&mut self, cells: &[f64]) -> Result<(), WrongSize> {
        if cells.len() != self.cells.len() {
            return Err(WrongSize { expected: self.cells.len(), found: cells.len() });
        }
        self.cells.copy_from_slice(cells);
        Ok(())
    }
}

/// A strip was to be restored from a number of cells that is not its own.
#[derive(Debug, Error, PartialEq)]
#[error("a strip of {expected} cells cannot be restored from {found}")]
pub(crate) struct WrongSize {
    pub(crate) expected: usize,
    pub(crate) found: usize,
}

/// A row at the step before, and the rows beside it.
struct Around<'a> {
    north: &'a [f64],
    own: &'a [f64],
    south: &'a [f64],
}

/// The next step of one row as if no cell were NODATA. Slices of one length let the loop run without branches.
fn regular_row(rate: f64, around: &Around<'_>, new: &mut [f64]) {
    let Around { north, own, south } = around;
    let ncols = own.len();
    new[0] = own[0];
    new[ncols - 1] = own[ncols - 1];
    let inner = ncols.saturating_sub(2);
    if inner == 0 {
        return;
    }
    let (north, south) = (&north[1..][..inner], &south[1..][..inner]);
    let (west, own, east) = (&own[..inner], &own[1..][..inner], &own[2..][..inner]);
    let new = &mut new[1..][..inner];
    for i in 0..inner {
        let z = own[i];
        new[i] = z + rate * (((north[i] + south[i]) + (west[i] + east[i])) - 4.0 * z);
    }
}

/// A cell that is NODATA or has a NODATA neighbour.
#[derive(Clone, Copy, Debug)]
struct Irregular {
    col: usize,
    /// Which of the north, south, west and east neighbours have a value; `None` for a NODATA cell itself.
    valued: Option<[bool; 4]>,
}

impl Irregular {
    fn next(self, rate: f64, around: &Around<'_>) -> f64 {
        let Around { north, own, south } = around;
        let z = own[self.col];
        let Some(valued) = self.valued else {
            return z;
        };
        let beside = [north[self.col], south[self.col], own[self.col - 1], own[self.col + 1]];
        let [north, south, west, east] =
            std::array::from_fn(|side| if valued[side] { beside[side] } else { z });
        z + rate * (((north + south) + (west + east)) - 4.0 * z)
    }
}

#[cfg(test)]
mod tests;
