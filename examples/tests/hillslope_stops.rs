//! Nodes of the program that stand still: not for long, and nothing is lost; or for so long that the job
//! goes on without them, and then they hear of it and end themselves.

mod common;

use common::{Outcome, Place};
use serde_json::{Value, json};

const SMALL: [&str; 6] = ["--steps", "1000", "--level1-every", "25", "--save-every", "100"];

fn run(more: &[&str]) -> Outcome {
    let outcome = Place::new().run(&[&SMALL[..], more].concat());
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    assert_eq!(outcome.report["identical"], Value::Bool(true), "{}", outcome.report);
    outcome
}

fn failures(outcome: &Outcome) -> Vec<Value> {
    outcome.report["failures"].as_array().expect("a list").clone()
}

/// Its strip goes on from its partner's copy on the spare; it is told, and ends itself.
#[test]
fn node_16_a_node_that_stands_still_for_long_is_replaced_and_fenced() {
    let outcome = run(&["--level2-every", "100", "--stop", "2@500+8"]);
    let [failure] = &failures(&outcome)[..] else { panic!("{}", outcome.report) };
    assert_eq!((&failure["node"], &failure["kind"]), (&json!(2), &json!("stop")), "{failure}");
    assert_eq!(failure["fenced"], json!(true), "{failure}");
    assert_eq!((&failure["restarted_on"], &failure["level"]), (&json!(5), &json!(2)), "{failure}");
    assert!(failure["detect_ms"].as_f64() >= Some(3_000.0), "by its silence: {failure}");
    assert_eq!(outcome.report["pauses"], json!([]));
}

/// Others wait for its rows, and nobody declares it dead.
#[test]
fn node_16_a_node_that_stands_still_for_a_moment_costs_nothing() {
    let outcome = run(&["--stop", "2@500+1", "--stop", "5@600+0.2"]);
    assert_eq!(failures(&outcome), [Value::Null; 0], "{}", outcome.report);
    let pauses = outcome.report["pauses"].as_array().expect("a list");
    let of = |node: u32| pauses.iter().find(|pause| pause["node"] == node).expect("it was stopped");
    assert_eq!((&of(2)["seconds"], &of(5)["seconds"]), (&json!(1.0), &json!(0.2)));
    assert!(of(2)["at_step"].as_u64() >= Some(500));
}

/// What the job needs is not touched by a node that it goes on without: those that are lost later are
/// restored from the directory, and it goes on saving.
#[test]
fn frame_14_kills_and_stops_leave_the_result_as_it_is() {
    let outcome = run(&[
        "--level2-every",
        "0",
        "--spares",
        "2",
        "--stop",
        "2@300+6",
        "--stop",
        "3@350+9",
        "--kill",
        "1@700",
    ]);
    let failures = failures(&outcome);
    let of = |node: u32| failures.iter().find(|f| f["node"] == node).expect("it was lost");
    assert_eq!(failures.len(), 3, "{}", outcome.report);
    for node in [2, 3] {
        assert_eq!((&of(node)["kind"], &of(node)["fenced"]), (&json!("stop"), &json!(true)));
    }
    assert_eq!((&of(1)["kind"], &of(1)["fenced"]), (&json!("kill"), &Value::Null));
    for failure in &failures {
        assert_eq!(failure["level"], "directory", "{}", outcome.report);
    }
    assert!(!outcome.stderr.contains("is not saved"), "{}", outcome.stderr);
}

/// The spare dies between the plan and the start of what it takes over: the next one has it.
#[test]
fn node_10_a_spare_that_is_killed_while_it_takes_over_has_a_successor() {
    let outcome = run(&["--spares", "2", "--kill", "2@500", "--kill-successor", "2"]);
    let lost: Vec<Value> = failures(&outcome).iter().map(|f| f["node"].clone()).collect();
    assert_eq!(lost, [json!(2), json!(5)], "{}", outcome.report);
    for failure in failures(&outcome) {
        assert_eq!((&failure["kind"], &failure["restarted_on"]), (&json!("kill"), &json!(6)));
    }
}
