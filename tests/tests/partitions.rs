//! Node processes with networks between them that fail: each in a network namespace of its own, with
//! real sockets, whose lines are cut and healed.
#![cfg(target_os = "linux")]

use std::{
    path::Path,
    time::{Duration, Instant},
};

use actors_node::Detection;
use actors_tests::{
    cluster::PATIENCE,
    network::Network,
    peer::{Peer, connected},
    stalls::Stalls,
};

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-peer");
/// The processes of this test may be held up by others on the machine, beyond what it can see.
const SLACK: Duration = Duration::from_millis(250);

/// The peers go first.
struct World {
    peers: Vec<Peer>,
    network: Network,
    detection: Detection,
}

impl World {
    /// A peer on a host of its own for each name, each connected to each. `None` if that cannot be here.
    fn new(test: &str, names: &[&str], detection: Detection) -> Option<Self> {
        let mut network = Network::new(test)?;
        names.iter().for_each(|name| network.add(name));
        let mut world = Self { peers: Vec::new(), network, detection };
        let peers = names.iter().map(|name| world.start(name)).collect();
        world.peers = connected(peers);
        Some(world)
    }

    /// A process on the host of its name.
    fn start(&self, name: &str) -> Peer {
        let command = self.network.command(name, Path::new(PROGRAM));
        let listen = format!("{}:0", self.network.address(name));
        Peer::start(command, name, &listen, self.detection)
    }

    fn peer(&self, name: &str) -> &Peer {
        self.peers.iter().find(|peer| peer.name() == name).expect("it was started")
    }

    /// Lets one write notes to another without end.
    fn pump(&self, from: &str, to: &str) {
        let from = self.peer(from);
        from.tell(&format!("book {to}"));
        from.wait_for(&format!("book {to}"));
        from.tell(&format!("pump {to} 1"));
        from.wait_for(&format!("noted {to} 20"));
    }

    fn nobody_is_down(&self) {
        for peer in &self.peers {
            assert_eq!(peer.all("down "), Vec::<String>::new(), "on {}", peer.name());
        }
    }
}

fn detection(timeout: Duration) -> Detection {
    Detection { heartbeat: Duration::from_millis(100), timeout }
}

fn seconds(seconds: u64) -> Duration {
    Duration::from_secs(seconds)
}

/// From the cut until a node is declared dead, on every side: as much as is configured, no less and
/// no more than two heartbeats beside.
#[test]
fn node_20_a_lasting_cut_is_found_in_the_configured_time() {
    let Detection { heartbeat, timeout } = Detection::default();
    let test = "a lasting cut is found in the configured time";
    let Some(world) = World::new(test, &["a", "b", "c"], Detection::default()) else { return };
    let marks: Vec<usize> = world.peers.iter().map(Peer::mark).collect();
    let stalls = Stalls::watch();
    let before = Instant::now();
    world.network.cut(&["a"], &["b", "c"]);
    let after = Instant::now();
    let found = [(0, "b"), (0, "c"), (1, "a"), (2, "a")].map(|(observer, lost)| {
        let peer = &world.peers[observer];
        let down = peer.wait_for_after(marks[observer], &format!("down {lost} "));
        let suspected = peer.wait_for_after(marks[observer], &format!("suspected {lost}"));
        // Whoever is first tells the other, which then may be about to find it itself.
        assert!(down.text.ends_with("Silent") || down.text.ends_with("Reported"), "{down:?}");
        assert!(suspected.at < down.at || down.text.ends_with("Reported"));
        (down.at.duration_since(before), down.at.duration_since(after))
    });
    let stall = stalls.longest() + SLACK;
    let (min, max) = (timeout - heartbeat - stall, timeout + 2 * heartbeat + stall);
    println!("found after {found:?}; stalls of up to {stall:?}");
    assert!(found.iter().all(|(longest, _)| *longest >= min), "{found:?}, min {min:?}");
    assert!(found.iter().all(|(_, shortest)| *shortest <= max), "{found:?}, max {max:?}");
    assert!(timeout + 2 * heartbeat <= seconds(5), "the default is at most that");
    for silent in ["b", "c"] {
        let causes = world.peer(silent).all("down a ");
        assert_eq!(causes.len(), 1, "one failure: {causes:?}");
    }
}

/// What was declared dead on the other side of a cut hears of it when the cut has healed, nothing that
/// it has said in between or says from then on is taken, and it comes back as another life. The same the
/// other way round: without a quorum each side has declared the other dead.
#[test]
fn node_17_node_15_after_a_cut_that_lasted_both_sides_are_fenced() {
    let test = "after a cut that lasted both sides are fenced";
    let detection = detection(seconds(2));
    let Some(mut world) = World::new(test, &["a", "b", "c"], detection) else { return };
    world.pump("a", "b");
    world.pump("b", "a");
    world.pump("c", "b");
    world.network.cut(&["a"], &["b", "c"]);
    let ends = [("a", "b"), ("a", "c"), ("b", "a"), ("c", "a")];
    for (observer, lost) in ends {
        world.peer(observer).wait_for(&format!("down {lost} "));
    }
    let (a, b) = (world.peer("a"), world.peer("b"));
    let (at_b, at_a) = (b.heard_from(a), a.heard_from(b));
    // It has gone on saying things that were taken from it, and were not heard.
    let noted = a.all("noted b ").len();
    assert!(noted > at_b.len() + 50, "{noted} noted, {} heard", at_b.len());
    world.network.heal(&["a"], &["b", "c"]);
    a.wait_for("fenced ");
    b.wait_for("fenced a");
    // The line carries everything again.
    a.tell(&format!("join {}", b.address()));
    a.wait_for("not joined: refused");
    a.tell("note b 1000000");
    a.wait_for("not noted b 1000000");
    assert_eq!((b.heard_from(a), a.heard_from(b)), (at_b, at_a), "of the dead nothing is heard");
    let others = b.all("heard c ").len();
    b.wait_for_after(b.mark(), "heard c ");
    assert!(b.all("heard c ").len() > others, "of the living everything is");
    for (observer, lost) in ends {
        assert_eq!(world.peer(observer).all(&format!("down {lost} ")).len(), 1, "once");
    }
    come_back(&mut world, "a", &["b", "c"]);
}

/// The process ends, and a new life of its name joins.
fn come_back(world: &mut World, name: &str, others: &[&str]) {
    world.peers.retain(|peer| peer.name() != name);
    let marks: Vec<usize> = others.iter().map(|other| world.peer(other).mark()).collect();
    let again = world.start(name);
    again.join(world.peer(others[0]));
    for (other, mark) in others.iter().zip(marks) {
        world.peer(other).wait_for_after(mark, &format!("up {name}"));
        again.wait_for(&format!("up {other}"));
        again.tell(&format!("book {other}"));
        again.wait_for(&format!("book {other}"));
        again.tell(&format!("note {other} 2000000"));
        world.peer(other).wait_for(&format!("heard {name} 2000000"));
    }
    world.peers.push(again);
}

/// One direction is enough: who is not heard is declared dead, hears of it, and is not listened to.
#[test]
fn node_17_a_cut_in_one_direction_fences_who_is_not_heard() {
    let test = "a cut in one direction fences who is not heard";
    let Some(world) = World::new(test, &["a", "b"], detection(seconds(2))) else { return };
    let (a, b) = (world.peer("a"), world.peer("b"));
    world.pump("a", "b");
    world.network.cut_one_way("a", "b");
    let down = b.wait_for("down a ");
    assert_eq!(down.text, "down a Silent");
    let heard = b.heard_from(a);
    a.wait_for("down b ");
    world.network.heal_one_way("a", "b");
    a.wait_for("fenced b");
    a.wait_for("not noted b ");
    assert!(a.all("noted b ").len() > heard.len() + 50, "it has said more than was heard");
    a.tell(&format!("join {}", b.address()));
    a.wait_for("not joined: refused");
    assert_eq!(b.heard_from(a), heard);
    for (peer, lost) in [(a, "b"), (b, "a")] {
        assert_eq!(peer.all(&format!("down {lost} ")).len(), 1, "one failure");
    }
}

/// A cut that heals in time is no failure: suspicion and no more, and everything that was said in between
/// arrives, once and in order.
#[test]
fn node_17_a_cut_that_heals_in_time_is_no_failure() {
    let test = "a cut that heals in time is no failure";
    // What is lost is sent again at doubling intervals: after a cut of 5 s the line may be silent for 10.
    let Some(world) = World::new(test, &["a", "b"], detection(seconds(12))) else { return };
    let (a, b) = (world.peer("a"), world.peer("b"));
    world.pump("a", "b");
    world.network.cut(&["a"], &["b"]);
    // Half of the timeout is over.
    a.wait_for("suspected b");
    b.wait_for("suspected a");
    world.network.heal(&["a"], &["b"]);
    a.wait_for("recovered b");
    b.wait_for("recovered a");
    let noted = a.all("noted b ").len();
    b.wait_for(&format!("heard a {noted}"));
    let heard = b.heard_from(a);
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    world.nobody_is_down();
    assert_eq!(a.all("fenced"), Vec::<String>::new());
}

/// A line that comes and goes.
#[test]
fn node_17_a_line_that_flaps_is_no_failure() {
    let test = "a line that flaps is no failure";
    let Some(world) = World::new(test, &["a", "b"], detection(seconds(10))) else { return };
    let (a, b) = (world.peer("a"), world.peer("b"));
    world.pump("a", "b");
    for cut in 1..=10 {
        let lost = world.network.lost_before("b");
        world.network.cut(&["a"], &["b"]);
        until("packets are lost", || world.network.lost_before("b") > lost + cut % 3);
        world.network.heal(&["a"], &["b"]);
        let noted = a.all("noted b ").len();
        b.wait_for(&format!("heard a {noted}"));
    }
    let heard = b.heard_from(a);
    assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    world.nobody_is_down();
}

/// A tenth of all packets is lost, both ways: everything arrives, once and in order, and nobody fails.
#[test]
fn node_17_a_line_that_loses_packets_is_no_failure() {
    let test = "a line that loses packets is no failure";
    let Some(world) = World::new(test, &["a", "b", "c"], detection(seconds(10))) else { return };
    let (a, b) = (world.peer("a"), world.peer("b"));
    world.network.lose(&["a"], &["b", "c"], 10);
    world.pump("a", "b");
    world.pump("b", "a");
    until("enough is lost", || {
        ["a", "b", "c"].iter().all(|host| world.network.lost_before(host) >= 20)
    });
    for (from, to) in [(a, b), (b, a)] {
        let noted = from.all("noted ").len();
        to.wait_for(&format!("heard {} {noted}", from.name()));
        let heard = to.heard_from(from);
        assert_eq!(heard, (1..=heard.len() as u64).collect::<Vec<_>>());
    }
    world.nobody_is_down();
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let deadline = Instant::now() + PATIENCE;
    while !holds() {
        assert!(Instant::now() < deadline, "waited in vain until {what}");
        std::thread::park_timeout(Duration::from_millis(20));
    }
}
