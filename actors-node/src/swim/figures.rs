//! What a cluster of engines costs, and how soon it finds a failure.

use std::{collections::BTreeSet, time::Duration};

use actors_core::{SystemId, host::Time};

use super::{
    Effect, Swim,
    cluster::{Cluster, Traffic},
};

/// No failure takes longer to be known to all.
const LIMIT: Duration = Duration::from_secs(900);
const STEP: Duration = Duration::from_millis(100);

/// A cluster that runs for a while, then loses a node. Simulated time: the same seed, the same figures.
#[derive(Clone, Debug)]
pub struct Run {
    /// Draws everything.
    pub seed: u64,
    /// How many there are.
    pub nodes: usize,
    /// Each knows so many others, drawn at random, or all.
    pub sample: Option<usize>,
    /// Of a thousand packets, so many are lost.
    pub loss: u32,
    /// How long nothing fails.
    pub quiet: Duration,
    /// Those of the membership.
    pub settings: Swim,
}

/// What came of it.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub struct Figures {
    /// Packets that a node sends a second while nothing fails.
    pub packets: f64,
    /// Bytes of them, as frames of connections.
    pub bytes: f64,
    /// Connections that a node makes a second for them.
    pub dials: f64,
    /// Connections that a node has because of them.
    pub connections: f64,
    /// Live nodes that were suspected, each counted once for each observer that heard of it.
    pub false_suspicions: usize,
    /// Live nodes that were declared dead.
    pub false_deaths: usize,
    /// From the failure to the first suspicion.
    pub suspected: Duration,
    /// From the failure to the first that declares the node dead.
    pub found: Duration,
    /// From the failure until all have that know the node.
    pub known: Duration,
}

impl Run {
    /// Runs it.
    pub fn figures(&self) -> Figures {
        let Self { seed, nodes, sample, loss, quiet, settings } = *self;
        let mut cluster = Cluster::joined(seed, settings, nodes, sample);
        cluster.loss = loss;
        // The first connections are not those of every day.
        cluster.run(2 * settings.idle);
        let before = cluster.traffic;
        cluster.run(quiet);
        let spent = since(before, cluster.traffic);
        let each = |sum: u64| sum as f64 / nodes as f64 / quiet.as_secs_f64();
        let false_suspicions = cluster.found(suspected).count();
        let false_deaths: BTreeSet<_> = cluster.found(dead).map(|(.., who)| who).collect();
        let connections = 2.0 * cluster.connections() as f64 / nodes as f64;
        let lost = (0..nodes).rfind(|node| !false_deaths.contains(node)).unwrap_or_default();
        let [suspected, found, known] = self.lose(&mut cluster, lost);
        Figures {
            packets: each(spent.packets),
            bytes: each(spent.bytes),
            dials: each(spent.dials),
            connections,
            false_suspicions,
            false_deaths: false_deaths.len(),
            suspected,
            found,
            known,
        }
    }

    fn lose(&self, cluster: &mut Cluster, lost: usize) -> [Duration; 3] {
        let holders: BTreeSet<usize> =
            (0..self.nodes).filter(|node| cluster.knows(*node, lost)).collect();
        let at = cluster.now;
        cluster.log.clear();
        cluster.kill(lost);
        while cluster.now.since(at) < LIMIT && holders.iter().any(|node| cluster.knows(*node, lost))
        {
            cluster.run(STEP);
        }
        let of_lost = |(at, _, who): (Time, usize, usize)| (who == lost).then_some(at);
        let first = |at: Option<Time>, from: Time| at.map_or(LIMIT, |found| found.since(from));
        [
            first(cluster.found(suspected).find_map(of_lost), at),
            first(cluster.found(dead).find_map(of_lost), at),
            first(cluster.found(dead).filter_map(of_lost).last(), at),
        ]
    }
}

fn suspected(effect: &Effect) -> Option<SystemId> {
    if let Effect::Suspected(id) = effect { Some(*id) } else { None }
}

fn dead(effect: &Effect) -> Option<SystemId> {
    if let Effect::Down(id, _) = effect { Some(*id) } else { None }
}

fn since(before: Traffic, now: Traffic) -> Traffic {
    Traffic {
        packets: now.packets - before.packets,
        bytes: now.bytes - before.bytes,
        dials: now.dials - before.dials,
    }
}
