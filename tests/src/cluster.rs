//! Nodes of one simulation, or of one process.

use std::time::Duration;

use actors_core::{System, sim::Sim};
use actors_node::Node;

use crate::export;

/// Long enough for anything that happens in these tests.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Starts a node of a simulation, with this crate's actors.
pub async fn sim_node(sim: &Sim, name: &str) -> Node {
    let system = System::builder().name(name).host(sim.node(name)).build();
    start(&system).await
}

/// Starts nodes of a simulation, and connects each to each.
pub async fn sim_nodes(sim: &Sim, names: &[&str]) -> Vec<Node> {
    let mut nodes = Vec::new();
    for name in names {
        nodes.push(sim_node(sim, name).await);
    }
    connect(&nodes.iter().collect::<Vec<_>>()).await;
    nodes
}

/// Waits until it is so, in virtual time.
pub async fn until(sim: &Sim, mut is: impl FnMut() -> bool) {
    while !is() {
        sim.sleep(Duration::from_millis(1)).await;
    }
}

/// Starts a node of this process.
pub async fn real_node(name: &str) -> Node {
    start(&System::builder().name(name).build()).await
}

/// Makes a system a node, with this crate's actors.
pub async fn start(system: &System) -> Node {
    export(system);
    Node::builder(system).start().await.expect("a free port")
}

/// Joins all to the first, and waits until each is connected to each.
pub async fn connect(nodes: &[&Node]) {
    let (first, rest) = nodes.split_first().expect("a node");
    for node in rest {
        node.join(&first.member().address, PATIENCE).await.expect("joins");
    }
    for node in nodes {
        for other in nodes.iter().filter(|other| other.member() != node.member()) {
            node.wait_for(&other.member().name, PATIENCE).await.expect("connects");
        }
    }
}
