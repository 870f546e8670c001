//! Nodes that know each other by gossip: connections where they are used, the promises of all nodes, and what
//! is another with gossip.

use std::time::Duration;

use actors_core::{
    Actor, Context, ExitReason, Handler, Message, System, SystemId,
    sim::{self, Sim},
};
use actors_node::{
    DownCause, HandShakeError, Member, Membership, Node, NodeError, NodeEvent, Swim,
};
use actors_tests::{
    calculator::{Add, Calculator},
    cluster::{PATIENCE, sim_node},
    export,
};
use crossbeam_channel::Receiver;
use serde::{Deserialize, Serialize};

const SEEDS: u64 = 30;
const SECOND: Duration = Duration::from_secs(1);

async fn node(sim: &Sim, name: &str) -> Node {
    node_with(sim, name, Swim::default()).await
}

async fn node_with(sim: &Sim, name: &str, settings: Swim) -> Node {
    let system = System::builder().name(name).host(sim.node(name)).build();
    export(&system);
    let slow = system.export::<Slow>("slow").message::<Later>("later");
    slow.constructor(|(): (), _birth| async { Ok(Slow) });
    let builder = Node::builder(&system).membership(Membership::Swim(settings));
    builder.start().await.expect("a free port")
}

/// All join the first.
async fn cluster(sim: &Sim, names: &[&str]) -> Vec<Node> {
    let mut nodes: Vec<Node> = Vec::new();
    for name in names {
        let node = node(sim, name).await;
        if let Some(first) = nodes.first() {
            node.join(&first.member().address, PATIENCE).await.expect("joins");
        }
        nodes.push(node);
    }
    for node in &nodes {
        for name in names.iter().filter(|name| **name != node.member().name) {
            node.wait_for(name, PATIENCE).await.expect("it is known");
        }
    }
    nodes
}

fn downs(events: &Receiver<NodeEvent>) -> Vec<(SystemId, DownCause)> {
    let down = |event| match event {
        NodeEvent::Down { member, cause } => Some((member.id, cause)),
        _ => None,
    };
    events.try_iter().filter_map(down).collect()
}

/// Waits for an event of those that count, on virtual time.
async fn until<T>(
    sim: &Sim,
    events: &Receiver<NodeEvent>,
    mut is: impl FnMut(NodeEvent) -> Option<T>,
) -> T {
    let until = sim.now() + 10 * PATIENCE;
    loop {
        if let Some(found) = events.try_iter().find_map(&mut is) {
            return found;
        }
        assert!(sim.now() < until, "waited in vain");
        sim.sleep(Duration::from_millis(50)).await;
    }
}

async fn until_down(sim: &Sim, events: &Receiver<NodeEvent>, of: &Member) -> DownCause {
    until(sim, events, |event| match event {
        NodeEvent::Down { member, cause } if member.id == of.id => Some(cause),
        _ => None,
    })
    .await
}

/// Messages between all, again and again after pauses in which connections were closed: each arrives once, in
/// order, and nobody is taken for dead.
#[test]
fn node_21_connections_that_are_closed_and_made_again_lose_nothing() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        let on_d = nodes[3].member().id;
        let mut sum = 0;
        let counter = nodes[0].spawn::<Calculator>(on_d, "calculator", &0_i64).await.unwrap();
        for round in 0..20 {
            for n in 0..10 {
                counter.send(Add(n)).unwrap();
                sum += n;
            }
            assert_eq!(counter.call(Add(0)).await, Ok(sum), "in round {round}");
            sim.sleep(Duration::from_millis(sim.random() % 25_000)).await;
        }
        assert!(events.iter().all(|events| events.try_iter().next().is_none()));
    });
}

/// Connections are closed that nothing uses: a node has those of its probes, however many nodes there are.
#[test]
fn a_member_that_nobody_talks_to_costs_no_connection() {
    sim::search(0..3, |sim| async move {
        let names: Vec<String> = (0..40).map(|n| format!("n{n}")).collect();
        let settings = Swim { idle: 2 * SECOND, ..Swim::default() };
        let mut nodes: Vec<Node> = Vec::new();
        for name in &names {
            let node = node_with(&sim, name, settings).await;
            if let Some(first) = nodes.first() {
                node.join(&first.member().address, PATIENCE).await.expect("joins");
            }
            nodes.push(node);
        }
        let counts = || nodes.iter().map(Node::connections).sum::<usize>() as f64 / 40.0;
        sim.sleep(60 * SECOND).await;
        assert!(nodes.iter().all(|node| node.members().len() == 39));
        let mut most = 0.0_f64;
        for _ in 0..100 {
            sim.sleep(SECOND).await;
            most = most.max(counts());
        }
        // Two a period, each closed after 2 s and not before the next look.
        assert!((2.0..8.0).contains(&most), "{most} connections a node");
        let link = nodes[0].spawn::<Calculator>(nodes[7].member().id, "calculator", &1_i64).await;
        assert_eq!(link.unwrap().call(Add(1)).await, Ok(2), "one is made where there is none");
    });
}

/// Answers, after so many milliseconds.
#[derive(Serialize, Deserialize)]
struct Later(u64);

impl Message for Later {
    type Reply = u64;
}

struct Slow;

impl Actor for Slow {}

impl Handler<Later> for Slow {
    async fn handle(&mut self, Later(ms): Later, cx: &mut Context<Self>) -> u64 {
        let clock = cx.system().host().clock.clone();
        clock.sleep(Duration::from_millis(ms)).await;
        ms
    }
}

/// The answer makes a connection of its own when the one of the question was closed: it does not wait for
/// another reason to make one.
#[test]
fn an_answer_comes_in_time_when_the_connection_was_closed() {
    sim::search(0..10, |sim| async move {
        let settings = Swim { idle: 2 * SECOND, ..Swim::default() };
        let mut nodes: Vec<Node> = Vec::new();
        for n in 0..15 {
            let node = node_with(&sim, &format!("n{n}"), settings).await;
            if let Some(first) = nodes.first() {
                node.join(&first.member().address, PATIENCE).await.expect("joins");
            }
            nodes.push(node);
        }
        sim.sleep(20 * SECOND).await;
        for (n, node) in nodes.iter().enumerate().skip(1) {
            let slow = nodes[0].spawn::<Slow>(node.member().id, "slow", &()).await.unwrap();
            let (asked, late) = (sim.now(), 6_000 + 100 * n as u64);
            assert_eq!(slow.call(Later(late)).forever().await, Ok(late));
            let waited = sim.now() - asked - Duration::from_millis(late);
            assert!(waited < SECOND, "n{n}: {waited:?} too late");
        }
    });
}

/// A killed process is found at once by who talks to it, and by all soon after; its actors' monitors hear of
/// it once.
#[test]
fn node_2_a_killed_process_is_found_at_once_and_told() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d", "e"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        let dead = nodes[1].member().clone();
        let link = nodes[0].spawn::<Calculator>(dead.id, "calculator", &0_i64).await.unwrap();
        let down = link.down();
        sim.kill("b");
        let killed = sim.now();
        assert_eq!(down.await.reason, ExitReason::NodeFailure { node: "b".into() });
        assert!(sim.now() - killed < SECOND / 4, "{:?}", sim.now() - killed);
        for observer in [0, 2, 3, 4] {
            until_down(&sim, &events[observer], &dead).await;
            assert!(sim.now() - killed < 3 * SECOND, "{observer}: {:?}", sim.now() - killed);
        }
        sim.sleep(30 * SECOND).await;
        for observer in [0, 2, 3, 4] {
            assert_eq!(downs(&events[observer]), [], "once, and nobody else");
        }
    });
}

/// A node that stands still for a moment is suspected, and is back; one that does so for long is dead, and hears
/// of it.
#[test]
fn node_16_node_20_a_silent_node_is_suspected_then_dead() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d", "e"]).await;
        let (of_a, of_b) = (nodes[0].events(), nodes[1].events());
        let silent = nodes[1].member().clone();
        sim.pause("b");
        let suspected =
            |event| matches!(event, NodeEvent::Suspected(m) if m.name == "b").then_some(());
        until(&sim, &of_a, suspected).await;
        sim.resume("b");
        let back = |event| match event {
            NodeEvent::Recovered(member) if member.name == "b" => Some(()),
            NodeEvent::Down { .. } => panic!("it lives: {event:?}"),
            _ => None,
        };
        until(&sim, &of_a, back).await;
        sim.sleep(20 * SECOND).await;
        assert_eq!((downs(&of_a), downs(&of_b)), (vec![], vec![]));

        sim.pause("b");
        let paused = sim.now();
        until_down(&sim, &of_a, &silent).await;
        let found = sim.now() - paused;
        // The shortest suspicion; and that after twice round and the period of the probe.
        assert!((4 * SECOND..16 * SECOND).contains(&found), "{found:?}");
        sim.sleep(5 * SECOND).await;
        sim.resume("b");
        let fenced = |event| matches!(event, NodeEvent::Fenced { .. }).then_some(());
        until(&sim, &of_b, fenced).await;
        let refused = nodes[1].join(&nodes[0].member().address, SECOND).await;
        assert!(refused.is_err(), "{refused:?}");
        sim.sleep(10 * SECOND).await;
        assert!(nodes[0].members().iter().all(|member| member.name != "b"));
        assert_eq!(nodes[0].members().len(), 3, "nobody else");
    });
}

/// NODE 19: who stood still condemns nobody, and nobody does on his word.
#[test]
fn node_19_a_paused_observer_condemns_nobody_by_gossip() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        sim.pause("a");
        sim.sleep(Duration::from_millis(1_000 + sim.random() % 2_500)).await;
        sim.resume("a");
        sim.sleep(60 * SECOND).await;
        for events in events {
            assert_eq!(downs(&events), []);
        }
    });
}

/// Two that cannot reach each other are members all the same, and what they say arrives when they can.
#[test]
fn node_17_two_that_cannot_reach_each_other_live() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        let on_b = nodes[1].member().id;
        let link = nodes[0].spawn::<Calculator>(on_b, "calculator", &0_i64).await.unwrap();
        sim.cut("a", "b");
        if sim.random() % 2 == 0 {
            sim.cut("b", "a");
        }
        for _ in 0..10 {
            link.send(Add(1)).unwrap();
            sim.sleep(5 * SECOND).await;
        }
        sim.heal("a", "b");
        sim.heal("b", "a");
        assert_eq!(link.call(Add(0)).await, Ok(10), "all of it, once");
        for events in events {
            assert_eq!(downs(&events), []);
        }
    });
}

/// Without a quorum each side goes on without the other; after it nothing of the other side is taken.
#[test]
fn node_17_node_15_after_a_partition_both_sides_are_dead_to_each_other() {
    sim::search(0..SEEDS, |sim| async move {
        let names = ["a", "b", "c", "d", "e"];
        let nodes = cluster(&sim, &names).await;
        let (left, right) = names.split_at(2);
        for (one, other) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
            sim.cut(one, other);
            sim.cut(other, one);
        }
        sim.sleep(90 * SECOND).await;
        let members = |node: &Node| -> Vec<String> {
            let mut names: Vec<_> = node.members().into_iter().map(|m| m.name).collect();
            names.sort();
            names
        };
        assert_eq!(
            (members(&nodes[0]), members(&nodes[2])),
            (vec!["b".into()], vec!["d".into(), "e".into()])
        );
        for (one, other) in left.iter().flat_map(|a| right.iter().map(move |b| (a, b))) {
            sim.heal(one, other);
            sim.heal(other, one);
        }
        let refused = nodes[0].join(&nodes[2].member().address, SECOND).await;
        assert!(refused.is_err(), "{refused:?}");
        sim.sleep(60 * SECOND).await;
        assert_eq!((members(&nodes[0]).len(), members(&nodes[4]).len()), (1, 2));
    });
}

/// NODE 14, 13: a new life under the name of a killed one is another node; all hear of the old one's end before they
/// hear of the new one.
#[test]
fn node_14_node_13_a_new_life_is_another_node() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        let old = nodes[1].member().clone();
        let link = nodes[0].spawn::<Calculator>(old.id, "calculator", &7_i64).await.unwrap();
        sim.kill("b");
        let again = node(&sim, "b").await;
        again.join(&nodes[2].member().address, PATIENCE).await.unwrap();
        for observer in [0, 2, 3] {
            let mut down = false;
            let up = until(&sim, &events[observer], |event| {
                down |= matches!(&event, NodeEvent::Down { member, .. } if member.id == old.id);
                matches!(event, NodeEvent::Up(_)).then_some(down)
            });
            assert!(up.await, "down comes before up");
        }
        let fresh = nodes[0].spawn::<Calculator>(again.member().id, "calculator", &100_i64).await;
        assert_eq!(fresh.unwrap().call(Add(1)).await, Ok(101));
        assert!(link.call(Add(1)).await.is_err());
    });
}

#[test]
fn who_leaves_in_order_has_left_for_all() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = cluster(&sim, &["a", "b", "c", "d", "e", "f"]).await;
        let events: Vec<_> = nodes.iter().map(Node::events).collect();
        sim.sleep(30 * SECOND).await;
        nodes[3].leave();
        for (node, events) in
            nodes.iter().zip(&events).filter(|(node, _)| node.member().name != "d")
        {
            let cause = until_down(&sim, events, nodes[3].member()).await;
            assert_eq!(cause, DownCause::Left, "for {node:?}");
        }
    });
}

/// Fifty that join the same one at once.
#[test]
fn fifty_nodes_that_join_at_once_know_each_other() {
    sim::search(0..2, |sim| async move {
        let first = node(&sim, "n0").await;
        let mut nodes = vec![first.clone()];
        for n in 1..50 {
            let node = node(&sim, &format!("n{n}")).await;
            let (joining, address) = (node.clone(), first.member().address.clone());
            node.system().spawn_task(async move {
                joining.join(&address, PATIENCE).await.expect("joins");
            });
            nodes.push(node);
        }
        let until = sim.now() + 2 * PATIENCE;
        while nodes.iter().any(|node| node.members().len() < 49) {
            assert!(sim.now() < until, "some do not know all");
            sim.sleep(SECOND).await;
        }
    });
}

/// All nodes of a cluster know each other in the same way.
#[test]
fn nodes_of_two_kinds_of_membership_refuse_each_other() {
    sim::search(0..10, |sim| async move {
        let (each, gossip) = (sim_node(&sim, "each").await, node(&sim, "gossip").await);
        for (one, other) in [(&each, &gossip), (&gossip, &each)] {
            let error = one.join(&other.member().address, PATIENCE).await.unwrap_err();
            let NodeError::HandShake { error, .. } = error else { panic!("{error}") };
            assert_eq!(error, HandShakeError::OtherMembership);
            assert_eq!(one.members(), []);
        }
    });
}
