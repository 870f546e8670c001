use super::*;
use crate::grid::{Header, Origin};

const NODATA: f64 = -9999.0;

/// A reproducible sequence of numbers in `0.0..1.0` (splitmix64).
struct Random(u64);

impl Random {
    fn next(&mut self) -> f64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((z ^ (z >> 31)) >> 11) as f64 / (1u64 << 53) as f64
    }
}

fn grid(ncols: usize, cells: Vec<f64>, nodata: Option<f64>) -> Grid {
    Grid {
        ncols,
        nrows: cells.len() / ncols,
        header: Header { x: Origin::Corner(0.0), y: Origin::Corner(0.0), cellsize: 1.0, nodata },
        cells,
    }
}

fn random_grid(random: &mut Random, ncols: usize, nrows: usize, holes: f64) -> Grid {
    let cells = (0..ncols * nrows).map(|_| {
        let z = 1000.0 * random.next();
        if random.next() < holes { NODATA } else { z }
    });
    grid(ncols, cells.collect(), Some(NODATA))
}

/// Runs strips side by side, halos taken before anyone steps.
fn by_strips(grid: &Grid, rate: f64, steps: u64, count: usize) -> Vec<f64> {
    let mut strips: Vec<Strip> = partition(grid.nrows, count)
        .into_iter()
        .map(|rows| Strip::new(Band::cut(grid, rows)))
        .collect();
    for _ in 0..steps {
        step_all(&mut strips, rate);
    }
    let inner = strips.iter().flat_map(|strip| strip.cells());
    let (first, last) = (row(grid, 0), row(grid, grid.nrows - 1));
    first.iter().chain(inner).chain(last).copied().collect()
}

fn row(grid: &Grid, row: usize) -> &[f64] {
    &grid.cells[row * grid.ncols..][..grid.ncols]
}

fn step_all(strips: &mut [Strip], rate: f64) {
    let before = strips.to_vec();
    for (i, strip) in strips.iter_mut().enumerate() {
        let (first, last) = (i == 0, i + 1 == before.len());
        let north = (!first).then(|| before[i - 1].bottom_row());
        let south = (!last).then(|| before[i + 1].top_row());
        strip.step(rate, north, south);
    }
}

fn bits(cells: &[f64]) -> Vec<u64> {
    cells.iter().map(|z| z.to_bits()).collect()
}

#[test]
fn one_step_by_hand() {
    let cells = vec![
        0.0, 1.0, 2.0, 3.0, //
        4.0, 9.0, NODATA, 7.0, //
        8.0, 6.0, 10.0, 11.0, //
        12.0, 13.0, 14.0, 15.0,
    ];
    let expected = [
        0.0,
        1.0,
        2.0,
        3.0, //
        4.0,
        9.0 + 0.25 * (((1.0 + 6.0) + (4.0 + 9.0)) - 36.0),
        NODATA,
        7.0, //
        8.0,
        6.0 + 0.25 * (((9.0 + 13.0) + (8.0 + 10.0)) - 24.0),
        10.0 + 0.25 * (((10.0 + 14.0) + (6.0 + 11.0)) - 40.0),
        11.0, //
        12.0,
        13.0,
        14.0,
        15.0,
    ];
    let grid = grid(4, cells, Some(NODATA));
    assert_eq!(serial(&grid, 0.25, 1, |_| ()), expected);
    assert_eq!(by_strips(&grid, 0.25, 1, 2), expected);
}

#[test]
fn strips_of_any_number_equal_the_serial_loop_bit_for_bit() {
    let mut random = Random(20260728);
    for (ncols, nrows, holes) in [
        (17, 13, 0.0),
        (17, 13, 0.1),
        (16, 9, 0.5),
        (5, 12, 0.9),
        (3, 7, 0.2),
        (2, 6, 0.2),
        (1, 5, 0.0),
        (40, 3, 0.1),
    ] {
        let grid = random_grid(&mut random, ncols, nrows, holes);
        let rate = 0.25 * (1.0 - random.next());
        let expected = bits(&serial(&grid, rate, 50, |_| ()));
        for strips in 1..=grid.inner_rows() {
            let found = bits(&by_strips(&grid, rate, 50, strips));
            assert!(found == expected, "{strips} strips of {ncols} x {nrows}");
        }
    }
}

#[test]
fn the_border_and_nodata_cells_keep_their_bits() {
    let mut random = Random(7);
    // A mark so large that arithmetic on it overflows.
    let mark = f64::MIN;
    let mut input = random_grid(&mut random, 11, 9, 0.0);
    input.header.nodata = Some(mark);
    for _ in 0..12 {
        let at = (random.next() * 99.0) as usize;
        input.cells[at] = mark;
    }
    let output = by_strips(&input, 0.2, 100, 3);
    assert_eq!(bits(&output), bits(&serial(&input, 0.2, 100, |_| ())));
    for (i, (old, new)) in input.cells.iter().zip(&output).enumerate() {
        let (row, col) = (i / 11, i % 11);
        let fixed = row == 0 || row == 8 || col == 0 || col == 10 || *old == mark;
        assert_eq!(fixed, old.to_bits() == new.to_bits(), "{row} {col}");
    }
}

#[test]
fn a_cell_that_comes_to_equal_nodata_stays_an_ordinary_cell() {
    // With NODATA 0 the middle cell passes exactly through 0 and must go on from there.
    let row = [0.5, 1.0, 1.0, 1.0, 0.5].map(f64::from);
    let cells = [row, [-2.0, -1.0, 1.0, -1.0, -2.0], [3.0, -1.0, -1.0, -1.0, 7.0], row].concat();
    let input = grid(5, cells, Some(0.0));
    let after_one = serial(&input, 0.25, 1, |_| ());
    assert!(after_one.contains(&0.0), "the case is no longer one: {after_one:?}");
    let after_two = serial(&input, 0.25, 2, |_| ());
    let zero = after_one.iter().position(|&z| z == 0.0).unwrap();
    assert_ne!(after_two[zero], 0.0);
    assert_eq!(bits(&after_two), bits(&by_strips(&input, 0.25, 2, 2)));
}

#[test]
fn progress_counts_every_step() {
    let mut seen = Vec::new();
    serial(&grid(1, vec![1.0], None), 0.2, 3, |step| seen.push(step));
    assert_eq!(seen, [1, 2, 3]);
}

#[test]
fn a_strip_goes_on_from_restored_cells() {
    let grid = random_grid(&mut Random(3), 9, 8, 0.1);
    let mut strips: Vec<Strip> =
        partition(8, 3).into_iter().map(|rows| Strip::new(Band::cut(&grid, rows))).collect();
    step_all(&mut strips, 0.2);
    let saved = strips.clone();
    step_all(&mut strips, 0.2);
    let mut again: Vec<Strip> =
        partition(8, 3).into_iter().map(|rows| Strip::new(Band::cut(&grid, rows))).collect();
    for (strip, saved) in again.iter_mut().zip(&saved) {
        strip.restore(saved.cells()).unwrap();
    }
    step_all(&mut again, 0.2);
    for (strip, again) in strips.iter().zip(&again) {
        assert_eq!(bits(strip.cells()), bits(again.cells()));
    }
}

#[test]
fn cells_of_another_size_are_not_restored() {
    let grid = random_grid(&mut Random(4), 9, 8, 0.0);
    let mut strip = Strip::new(Band::cut(&grid, 2..5));
    let before = strip.cells().to_vec();
    let error = strip.restore(&before[1..]).unwrap_err();
    assert_eq!(error, WrongSize { expected: 27, found: 26 });
    assert_eq!(strip.cells(), before);
    assert_eq!(strip.rows, 2..5);
}

#[test]
fn partitions_cover_the_inner_rows_evenly() {
    for nrows in 3..40 {
        for strips in 1..=nrows - 2 {
            let ranges = partition(nrows, strips);
            assert_eq!(ranges.len(), strips);
            let rows: Vec<usize> = ranges.iter().cloned().flatten().collect();
            assert_eq!(rows, (1..nrows - 1).collect::<Vec<_>>());
            let sizes = ranges.iter().map(ExactSizeIterator::len);
            assert!(sizes.clone().max().unwrap() - sizes.min().unwrap() <= 1);
        }
    }
}

#[test]
#[should_panic(expected = "3 strips of 2 inner rows")]
fn more_strips_than_inner_rows_are_refused() {
    partition(4, 3);
}

#[test]
#[should_panic(expected = "northern halo")]
fn a_halo_of_another_length_is_refused() {
    let grid = random_grid(&mut Random(5), 9, 8, 0.0);
    let mut strip = Strip::new(Band::cut(&grid, 2..5));
    strip.step(0.2, Some(&[0.0; 8]), Some(&[0.0; 9]));
}
