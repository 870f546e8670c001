//! The node of a top supervisor dies, and the next one adopts its children, in the simulation.

use std::{
    sync::{Arc, Mutex},
    time::Duration,
};

use actors_core::{
    Link, Status,
    sim::{self, Sim},
};
use actors_node::{Hosts, Node, NodeEvent, SuperviseRemotely, Tenure};
use actors_supervise::{Limit, Strategy, Supervisor};
use actors_tests::{
    calculator::{Add, Calculator, Crash},
    cluster::{PATIENCE, sim_nodes, until},
};

const SEEDS: u64 = 40;
const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];
const MS: Duration = Duration::from_millis(1);

/// By the owners, in the order of their terms: who it is, and whether its supervisor runs.
type Owners = Arc<Mutex<Vec<(String, bool)>>>;

/// A child for each node, on it if it is not the owner's; each with its name.
async fn supervise(node: Node, owners: Owners, tenure: Tenure) {
    let name = node.member().name.clone();
    owners.lock().unwrap().push((name.clone(), false));
    let hosts = Hosts::in_tenure(&node, &tenure, []);
    let mut builder = Supervisor::builder(Strategy::OneForOne)
        .limit(Limit { max_restarts: 100, period: Duration::from_secs(1) })
        .hosts(&hosts);
    let mut links = Vec::new();
    for on in FIVE {
        let address = hosts.child::<Calculator>(on, "calculator", on);
        links.push((on, address.link()));
        builder = builder.child(address.spec(|_| Ok(10_i64)));
    }
    let Ok(_supervisor) = builder.start(node.system()).await else { return };
    for (name, link) in links {
        // The names of the first owner's children stay theirs.
        if tenure.term() == 1 && node.names().register(name, &link).await.is_err() {
            return;
        }
    }
    let at = owners.lock().unwrap().len() - 1;
    owners.lock().unwrap()[at].1 = true;
    tenure.ended().await;
}

struct World {
    sim: Sim,
    nodes: Vec<Node>,
    owners: Owners,
}

impl World {
    async fn new(sim: &Sim) -> Self {
        let nodes = sim_nodes(sim, &FIVE).await;
        let owners = Owners::default();
        for node in &nodes {
            let (own, owners) = (node.clone(), owners.clone());
            let duty = move |tenure| supervise(own.clone(), owners.clone(), tenure);
            node.role("head", FIVE).run(duty).unwrap();
        }
        let world = Self { sim: sim.clone(), nodes, owners };
        world.owned(0).await;
        world
    }

    /// The name of the owner that comes after so many, once its supervisor runs.
    async fn owned(&self, after: usize) -> String {
        let running = || {
            let owners = self.owners.lock().unwrap();
            owners.last().filter(|(_, runs)| *runs && owners.len() > after).cloned()
        };
        let end = self.sim.now() + PATIENCE;
        let late = || assert!(self.sim.now() < end, "{:?}", self.owners.lock().unwrap());
        let runs = || {
            late();
            running().is_some()
        };
        until(&self.sim, runs).await;
        running().expect("just so").0
    }

    fn node(&self, name: &str) -> &Node {
        self.nodes.iter().find(|node| node.member().name == name).expect("one of them")
    }

    /// Nodes but these, by name.
    fn but(&self, names: &[&str]) -> Vec<&'static str> {
        FIVE.into_iter().filter(|name| !names.contains(name)).collect()
    }

    fn links(&self, on: &str) -> Vec<Link<Calculator>> {
        let names = self.node(on).names();
        FIVE.into_iter().map(|name| names.whereis(name).expect("it has the name")).collect()
    }

    /// The child with this name, looked up until it is found.
    async fn find(&self, on: &str, name: &str) -> Link<Calculator> {
        let names = self.node(on).names();
        until(&self.sim, || names.whereis::<Calculator>(name).is_ok()).await;
        names.whereis(name).expect("just so")
    }

    fn runs(&self, on: &str, link: &Link<Calculator>) -> bool {
        let known = self.node(on).system().snapshot();
        known.iter().any(|actor| actor.id == link.id() && actor.status == Status::Running)
    }
}

/// Asked until it answers: it may be between two lives.
async fn ask(sim: &Sim, link: &Link<Calculator>, n: i64) -> i64 {
    let end = sim.now() + PATIENCE;
    loop {
        match link.call(Add(n)).await {
            Ok(sum) => return sum,
            Err(error) => assert!(sim.now() < end, "{error}: {:?}", link.info()),
        }
        sim.sleep(MS).await;
    }
}

/// What runs is adopted as it is: links on third nodes keep to it, with its state, and its name is found on all nodes. The
/// next owner supervises it: after a crash it is restarted. And so on, with the owner after that.
#[test]
fn node_27_children_are_adopted_not_restarted() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim).await;
        let mut dead: Vec<String> = Vec::new();
        let watcher = world.but(&[&world.owned(0).await])[0];
        let mut sums = [0; 5];
        for round in 1..=2 {
            let owner = world.owned(round - 1).await;
            if owner == watcher {
                return;
            }
            let links = world.links(watcher);
            for (n, link) in links.iter().enumerate() {
                sums[n] = ask(&sim, link, 1 + n as i64).await;
            }
            let dies = world.node(&owner).member().id;
            let host = |link: &Link<Calculator>| link.clone().erase().location().node;
            let hosts: Vec<_> = links.iter().map(host).collect();
            let began = sim.now();
            sim.kill(&owner);
            dead.push(owner.clone());
            let next = world.owned(round).await;
            let took = sim.now().since(began);
            assert!(took < Duration::from_secs(5), "{took:?}");
            for (n, link) in links.iter().enumerate() {
                let expected = if hosts[n] == dies { 11 } else { sums[n] + 1 };
                let sum = ask(&sim, link, 1).await;
                assert_eq!(sum, expected, "of {}", FIVE[n]);
                let live: Vec<&str> = dead.iter().map(String::as_str).collect();
                for on in world.but(&live) {
                    let found = world.find(on, FIVE[n]).await;
                    assert_eq!(found.id(), link.id());
                    assert_eq!(ask(&sim, &found, 0).await, sum);
                }
            }
            let crashes = FIVE.iter().position(|name| *name == next).expect("one of them");
            links[crashes].send(Crash).unwrap();
            loop {
                if ask(&sim, &links[crashes], 0).await == 10 {
                    break;
                }
                sim.sleep(MS).await;
            }
        }
    });
}

/// The node of a child dies with that of its supervisor: it is started elsewhere, under its old address.
#[test]
fn node_27_children_of_two_dead_nodes_are_started_again() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim).await;
        let owner = world.owned(0).await;
        let [watcher, host, third, ..] = world.but(&[&owner])[..] else { unreachable!() };
        let links = world.links(watcher);
        let of = |name: &str| &links[FIVE.iter().position(|n| *n == name).expect("one")];
        ask(&sim, of(host), 5).await;
        ask(&sim, of(third), 5).await;
        sim.kill(&owner);
        sim.kill(host);
        world.owned(1).await;
        assert_eq!(ask(&sim, of(host), 1).await, 11, "a new life");
        assert_eq!(ask(&sim, of(third), 1).await, 16, "the old one");
    });
}

/// The supervisor's node dies while it restarts a child, or has heard of its end, or not: the next one does it.
#[test]
fn node_27_an_end_that_the_dead_owner_has_heard_of_is_not_lost() {
    sim::search(0..2 * SEEDS, |sim| async move {
        let world = World::new(&sim).await;
        let owner = world.owned(0).await;
        let [watcher, crashes, third, ..] = world.but(&[&owner])[..] else { unreachable!() };
        let links = world.links(watcher);
        let of = |name: &str| &links[FIVE.iter().position(|n| *n == name).expect("one")];
        ask(&sim, of(crashes), 5).await;
        ask(&sim, of(third), 5).await;
        of(crashes).send(Crash).unwrap();
        sim.sleep(Duration::from_micros(sim.random() % 4_000)).await;
        sim.kill(&owner);
        world.owned(1).await;
        assert_eq!(ask(&sim, of(crashes), 1).await, 11);
        assert_eq!(ask(&sim, of(third), 1).await, 16);
    });
}

/// NODE 17: an owner that stood still finds its children adopted, and can start none of them; nor does it end them.
#[test]
fn node_17_node_27_an_owner_that_comes_back_leaves_its_children_alone() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim).await;
        let owner = world.owned(0).await;
        let events = world.node(&owner).events();
        let watcher = world.but(&[&owner])[0];
        let links = world.links(watcher);
        for link in &links {
            ask(&sim, link, 5).await;
        }
        sim.pause(&owner);
        world.owned(1).await;
        sim.resume(&owner);
        let stood_down = |event: &NodeEvent| matches!(event, NodeEvent::StoodDown { .. });
        until(&sim, || events.try_iter().any(|event| stood_down(&event))).await;
        sim.sleep(Duration::from_secs(15)).await;
        for (n, link) in links.iter().enumerate() {
            let expected = if FIVE[n] == owner { 11 } else { 16 };
            let sum = ask(&sim, link, 1).await;
            assert!(sum == expected || sum == 16, "{sum} of {}", FIVE[n]);
        }
        assert_eq!(world.owners.lock().unwrap().len(), 2);
    });
}

/// NODE 17: on the side without an owner they end; on the other side they are started again.
#[test]
fn node_17_node_27_children_on_the_smaller_side_end() {
    sim::search(0..SEEDS / 2, |sim| async move {
        let world = World::new(&sim).await;
        let owner = world.owned(0).await;
        let [watcher, host, ..] = world.but(&[&owner])[..] else { unreachable!() };
        let link = &world.links(watcher)[FIVE.iter().position(|name| *name == host).unwrap()];
        ask(&sim, link, 5).await;
        assert!(world.runs(host, link));
        for other in world.but(&[host, &owner]) {
            for one in [host, &owner] {
                sim.cut(one, other);
                sim.cut(other, one);
            }
        }
        world.owned(1).await;
        assert_eq!(ask(&sim, link, 1).await, 11);
        until(&sim, || !world.runs(host, link)).await;
    });
}
