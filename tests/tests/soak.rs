//! A short round of the soak program.

use std::time::Duration;

use actors_tests::soak::{Plan, run};

/// SUP 31, SUP 32: no orphan, no lost name, no life out of its order; `.ci/soak` does it for longer.
#[test]
fn a_small_tree_loses_nobody() {
    for seed in 1..=4 {
        let duration = Duration::from_millis(500);
        let plan =
            Plan { seed, actors: 100, strikes: 4, duration, deadline: Duration::from_secs(60) };
        let done = run(&plan, |_| {}).unwrap_or_else(|error| panic!("seed {seed}: {error:#}"));
        assert!(done.lives > 100 && done.hangs > 0 && done.guests > 0, "{done:?}");
    }
}
