//! A node process: it hosts what the head starts on it, and ends with the head.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use actors_core::System;
use actors_node::{Node, NodeEvent};
use anyhow::Context as _;
use clap::Parser;

use crate::{cleanup::remove_directory, observer, strip};

/// The status of a node that was declared dead, and has ended itself for it.
pub(crate) const FENCED: u8 = 3;

const JOIN_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs strips for the head at an address, until the head is gone.
#[derive(Debug, Parser)]
#[command(name = "hillslope node")]
struct Arguments {
    /// The head's address
    #[arg(long)]
    head: String,
    /// This node's name, from 1
    #[arg(long)]
    name: u32,
    /// The head's cluster
    #[arg(long, default_value = super::CLUSTER)]
    cluster: String,
    /// A temporary directory of the head, removed with it
    #[arg(long)]
    scratch: Option<PathBuf>,
}

/// Lets everything that a node hosts cross, on nodes and on the head alike.
pub(crate) fn export(system: &System) {
    checkpointing_framework::export(system);
    strip::export(system);
    observer::export(system);
}

/// The node process, from its command line to its end.
pub(crate) fn main(arguments: impl Iterator<Item = std::ffi::OsString>) -> ExitCode {
    let arguments = match Arguments::try_parse_from(arguments) {
        Ok(arguments) => arguments,
        Err(error) => {
            let _ = error.print();
            return ExitCode::from(2);
        }
    };
    match serve(&arguments) {
        Ok(End::HeadIsGone) => ExitCode::SUCCESS,
        Ok(End::Fenced) => ExitCode::from(FENCED),
        Err(error) => {
            eprintln!("hillslope node {}: {error:#}", arguments.name);
            ExitCode::FAILURE
        }
    }
}

enum End {
    HeadIsGone,
    Fenced,
}

fn serve(arguments: &Arguments) -> anyhow::Result<End> {
    let system = System::builder().name(arguments.name.to_string()).build();
    export(&system);
    let joined = system.block_on(async {
        let node = Node::builder(&system).cluster(&*arguments.cluster).start().await?;
        let events = node.events();
        let head = node.join(&arguments.head, JOIN_TIMEOUT).await?;
        Ok::<_, anyhow::Error>((events, head))
    });
    if joined.is_err() {
        arguments.scratch.iter().for_each(|scratch| remove_directory(scratch));
    }
    let (events, head) = joined.context("joining the head")?;
    for event in events {
        match event {
            NodeEvent::Down { member, .. } if member.id == head.id => break,
            // The job goes on without this node: what it needs is not touched.
            NodeEvent::Fenced { .. } => return Ok(End::Fenced),
            _ => {}
        }
    }
    arguments.scratch.iter().for_each(|scratch| remove_directory(scratch));
    Ok(End::HeadIsGone)
}
