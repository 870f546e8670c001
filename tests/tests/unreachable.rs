//! Nodes that are looked for and cannot be reached.

use std::{
    fs,
    net::TcpListener,
    sync::{Arc, Mutex},
    thread,
    time::{Duration, Instant},
};

use actors_core::{System, host::Time, sim};
use actors_node::{Node, NodeError};
use actors_tests::cluster::{PATIENCE, connect, real_node, sim_node};
use futures_lite::{AsyncReadExt, future};

const MANY: usize = 256;
const TIMEOUT: Duration = Duration::from_millis(1500);

type Outcomes = Arc<Mutex<Vec<(String, Result<(), NodeError>, Time)>>>;

/// Tries to join all of them at once.
fn join_all(node: &Node, addresses: impl IntoIterator<Item = String>) -> Outcomes {
    let outcomes = Outcomes::default();
    for address in addresses {
        let (node, outcomes) = (node.clone(), outcomes.clone());
        node.system().clone().spawn_task(async move {
            let outcome = node.join(&address, TIMEOUT).await.map(drop);
            let now = node.system().host().clock.now();
            outcomes.lock().unwrap().push((address, outcome, now));
        });
    }
    outcomes
}

fn all_unreachable(outcomes: &Outcomes) -> bool {
    let outcomes = outcomes.lock().unwrap();
    outcomes.iter().all(|(tried, outcome, _)| {
        matches!(outcome, Err(NodeError::Unreachable { address, .. }) if address == tried)
    })
}

/// NODE-26: whichever way they cannot be reached, each attempt ends by its timeout, and says whom it was
/// for; no connection is left.
#[test]
fn node_26_who_cannot_be_reached_costs_its_timeout_and_no_more() {
    sim::search(0..20, |sim| async move {
        let (a, cut) = (sim_node(&sim, "a").await, sim_node(&sim, "cut").await);
        let mut mute = sim.node("mute").net.listen("127.0.0.1:0").await.unwrap();
        sim.cut("a", "cut");
        sim.cut("cut", "a");
        let ways = [mute.address(), cut.member().address.clone()];
        let addresses = (0..MANY).map(|n| match ways.get(n % 3) {
            Some(address) => address.clone(),
            None => format!("nobody-{n}:1"),
        });
        let since = sim.now();
        let outcomes = join_all(&a, addresses);
        while outcomes.lock().unwrap().len() < MANY {
            sim.sleep(Duration::from_millis(10)).await;
        }
        assert!(all_unreachable(&outcomes), "{:?}", outcomes.lock().unwrap());
        let last = outcomes.lock().unwrap().iter().map(|(.., at)| *at).max().unwrap();
        let took = last.since(since);
        assert!(took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(10), "{took:?}");
        // All that were made to the one that says nothing were ended.
        let mut ended = 0;
        while let Some(stream) = future::poll_once(mute.accept()).await {
            let mut said = Vec::new();
            stream.unwrap().read.read_to_end(&mut said).await.unwrap();
            ended += 1;
        }
        assert!(ended >= MANY / 3, "{ended} were accepted");
        assert!(a.members().is_empty());
        sim.heal("a", "cut");
        sim.heal("cut", "a");
        connect(&[&a, &cut]).await;
    });
}

/// Open files of this process.
fn open_files() -> usize {
    fs::read_dir("/proc/self/fd").unwrap().count()
}

/// NODE-26: nothing is left of them on a real machine.
#[test]
fn node_26_real_attempts_leave_no_socket_behind() {
    let system = System::new();
    let node = system.block_on(real_node("a"));
    // Nobody accepts: some are connected and hear nothing, others not even connected.
    let mute = TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let before = open_files();
    let ways = [mute.local_addr().unwrap(), closed];
    let outcomes = join_all(&node, (0..MANY).map(|n| ways[n % 2].to_string()));
    let until = Instant::now() + PATIENCE;
    let mut most = before;
    while (outcomes.lock().unwrap().len() < MANY || open_files() > before) && Instant::now() < until
    {
        most = most.max(open_files());
        thread::sleep(Duration::from_millis(5));
    }
    assert_eq!(outcomes.lock().unwrap().len(), MANY);
    assert!(all_unreachable(&outcomes), "{:?}", outcomes.lock().unwrap());
    assert!(most > before + MANY / 4, "they were tried at once: {before} to {most}");
    assert!(open_files() <= before, "{before} before, {} now", open_files());
    node.leave();
}
