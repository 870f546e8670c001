use std::fs;
use std::io::Write;

use super::*;

const HEADER: &str =
    "ncols 3\nnrows 2\nxllcorner 10.5\nyllcorner -4\ncellsize 30\nNODATA_value -9999\n";

fn grid_of(text: &str) -> Grid {
    Grid::parse("dem.asc", text).unwrap()
}

fn text_of(grid: &Grid) -> String {
    let mut text = Vec::new();
    grid.write(&mut text).unwrap();
    String::from_utf8(text).unwrap()
}

#[test]
fn reads_header_and_rows() {
    let grid = grid_of(&format!("{HEADER}1 2.5 -9999\n4e2 +5 .5\n"));
    assert_eq!((grid.ncols, grid.nrows), (3, 2));
    assert_eq!(grid.header.x, Origin::Corner(10.5));
    assert_eq!(grid.header.y, Origin::Corner(-4.0));
    assert_eq!(grid.header.cellsize, 30.0);
    assert_eq!(grid.cells, [1.0, 2.5, -9999.0, 400.0, 5.0, 0.5]);
    assert_eq!(grid.cells[3..6], [400.0, 5.0, 0.5]);
    assert!(grid.is_nodata(grid.cells[2]) && !grid.is_nodata(1.0));
}

#[test]
fn keys_stand_in_any_case_and_order_and_nodata_is_optional() {
    let text =
        "CELLSIZE\t2\nYLLCENTER 7\r\n\nnRows 1\nxllCenter 8\n  NCOLS   2\n\t1 \u{a0} 2  \n\n \n";
    let grid = grid_of(text);
    assert_eq!(grid.header.x, Origin::Center(8.0));
    assert_eq!(grid.header.y, Origin::Center(7.0));
    assert_eq!(grid.header.nodata, None);
    assert_eq!(grid.cells, [1.0, 2.0]);
    assert!(!grid.is_nodata(-9999.0));
    assert_eq!(text_of(&grid), "ncols 2\nnrows 1\nxllcenter 8\nyllcenter 7\ncellsize 2\n1 2\n");
}

#[test]
fn a_fault_is_one_line_with_file_line_and_column() {
    let rows = "1 2 3\n4 5 6\n";
    let without = |key: &str| {
        let kept = HEADER.lines().filter(|line| !line.starts_with(key));
        let mut text: String = kept.map(|line| format!("{line}\n")).collect();
        text.push_str(rows);
        text
    };
    let with = |from: &str, to: &str| format!("{HEADER}{rows}").replacen(from, to, 1);
    let huge = "9".repeat(18);
    let cases = [
        (String::new(), "1:1: the file is empty"),
        (" \n\t\n".into(), "1:1: the file is empty"),
        (without("ncols"), "6:1: no `ncols` ahead of the rows"),
        (without("nrows"), "6:1: no `nrows` ahead of the rows"),
        (without("xll"), "6:1: no `xllcorner` ahead of the rows"),
        (without("yll"), "6:1: no `yllcorner` ahead of the rows"),
        (without("cell"), "6:1: no `cellsize` ahead of the rows"),
        ("ncols 3".into(), "2:1: no `nrows` ahead of the rows"),
        ("1 2\n3 4".into(), "1:1: no `ncols` ahead of the rows"),
        (with("cellsize", "XLLcenter"), "5:1: `XLLcenter` is given again, first on line 3"),
        (with("nrows", "  rows"), "2:3: `rows` is no key of an ESRI ASCII grid"),
        (with("nrows 2", "nrows"), "2:1: `nrows` takes one value, not 0"),
        (with("nrows 2", "nrows 2 2 é"), "2:9: `nrows` takes one value, not 3"),
        (with("cellsize 30", "cellsize 30m"), "5:10: `30m` is not a finite number"),
        (with("cellsize 30", "cellsize 0"), "5:10: the cell size must be above 0, not 0"),
        (with("cellsize 30", "cellsize -1.5"), "5:10: the cell size must be above 0, not -1.5"),
        (with("-9999", "nan"), "6:14: `nan` is not a finite number"),
        (with("ncols 3", "ncols 0"), "1:7: impossible size `0`: not a whole number above 0"),
        (with("ncols 3", "ncols -3"), "1:7: impossible size `-3`: not a whole number above 0"),
        (with("nrows 2", "nrows 2.5"), "2:7: impossible size `2.5`: not a whole number above 0"),
        (
            with("nrows 2", &format!("nrows {huge}")),
            "2:7: impossible size: 3 columns x 999999999999999999 rows do not fit the file's 104 bytes",
        ),
        (
            with("nrows 2", "nrows 100"),
            "2:7: impossible size: 3 columns x 100 rows do not fit the file's 89 bytes",
        ),
        (
            with("ncols 3", &format!("ncols {huge}")).replacen("nrows 2", "nrows 987654321", 1),
            "1:7: impossible size: 999999999999999999 columns x 987654321 rows do not fit the file's 112 bytes",
        ),
        (with("1 2 3", "1 éx 3"), "7:3: `éx` is not a finite number"),
        (with("1 2 3", "1 2 inf"), "7:5: `inf` is not a finite number"),
        (with("1 2 3", "NaN 2 3"), "7:1: `NaN` is not a finite number"),
        (with("1 2 3", "1 2 1e999"), "7:5: `1e999` is not a finite number"),
        (with("1 2 3", "1,5 2 3"), "7:1: `1,5` is not a finite number"),
        (with("1 2 3", "1\u{a0}2"), "7:4: `ncols` says 3, but row 1 has 2"),
        (with("4 5 6", "4 5 6  7 8"), "8:8: `ncols` says 3, but row 2 has 5"),
        (with("1 2 3\n", "1 2 3\n\n"), "8:1: `ncols` says 3, but row 2 has 0"),
        (with("4 5 6\n", ""), "8:1: `nrows` says 2, but the file has 1"),
        (with("4 5 6\n", "4 5 6\n7 8 9\n1 2 3\n"), "9:1: `nrows` says 2, but the file has 4"),
        (
            with("2 3", &format!("{} 3", "x".repeat(1000))),
            "7:3: `xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx…` is not a finite number",
        ),
        (with("2 3", "\u{7} 3"), "7:3: `\\u{7}` is not a finite number"),
    ];
    for (text, expected) in cases {
        let error = Grid::parse("dem.asc", &text).unwrap_err().to_string();
        assert_eq!(error, format!("dem.asc:{expected}"), "in {text:?}");
    }
}

#[test]
fn a_file_that_is_not_there_or_not_text_is_named() {
    let directory = tempfile::tempdir().unwrap();
    let missing = directory.path().join("missing.asc");
    let error = Grid::read(&missing).unwrap_err().to_string();
    assert!(error.starts_with(&format!("{}: ", missing.display())));
    assert!(matches!(Grid::read(directory.path()), Err(GridError::Read { .. })));

    let latin1 = directory.path().join("latin1.asc");
    fs::write(&latin1, b"ncols 3\nn\xe9 2\n").unwrap();
    let error = Grid::read(&latin1).unwrap_err().to_string();
    assert_eq!(error, format!("{}:2:2: not UTF-8 text", latin1.display()));
}

#[test]
fn every_value_reads_back_bit_for_bit() {
    let values =
        [0.1 + 0.2, -0.0, 1e22, 5e-324, f64::MAX, 1.0 / 3.0, -9999.0, 123.0, 2f64.powi(-44)];
    let grid = Grid {
        ncols: 3,
        nrows: 3,
        cells: values.to_vec(),
        ..grid_of(&format!("{HEADER}1 2 3\n4 5 6"))
    };
    let again = grid_of(&text_of(&grid));
    let bits = |grid: &Grid| grid.cells.iter().map(|z| z.to_bits()).collect::<Vec<_>>();
    assert_eq!(bits(&again), bits(&grid));
    assert_eq!(again.header, grid.header);
}

#[test]
fn a_nodata_cell_is_written_as_the_header_writes_it() {
    let text = HEADER.replace("-9999", "0") + "-0 1 2\n-0.0 0 3\n";
    let written = text_of(&grid_of(&text));
    assert!(written.ends_with("NODATA_value 0\n0 1 2\n0 0 3\n"), "{written}");
}

#[test]
fn the_shipped_grid_is_written_as_it_stands() {
    let shipped = include_str!("../../../../data/jacksboro.asc");
    let grid = grid_of(shipped);
    assert_eq!((grid.ncols, grid.nrows), (403, 344));
    assert!(text_of(&grid) == shipped);
}

#[test]
fn a_saved_grid_replaces_the_old_file_and_leaves_no_temporary() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.asc");
    fs::write(&path, "old").unwrap();
    let grid = grid_of(&format!("{HEADER}1 2 3\n4 5 6"));
    grid.save(&path).unwrap();
    assert_eq!(Grid::read(&path).unwrap(), grid);
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);

    let nowhere = directory.path().join("missing/out.asc");
    assert!(matches!(grid.save(&nowhere), Err(GridError::Write { .. })));
}

#[test]
fn a_failed_write_keeps_the_old_file_and_leaves_no_temporary() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("out.asc");
    fs::write(&path, "old").unwrap();
    let result = write_atomically(&path, |out| {
        out.write_all(b"new")?;
        Err(io::Error::other("disk full"))
    });
    assert_eq!(result.unwrap_err().to_string(), "disk full");
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn a_symbolic_link_stays_one() {
    let directory = tempfile::tempdir().unwrap();
    let (real, link) = (directory.path().join("real"), directory.path().join("link"));
    fs::write(&real, "old").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    write_atomically(&link, |out| out.write_all(b"new")).unwrap();
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::read_to_string(&real).unwrap(), "new");
}
