//! The processes of a repetition.

use std::io::{self, Read, Write};

use crate::{
    systems::{self, Name},
    workload::Workload,
};

pub(crate) fn serve(system: Name) -> anyhow::Result<()> {
    let (server, address) = systems::serve(system)?;
    println!("{address}");
    io::stdout().flush()?;
    io::stdin().read_to_end(&mut Vec::new())?;
    drop(server);
    Ok(())
}

pub(crate) fn work(system: Name, workload: Workload, address: &str, n: u64) -> anyhow::Result<()> {
    let sample = systems::work(system, workload, address, n)?;
    println!("{}", serde_json::to_string(&sample)?);
    Ok(())
}

/// The client is connected: what is to happen to the server may happen.
pub(crate) fn ready() {
    println!("ready");
    drop(io::stdout().flush());
}
