use std::fs;
use std::sync::Arc;

use serde_json::{Value, json};

use super::*;

fn report() -> Report {
    let lost = Failure {
        node: 2,
        kind: "kill".to_owned(),
        fenced: None,
        at_step: 10_003,
        detect_ms: Some(12.34),
        restarted_on: Some(5),
        level: Some(RecoveryLevel::Partner),
        restored_step: Some(9800),
        lost_steps: Some(203),
        recover_ms: Some(35.4),
    };
    let idle = Failure {
        node: 6,
        detect_ms: None,
        restarted_on: None,
        level: None,
        restored_step: None,
        lost_steps: None,
        recover_ms: None,
        ..lost.clone()
    };
    let stopped = Failure { node: 3, kind: "stop".to_owned(), fenced: Some(true), ..lost.clone() };
    let level = |level| Level { level, count: 396, bytes: 1_000_000, mean_ms: 0.125 };
    Report {
        steps: 20_000,
        rate: 0.2,
        nodes: 4,
        spares: 1,
        strips: 4,
        wall_s: 3.5,
        compute_s: 1.25,
        checkpoint_overhead_pct: 2.5,
        identical: Some(true),
        failures: vec![lost, idle, stopped],
        pauses: vec![Pause { node: 4, at_step: 7000, seconds: 1.5 }],
        checkpoints: vec![level(RecoveryLevel::Memory), level(RecoveryLevel::Directory)],
    }
}

/// A writer whose text can be read afterwards.
#[derive(Clone, Default)]
struct Shared(Arc<Mutex<Vec<u8>>>);

impl Write for Shared {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Nothing can be written here, as when the reader of a pipe is gone.
struct Closed;

impl Write for Closed {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Err(io::ErrorKind::BrokenPipe.into())
    }
}

fn lines_to(out: impl Write + Send + 'static) -> Events {
    let place = Place::Lines(Mutex::new(Box::new(out)));
    Events { place }
}

fn restart(strips: &[u32]) -> Restart<'_> {
    Restart {
        strips,
        node: 5,
        level: RecoveryLevel::Partner,
        step: 9800,
        lost_steps: 203,
        recover_ms: 35.4,
    }
}

fn tell_all(events: &Events) {
    events.at_step(1);
    events.node_lost(2, 10_003, Some(12.34));
    events.node_lost(3, 10_003, None);
    events.restarted(&restart(&[2, 3]));
    events.note("done");
    events.finish();
}

#[test]
fn the_json_has_every_field_under_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("report.json");
    report().write_json(&path).unwrap();
    assert_eq!(fs::read_dir(&directory).unwrap().count(), 1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.ends_with("}\n"));
    let found: Value = serde_json::from_str(&text).unwrap();
    let expected = json!({
        "steps": 20000, "rate": 0.2, "nodes": 4, "spares": 1, "strips": 4,
        "wall_s": 3.5, "compute_s": 1.25, "checkpoint_overhead_pct": 2.5, "identical": true,
        "failures": [
            {
                "node": 2, "kind": "kill", "fenced": null, "at_step": 10003, "detect_ms": 12.34, "restarted_on": 5,
                "level": 2, "restored_step": 9800, "lost_steps": 203, "recover_ms": 35.4,
            },
            {
                "node": 6, "kind": "kill", "fenced": null, "at_step": 10003, "detect_ms": null, "restarted_on": null,
                "level": null, "restored_step": null, "lost_steps": null, "recover_ms": null,
            },
            {
                "node": 3, "kind": "stop", "fenced": true, "at_step": 10003, "detect_ms": 12.34,
                "restarted_on": 5, "level": 2, "restored_step": 9800, "lost_steps": 203,
                "recover_ms": 35.4,
            },
        ],
        "pauses": [{ "node": 4, "at_step": 7000, "seconds": 1.5 }],
        "checkpoints": [
            { "level": 1, "count": 396, "bytes": 1000000, "mean_ms": 0.125 },
            { "level": "directory", "count": 396, "bytes": 1000000, "mean_ms": 0.125 },
        ],
    });
    assert_eq!(found, expected);
    assert_eq!(json!(RecoveryLevel::Input), json!("input"));
}

#[test]
fn a_place_that_cannot_be_written_is_named() {
    let error = report().write_json(Path::new("missing/r.json")).unwrap_err();
    assert!(error.to_string().starts_with("missing/r.json: "), "{error}");
}

#[test]
fn the_tables_tell_of_failures_checkpoints_and_the_verdict() {
    let text = report().table();
    let row = |wanted: &[&str]| {
        let has_row = |line: &str| {
            let cells: Vec<&str> = line.split(['│', '┆']).map(str::trim).collect();
            cells.len() > 2 && cells[1..cells.len() - 1] == *wanted
        };
        assert!(text.lines().any(has_row), "{wanted:?} in\n{text}");
    };
    row(&["2", "kill", "10003", "12.3 ms", "5", "level 2", "9800", "203 steps", "35 ms"]);
    row(&["6", "kill", "10003", "-", "-", "-", "-", "-", "-"]);
    row(&["3", "stop, fenced", "10003", "12.3 ms", "5", "level 2", "9800", "203 steps", "35 ms"]);
    assert!(text.contains("\nnode 4 stood still for 1.5 s at step 7000: nothing was lost\n"));
    row(&["level 1", "396", "1000000", "0.125 ms"]);
    row(&["the directory", "396", "1000000", "0.125 ms"]);
    assert!(text.contains("20000 steps of 4 strips on 4 nodes and 1 spare in 3.50 s"));
    assert!(text.ends_with("Result: identical bit for bit to the failure-free result."));
}

#[test]
fn the_verdict_is_never_glossed_over() {
    let verdict = |identical| {
        let report =
            Report { identical, failures: vec![], pauses: vec![], checkpoints: vec![], ..report() };
        report.table()
    };
    assert!(verdict(Some(false)).contains("Result: NOT IDENTICAL"));
    assert!(verdict(None).contains("Result: not verified"));
    assert!(verdict(None).starts_with("No node was lost.\n\nNo checkpoint was taken."));
}

#[test]
fn each_event_is_a_line() {
    let out = Shared::default();
    tell_all(&lines_to(out.clone()));
    let text = String::from_utf8(out.0.lock().unwrap().clone()).unwrap();
    assert_eq!(
        text,
        "node 2 lost at step 10003, detected after 12.3 ms\n\
         node 3 lost at step 10003\n\
         strips 2, 3 restarted on node 5 from level 2, step 9800: 203 steps lost, running again after 35 ms\n\
         done\n"
    );
}

#[test]
fn one_strip_and_one_step_are_singular() {
    let one = Restart {
        level: RecoveryLevel::Directory,
        lost_steps: 1,
        recover_ms: 7.0,
        ..restart(&[4])
    };
    assert_eq!(
        one.to_string(),
        "strip 4 restarted on node 5 from the directory, step 9800: 1 step lost, running again after 7.0 ms"
    );
}

#[test]
fn lines_that_no_one_reads_stop_nothing() {
    tell_all(&lines_to(Closed));
}

#[test]
fn quiet_shows_nothing() {
    let events = Events::new(10, true);
    assert!(matches!(events.place, Place::Nowhere));
    tell_all(&events);
}

#[test]
fn the_bar_follows_the_slowest_strip_back() {
    let bar = progress_bar(10);
    bar.set_draw_target(ProgressDrawTarget::hidden());
    let place = Place::Terminal(bar.clone());
    let events = Events { place };
    events.at_step(7);
    assert_eq!((bar.position(), bar.length()), (7, Some(10)));
    events.at_step(4);
    assert_eq!(bar.position(), 4);
    events.finish();
    assert!(bar.is_finished());
}

#[test]
fn strips_in_a_row_are_named_by_their_ends() {
    assert_eq!(runs(&[2]), "2");
    assert_eq!(runs(&[2, 3]), "2, 3");
    assert_eq!(runs(&[1, 4, 5, 6, 7, 9]), "1, 4 to 7, 9");
}
