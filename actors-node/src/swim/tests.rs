//! The engine among others like it, in simulated time.

use std::{panic, time::Duration};

use actors_core::SystemId;

use super::{Effect, Fact, Swim, cluster::Cluster, packet::Update};
use crate::DownCause;

const SECOND: Duration = Duration::from_secs(1);

fn each_seed(seeds: u64, test: impl Fn(u64)) {
    for seed in 0..seeds {
        let result = panic::catch_unwind(panic::AssertUnwindSafe(|| test(seed)));
        if let Err(payload) = result {
            eprintln!("failed with seed {seed}");
            panic::resume_unwind(payload);
        }
    }
}

fn down(effect: &Effect) -> Option<SystemId> {
    match effect {
        Effect::Down(id, _) => Some(*id),
        _ => None,
    }
}

fn suspected(effect: &Effect) -> Option<SystemId> {
    match effect {
        Effect::Suspected(id) => Some(*id),
        _ => None,
    }
}

fn recovered(effect: &Effect) -> Option<SystemId> {
    match effect {
        Effect::Recovered(id) => Some(*id),
        _ => None,
    }
}

/// NODE 20: a node that falls silent is declared dead by all others in the time that is predicted, no sooner
/// and no later, and nobody else is.
#[test]
fn node_20_a_silent_node_is_found_in_the_predicted_time() {
    // Four periods, by the logarithm of the number.
    for (nodes, shortest) in [(2, 4_000), (3, 4_000), (10, 4_000), (40, 6_408)] {
        let shortest = Duration::from_millis(shortest);
        each_seed(20, |seed| {
            let mut cluster = Cluster::joined(seed, Swim::default(), nodes, None);
            cluster.run(20 * SECOND);
            assert_eq!(cluster.log.len(), 0, "{:?}", cluster.log);
            let (killed, dead) = (cluster.now, seed as usize % nodes);
            cluster.kill(dead);
            // Each is probed by each within twice round, and suspected a period later: by then as many confirm
            // it as there can be.
            cluster.run(2 * nodes as u32 * SECOND + shortest + SECOND);
            let found: Vec<_> = cluster.found(down).collect();
            assert_eq!(found.len(), nodes - 1, "once each: {:?}", cluster.log);
            for (at, observer, who) in found {
                assert_eq!((who, observer == dead), (dead, false));
                assert!(at.since(killed) >= shortest, "{observer} after {:?}", at - killed);
            }
        });
    }
}

/// Nobody is dead who says in time that he lives; everybody hears of both.
#[test]
fn suspicion_is_seen_and_taken_back() {
    each_seed(20, |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 10, None);
        cluster.run(5 * SECOND);
        cluster.pause(3);
        cluster.run(4 * SECOND);
        let suspects: Vec<_> = cluster.found(suspected).collect();
        assert!(suspects.iter().all(|(.., who)| *who == 3) && suspects.len() >= 8, "{suspects:?}");
        cluster.resume(3);
        cluster.run(60 * SECOND);
        assert_eq!(cluster.found(down).count(), 0);
        let back: Vec<_> = cluster.found(recovered).collect();
        assert_eq!(back.len(), cluster.found(suspected).count(), "{:?}", cluster.log);
    });
}

/// Two that cannot reach each other, in one direction or both, are members as long as others reach both.
#[test]
fn node_17_a_cut_between_two_kills_neither() {
    each_seed(20, |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 5, None);
        cluster.cuts.insert((0, 1));
        if seed % 2 == 0 {
            cluster.cuts.insert((1, 0));
        }
        cluster.run(600 * SECOND);
        assert_eq!(cluster.log.len(), 0, "{:?}", cluster.log);
    });
}

/// NODE-19: who stood still himself condemns nobody, not even whom it suspected before; it hears that the others
/// have condemned it.
#[test]
fn node_19_a_paused_observer_condemns_nobody() {
    each_seed(20, |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 7, None);
        cluster.run(5 * SECOND);
        cluster.pause(5);
        while !cluster.found(suspected).any(|(_, observer, _)| observer == 2) {
            cluster.run(SECOND / 10);
        }
        cluster.pause(2);
        cluster.resume(5);
        cluster.run(Duration::from_millis(3_000 + seed * 10_000));
        cluster.resume(2);
        cluster.run(60 * SECOND);
        let condemned: Vec<_> =
            cluster.found(down).filter(|(_, observer, _)| *observer == 2).collect();
        assert_eq!(condemned, [], "by the one that stood still");
        let others: Vec<_> = cluster.found(down).filter(|(.., who)| *who != 2).collect();
        assert_eq!(others, []);
    });
}

/// Without a quorum each side goes on without the other, for ever.
#[test]
fn node_17_both_sides_of_a_partition_go_on() {
    each_seed(20, |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 8, None);
        let sides = |a: usize, b: usize| (a < 3) != (b < 3);
        for (a, b) in (0..8).flat_map(|a| (0..8).map(move |b| (a, b))) {
            if sides(a, b) {
                cluster.cuts.insert((a, b));
            }
        }
        cluster.run(120 * SECOND);
        let found: Vec<_> = cluster.found(down).collect();
        assert_eq!(found.len(), 2 * 3 * 5, "each of each on the other side, once");
        assert!(found.iter().all(|(_, observer, who)| sides(*observer, *who)), "{found:?}");
        cluster.cuts.clear();
        cluster.run(120 * SECOND);
        assert_eq!(cluster.found(down).count(), found.len(), "nobody comes back, nobody goes");
    });
}

#[test]
fn node_17_a_network_that_loses_a_tenth_kills_nobody() {
    each_seed(4, |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 30, None);
        cluster.loss = 100;
        cluster.run(600 * SECOND);
        assert_eq!(cluster.found(down).count(), 0);
        assert!(cluster.found(suspected).count() > 0, "it did lose");
    });
}

/// All join the same one within a second.
#[test]
fn fifty_that_join_at_once_know_each_other() {
    each_seed(10, |seed| {
        let mut cluster = Cluster::new(seed, Swim::default());
        cluster.start();
        for _ in 1..50 {
            let node = cluster.start();
            cluster.join(node, 0);
            cluster.run(SECOND / 50);
        }
        cluster.run(5 * SECOND);
        let pairs = (0..50).flat_map(|a| (0..50).map(move |b| (a, b)));
        let known = pairs.filter(|(a, b)| cluster.knows(*a, *b)).count();
        assert!(known * 100 >= 49 * 50 * 99, "{known} of {}", 49 * 50);
        // Whom the news of a node have missed, it probes itself.
        cluster.run(100 * SECOND);
        for (node, other) in (0..50).flat_map(|a| (0..50).map(move |b| (a, b))) {
            assert!(node == other || cluster.knows(node, other), "{node} does not know {other}");
        }
        assert_eq!(cluster.found(down).count(), 0);
    });
}

/// The first of one cluster joins one of another.
#[test]
fn two_clusters_become_one() {
    each_seed(10, |seed| {
        let mut cluster = Cluster::new(seed, Swim::default());
        for node in 0..12 {
            cluster.start();
            if node % 6 != 0 {
                cluster.join(node, node - 1);
            }
        }
        cluster.run(10 * SECOND);
        assert!(!cluster.knows(0, 6) && cluster.knows(0, 5));
        cluster.join(3, 9);
        cluster.run(40 * SECOND);
        for (node, other) in (0..12).flat_map(|a| (0..12).map(move |b| (a, b))) {
            assert!(node == other || cluster.knows(node, other), "{node} does not know {other}");
        }
    });
}

/// NODE 15: news of a life that was declared dead do not bring it back, and it is not talked to.
#[test]
fn node_15_a_dead_life_never_comes_back() {
    let mut cluster = Cluster::joined(1, Swim::default(), 5, None);
    let dead = cluster.nodes[4].engine.us.clone();
    cluster.learn(0, Fact::Gone(dead.id, DownCause::ConnectionLost));
    cluster.run(10 * SECOND);
    let told = cluster.found(down).filter(|(.., who)| *who == 4).count();
    assert_eq!(told, 3, "all others heard of it: {:?}", cluster.log);
    let fenced = cluster.log.iter().filter(|s| matches!(s.what, Effect::Fenced(_))).count();
    assert!(fenced >= 1, "so did it");
    let now = cluster.now;
    let engine = &mut cluster.nodes[0].engine;
    let from = SystemId(2);
    engine.hear_of(from, Update::Alive(dead.clone(), 9), now);
    assert!(!engine.members.contains_key(&dead.id));
    engine.learn(Fact::Listed(dead.clone()), now);
    assert_eq!(engine.effects(), [Effect::Down(dead.id, DownCause::Reported)]);
}

#[test]
fn who_leaves_is_known_to_have_left() {
    let mut cluster = Cluster::joined(1, Swim::default(), 20, None);
    cluster.run(SECOND);
    cluster.kill(7);
    cluster.learn(0, Fact::Gone(SystemId(8), DownCause::Left));
    cluster.run(3 * SECOND);
    let left = |effect: &Effect| match effect {
        Effect::Down(id, DownCause::Left) => Some(*id),
        _ => None,
    };
    assert_eq!(cluster.found(left).count(), 18);
    assert_eq!(cluster.found(down).count(), 18);
}

#[test]
fn a_run_replays_from_its_seed() {
    let run = |seed| {
        let mut cluster = Cluster::joined(seed, Swim::default(), 20, None);
        cluster.loss = 100;
        cluster.run(5 * SECOND);
        cluster.kill(0);
        cluster.run(60 * SECOND);
        format!("{:?} {:?}", cluster.traffic, cluster.log)
    };
    assert_eq!(run(5), run(5));
    assert_ne!(run(5), run(6));
}
