//! The program loses nodes and ends with the result of the failure-free run, bit for bit.

mod common;

use common::{Outcome, Place};
use serde_json::Value;

fn assert_identical(outcome: &Outcome) {
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.report["identical"], Value::Bool(true), "{}", outcome.report);
}

fn failures(outcome: &Outcome) -> &Vec<Value> {
    outcome.report["failures"].as_array().expect("a list")
}

const SMALL: [&str; 8] =
    ["--steps", "1000", "--level1-every", "25", "--level2-every", "100", "--save-every", "400"];

fn with<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&SMALL[..], more].concat()
}

/// The default failure: one node half-way, its strip on the spare, from its neighbour's memory.
#[test]
fn node_3_a_killed_node_is_replaced_by_the_spare() {
    let outcome = Place::new().run(&SMALL);
    assert_identical(&outcome);
    let [failure] = &failures(&outcome)[..] else { panic!("{}", outcome.report) };
    assert_eq!((&failure["node"], &failure["kind"]), (&2.into(), &"kill".into()));
    assert_eq!((&failure["restarted_on"], &failure["level"]), (&5.into(), &2.into()));
    assert!(failure["detect_ms"].as_f64() <= Some(2_000.0), "{failure}");
    assert!(failure["recover_ms"].as_f64() <= Some(1_000.0), "{failure}");
    assert!(failure["lost_steps"].as_u64() <= Some(100), "{failure}");
    for key in ["steps", "rate", "nodes", "spares", "strips", "wall_s", "compute_s"] {
        assert!(outcome.report[key].is_number(), "{key}");
    }
    assert!(outcome.report["checkpoint_overhead_pct"].is_number());
}

/// Without the level on another node the directory is used.
#[test]
fn frame_6_without_level_2_the_directory_is_used() {
    let outcome = Place::new().run(&[
        "--steps",
        "1000",
        "--level2-every",
        "0",
        "--save-every",
        "400",
        "--kill",
        "2@500",
    ]);
    assert_identical(&outcome);
    assert_eq!(failures(&outcome)[0]["level"], "directory");
}

/// Several nodes at one step, one after the other, and all but one with no spare.
#[test]
fn node_10_many_lost_nodes_are_survived() {
    let plans: [&[&str]; 4] = [
        &["--spares", "2", "--kill", "2@500", "--kill", "3@500"],
        &["--spares", "3", "--kill", "1@300", "--kill", "4@500", "--kill", "2@700"],
        &["--spares", "0", "--kill", "1@500", "--kill", "2@500", "--kill", "4@500"],
        &["--spares", "0", "--kill", "4@200", "--kill", "3@400", "--kill", "1@401"],
    ];
    let place = Place::new();
    for plan in plans {
        let outcome = place.run(&with(plan));
        assert_identical(&outcome);
        let kills = plan.iter().filter(|argument| **argument == "--kill").count();
        assert_eq!(failures(&outcome).len(), kills, "{}", outcome.report);
    }
}

/// No node left: exit 2, one line.
#[test]
fn node_4_without_any_node_the_job_fails_with_one_line() {
    let outcome = Place::new().run(&with(&[
        "--nodes", "2", "--spares", "0", "--kill", "1@500", "--kill", "2@500", "--quiet",
    ]));
    assert_eq!(outcome.code, Some(2));
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    assert!(outcome.stderr.contains("no node is left"), "{}", outcome.stderr);
}
