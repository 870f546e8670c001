//! What a job begins with: its nodes, its hierarchy of checkpoints, its strips under a supervisor.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use actors_core::{Link, System};
use actors_node::{Hosts, Node, RemoteAddress, SuperviseRemotely};
use actors_supervise::{Strategy, Supervisor};
use anyhow::{bail, ensure};
use checkpointing_framework::{GroupLink, GroupPlan, Hierarchy};
use crossbeam_channel::Sender;

use crate::{
    cleanup::Processes,
    observer::Observer,
    options::Job,
    run::{Heard, strip_id},
    stencil::{Band, partition},
    store,
    strip::{StripActor, StripArgs},
};

/// How long the nodes may take to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How often nodes that end before they join are looked for.
const LOOK: Duration = Duration::from_millis(50);

pub(crate) fn hierarchy(job: &Job, dir: &Path) -> anyhow::Result<Hierarchy> {
    let settings = &job.settings;
    Ok(Hierarchy::new()
        .memory(settings.level1_every)
        .partner(settings.level2_every)
        .directory(store::checkpoints(dir), settings.save_every)
        .validate()?)
}

/// Starts the node processes, or waits for those that others start.
pub(crate) fn start_nodes(
    job: &Job,
    processes: &Processes,
    system: &System,
) -> anyhow::Result<Node> {
    let names = 1..=job.nodes + job.spares;
    let cluster = match &job.listen {
        Some(_) => crate::CLUSTER.to_owned(),
        None => format!("{}-{}", crate::CLUSTER, system.id()),
    };
    let mut builder = Node::builder(system).cluster(&*cluster);
    if let Some(address) = &job.listen {
        builder = builder.listen(address);
    }
    let node = system.block_on(builder.start())?;
    if job.listen.is_none() {
        for name in names.clone() {
            processes.start_node(name, &node.member().address, &cluster)?;
        }
    }
    let deadline = Instant::now() + JOIN_TIMEOUT;
    for name in names {
        loop {
            if system.block_on(node.wait_for(&name.to_string(), LOOK)).is_ok() {
                break;
            }
            if let Some(ended) = processes.first_ended() {
                bail!("node {ended} ended before it joined");
            }
            ensure!(Instant::now() < deadline, "node {name} did not join in {JOIN_TIMEOUT:?}");
        }
    }
    Ok(node)
}

/// Lets the run hear of nodes and checkpoints.
pub(crate) fn listen(node: &Node, group: &GroupLink, job: &Job, tx: &Sender<Heard>) -> Hosts {
    let to = tx.clone();
    node.on_event(move |event| drop(to.send(Heard::Node(Instant::now(), event.clone()))));
    let to = tx.clone();
    group.on_event(move |event| drop(to.send(Heard::Group(event.clone()))));
    let spares = (job.nodes + 1..=job.nodes + job.spares).map(|name| name.to_string());
    Hosts::new(node, spares)
}

/// Starts the strips, each with the links of its neighbours.
pub(crate) fn supervise(
    job: &Job,
    node: &Node,
    hosts: &Hosts,
    group: &GroupLink,
    observer: &Link<Observer>,
    tx: Sender<Heard>,
) {
    let bands = partition(job.input.nrows, job.settings.strips);
    let count = bands.len();
    let strips: Vec<RemoteAddress<StripActor>> = (0..count)
        .map(|n| {
            let on = 1 + n * job.nodes as usize / count;
            hosts.child(&strip_id(n), "strip", &on.to_string())
        })
        .collect();
    let links: Vec<_> = strips.iter().map(RemoteAddress::link).collect();
    let mut builder =
        Supervisor::builder(Strategy::OneForAll).hosts(hosts).planner(group.planner());
    for (n, (strip, rows)) in strips.into_iter().zip(bands).enumerate() {
        let band = Band::cut(&job.input, rows);
        let (rate, steps) = (job.settings.rate, job.settings.steps);
        let kills = job.kills.iter().map(|kill| kill.step);
        let report_at: Vec<u64> = kills.chain(job.stops.iter().map(|stop| stop.step)).collect();
        let north = n.checked_sub(1).map(|north| links[north].clone());
        let south = links.get(n + 1).cloned();
        let observer = observer.clone();
        builder = builder.child(strip.spec(move |start| {
            Ok(StripArgs {
                number: n as u32 + 1,
                band: band.clone(),
                rate,
                steps,
                report_at: report_at.clone(),
                north: north.clone(),
                south: south.clone(),
                observer: observer.clone(),
                member: GroupPlan::member(start, &strip_id(n))?,
            })
        }));
    }
    let events = builder.subscribe();
    let to = tx.clone();
    std::thread::spawn(move || {
        for event in events {
            if to.send(Heard::Supervisor(event)).is_err() {
                return;
            }
        }
    });
    let system = node.system().clone();
    node.system().spawn_task(async move {
        let started = builder.start(&system).await.map_err(|error| error.to_string());
        if let Ok(supervisor) = &started {
            let to = tx.clone();
            let ended = move |reason| drop(to.send(Heard::SupervisorEnded(reason)));
            supervisor.link().erase().on_down(move |down| ended(down.reason));
        }
        let _ = tx.send(Heard::Started(started));
    });
}
