//! One repetition of one workload, in a process of its own.

use std::panic;

use anyhow::Context;

use crate::peers;

/// Runs it and prints its samples, one JSON object per line; nothing if the system cannot do it.
pub(crate) fn run(system: &str, workload: &str, n: u64) -> anyhow::Result<()> {
    let peer = peers::find(system).with_context(|| format!("there is no system {system}"))?;
    if workload.starts_with("restart") {
        // What an actor is told to do is no news.
        panic::set_hook(Box::new(|_| {}));
    }
    for sample in peers::run(peer, workload, n) {
        println!("{}", serde_json::to_string(&sample)?);
    }
    Ok(())
}
