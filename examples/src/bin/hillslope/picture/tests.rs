use std::fs;

use super::*;
use crate::grid::Origin;

const NODATA: f64 = -1.0;

fn grid(ncols: usize, nrows: usize, z: impl Fn(usize, usize) -> f64) -> Grid {
    let cells = (0..nrows * ncols).map(|cell| z(cell / ncols, cell % ncols));
    Grid {
        ncols,
        nrows,
        header: Header {
            x: Origin::Corner(500_000.0),
            y: Origin::Corner(4_000_000.0),
            cellsize: 30.0,
            nodata: Some(NODATA),
        },
        cells: cells.collect(),
    }
}

/// Width, height and RGBA pixels of the picture that is drawn.
fn drawn(before: &Grid, after: &[f64]) -> (usize, usize, Vec<[u8; 4]>) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("picture.png");
    draw(before, after, &path).unwrap();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    let file = io::BufReader::new(File::open(path).unwrap());
    let mut png = png::Decoder::new(file).read_info().unwrap();
    let mut bytes = vec![0; png.output_buffer_size().unwrap()];
    png.next_frame(&mut bytes).unwrap();
    let info = png.info();
    let pixels = bytes.as_chunks().0.to_vec();
    (info.width as usize, info.height as usize, pixels)
}

fn brightness([r, g, b, _]: [u8; 4]) -> u32 {
    u32::from(r) + u32::from(g) + u32::from(b)
}

#[test]
fn a_small_grid_is_enlarged_and_its_panels_stand_apart() {
    let before = grid(50, 20, |row, col| if (row, col) == (3, 4) { NODATA } else { 7.0 });
    let mut after = before.cells.clone();
    after[0] = 6.0;
    after[1] = 7.5;
    after[2] = 8.0;
    let (width, height, pixels) = drawn(&before, &after);
    assert_eq!((width, height), (3 * 400 + 2 * 10, 20 * 8));
    let pixel = |panel: usize, row: usize, col: usize| {
        let (x, y) = (panel * 410 + col * 8, row * 8);
        let block = [(x, y), (x + 7, y + 7)].map(|(x, y)| pixels[y * width + x]);
        assert_eq!(block[0], block[1], "a cell has one colour");
        block[0]
    };
    let nothing = pixels[400];
    assert_eq!(nothing, TRANSPARENT);
    for panel in 0..3 {
        assert_eq!(pixel(panel, 3, 4), NO_VALUE);
    }
    // Full red, half blue and full blue: the range is symmetric, and white is no change.
    assert_eq!(pixel(2, 0, 0), [103, 0, 31, 255]);
    assert_eq!(pixel(2, 0, 1), [67, 147, 195, 255]);
    assert_eq!(pixel(2, 0, 2), [5, 48, 97, 255]);
    assert_eq!(pixel(2, 0, 3), [255; 4]);
    assert_eq!(pixel(0, 10, 10), pixel(1, 10, 10));
}

#[test]
fn the_sun_stands_in_the_north_west() {
    // A pyramid whose four faces look north-west, north-east, south-east and south-west.
    let before = grid(41, 41, |row, col| {
        let (row, col) = (row as f64 - 20.0, col as f64 - 20.0);
        1000.0 - 10.0 * (row.abs() + col.abs())
    });
    let (width, _, pixels) = drawn(&before, &before.cells);
    let cell = SHORTEST_PANEL.div_ceil(41);
    let at = |row: usize, col: usize| brightness(pixels[row * cell * width + col * cell]);
    let [north_west, north_east] = [at(10, 10), at(10, 30)];
    let [south_west, south_east] = [at(30, 10), at(30, 30)];
    assert!(north_west > north_east && north_east > south_east);
    assert!(north_west > south_west && south_west > south_east);
    assert_eq!(north_east, south_west);
}

#[test]
fn flat_or_empty_ground_is_drawn() {
    for value in [0.0, NODATA] {
        let before = grid(3, 1, |_, _| value);
        let (width, height, _) = drawn(&before, &before.cells);
        assert_eq!((width, height), (3 * 402 + 2 * 11, 134));
    }
}

#[test]
fn low_relief_is_exaggerated_and_steep_relief_is_not() {
    let spacing = |rise: f64| {
        let before = grid(9, 9, |_, col| rise * col as f64);
        Panels::new(&before, &before.cells).spacing
    };
    assert_eq!(spacing(300.0), (30.0, 30.0));
    let (x, y) = spacing(0.3);
    assert!((x - 30.0 * 0.01 / STEEP).abs() < 1e-9 && x == y, "{x} {y}");
}

#[test]
fn degrees_are_turned_into_metres() {
    let header = |y: f64, cellsize: f64| Header {
        x: Origin::Corner(10.0),
        y: Origin::Corner(y),
        cellsize,
        nodata: None,
    };
    assert_eq!(metres(&header(4_000_000.0, 0.05), 10), (0.05, 0.05));
    assert_eq!(metres(&header(50.0, 10.0), 10), (10.0, 10.0));
    let (x, y) = metres(&header(59.5, 0.001), 1000);
    assert!((y - 111.32).abs() < 1e-9, "{y}");
    assert!((x - y / 2.0).abs() < 1e-9, "half as wide at 60 degrees: {x}");
}

#[test]
fn a_large_grid_is_thinned_out() {
    let layout = Layout::of(10_000, 4_001);
    assert_eq!((layout.stride, layout.up), (5, 1));
    assert_eq!((layout.cols, layout.rows), (2000, 801));
    assert_eq!((layout.width(), layout.height()), (6100, 801));
    assert_eq!(layout.cell(6099, 800), Some((2, 4000, 9995)));
    assert_eq!(layout.cell(2000, 0), None);
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let before = grid(3, 3, |_, _| 0.0);
    let error = draw(&before, &before.cells, Path::new("missing/p.png")).unwrap_err();
    assert!(error.to_string().starts_with("missing/p.png: "), "{error}");
}
