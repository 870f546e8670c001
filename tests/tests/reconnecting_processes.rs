//! Real connections that break, and real processes that die.

use std::{
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::{Duration, Instant},
};

use actors_core::System;
use actors_node::{Detection, DownCause, Node, NodeEvent};
use actors_tests::{
    breaking::{Entry, Seen, spawn},
    cluster::PATIENCE,
    export,
    process::NodeProcess,
    proxy::Proxy,
};
use crossbeam_channel::Receiver;

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-node");
const CUTS: usize = 40;

/// A node that others reach through a line that can be broken.
async fn node(name: &str, line: &Proxy, detection: Detection) -> Node {
    let system = System::builder().name(name).build();
    export(&system);
    let builder = Node::builder(&system).listen(line.target()).advertise(line.address());
    builder.detection(detection).start().await.unwrap()
}

async fn pair(lines: [&Proxy; 2], detection: Detection) -> (Node, Node) {
    let (a, b) = (node("a", lines[0], detection).await, node("b", lines[1], detection).await);
    b.join(&a.member().address, PATIENCE).await.unwrap();
    a.wait_for("b", PATIENCE).await.unwrap();
    (a, b)
}

/// NODE 21: over sockets, with other threads in between, everything arrives once and in order; nobody goes
/// down.
#[test]
fn node_21_everything_arrives_over_connections_that_are_cut() {
    let [of_a, of_b] = [Proxy::start().unwrap(), Proxy::start().unwrap()];
    let system = System::new();
    let (a, b) = system.block_on(pair([&of_a, &of_b], Detection::default()));
    let events = [a.events(), b.events()];
    let cut_enough = AtomicBool::new(false);
    let say = |from: &Node, to: &Node| {
        let ledger = system.block_on(spawn(from, to));
        let mut said = 0;
        while !cut_enough.load(Ordering::Acquire) || said < 100 {
            let length = if said % 9 == 0 { 1_000_000 } else { said as usize % 100_000 };
            let sent = ledger.send_wait(Entry::new(said, length), PATIENCE);
            system.block_on(sent).unwrap();
            said += 1;
            // As far as it must be heard before more is said.
            if said % 30 == 0 {
                assert_eq!(ledger.call_blocking(Seen, PATIENCE), Ok(said));
            }
        }
        assert_eq!(ledger.call_blocking(Seen, PATIENCE), Ok(said));
    };
    thread::scope(|scope| {
        let talking = [scope.spawn(|| say(&a, &b)), scope.spawn(|| say(&b, &a))];
        let (mut cut, since) = (0, Instant::now());
        while cut < CUTS && since.elapsed() < PATIENCE {
            thread::sleep(Duration::from_millis(20));
            cut += of_a.cut() + of_b.cut();
        }
        cut_enough.store(true, Ordering::Release);
        assert!(cut >= CUTS, "{cut}: they do not connect again");
        talking.into_iter().for_each(|talk| talk.join().unwrap());
    });
    for events in events {
        assert_eq!(events.try_iter().collect::<Vec<_>>(), []);
    }
    [a, b].iter().for_each(Node::leave);
}

fn wait_for_down(events: &Receiver<NodeEvent>) -> (String, DownCause) {
    loop {
        if let NodeEvent::Down { member, cause } = events.recv_timeout(PATIENCE).unwrap() {
            return (member.name, cause);
        }
    }
}

/// A line that is broken for good, while something still answers at the address: it is silence.
#[test]
fn a_node_behind_a_line_that_is_gone_is_silent() {
    let [of_a, of_b] = [Proxy::start().unwrap(), Proxy::start().unwrap()];
    let detection =
        Detection { heartbeat: Duration::from_millis(50), timeout: Duration::from_secs(1) };
    let (a, b) = System::new().block_on(pair([&of_a, &of_b], detection));
    let events = a.events();
    let since = Instant::now();
    of_b.shut();
    of_a.shut();
    assert_eq!(wait_for_down(&events), ("b".into(), DownCause::Silent));
    assert!(since.elapsed() >= Duration::from_millis(900), "{:?}", since.elapsed());
    [a, b].iter().for_each(Node::leave);
}

/// kill -9: nobody listens any more, which is found out long before silence would be.
#[test]
fn a_killed_process_is_found_out_at_once() {
    let system = System::builder().name("head").build();
    export(&system);
    let head = system.block_on(Node::builder(&system).start()).unwrap();
    let process = NodeProcess::start(Path::new(PROGRAM), "n1", &head.member().address).unwrap();
    system.block_on(head.wait_for("n1", PATIENCE)).unwrap();
    let events = head.events();
    let since = Instant::now();
    process.kill();
    assert_eq!(wait_for_down(&events), ("n1".into(), DownCause::ConnectionLost));
    assert!(since.elapsed() < Duration::from_secs(1), "{:?}", since.elapsed());
    head.leave();
}
