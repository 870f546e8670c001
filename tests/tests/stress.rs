//! A small round of the stress program.

use std::time::Duration;

use actors_tests::stress::{Plan, round};

/// CORE 31, CORE 40: with small numbers; `.ci/stress` runs it with large ones.
#[test]
fn a_small_round_keeps_all_promises() {
    let plan = Plan { seed: 1, scale: 0.02, deadline: Duration::from_secs(60) };
    round(&plan, |_, _| {}).unwrap();
}
