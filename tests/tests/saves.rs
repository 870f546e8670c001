//! A saving process that is killed: a few rounds of the program `saves`.

use actors_tests::saves::run;

/// `.ci/saves` does it a thousand times, and kills within commits that write states of older files again.
#[test]
fn ckpt_9_a_process_killed_at_a_random_moment_loses_nothing_that_it_has_committed() {
    let saver = env!("CARGO_BIN_EXE_test-saver");
    let done = run(saver.as_ref(), 1, 25, |_| {}).unwrap_or_else(|error| panic!("{error:#}"));
    assert!(done.committed > 0 && done.stopped > 0, "{done:?}");
}
