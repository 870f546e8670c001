//! A node from a file: it joins its cluster, says who comes and goes, and leaves when it is told to end.

mod config;

use std::{path::PathBuf, thread};

use actors_core::System;
use actors_node::{Member, Node, NodeEvent};
use clap::Parser;
use crossbeam_channel::{Receiver, bounded, select};
use serde_json::json;
use signal_hook::{
    consts::{SIGINT, SIGTERM},
    iterator::Signals,
};

use crate::config::Config;

/// A node of a cluster
#[derive(Parser)]
struct Options {
    /// What it is told: see `docs/operating.md`
    config: PathBuf,
    /// Its name, instead of the one in the file
    #[arg(long)]
    name: Option<String>,
    /// The address that others connect to, instead of the one in the file
    #[arg(long)]
    advertise: Option<String>,
    /// Where others are, instead of the way in the file: the port of the nodes of this SLURM job
    #[arg(long, conflicts_with = "dns")]
    slurm: Option<u16>,
    /// The same: a name that stands for the addresses of all nodes, and their port
    #[arg(long)]
    dns: Option<String>,
    /// Only look whether the file is good
    #[arg(long)]
    check: bool,
    /// Print one JSON object per line
    #[arg(long)]
    json: bool,
}

fn main() -> anyhow::Result<()> {
    tracing_subscriber::fmt().with_writer(std::io::stderr).init();
    let options = Options::parse();
    let mut config = Config::read(&options.config)?;
    config.advertise = options.advertise.or(config.advertise);
    let name = options.name.or(config.name.take());
    config.find_others(options.dns, options.slurm);
    let system = match name {
        Some(name) => System::builder().name(name).build(),
        None => System::new(),
    };
    let (builder, (discovery, timeout)) = (config.node(&system)?, config.discovery()?);
    if options.check {
        return Ok(());
    }
    let signals = Signals::new([SIGINT, SIGTERM])?;
    let node = system.block_on(builder.start())?;
    let end = leave_on(signals, &node);
    let say = |what: &str, member: &Member| match options.json {
        true => println!("{}", json!({ "event": what, "node": member.name, "at": member.address })),
        false => println!("{what}: {member}"),
    };
    say("started", node.member());
    let events = node.events();
    system.block_on(node.join_by(&*discovery, timeout))?;
    until_told(&node, &events, &end, say);
    // It may have ended otherwise.
    node.leave();
    say("left", node.member());
    Ok(())
}

fn until_told(
    node: &Node,
    events: &Receiver<NodeEvent>,
    end: &Receiver<()>,
    say: impl Fn(&str, &Member),
) {
    loop {
        select! {
            recv(end) -> _ => return,
            recv(events) -> event => match event {
                Ok(NodeEvent::Up(member)) => say("up", &member),
                Ok(NodeEvent::Down { member, .. }) => say("down", &member),
                Ok(NodeEvent::Suspected(member)) => say("suspected", &member),
                Ok(NodeEvent::Recovered(member)) => say("recovered", &member),
                Ok(NodeEvent::Fenced { by }) => return say("declared dead by", &by),
                Ok(_) => {}
                Err(_) => return say("ended", node.member()),
            },
        }
    }
}

/// Leaves at the first signal, also while others are still looked for.
fn leave_on(mut signals: Signals, node: &Node) -> Receiver<()> {
    let (tell, told) = bounded(1);
    let node = node.clone();
    thread::spawn(move || {
        if signals.forever().next().is_some() {
            node.leave();
            let _ = tell.send(());
        }
    });
    told
}
