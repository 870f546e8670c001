//! Groups of actors on all nodes, and children that are placed by tags; in the simulation.

use std::{collections::BTreeSet, time::Duration};

use actors_core::{
    ActorId, ExitReason, Link, System,
    sim::{self, Sim},
};
use actors_node::{GroupEvent, Hosts, Member, Node, NodeError, RegisterError, SuperviseRemotely};
use actors_supervise::{Strategy, Supervisor};
use actors_tests::{
    bank::Account,
    calculator::{Add, Calculator, Crash},
    cluster::{PATIENCE, connect, sim_node, sim_nodes, until},
    export,
};

const SEEDS: u64 = 60;

fn members(node: &Node, group: &str) -> BTreeSet<ActorId> {
    node.groups().members::<Calculator>(group).iter().map(Link::id).collect()
}

fn ids(links: &[&Link<Calculator>]) -> BTreeSet<ActorId> {
    links.iter().map(|link| link.id()).collect()
}

/// Members of all nodes are seen from all, get what is sent to the group, and leave with their end or node.
#[test]
fn node_25_a_group_has_members_on_all_nodes() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["a", "b", "c"]).await;
        let actors: Vec<_> = nodes.iter().map(|node| node.system().spawn(Calculator(0))).collect();
        let (before, monitor) = nodes[2].groups().monitor("workers");
        assert_eq!(before, []);
        for (node, actor) in nodes.iter().zip(&actors) {
            node.groups().join("workers", actor).await.unwrap();
            node.groups().join("workers", actor).await.unwrap();
        }
        let [a, b, c] = &actors[..] else { unreachable!() };
        for (node, own) in nodes.iter().zip(&actors) {
            assert_eq!(members(node, "workers"), ids(&[a, b, c]));
            assert_eq!(
                node.groups().local_members::<Calculator>("workers"),
                std::slice::from_ref(own)
            );
            assert!(node.groups().members::<Account>("workers").is_empty(), "of another type");
            assert_eq!(node.groups().broadcast::<Calculator, _>("workers", &Add(1)), 3);
        }
        for actor in &actors {
            until(&sim, || actor.info().handled == 3).await;
        }
        nodes[0].groups().leave("workers", b.id()).await.unwrap();
        assert!(nodes.iter().all(|node| members(node, "workers") == ids(&[a, c])));
        let left = nodes[2].groups().leave("workers", b.id()).await;
        assert_eq!(left, Err(RegisterError::Unknown("workers".into())));
        c.stop(ExitReason::Normal);
        until(&sim, || nodes[..2].iter().all(|node| members(node, "workers") == ids(&[a]))).await;
        sim.kill("a");
        until(&sim, || nodes[1..].iter().all(|node| node.groups().groups().is_empty())).await;
        let (mut joined, mut gone) = (0, BTreeSet::new());
        for event in monitor.try_iter() {
            match event {
                GroupEvent::Joined { .. } => joined += 1,
                GroupEvent::Left { actor, .. } => assert!(gone.insert(actor), "{actor} left twice"),
                event => panic!("{event:?}"),
            }
        }
        assert_eq!((joined, gone), (3, ids(&[a, b, c])));
    });
}

/// Joins and leaves while connections break: in the end all nodes have the same members, those who are in.
#[test]
fn node_25_groups_agree_whatever_breaks() {
    sim::search(0..SEEDS, |sim| async move {
        let names = ["a", "b", "c"];
        let nodes = sim_nodes(&sim, &names).await;
        let mut expected = BTreeSet::new();
        let mut actors = Vec::new();
        for n in 0..30 {
            let node = &nodes[n % 3];
            let actor = node.system().spawn(Calculator(0));
            node.groups().join("g", &actor).await.unwrap();
            expected.insert(actor.id());
            actors.push(actor);
            if sim.random().is_multiple_of(3) {
                let index = sim.random() as usize % actors.len();
                let gone = actors.swap_remove(index);
                expected.remove(&gone.id());
                gone.kill();
            }
            let [from, to] = [sim.random(), sim.random()].map(|n| names[n as usize % 3]);
            if from != to {
                sim.break_connections(from, to);
            }
        }
        until(&sim, || nodes.iter().all(|node| members(node, "g") == expected)).await;
        let late = sim_node(&sim, "late").await;
        late.join(&nodes[1].member().address, PATIENCE).await.unwrap();
        until(&sim, || members(&late, "g") == expected).await;
    });
}

/// A supervised child is a member over its restarts and moves.
#[test]
fn node_25_a_moved_child_stays_a_member() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["head", "n1", "s1", "other"]).await;
        let hosts = Hosts::new(&nodes[0], ["s1".to_owned()]);
        let address = hosts.child::<Calculator>("child", "calculator", "n1");
        let child = address.link();
        let builder = Supervisor::builder(Strategy::OneForOne).hosts(&hosts);
        let builder = builder.child(address.spec(|_| Ok(10_i64)));
        let supervisor = builder.start(nodes[0].system()).await.unwrap();
        nodes[0].groups().join("g", &child).await.unwrap();
        let groups = nodes[3].groups();
        let events = groups.events();
        child.call(Crash).await.unwrap_err();
        assert_eq!(groups.members::<Calculator>("g")[0].call(Add(1)).await, Ok(11));
        sim.kill("n1");
        let on_spare = || nodes[2].groups().local_members::<Calculator>("g").len() == 1;
        until(&sim, on_spare).await;
        while groups.members::<Calculator>("g")[0].call(Add(1)).await != Ok(11) {
            sim.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(events.try_iter().count(), 0);
        supervisor.shutdown(ExitReason::Normal).await;
        until(&sim, || groups.groups().is_empty()).await;
    });
}

async fn tagged(sim: &Sim, name: &str, rack: &str) -> Node {
    let system = System::builder().name(name).host(sim.node(name)).build();
    export(&system);
    Node::builder(&system).tag("rack", rack).start().await.unwrap()
}

/// Tags are known on all nodes; children go where theirs are, and are spread.
#[test]
fn node_29_children_are_placed_by_tags() {
    sim::search(0..SEEDS, |sim| async move {
        let head = sim_node(&sim, "head").await;
        let mut all = vec![head.clone()];
        for (name, rack) in [("n1", "r1"), ("n2", "r1"), ("n3", "r2"), ("n4", "r2")] {
            all.push(tagged(&sim, name, rack).await);
        }
        connect(&all.iter().collect::<Vec<_>>()).await;
        for member in all.iter().flat_map(Node::members).filter(|member| member.name != "head") {
            let rack = if ["n1", "n2"].contains(&member.name.as_str()) { "r1" } else { "r2" };
            assert_eq!(member.tags.get("rack").map(String::as_str), Some(rack));
        }
        let hosts = Hosts::new(&head, ["n4".to_owned()]).spread_over("rack");
        let mut builder = Supervisor::builder(Strategy::OneForOne).hosts(&hosts);
        for id in ["a", "b"] {
            let address = hosts.child_anywhere::<Calculator>(id, "calculator");
            builder = builder.child(address.spec(|_| Ok(1_i64)));
        }
        let address = hosts.child::<Calculator>("c", "calculator", "n1");
        let child = address.link();
        let address = address.require_tag("rack", "r1");
        builder = builder.child(address.spec(|_| Ok(1_i64)));
        let supervisor = builder.start(head.system()).await.unwrap();
        let on = |child: &str| {
            let host = hosts.host(child).expect("placed");
            all.iter().find(|node| node.member().id == host).unwrap().member().name.clone()
        };
        assert_eq!(["a", "b", "c"].map(on), ["n1", "n3", "n1"], "one in each rack, n4 is a spare");
        sim.kill("n1");
        while child.call(Add(1)).await != Ok(2) {
            sim.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(on("c"), "n2", "not on the spare, which is in another rack");
        let end = supervisor.link().down();
        sim.kill("n2");
        end.await;
    });
}

/// A start that no node fits fails, and says what was wanted; tags that do not fit are refused.
#[test]
fn node_29_what_no_node_has_is_told() {
    sim::search(0..4, |sim| async move {
        let (head, n1) = (sim_node(&sim, "head").await, tagged(&sim, "n1", "r1").await);
        connect(&[&head, &n1]).await;
        let hosts = Hosts::new(&head, []);
        let address = hosts.child::<Calculator>("a", "calculator", "n1").require_tag("rack", "r2");
        let builder = Supervisor::builder(Strategy::OneForOne).hosts(&hosts);
        let error =
            builder.child(address.spec(|_| Ok(1_i64))).start(head.system()).await.unwrap_err();
        assert!(error.to_string().contains("rack=r2"), "{error}");
        let system = System::builder().name("many").host(sim.node("many")).build();
        let mut many = Node::builder(&system);
        for n in 0..=Member::MOST_TAGS {
            many = many.tag(format!("tag-{n}"), "");
        }
        let error = many.start().await.unwrap_err();
        assert_eq!(error, NodeError::TooManyTags { count: 17, most: 16 });
        let long = "v".repeat(Member::LONGEST_TAG + 1);
        let error = Node::builder(&system).tag("t", &long).start().await.unwrap_err();
        assert_eq!(error, NodeError::LongTag { tag: "t".into(), bytes: 65, limit: 64 });
        let mut full = Node::builder(&system);
        for n in 0..Member::MOST_TAGS {
            full = full.tag(format!("{n:064}"), &long[1..]);
        }
        let full = full.start().await.unwrap();
        full.join(&head.member().address, PATIENCE).await.unwrap();
        assert_eq!(full.member().tags.len(), 16, "as many as may be fit into a hand-shake");
    });
}
