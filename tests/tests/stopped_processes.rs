//! Node processes that stand still for a while (SIGSTOP, SIGCONT): real processes, real time.

use std::{path::Path, time::Duration};

use actors_node::Detection;
use actors_tests::peer::{Peer, connected};

const PROGRAM: &str = env!("CARGO_BIN_EXE_test-peer");
/// So long that nobody is declared dead.
const NEVER: Duration = Duration::from_secs(600);

fn peer(name: &str, timeout: Duration) -> Peer {
    let detection = Detection { heartbeat: Duration::from_millis(100), timeout };
    Peer::local(Path::new(PROGRAM), name, detection)
}

fn peers<const N: usize>(timeouts: [(&str, Duration); N]) -> [Peer; N] {
    let peers = timeouts.map(|(name, timeout)| peer(name, timeout));
    let Ok(peers) = connected(peers.into()).try_into() else { unreachable!("as many") };
    peers
}

fn pump(from: &Peer, to: &Peer) {
    from.tell(&format!("book {}", to.name()));
    from.wait_for(&format!("book {}", to.name()));
    from.tell(&format!("pump {} 1", to.name()));
    to.wait_for(&format!("heard {} 20", from.name()));
}

fn in_order(numbers: &[u64]) -> bool {
    numbers.iter().copied().eq(1..=numbers.len() as u64)
}

/// Shorter than the timeout: suspected, and no more. What it was sent meanwhile, it hears.
#[test]
fn node_16_a_short_stop_is_no_failure() {
    let timeout = Duration::from_secs(10);
    let [a, b, c] = peers([("a", timeout), ("b", timeout), ("c", timeout)]);
    pump(&a, &b);
    pump(&b, &a);
    a.process.stop();
    b.wait_for("suspected a");
    c.wait_for("suspected a");
    a.process.resume();
    b.wait_for("recovered a");
    c.wait_for("recovered a");
    for (from, to) in [(&a, &b), (&b, &a)] {
        let noted = from.all("noted ").len();
        to.wait_for(&format!("heard {} {noted}", from.name()));
        assert!(in_order(&to.heard_from(from)));
    }
    for peer in [&a, &b, &c] {
        assert_eq!(peer.all("down "), Vec::<String>::new(), "on {}", peer.name());
        assert_eq!(peer.all("fenced "), Vec::<String>::new(), "on {}", peer.name());
    }
}

/// Longer: one failure to each of the others. When it goes on, it hears that it is dead; what it had said
/// before and says then is refused by all.
#[test]
fn node_16_a_long_stop_is_one_failure_and_what_comes_late_is_refused() {
    let timeout = Duration::from_secs(2);
    // It would wait for ever: what it is, it is told by the others.
    let [a, b, c] = peers([("a", NEVER), ("b", timeout), ("c", timeout)]);
    pump(&a, &b);
    pump(&a, &c);
    a.process.stop();
    a.process.wait_until_stopped();
    b.wait_for("down a ");
    c.wait_for("down a ");
    let heard = [b.heard_from(&a), c.heard_from(&a)];
    // It does this when it goes on.
    a.tell("note b 1000000");
    a.tell("note c 1000000");
    a.process.resume();
    a.wait_for("fenced ");
    for (other, heard) in [&b, &c].into_iter().zip(heard) {
        a.wait_for(&format!("not noted {} ", other.name()));
        a.tell(&format!("join {}", other.address()));
        a.wait_for("not joined: refused");
        assert!(a.all(&format!("noted {} ", other.name())).len() >= heard.len());
        assert_eq!(other.heard_from(&a), heard, "nothing that came late");
        assert_eq!(other.all("down ").len(), 1, "one failure: {:?}", other.all("down "));
        assert_eq!(other.all("up a").len(), 1, "it is not back");
        a.wait_for(&format!("down {} ", other.name()));
        assert_eq!(other.all("fenced "), Vec::<String>::new(), "it has nothing to say to them");
    }
}

/// It is the observer that stood still, for longer than its timeout: it declares nobody dead. Afterwards
/// it finds those that really stand still, as before.
#[test]
fn node_19_an_observer_that_stood_still_declares_nobody_dead() {
    let timeout = Duration::from_secs(2);
    let [observer, b, c] = peers([("observer", timeout), ("b", NEVER), ("c", NEVER)]);
    pump(&b, &observer);
    for _ in 0..3 {
        observer.process.stop();
        observer.process.wait_until_stopped();
        std::thread::sleep(2 * timeout);
        observer.process.resume();
        // What was on its way is heard, and what is said only now.
        let noted = b.all("noted ").len();
        observer.wait_for(&format!("heard b {}", noted + 100));
    }
    assert_eq!(observer.all("down "), Vec::<String>::new());
    c.process.stop();
    assert_eq!(observer.wait_for("down ").text, "down c Silent");
    assert!(in_order(&observer.heard_from(&b)));
    assert_eq!(b.all("fenced "), Vec::<String>::new());
}
