use std::fs;
use std::time::Duration;

use super::*;

const SMALL: &str = "ncols 3\nnrows 6\nxllcorner 0\nyllcorner 0\ncellsize 1\n\
                     1 2 3\n1 2 3\n1 2 3\n1 2 3\n1 2 3\n1 2 3\n";

fn options(arguments: &[&str]) -> Result<Options, OptionError> {
    match Request::parse([&["hillslope"], arguments].concat())? {
        Request::Run(options) => Ok(*options),
        Request::Print(text) => panic!("prints {text}"),
    }
}

fn begin(arguments: &[&str]) -> Result<Job, OptionError> {
    options(arguments)?.begin()
}

fn refusal(arguments: &[&str]) -> String {
    let line = begin(arguments).unwrap_err().to_string();
    assert_eq!(line.lines().count(), 1, "{line}");
    line
}

/// A directory with the small grid in it, and the grid's path.
fn small() -> (tempfile::TempDir, String) {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("small.asc");
    fs::write(&path, SMALL).unwrap();
    let path = path.to_str().unwrap().to_owned();
    (directory, path)
}

fn saved() -> Settings {
    Settings { steps: 100, rate: 0.1, strips: 3, level1_every: 5, level2_every: 0, save_every: 20 }
}

#[test]
fn without_options_the_shipped_grid_runs_and_node_2_is_killed_half_way() {
    let job = begin(&[]).unwrap();
    assert_eq!(
        job.settings,
        Settings {
            steps: 20_000,
            rate: 0.2,
            strips: 4,
            level1_every: 50,
            level2_every: 200,
            save_every: 2000,
        }
    );
    assert_eq!(job.input_name, "jacksboro.asc (shipped)");
    assert_eq!((job.input.ncols, job.input.nrows), (403, 344));
    assert_eq!((job.nodes, job.spares), (4, 1));
    let node_2 = Kill { node: 2, step: 10_000 };
    assert_eq!(job.kills, [node_2]);
    assert_eq!((job.dir, job.output, job.png, job.json), Default::default());
    assert!(job.verify && !job.quiet);
}

#[test]
fn every_option_is_taken() {
    let (directory, input) = small();
    let path = |name: &str| directory.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    let line = format!(
        "--input {input} --steps 7 --rate 0.25 --nodes 2 --spares 0 --strips 3 --kill 1@0 --kill 2@7 \
         --stop 1@3+0.25 --stop 2@7+3600 --kill-successor 2 \
         --level1-every 1 --level2-every 0 --save-every 3 --dir {} --output {} --png {} --json {} \
         --no-verify --quiet",
        text("new"),
        text("o.asc"),
        text("p.png"),
        text("j.json")
    );
    let line: Vec<&str> = line.split_whitespace().collect();
    let job = begin(&line).unwrap();
    assert_eq!(
        job.settings,
        Settings {
            steps: 7,
            rate: 0.25,
            strips: 3,
            level1_every: 1,
            level2_every: 0,
            save_every: 3,
        }
    );
    assert_eq!(job.input_name, input);
    assert_eq!((job.nodes, job.spares), (2, 0));
    let kills = [Kill { node: 1, step: 0 }, Kill { node: 2, step: 7 }];
    assert_eq!(job.kills, kills);
    let stops = [
        Stop { node: 1, step: 3, time: Duration::from_millis(250) },
        Stop { node: 2, step: 7, time: Duration::from_secs(3600) },
    ];
    assert_eq!(job.stops, stops);
    assert_eq!(job.successor_kills, [2]);
    assert_eq!(job.dir, Some(path("new")));
    assert_eq!(job.output, Some(path("o.asc")));
    assert_eq!(job.png, Some(path("p.png")));
    assert_eq!(job.json, Some(path("j.json")));
    assert!(!job.verify && job.quiet);
    // The checks leave nothing behind.
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
}

#[test]
fn the_default_kill_needs_a_node_2() {
    let kills = |line: &[&str]| begin(line).unwrap().kills;
    assert_eq!(kills(&["--no-kill"]), []);
    assert_eq!(kills(&["--stop", "1@5+2"]), [], "another failure was asked for");
    assert_eq!(kills(&["--nodes", "1", "--spares", "0"]), []);
    let half_way = [Kill { node: 2, step: 2 }];
    assert_eq!(kills(&["--nodes", "1", "--steps", "5"]), half_way);
}

#[test]
fn the_last_of_verify_and_no_verify_counts() {
    assert!(begin(&["--no-verify", "--verify"]).unwrap().verify);
    assert!(!begin(&["--verify", "--no-verify"]).unwrap().verify);
}

#[test]
fn help_and_version_are_printed() {
    for (option, word) in [("--help", "--stop <NODE@STEP+SECONDS>"), ("--version", "hillslope ")] {
        match Request::parse(["hillslope", option]) {
            Ok(Request::Print(text)) => assert!(text.contains(word), "{text}"),
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_bad_option_is_refused_in_one_line_that_names_it() {
    let cases: &[(&[&str], &str)] = &[
        (&["--rate", "0"], "--rate"),
        (&["--rate", "-0.1"], "--rate"),
        (&["--rate", "0.2500001"], "--rate"),
        (&["--rate", "nan"], "--rate"),
        (&["--rate", "x"], "--rate"),
        (&["--steps", "0"], "--steps"),
        (&["--steps", "-5"], "--steps"),
        (&["--steps", "1.5"], "--steps"),
        (&["--steps", "5", "--steps", "6"], "--steps"),
        (&["--steps"], "--steps"),
        (&["--nodes", "0"], "--nodes"),
        (&["--nodes", "257"], "--nodes"),
        (&["--spares", "-1"], "--spares"),
        (&["--nodes", "256"], "--nodes and --spares: 257 processes are more than 256"),
        (&["--level1-every", "-1"], "--level1-every"),
        (&["--strips", "0"], "--strips 0: jacksboro.asc (shipped) has 342 inner rows"),
        (&["--strips", "343"], "--strips 343: jacksboro.asc (shipped) has 342 inner rows"),
        (&["--kill", "2"], "--kill <NODE@STEP>': expected NODE@STEP"),
        (&["--kill", "2@-1"], "--kill"),
        (&["--kill", "0@5"], "--kill 0@5: no node 0, the nodes are 1 to 5"),
        (&["--kill", "6@5"], "--kill 6@5: no node 6, the nodes are 1 to 5"),
        (&["--kill", "1@5", "--kill", "2@20001"], "--kill 2@20001: the job ends at step 20000"),
        (&["--kill", "2@5", "--no-kill"], "--no-kill"),
        (&["--stop", "2@5"], "--stop <NODE@STEP+SECONDS>': expected NODE@STEP+SECONDS"),
        (&["--stop", "2+5"], "--stop"),
        (&["--stop", "2@5+0"], "--stop"),
        (&["--stop", "2@5+-1"], "--stop"),
        (&["--stop", "2@5+nan"], "--stop"),
        (&["--stop", "2@5+1e300"], "--stop"),
        (&["--stop", "2@5+3601"], "--stop"),
        (&["--stop", "6@5+1"], "--stop 6@5+1: no node 6, the nodes are 1 to 5"),
        (&["--stop", "1@20001+0.5"], "--stop 1@20001+0.5: the job ends at step 20000"),
        (&["--kill-successor", "0"], "--kill-successor 0: no node 0, the nodes are 1 to 5"),
        (&["--dir", ".", "--resume", "."], "--resume"),
        (&["--dir", "missing/dir"], "--dir missing/dir: "),
        (&["--resume", "missing"], "--resume missing: "),
        (&["--output", "missing/out.asc"], "--output missing/out.asc: "),
        (&["--png", "."], "--png .: not "),
        (&["--json", "/dev/null"], "--json /dev/null: not a regular file"),
        (&["--output", "new/"], "--output new/: not the name of a file"),
        (&["--png", "same", "--json", "./same"], "--json ./same: --png names the same file"),
        (&["--wrong"], "--wrong"),
        (&["extra\nline"], "extra"),
    ];
    for (line, expected) in cases {
        let found = refusal(line);
        assert!(found.contains(expected), "{line:?}: {found}");
        assert!(!found.starts_with("error"), "{found}");
    }
}

#[test]
fn a_bad_input_is_refused_with_its_place() {
    let (directory, _) = small();
    let bad = directory.path().join("bad.asc");
    fs::write(&bad, SMALL.replacen("1 2 3", "1 2", 1)).unwrap();
    let bad = bad.to_str().unwrap();
    let found = refusal(&["--input", bad]);
    assert!(found.starts_with(&format!("{bad}:6:4: ")), "{found}");
}

#[test]
fn a_resumed_job_is_what_it_was_and_kills_nothing_of_itself() {
    let (directory, input) = small();
    let dir = directory.path().to_str().unwrap();
    let grid = Grid::parse("small", SMALL).unwrap();
    let line = ["--resume", dir, "--input", &input, "--rate", "0.1", "--strips", "3"];
    let resumed = options(&line).unwrap();
    assert_eq!(resumed.resume_dir(), Some(directory.path()));
    let job = resumed.resume(saved(), grid.clone()).unwrap();
    assert_eq!(job.settings, saved());
    assert_eq!(job.input, grid);
    assert_eq!(job.kills, []);
    assert_eq!(job.dir.as_deref(), Some(directory.path()));

    let killing = options(&["--resume", dir, "--kill", "1@100"]).unwrap();
    let kills = killing.resume(saved(), grid).unwrap().kills;
    assert_eq!(kills, [Kill { node: 1, step: 100 }]);
}

#[test]
fn a_resumed_job_refuses_options_that_say_otherwise() {
    let (directory, _) = small();
    let dir = directory.path().to_str().unwrap();
    let other = directory.path().join("other.asc");
    fs::write(&other, SMALL.replacen("1 2 3", "1 2 4", 1)).unwrap();
    let other = other.to_str().unwrap();
    for (option, value, expected) in [
        ("--steps", "200", "--steps 200: the resumed job has 100"),
        ("--rate", "0.2", "--rate 0.2: the resumed job has 0.1"),
        ("--strips", "4", "--strips 4: the resumed job has 3"),
        ("--level1-every", "6", "--level1-every 6: the resumed job has 5"),
        ("--level2-every", "1", "--level2-every 1: the resumed job has 0"),
        ("--save-every", "0", "--save-every 0: the resumed job has 20"),
        ("--kill", "1@101", "--kill 1@101: the job ends at step 100"),
        ("--input", other, "not the grid that the resumed job was begun with"),
    ] {
        let grid = Grid::parse("small", SMALL).unwrap();
        let resumed = options(&["--resume", dir, option, value]).unwrap();
        let found = resumed.resume(saved(), grid).unwrap_err().to_string();
        assert!(found.contains(expected), "{found}");
    }
}

#[test]
fn settings_keep_the_rate_bit_for_bit() {
    for rate in [0.1, 1.0 / 7.0, 0.20000000000000004, 5e-324] {
        let settings = Settings { rate, ..saved() };
        let text = serde_json::to_string(&settings).unwrap();
        let again: Settings = serde_json::from_str(&text).unwrap();
        assert_eq!(again.rate.to_bits(), rate.to_bits(), "{text}");
    }
}
