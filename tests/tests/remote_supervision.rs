//! Supervisors whose children run on other nodes, in the simulation.

use std::time::Duration;

use actors_core::{
    ExitReason, Status, SystemId,
    sim::{self, Sim},
};
use actors_node::{Hosts, Node, NodeEvent, SuperviseRemotely};
use actors_supervise::{
    ChildSpec, Event, Limit, RestartPolicy, Strategy, Supervisor, SupervisorLink,
};
use actors_tests::{
    calculator::{Add, Calculator, Crash},
    cluster::{connect, sim_node, sim_nodes, until},
};
use crossbeam_channel::Receiver;

const SEEDS: u64 = 60;

struct World {
    sim: Sim,
    head: Node,
    hosts: Hosts,
    supervisor: SupervisorLink,
    events: Receiver<Event>,
    links: Vec<actors_core::Link<Calculator>>,
    ids: Vec<(String, SystemId)>,
    nodes: Vec<Node>,
}

/// Children by node, under a supervisor on the head.
async fn world(
    sim: &Sim,
    strategy: Strategy,
    nodes: &[&str],
    spares: &[&str],
    children: &[(&str, &str, RestartPolicy)],
) -> World {
    let head = sim_node(sim, "head").await;
    let mut all = vec![head.clone()];
    for name in nodes {
        all.push(sim_node(sim, name).await);
    }
    connect(&all.iter().collect::<Vec<_>>()).await;
    let hosts = Hosts::new(&head, spares.iter().map(|s| (*s).to_owned()));
    let mut builder = Supervisor::builder(strategy).hosts(&hosts);
    let mut links = Vec::new();
    for (id, on, policy) in children {
        let address = hosts.child::<Calculator>(id, "calculator", on);
        links.push(address.link());
        builder = builder.child(address.spec(|_| Ok(10_i64)).restart(*policy));
    }
    let events = builder.subscribe();
    let supervisor = builder.start(head.system()).await.unwrap();
    let ids = all.iter().map(|n| (n.member().name.clone(), n.member().id)).collect();
    World { sim: sim.clone(), head, hosts, supervisor, events, links, ids, nodes: all }
}

impl World {
    fn node_of(&self, child: &str) -> &str {
        let host = self.hosts.host(child).expect("placed");
        &self.ids.iter().find(|(_, id)| *id == host).expect("known").0
    }

    /// The events up to the first that is wanted, that one included.
    async fn until(&self, wanted: impl Fn(&Event) -> bool) -> Vec<Event> {
        let mut seen = Vec::new();
        loop {
            match self.events.try_recv() {
                Ok(event) => {
                    let found = wanted(&event);
                    seen.push(event);
                    if found {
                        return seen;
                    }
                }
                Err(_) => self.sim.sleep(Duration::from_millis(1)).await,
            }
        }
    }

    async fn restarted(&self) -> Vec<Event> {
        self.until(|event| matches!(event, Event::Restarted { .. })).await
    }
}

fn host_failures(events: &[Event]) -> usize {
    events.iter().filter(|event| matches!(event, Event::HostFailed { .. })).count()
}

const T: RestartPolicy = RestartPolicy::Transient;

/// A killed node with k children is one failure, counted apart from restarts, and its children go to
/// one spare, links valid.
#[test]
fn node_2_node_3_a_killed_node_is_one_failure() {
    sim::search(0..SEEDS, |sim| async move {
        let children = [("a", "n1", T), ("b", "n1", T), ("c", "n1", T), ("d", "n2", T)];
        let nodes = ["n1", "n2", "s1", "s2"];
        let world = world(&sim, Strategy::OneForOne, &nodes, &["s1", "s2"], &children).await;
        world
            .supervisor
            .set_limit(Limit { max_restarts: 0, period: Duration::from_secs(5) })
            .await
            .unwrap();
        for link in &world.links {
            link.call(Add(1)).await.unwrap();
        }
        sim.kill("n1");
        let events = world.restarted().await;
        assert_eq!(host_failures(&events), 1, "{events:?}");
        for (n, child) in ["a", "b", "c"].iter().enumerate() {
            assert_eq!(world.node_of(child), "s1");
            assert_eq!(world.links[n].call(Add(1)).await, Ok(11), "a fresh state, the old link");
        }
        assert_eq!(world.links[3].call(Add(1)).await, Ok(12), "untouched");
        sim.kill("n2");
        let events = world.restarted().await;
        assert_eq!(host_failures(&events), 1, "{events:?}");
        assert_eq!(world.node_of("d"), "s2");
    });
}

/// No spare: the least-used live node; then any. No node at all: the supervisor gives up.
#[test]
fn node_4_without_spares_live_nodes_take_over() {
    sim::search(0..SEEDS, |sim| async move {
        let children = [("a", "n1", T), ("b", "n2", T)];
        let world =
            world(&sim, Strategy::OneForOne, &["n1", "n2", "n3"], &["gone"], &children).await;
        sim.kill("n1");
        world.restarted().await;
        assert_eq!(world.node_of("a"), "n3", "it hosts no child yet");
        sim.kill("n3");
        world.restarted().await;
        assert_eq!(world.node_of("a"), "n2");
        assert_eq!(world.links[0].call(Add(1)).await, Ok(11));
        let end = world.supervisor.link().down();
        sim.kill("n2");
        assert!(matches!(end.await.reason, ExitReason::Shutdown | ExitReason::ShutdownWith(_)));
        assert!(world.head.members().is_empty());
    });
}

/// Temporary children of a dead node are removed; a group restart leaves the others on their nodes.
#[test]
fn node_5_group_strategies_keep_the_others_on_their_nodes() {
    sim::search(0..SEEDS, |sim| async move {
        let children = [("a", "n1", T), ("b", "n2", T), ("t", "n2", RestartPolicy::Temporary)];
        let world = world(&sim, Strategy::OneForAll, &["n1", "n2", "s1"], &["s1"], &children).await;
        world.links[0].call(Add(5)).await.unwrap();
        sim.kill("n2");
        let events = world.restarted().await;
        let Some(Event::Restarted { children, .. }) = events.last() else { unreachable!() };
        assert_eq!(children, &["a", "b"], "in their order, without the temporary one");
        assert_eq!((world.node_of("a"), world.node_of("b")), ("n1", "s1"));
        assert_eq!(world.links[0].call(Add(1)).await, Ok(11), "restarted with its group");
        assert_eq!(world.links[1].call(Add(1)).await, Ok(11));
    });
}

/// More node failures than allowed: the supervisor ends.
#[test]
fn node_6_the_node_failure_limit_is_apart_from_the_restart_limit() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = ["n1", "n2", "n3"];
        let world = world(&sim, Strategy::OneForOne, &nodes, &[], &[("a", "n1", T)]).await;
        world.supervisor.set_max_node_failures(1).await.unwrap();
        sim.kill("n1");
        world.restarted().await;
        let end = world.supervisor.link().down();
        let second = world.node_of("a").to_owned();
        sim.kill(&second);
        end.await;
        let seen: Vec<_> = world.events.try_iter().collect();
        assert!(seen.iter().any(|event| matches!(event, Event::LimitExceeded { .. })), "{seen:?}");
    });
}

/// A relocated child that crashes is restarted where it is; its new node is watched like the first.
#[test]
fn node_7_a_relocated_child_is_supervised_on() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = ["n1", "s1", "s2"];
        let world =
            world(&sim, Strategy::OneForOne, &nodes, &["s1", "s2"], &[("a", "n1", T)]).await;
        sim.kill("n1");
        world.restarted().await;
        world.links[0].call(Add(1)).await.unwrap();
        world.links[0].send(Crash).unwrap();
        let events = world.restarted().await;
        assert_eq!((host_failures(&events), world.node_of("a")), (0, "s1"));
        assert_eq!(world.links[0].call(Add(1)).await, Ok(11));
        sim.kill("s1");
        let events = world.restarted().await;
        assert_eq!((host_failures(&events), world.node_of("a")), (1, "s2"));
        assert_eq!(world.links[0].call(Add(1)).await, Ok(11));
    });
}

/// Failures are heard of after group restarts, once; not of the node of a child that was let go.
#[test]
fn node_8_failures_are_heard_once_after_group_restarts_and_not_for_who_was_let_go() {
    sim::search(0..SEEDS, |sim| async move {
        let children = [("a", "n1", T), ("b", "n2", T)];
        let nodes = ["n1", "n2", "s1"];
        let world = world(&sim, Strategy::OneForAll, &nodes, &["s1"], &children).await;
        for _ in 0..2 {
            world.links[0].send(Crash).unwrap();
            assert_eq!(host_failures(&world.restarted().await), 0);
        }
        sim.kill("n1");
        let events = world.restarted().await;
        assert_eq!((host_failures(&events), world.node_of("a")), (1, "s1"), "{events:?}");
        let kept = world.supervisor.unsupervise("b").await.unwrap();
        assert!(kept.is_some());
        assert_eq!(world.links[1].call(Add(1)).await, Ok(11), "it lives on");
        sim.kill("n2");
        let down = |event: &NodeEvent| matches!(event, NodeEvent::Down { .. });
        let at_head = world.head.events();
        until(&sim, || at_head.try_iter().any(|event| down(&event))).await;
        world.links[0].send(Crash).unwrap();
        let events = world.restarted().await;
        assert_eq!(host_failures(&events), 0, "{events:?}");
    });
}

/// However often a supervisor is restarted, a failure is heard of once; when it has ended for good, nothing
/// listens for it any more.
#[test]
fn node_8_a_supervisor_has_one_detector_over_its_lives() {
    sim::search(0..SEEDS, |sim| async move {
        let nodes = sim_nodes(&sim, &["head", "n1", "n2"]).await;
        let (tell, told) = crossbeam_channel::bounded(1);
        let hosts = Hosts::new(&nodes[0], []);
        let address = hosts.child::<Calculator>("a", "calculator", "n1");
        let link = address.link();
        let inner = Supervisor::builder(Strategy::OneForOne)
            .hosts(&hosts)
            .host_failures(move |failures| tell.send(failures).unwrap())
            .child(address.spec(|_| Ok(10_i64)).restart(T));
        let events = inner.subscribe();
        let outer = Supervisor::builder(Strategy::OneForOne);
        let outer = outer.child(ChildSpec::supervisor("inner", inner));
        let outer = outer.start(nodes[0].system()).await.unwrap();
        for _ in 0..3 {
            outer.stop_child("inner").await.unwrap();
            outer.restart_child("inner").await.unwrap();
        }
        assert_eq!(link.call(Add(1)).await, Ok(11));
        let _before = events.try_iter().count();
        sim.kill("n1");
        let mut seen = Vec::new();
        until(&sim, || {
            seen.extend(events.try_iter());
            seen.iter().any(|event| matches!(event, Event::Restarted { .. }))
        })
        .await;
        assert_eq!(host_failures(&seen), 1, "{seen:?}");
        assert_eq!(link.call(Add(1)).await, Ok(11));
        let failures = told.try_recv().expect("it has one");
        assert!(!failures.is_over());
        let end = outer.link().down();
        outer.link().stop(ExitReason::Shutdown);
        end.await;
        drop(outer);
        until(&sim, || failures.is_over()).await;
    });
}

/// The supervisor's node dies: its children elsewhere end, they are no orphans.
#[test]
fn sup_31_children_do_not_outlive_their_supervisors_node() {
    sim::search(0..SEEDS, |sim| async move {
        let world = world(&sim, Strategy::OneForOne, &["n1"], &[], &[("a", "n1", T)]).await;
        let watcher = sim_node(&sim, "watcher").await;
        watcher.join(&world.head.member().address, Duration::from_secs(9)).await.unwrap();
        let n1 = watcher.wait_for("n1", Duration::from_secs(9)).await.unwrap();
        let probe = watcher.spawn::<Calculator>(n1.id, "calculator", &0_i64).await.unwrap();
        sim.kill("head");
        let child = world.links[0].id();
        let runs = |id| {
            let known = world.nodes[1].system().snapshot();
            known.iter().any(|actor| actor.id == id && actor.status == Status::Running)
        };
        assert!(runs(child) && runs(probe.id()));
        // The node of the children lives, and serves others.
        assert_eq!(probe.call(Add(1)).await, Ok(1));
        while watcher.members().len() > 1 {
            sim.sleep(Duration::from_millis(1)).await;
        }
        while runs(child) {
            sim.sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(probe.call(Add(1)).await, Ok(2));
        assert!(runs(probe.id()), "only the children of the lost supervisor end");
    });
}
