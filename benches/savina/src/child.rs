//! One repetition of one workload, in a process of its own.

use std::panic;

use anyhow::Context;

use crate::{parts::AS_TOLD, peers};

/// Runs it and prints its samples, one JSON object per line; nothing if the system cannot do it.
pub(crate) fn run(system: &str, workload: &str, n: u64) -> anyhow::Result<()> {
    let peer = peers::find(system).with_context(|| format!("there is no system {system}"))?;
    let told = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        if panic.payload_as_str() != Some(AS_TOLD) {
            told(panic);
        }
    }));
    for sample in peers::run(peer, workload, n) {
        println!("{}", serde_json::to_string(&sample)?);
    }
    Ok(())
}
