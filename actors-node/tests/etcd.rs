//! Membership by a real etcd, which is started from the path; without it these tests are skipped, and fail where `CI`
//! is set.

mod etcd_server;

use std::{
    env,
    io::{BufRead, BufReader},
    process::{Child, ChildStdin, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use actors_core::System;
use actors_node::{DownCause, Etcd, EtcdSeeds, HandShakeError, Node, NodeError, NodeEvent};
use crossbeam_channel::{Receiver, unbounded};
use etcd_server::Server;
use rustix::process::{Pid, Signal, kill_process};

const LEASE: Duration = Duration::from_secs(2);
const LONG: Duration = Duration::from_secs(20);

fn etcd(endpoint: &str) -> Etcd {
    Etcd::new([endpoint]).lease(LEASE)
}

/// A node of this process. Dropped, it leaves.
struct Here {
    node: Node,
    events: Receiver<NodeEvent>,
}

impl Here {
    fn start(name: &str, endpoint: &str) -> Result<Self, NodeError> {
        let system = System::builder().name(name).build();
        let started = Node::builder(&system).cluster("test").etcd(etcd(endpoint)).start();
        let node = system.block_on(started)?;
        Ok(Self { events: node.events(), node })
    }

    fn wait_for(&self, name: &str) {
        let found = self.node.system().block_on(self.node.wait_for(name, LONG));
        found.unwrap_or_else(|error| panic!("{name}: {error}"));
    }

    /// The next event that is wanted, and all before it.
    fn until(&self, wanted: impl Fn(&NodeEvent) -> bool) -> Vec<NodeEvent> {
        let deadline = Instant::now() + LONG;
        let mut seen = Vec::new();
        loop {
            let event = self.events.recv_deadline(deadline);
            seen.push(event.unwrap_or_else(|_| panic!("it does not come: {seen:?}")));
            if wanted(&seen[seen.len() - 1]) {
                return seen;
            }
        }
    }

    fn cause_of_death(&self, name: &str) -> DownCause {
        let is = |event: &NodeEvent| matches!(event, NodeEvent::Down { member, .. } if member.name == name);
        match self.until(is).pop() {
            Some(NodeEvent::Down { cause, .. }) => cause,
            other => panic!("{other:?}"),
        }
    }

    /// Nobody has died here, and nobody does for so long.
    fn assert_nobody_dies(&self, time: Duration) {
        let deadline = Instant::now() + time;
        while let Ok(event) = self.events.recv_deadline(deadline) {
            let death = matches!(event, NodeEvent::Down { .. } | NodeEvent::Fenced { .. });
            assert!(!death, "{}: {event:?}", self.node.member().name);
        }
    }
}

impl Drop for Here {
    fn drop(&mut self) {
        self.node.leave();
    }
}

/// A node in a process of its own, which ends with this one. Dropped, it is killed.
struct There {
    process: Child,
    _input: ChildStdin,
    lines: Receiver<String>,
}

impl There {
    fn start(name: &str, endpoint: &str) -> Self {
        let mut process = Command::new(env::current_exe().unwrap())
            .args(["--exact", "a_node_for_the_others", "--ignored", "--nocapture"])
            .env("ETCD_TEST_NODE", name)
            .env("ETCD_TEST_ENDPOINT", endpoint)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (output, input) = (process.stdout.take().unwrap(), process.stdin.take().unwrap());
        let (tx, lines) = unbounded();
        thread::spawn(move || {
            for line in BufReader::new(output).lines().map_while(Result::ok) {
                drop(tx.send(line));
            }
        });
        Self { process, _input: input, lines }
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.process), signal).unwrap();
    }

    /// The lines up to one that has this in it.
    fn until(&self, wanted: &str) -> Vec<String> {
        let deadline = Instant::now() + LONG;
        let mut seen = Vec::new();
        loop {
            let line = self.lines.recv_deadline(deadline);
            seen.push(line.unwrap_or_else(|_| panic!("no {wanted}: {seen:?}")));
            if seen[seen.len() - 1].contains(wanted) {
                return seen;
            }
        }
    }
}

impl Drop for There {
    fn drop(&mut self) {
        drop(self.process.kill());
        drop(self.process.wait());
    }
}

/// What [`There`] runs.
#[test]
#[ignore = "a process of the other tests"]
fn a_node_for_the_others() {
    let Ok(name) = env::var("ETCD_TEST_NODE") else { return };
    let here = Here::start(&name, &env::var("ETCD_TEST_ENDPOINT").unwrap()).unwrap();
    thread::spawn(|| {
        drop(std::io::stdin().read_line(&mut String::new()));
        std::process::exit(0);
    });
    println!("ready");
    for event in &here.events {
        println!("{event:?}");
    }
}

fn both(server: &Server) -> (Here, Here) {
    let a = Here::start("a", server.endpoint()).unwrap();
    let b = Here::start("b", server.endpoint()).unwrap();
    a.wait_for("b");
    b.wait_for("a");
    (a, b)
}

#[test]
fn nodes_that_are_registered_know_each_other_until_one_leaves() {
    let Some(server) = Server::start("nodes_that_are_registered_know_each_other") else { return };
    let (a, b) = both(&server);
    drop(b);
    assert_eq!(a.cause_of_death("b"), DownCause::Left);
    assert_eq!(a.node.members(), []);
}

#[test]
fn a_process_that_is_killed_is_dead_at_once_and_its_entry_goes() {
    let Some(server) = Server::start("a_process_that_is_killed_is_dead_at_once") else { return };
    let a = Here::start("a", server.endpoint()).unwrap();
    let c = There::start("c", server.endpoint());
    a.wait_for("c");
    c.signal(Signal::KILL);
    assert_eq!(a.cause_of_death("c"), DownCause::ConnectionLost);
    // Who comes and still finds the entry sees it go: nobody else has to find out.
    let b = Here::start("b", server.endpoint()).unwrap();
    b.wait_for("a");
    let knows_c = || b.node.members().iter().any(|member| member.name == "c");
    if knows_c() {
        assert!(matches!(b.cause_of_death("c"), DownCause::Expired | DownCause::Reported));
    }
    assert!(!knows_c());
}

/// NODE 33: a process that is killed, and whom nobody had a line to, is dead when its lease has run out.
#[test]
fn node_33_a_process_that_is_killed_unseen_is_dead_by_its_lease() {
    let Some(server) = Server::start("node_33_a_process_that_is_killed_unseen") else { return };
    let c = There::start("c", server.endpoint());
    c.until("ready");
    c.signal(Signal::KILL);
    let a = Here::start("a", server.endpoint()).unwrap();
    assert_eq!(a.cause_of_death("c"), DownCause::Expired);
    assert_eq!(a.node.members(), []);
}

/// NODE 33: past its lease a node is dead to all, once; it says so of itself.
#[test]
fn node_33_a_node_that_stands_still_past_its_lease_is_dead_and_fences_itself() {
    let Some(server) = Server::start("node_33_a_node_that_stands_still") else { return };
    let (a, b) = both(&server);
    let c = There::start("c", server.endpoint());
    a.wait_for("c");
    b.wait_for("c");
    c.until("Up(Member");
    c.signal(Signal::STOP);
    assert_eq!(a.cause_of_death("c"), DownCause::Expired);
    assert_eq!(b.cause_of_death("c"), DownCause::Expired);
    c.signal(Signal::CONT);
    c.until("Fenced");
    a.assert_nobody_dies(LEASE);
    b.assert_nobody_dies(Duration::ZERO);
    assert_eq!(a.node.members().len(), 1);
}

/// NODE 33: etcd stands still for longer than all leases.
#[test]
fn node_33_nobody_dies_while_etcd_stands_still_or_after() {
    let Some(server) = Server::start("node_33_nobody_dies_while_etcd_stands_still") else { return };
    let (a, b) = both(&server);
    server.signal(Signal::STOP);
    for node in [&a, &b] {
        node.until(|event| matches!(event, NodeEvent::RegistryLost { .. }));
        node.assert_nobody_dies(LEASE);
    }
    server.signal(Signal::CONT);
    for node in [&a, &b] {
        let seen = node.until(|event| *event == NodeEvent::RegistryBack);
        let dead = |event: &NodeEvent| matches!(event, NodeEvent::Down { .. });
        assert!(!seen.iter().any(dead), "{seen:?}");
        node.assert_nobody_dies(2 * LEASE);
    }
    // And it judges as before.
    drop(b);
    assert_eq!(a.cause_of_death("b"), DownCause::Left);
}

/// NODE 33: etcd is killed, and comes back with its data.
#[test]
fn node_33_nobody_dies_when_etcd_is_killed_and_comes_back() {
    let Some(mut server) = Server::start("node_33_nobody_dies_when_etcd_is_killed") else { return };
    let (a, b) = both(&server);
    server.kill();
    for node in [&a, &b] {
        node.until(|event| matches!(event, NodeEvent::RegistryLost { .. }));
        node.assert_nobody_dies(LEASE);
    }
    server.restart();
    for node in [&a, &b] {
        node.until(|event| *event == NodeEvent::RegistryBack);
        node.assert_nobody_dies(2 * LEASE);
    }
    let c = Here::start("c", server.endpoint()).unwrap();
    a.wait_for("c");
    b.wait_for("c");
    drop(c);
}

#[test]
fn a_node_that_etcd_does_not_know_is_refused() {
    let Some(server) = Server::start("a_node_that_etcd_does_not_know") else { return };
    let a = Here::start("a", server.endpoint()).unwrap();
    let system = System::builder().name("stranger").build();
    system.block_on(async {
        let stranger = Node::builder(&system).cluster("test").start().await.unwrap();
        let refused = stranger.join(&a.node.member().address, LONG).await.unwrap_err();
        let error = HandShakeError::OtherMembership;
        let address = a.node.member().address.clone();
        assert_eq!(refused, NodeError::HandShake { address, error });
        stranger.leave();
    });
}

#[test]
fn a_node_does_not_start_unregistered() {
    if Server::start("a_node_does_not_start_unregistered").is_none() {
        return;
    }
    match Here::start("a", "127.0.0.1:1") {
        Err(NodeError::Registry { error }) => assert!(!error.is_empty()),
        Err(error) => panic!("{error}"),
        Ok(_) => panic!("it starts"),
    }
}

#[test]
fn others_are_found_by_their_addresses_in_etcd() {
    let Some(server) = Server::start("others_are_found_by_their_addresses") else { return };
    let start = |name: &str| {
        let system = System::builder().name(name).build();
        let node = system.block_on(Node::builder(&system).start()).unwrap();
        let seeds = EtcdSeeds::start(etcd(server.endpoint()), "test", &node).unwrap();
        (node, seeds)
    };
    let (a, b) = (start("a"), start("b"));
    for ((node, seeds), other) in [(&a, "b"), (&b, "a")] {
        node.system().block_on(async {
            node.join_by(seeds, LONG).await.unwrap();
            node.wait_for(other, LONG).await.unwrap();
        });
    }
    a.0.leave();
    b.0.leave();
}
