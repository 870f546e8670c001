//! A node process: it hosts what the head starts on it, and ends with the head.

use std::{path::PathBuf, process::ExitCode, time::Duration};

use actors_core::System;
use actors_node::{Node, NodeEvent};
use anyhow::Context as _;
use clap::Parser;

use crate::{cleanup::remove_directory, observer, strip};

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
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("hillslope node {}: {error:#}", arguments.name);
            ExitCode::FAILURE
        }
    }
}

fn serve(arguments: &Arguments) -> anyhow::Result<()> {
    let system = System::builder().name(arguments.name.to_string()).build();
    export(&system);
    let ended = system.block_on(async {
        let node = Node::builder(&system).cluster(&*arguments.cluster).start().await?;
        let events = node.events();
        let head = node.join(&arguments.head, JOIN_TIMEOUT).await?;
        Ok::<_, anyhow::Error>((events, head))
    });
    if ended.is_err() {
        arguments.scratch.iter().for_each(|scratch| remove_directory(scratch));
    }
    let (events, head) = ended.context("joining the head")?;
    for event in events {
        match event {
            NodeEvent::Down { member, .. } if member.id == head.id => break,
            NodeEvent::Fenced { .. } => break,
            _ => {}
        }
    }
    arguments.scratch.iter().for_each(|scratch| remove_directory(scratch));
    Ok(())
}
