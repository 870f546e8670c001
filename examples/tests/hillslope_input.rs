//! Bad input gets one line that names what and where, and no process is started.

mod common;

use std::fs;

use common::Place;

fn refused(place: &Place, arguments: &[&str]) -> String {
    let outcome = place.run(&[arguments, &["--steps", "10"]].concat());
    assert_eq!(outcome.code, Some(2), "{arguments:?}: {}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{arguments:?}: {}", outcome.stderr);
    outcome.stderr
}

const HEADER: &str = "ncols 4\nnrows 4\nxllcorner 0\nyllcorner 0\ncellsize 10\nNODATA_value -1\n";

#[test]
fn a_bad_grid_is_refused_with_file_line_and_column() {
    let row = "1 2 3 4\n";
    let cases = [
        (HEADER.replace("cellsize 10\n", "") + &row.repeat(4), "cellsize"),
        (HEADER.to_owned() + &row.repeat(2) + "1 2 3\n" + row, ":9:"),
        (HEADER.to_owned() + &row.repeat(2) + "1 2 x 4\n" + row, ":9:5"),
        (HEADER.replace("ncols 4", "ncols 99999999999") + &row.repeat(4), ":1:"),
        (HEADER.replace("ncols 4", "ncols 0") + &row.repeat(4), ":1:"),
        (HEADER.to_owned() + &row.repeat(3), "row"),
        (String::new(), "grid.asc"),
    ];
    let place = Place::new();
    for (text, wanted) in cases {
        fs::write(place.path("grid.asc"), &text).unwrap();
        let line = refused(&place, &["--input", "grid.asc"]);
        assert!(line.contains("grid.asc") && line.contains(wanted), "{wanted}: {line}");
    }
}

#[test]
fn a_bad_option_is_refused_by_its_name() {
    let place = Place::new();
    for (arguments, wanted) in [
        (&["--rate", "0.3"][..], "--rate"),
        (&["--rate", "0"], "--rate"),
        (&["--strips", "343"], "--strips"),
        (&["--kill", "6@5"], "--kill"),
        (&["--kill", "2"], "--kill"),
        (&["--nodes", "0"], "--nodes"),
        (&["--resume", "nowhere"], "nowhere"),
        (&["--no-such-option"], "--no-such-option"),
    ] {
        let line = refused(&place, arguments);
        assert!(line.contains(wanted), "{wanted}: {line}");
    }
}
