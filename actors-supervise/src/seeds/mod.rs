//! A random tree under random failures, one for each seed of the deterministic host: nobody is lost, and
//! every decision of the machine is reached. `.ci/seeds` does it for 10,000 seeds.

mod actors;
mod chaos;
mod elsewhere;

use std::collections::BTreeMap;

use actors_core::sim;

use crate::machine::tally;

/// How many seeds: 200, or `ACTORS_SEEDS`.
fn seeds() -> u64 {
    match std::env::var("ACTORS_SEEDS") {
        Ok(number) => number.parse().expect("ACTORS_SEEDS is a number"),
        Err(_) => 200,
    }
}

/// SUP 3, SUP 11, SUP 31, SUP 32: no orphan, no lost name, one life at a time, the limit kept, every
/// question answered, events as the end is; and with many seeds every decision often.
#[test]
fn any_tree_under_any_failures_loses_nobody() {
    for seed in 0..seeds() {
        sim::simulate(seed, chaos::run);
    }
    let reached = tally::take();
    for (case, times) in &reached {
        println!("{times:>9}  {case}");
    }
    let least = seeds() / 100;
    let rare: Vec<_> = DECISIONS.iter().filter(|case| times(&reached, case) < least).collect();
    assert!(rare.is_empty(), "reached less than {least} times: {rare:#?}");
}

fn times(reached: &BTreeMap<String, u64>, case: &str) -> u64 {
    reached.get(case).copied().unwrap_or_default()
}

/// What must be reached with every hundredth seed at least.
const DECISIONS: &[&str] = &[
    "Permanent, normal: restarted",
    "Permanent, shutdown: restarted",
    "Permanent, shutdown with a word: restarted",
    "Permanent, error: restarted",
    "Permanent, panic: restarted",
    "Permanent, killed: restarted",
    "Transient, normal: kept",
    "Transient, shutdown: kept",
    "Transient, shutdown with a word: kept",
    "Transient, error: restarted",
    "Transient, panic: restarted",
    "Transient, killed: restarted",
    "Temporary, normal: removed",
    "Temporary, shutdown: removed",
    "Temporary, shutdown with a word: removed",
    "Temporary, error: removed",
    "Temporary, panic: removed",
    "Temporary, killed: removed",
    "Transient task, normal: removed",
    "Transient task, panic: restarted",
    "Transient task, killed: restarted",
    "Transient task, timed out: removed",
    "Temporary task, normal: removed",
    "Temporary task, panic: removed",
    "Permanent task, normal: removed",
    "Permanent task, panic: restarted",
    "Transient, normal: kept no longer than a template's child",
    "over the limit: the supervisor gives up",
    "a failure during a round: widened, one_for_all",
    "a failure during a round: widened, rest_for_one",
    "a failed start: tried again, one_for_one",
    "a failed start: tried again, one_for_all",
    "a failed start: tried again, rest_for_one",
    "a failed first start: the supervisor ends",
    "a failed start of an added child: removed",
    "a failed restart by hand: kept",
    "a failed start of one that was to stop",
    "an unreachable node: tried again, not counted",
    "a round has waited for its backoff",
    "ignored start: kept",
    "ignored start: removed",
    "stale exit: of a child that is gone",
    "stale exit: of a life that was replaced",
    "an exit before the answer of its start",
    "died before its turn to stop",
    "died while the supervisor ended",
    "stopped: by hand, kept",
    "stopped: by hand, removed",
    "stopped: with its group",
    "stopped: with its group, removed",
    "stopped: with the supervisor",
    "stopped: brutal kill",
    "stopped: within a time",
    "stopped: however long",
    "not stopped in time: killed",
    "told to stop by hand: out of its round",
    "restarted by hand",
    "let go",
    "node failure: one_for_one",
    "node failure: one_for_all",
    "node failure: rest_for_one",
    "node failure: one too many",
    "node failure: nobody there",
    "a significant child ends, any: ends the supervisor",
    "a significant child ends, all: ends the supervisor",
    "a significant child ends, all: others are left",
];
