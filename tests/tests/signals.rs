//! Processes that are asked to end, by real signals.

use actors_tests::process::{NodeProcess, Signal};

fn tree(deadline_ms: &str, mode: &str) -> NodeProcess {
    let program = env!("CARGO_BIN_EXE_test-tree");
    NodeProcess::start(program.as_ref(), deadline_ms, mode).expect("it starts")
}

/// What it printed after `ready`, and its exit code.
fn end_of(mut tree: NodeProcess) -> (Vec<String>, Option<i32>) {
    let code = tree.wait();
    // The rest of its output may still be on the way.
    tree.wait_for_end();
    let lines = tree.log().into_iter().filter(|line| line != "ready");
    (lines.collect(), code)
}

/// Nobody waits for the last words of those that were killed: they may come after it.
fn told(lines: &[String], how: &str) {
    assert!(lines.iter().any(|line| line.starts_with(how)), "{lines:?}");
}

const LONG: &str = "60000";

/// SUP 31: a tree that is asked to end does so in order, last first.
#[test]
fn a_signal_shuts_the_tree_down_in_order() {
    for (signal, name) in [(Signal::TERM, "SIGTERM"), (Signal::INT, "SIGINT")] {
        let tree = tree(LONG, "");
        tree.signal(signal);
        let (lines, code) = end_of(tree);
        let told = format!("{name} InOrder shutdown");
        assert_eq!(lines, ["term d", "term c", "term b", "term a", &told]);
        assert_eq!(code, Some(0));
    }
}

/// SUP 31: past the deadline, who has not ended is killed.
#[test]
fn a_child_that_does_not_end_is_killed_at_the_deadline() {
    let tree = tree("200", "stubborn");
    tree.signal(Signal::TERM);
    let (lines, code) = end_of(tree);
    assert_eq!(lines[..3], ["term d", "term c", "term stubborn"]);
    told(&lines, "SIGTERM Deadline ");
    assert_eq!(code, Some(3));
}

/// SUP 31: who is impatient sends another signal.
#[test]
fn a_second_signal_kills_at_once() {
    for second in [Signal::INT, Signal::TERM] {
        let tree = tree(LONG, "stubborn");
        tree.signal(Signal::INT);
        tree.wait_for_line("term stubborn").expect("it is being shut down");
        tree.signal(second);
        let (lines, code) = end_of(tree);
        told(&lines, "SIGINT SecondSignal ");
        assert_eq!(code, Some(3));
    }
}

/// SUP 16: a handler that never returns can be neither stopped nor killed; the policy says what then, here
/// in a tree: the process is aborted, and whoever watches it takes over.
#[test]
fn a_stuck_child_aborts_the_process_if_the_policy_says_so() {
    let (_, code) = end_of(tree(LONG, "stuck"));
    assert_eq!(code, None, "a signal has ended it");
}
