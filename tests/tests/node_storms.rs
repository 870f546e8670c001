//! Many node processes that are killed one right after the other, under one supervisor.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::Path,
    time::{Duration, Instant},
};

use actors_core::{Link, System};
use actors_node::{Detection, Hosts, Node, Secret, SuperviseRemotely};
use actors_supervise::{Event, Strategy, Supervisor, SupervisorLink};
use actors_tests::{
    cluster::PATIENCE,
    export,
    peer::{Peer, SECRET, Where, Worker, WorkerArgs},
};
use crossbeam_channel::Receiver;

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-peer");
/// How long all may take to run again, on a machine with much else to do. It takes some seconds.
const LONGEST: Duration = Duration::from_secs(30);

struct World {
    system: System,
    head: Node,
    peers: BTreeMap<String, Peer>,
}

/// A supervisor in this process of workers on the nodes: several on each, in turn.
struct Tree {
    supervisor: SupervisorLink,
    hosts: Hosts,
    workers: BTreeMap<String, Link<Worker>>,
    events: Receiver<Event>,
}

fn world(names: &[String]) -> World {
    let system = System::builder().name("head").build();
    export(&system);
    let builder = Node::builder(&system).secret(Secret::new(SECRET).unwrap());
    let head = system.block_on(builder.start()).unwrap();
    let start = |name: &String| {
        let peer = Peer::local(Path::new(PROGRAM), name, Detection::default());
        peer.tell(&format!("join {}", head.member().address));
        (name.clone(), peer)
    };
    let peers: BTreeMap<String, Peer> = names.iter().map(start).collect();
    for peer in peers.values() {
        system.block_on(head.wait_for(peer.name(), PATIENCE)).unwrap();
        peers.keys().filter(|name| *name != peer.name()).for_each(|name| {
            peer.wait_for(&format!("up {name}"));
        });
    }
    World { system, head, peers }
}

impl World {
    fn supervise(&self, on: &[String], spares: &[String], slow: Duration) -> Tree {
        let hosts = Hosts::new(&self.head, spares.iter().cloned());
        let limit = self.peers.len() as u32;
        let mut builder =
            Supervisor::builder(Strategy::OneForOne).hosts(&hosts).max_node_failures(limit);
        let mut workers = BTreeMap::new();
        for n in 0..2 * on.len() {
            let id = format!("worker-{n}");
            let address = hosts.child::<Worker>(&id, "worker", &on[n % on.len()]);
            workers.insert(id.clone(), address.link());
            builder = builder.child(address.spec(move |_| Ok(WorkerArgs { id: id.clone(), slow })));
        }
        let events = builder.subscribe();
        let supervisor = self.system.block_on(builder.start(&self.system)).unwrap();
        Tree { supervisor, hosts, workers, events }
    }

    fn kill(&self, name: &str) {
        self.peers[name].process.kill();
    }

    /// Each worker answers, from a live process, and runs there once and nowhere else.
    fn all_run_once(&self, tree: &Tree, dead: &BTreeSet<String>) {
        let deadline = Instant::now() + LONGEST;
        let live: BTreeMap<&str, &Peer> = self
            .peers
            .values()
            .filter(|peer| !dead.contains(peer.name()))
            .map(|peer| (peer.name(), peer))
            .collect();
        let names: BTreeMap<_, _> =
            self.head.members().into_iter().map(|member| (member.id, member.name)).collect();
        for (id, link) in &tree.workers {
            let process = loop {
                assert!(Instant::now() < deadline, "{id} does not run again");
                if let Ok(process) = link.call_blocking(Where, Duration::from_secs(1)) {
                    break process;
                }
            };
            let host = names.get(&tree.hosts.host(id).expect("placed")).map(String::as_str);
            let host = host.and_then(|name| live.get(name)).expect("a live node");
            assert_eq!(host.process.id(), process, "{id} runs where it was put");
        }
        let mut running = BTreeMap::<String, i64>::new();
        for peer in live.values() {
            for (beginning, by) in [("started ", 1), ("ended ", -1)] {
                for line in peer.all(beginning) {
                    *running.entry(line[beginning.len()..].to_owned()).or_default() += by;
                }
            }
        }
        let once: BTreeMap<_, _> = tree.workers.keys().map(|id| (id.clone(), 1)).collect();
        assert_eq!(running, once);
    }
}

/// The nodes that the supervisor was told of, each of them once.
fn failures(events: &Receiver<Event>) -> BTreeSet<String> {
    let failed = |event| match event {
        Event::HostFailed { node, .. } => Some(node),
        _ => None,
    };
    let told: Vec<String> = events.try_iter().filter_map(failed).collect();
    let each: BTreeSet<String> = told.iter().cloned().collect();
    assert_eq!(told.len(), each.len(), "one failure a node: {told:?}");
    each
}

fn names(prefix: &str, count: usize) -> Vec<String> {
    (1..=count).map(|n| format!("{prefix}{n}")).collect()
}

/// Five nodes at once, one of them a spare that is about to start the children of a sixth.
#[test]
fn node_10_five_nodes_are_killed_at_once_among_them_a_spare_in_mid_restart() {
    let (nodes, spares) = (names("n", 6), names("s", 3));
    let world = world(&[&nodes[..], &spares].concat());
    let tree = world.supervise(&nodes, &spares, Duration::from_millis(300));
    world.kill("n1");
    world.peers["s1"].wait_for("starting ");
    let began = Instant::now();
    let at_once = ["s1", "n2", "n3", "n4", "n5"];
    at_once.iter().for_each(|name| world.kill(name));
    let dead: BTreeSet<String> = at_once.iter().chain(&["n1"]).map(|n| (*n).to_owned()).collect();
    settle(&world, &tree, &dead);
    println!("all run again {:?} after five nodes were killed", began.elapsed());
    assert!(began.elapsed() < LONGEST);
}

/// Ten of twenty nodes, one right after the other: all that they had runs again, once.
#[test]
fn node_10_ten_of_twenty_nodes_are_killed_one_right_after_the_other() {
    let nodes = names("n", 20);
    let world = world(&nodes);
    let tree = world.supervise(&nodes, &[], Duration::ZERO);
    let dead: BTreeSet<String> = nodes.iter().step_by(2).cloned().collect();
    let began = Instant::now();
    dead.iter().for_each(|name| world.kill(name));
    settle(&world, &tree, &dead);
    println!("all run again {:?} after ten nodes were killed", began.elapsed());
    assert!(began.elapsed() < LONGEST);
}

/// Waits until each loss is known and all workers run again.
fn settle(world: &World, tree: &Tree, dead: &BTreeSet<String>) {
    let deadline = Instant::now() + LONGEST;
    while world.head.members().iter().any(|member| dead.contains(&member.name)) {
        assert!(Instant::now() < deadline, "a killed node is still a member");
        std::thread::park_timeout(Duration::from_millis(5));
    }
    world.all_run_once(tree, dead);
    let told = failures(&tree.events);
    assert!(told.is_subset(dead), "{told:?}");
    // A spare may have been lost before it had anything.
    let workplaces = dead.iter().filter(|name| name.starts_with('n')).cloned().collect();
    assert!(told.is_superset(&workplaces), "{told:?}");
    assert!(world.system.block_on(tree.supervisor.count_children()).is_ok(), "within its limits");
    world.head.leave();
}
