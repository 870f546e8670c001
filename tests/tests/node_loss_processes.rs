//! Real node processes that die by real signals. They are children of this test, not of the head, and
//! are reaped only at its end: nothing but the network tells of their deaths.

use std::{collections::BTreeMap, path::Path, time::Duration};

use actors_core::System;
use actors_node::{Detection, DownCause, Hosts, Node, NodeEvent, SuperviseRemotely};
use actors_supervise::{Event, RestartPolicy, Strategy, Supervisor};
use actors_tests::{
    bank::{self, Heard, Reached, Teller},
    calculator::{Add, Calculator},
    cluster::PATIENCE,
    export,
    process::NodeProcess,
};
use checkpointing_framework::{Coordinator, Event as GroupEvent, Hierarchy, MEMORY};
use crossbeam_channel::{Receiver, unbounded};

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-node");

struct World {
    system: System,
    head: Node,
    nodes: BTreeMap<String, NodeProcess>,
}

fn world(names: &[&str], detection: Detection) -> World {
    let system = System::builder().name("head").build();
    export(&system);
    let head = system.block_on(Node::builder(&system).detection(detection).start()).unwrap();
    let start = |name: &&str| {
        let node = NodeProcess::start(Path::new(PROGRAM), name, &head.member().address).unwrap();
        system.block_on(head.wait_for(name, PATIENCE)).unwrap();
        ((*name).to_owned(), node)
    };
    let nodes = names.iter().map(start).collect();
    World { system, head, nodes }
}

fn wait_for<T>(events: &Receiver<T>, wanted: impl Fn(&T) -> bool) -> Vec<T> {
    let mut seen = Vec::new();
    loop {
        let event = events.recv_timeout(PATIENCE).expect("it happens");
        let found = wanted(&event);
        seen.push(event);
        if found {
            return seen;
        }
    }
}

fn is_restarted(event: &Event) -> bool {
    matches!(event, Event::Restarted { .. })
}

/// kill -9 of a node with children: one failure, found over the network, and they run on the spare.
#[test]
fn node_2_kill_9_of_a_node_is_one_failure() {
    let world = world(&["n1", "n2", "s1"], Detection::default());
    let cluster = world.head.events();
    let hosts = Hosts::new(&world.head, ["s1".to_owned()]);
    let mut builder = Supervisor::builder(Strategy::OneForOne).hosts(&hosts);
    let mut links = Vec::new();
    for (id, on) in [("a", "n1"), ("b", "n1"), ("c", "n1"), ("d", "n2")] {
        let address = hosts.child::<Calculator>(id, "calculator", on);
        links.push(address.link());
        let spec = address.spec(|_| Ok(10_i64)).restart(RestartPolicy::Permanent);
        builder = builder.child(spec);
    }
    let events = builder.subscribe();
    let supervisor = world.system.block_on(builder.start(&world.system)).unwrap();
    for link in &links {
        assert_eq!(link.call_blocking(Add(1), PATIENCE), Ok(11));
    }
    world.nodes["n1"].kill();
    let seen = wait_for(&events, is_restarted);
    let failures = seen.iter().filter(|event| matches!(event, Event::HostFailed { .. })).count();
    assert_eq!(failures, 1, "{seen:?}");
    for (link, sum) in links.iter().zip([11, 11, 11, 12]) {
        assert_eq!(link.call_blocking(Add(1), PATIENCE), Ok(sum));
    }
    let downs: Vec<_> =
        cluster.try_iter().filter(|event| matches!(event, NodeEvent::Down { .. })).collect();
    assert_eq!(downs.len(), 1, "{downs:?}");
    let spare = world.head.members().into_iter().find(|member| member.name == "s1").unwrap();
    assert!(["a", "b", "c"].iter().all(|child| hosts.host(child) == Some(spare.id)));
    drop(supervisor);
    world.head.leave();
}

/// SIGSTOP for longer than the timeout: one failure, by silence. SIGCONT: it is told, and ends itself.
#[test]
fn node_16_a_stopped_process_is_fenced_when_it_goes_on() {
    let detection =
        Detection { heartbeat: Duration::from_millis(100), timeout: Duration::from_secs(2) };
    let mut world = world(&["n1", "n2"], detection);
    let events = world.head.events();
    let n1 = &world.nodes["n1"];
    n1.stop();
    let is_down = |event: &NodeEvent| matches!(event, NodeEvent::Down { .. });
    let seen = wait_for(&events, is_down);
    let Some(NodeEvent::Down { member, cause }) = seen.last() else { unreachable!() };
    assert_eq!((&*member.name, *cause), ("n1", DownCause::Silent));
    assert!(seen.iter().any(|e| matches!(e, NodeEvent::Suspected(member) if member.name == "n1")));
    n1.resume();
    n1.wait_for_line("fenced").unwrap();
    assert_eq!(world.nodes.get_mut("n1").expect("started").wait(), Some(0));
    assert!(world.head.members().iter().all(|member| member.name == "n2"));
    world.head.leave();
}

/// A group over four processes loses two of them, one after the other, while it runs: every balance
/// is that of the failure-free run. The memory of a lost node is gone, without a hang.
#[test]
fn ckpt_10_a_group_survives_kill_9_of_its_nodes() {
    const ROUNDS: u64 = 400;
    let names = ["n1", "n2", "n3", "n4"];
    let world = world(&["n1", "n2", "n3", "n4", "s1"], Detection::default());
    let directory = tempfile::tempdir().unwrap();
    let hierarchy = Hierarchy::new().memory(2).partner(10).directory(directory.path(), 100);
    let system = &world.system;
    let group = system.block_on(Coordinator::start(&world.head, hierarchy, Vec::new())).unwrap();
    let (tx, heard) = unbounded();
    let teller = system.spawn(Teller(tx));
    system.block_on(group.observe(teller.erase()));
    let events = group.events();
    let (builder, _) = bank::supervisor(&world.head, &names, &["s1"], 4, ROUNDS, &group, &teller);
    let supervisor = system.block_on(builder.start(system)).unwrap();
    let mut kills = vec![(150, "n2"), (300, "n4")].into_iter().peekable();
    let (mut rounds, mut balances) = (BTreeMap::new(), BTreeMap::new());
    while balances.len() < 4 {
        match heard.recv_timeout(PATIENCE).expect("it goes on") {
            Heard::Final(last) => drop(balances.insert(last.number, last.balance)),
            Heard::Reached(Reached { number, round }) => {
                rounds.insert(number, round);
                let slowest = *rounds.values().min().expect("not empty");
                while let Some((_, name)) = kills.next_if(|(round, _)| *round <= slowest) {
                    world.nodes[name].kill();
                }
            }
        }
    }
    assert_eq!(balances.into_values().collect::<Vec<_>>(), bank::expected(4, ROUNDS));
    let restarts: Vec<_> = events
        .try_iter()
        .filter_map(|event| match event {
            GroupEvent::Restart(restart) => Some(restart),
            _ => None,
        })
        .collect();
    let of_lost = |n: usize, id: &str| {
        restarts[n].levels.iter().find(|(key, _)| key.as_str() == id).map(|(_, level)| *level)
    };
    assert!(restarts.len() >= 3, "{restarts:?}");
    assert_ne!(of_lost(1, "account-1"), Some(MEMORY), "{restarts:?}");
    assert!(restarts[1].version >= Some(140), "{restarts:?}");
    drop(supervisor);
    world.head.leave();
}
