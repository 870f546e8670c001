//! Connections that break while both nodes live: nothing is lost, nothing comes twice, nothing changes its
//! place, and nobody is declared dead.

use std::time::Duration;

use actors_core::{
    CallError, ExitReason,
    sim::{self, Sim},
};
use actors_node::{Detection, DownCause, Node, NodeEvent};
use actors_tests::{
    breaking::{self, Entry, Log, Seen, fields, node, pair, spawn, talk, with_window},
    calculator::{Add, Calculator},
    cluster::{PATIENCE, connect},
};
use crossbeam_channel::Receiver;
use futures_lite::future::zip;

fn downs(events: &Receiver<NodeEvent>) -> Vec<NodeEvent> {
    events.try_iter().filter(|event| matches!(event, NodeEvent::Down { .. })).collect()
}

/// NODE 21, 22: messages, calls, monitors and signals both ways over a connection that breaks again and
/// again, at random places.
#[test]
fn node_21_node_22_everything_arrives_once_and_in_order_whatever_breaks() {
    let log = Log::default();
    log.watch(|| {
        sim::search(0..25, |sim| async move {
            let (a, b) = pair(&sim).await;
            let events = (a.events(), b.events());
            sim.limit("a", "b", Some(40_000_000));
            sim.limit("b", "a", Some(40_000_000));
            let mut done = false;
            let talking = async {
                zip(talk(&sim, &a, &b), talk(&sim, &b, &a)).await;
                true
            };
            let breaking = async {
                loop {
                    sim.sleep(Duration::from_micros(sim.random() % 25_000)).await;
                    sim.break_connections("a", "b");
                }
            };
            done |= futures_lite::future::or(talking, breaking).await;
            assert!(done);
            let seen: Vec<NodeEvent> = events.0.try_iter().chain(events.1.try_iter()).collect();
            assert_eq!(seen, [], "nobody was even suspected");
        });
    });
    let connected = log.lines(": connected node=");
    let some = |field: &str| fields(&connected, field).filter(|n| *n > 0).count();
    assert!(connected.len() > 1000, "{}", connected.len());
    assert!(some("again") > 500, "something had to be said again: {}", some("again"));
    assert!(some("transfers") > 50, "broken in a transfer: {}", some("transfers"));
    let both = log.lines("the other side was first").len();
    assert!(both > 500, "both have dialled at once: {both}");
}

/// NODE 13: two nodes that join each other at once, while the line breaks and is cut at any moment, end
/// with one connection, the same for both, which stays.
#[test]
fn node_13_both_sides_end_with_the_same_connection() {
    let mut both_dialled = 0;
    for seed in 0..1500 {
        let log = Log::default();
        let watched = log.clone();
        log.watch(|| sim::simulate(seed, |sim| join_and_break(sim, watched)).output);
        both_dialled += log.lines("already connected").len();
        both_dialled += log.lines("the other side was first").len();
    }
    assert!(both_dialled > 1000, "both have dialled at once: {both_dialled}");
}

async fn join_and_break(sim: Sim, log: Log) {
    let (a, b) = (node(&sim, "a").await, node(&sim, "b").await);
    let events = (a.events(), b.events());
    let (to_a, to_b) = (a.member().address.clone(), b.member().address.clone());
    let joining = zip(a.join(&to_b, PATIENCE), b.join(&to_a, PATIENCE));
    let breaking = async {
        for _ in 0..sim.random() % 8 {
            sim.sleep(Duration::from_micros(sim.random() % 4000)).await;
            match sim.random() % 6 {
                0 => sim.cut("a", "b"),
                1 => sim.cut("b", "a"),
                2 => sim.heal("a", "b"),
                3 => sim.heal("b", "a"),
                _ => sim.break_connections("a", "b"),
            }
        }
        sim.heal("a", "b");
        sim.heal("b", "a");
    };
    let ((a_joined, b_joined), ()) = zip(joining, breaking).await;
    assert_eq!((a_joined.unwrap().id, b_joined.unwrap().id), (b.member().id, a.member().id));
    let (there, back) = (spawn(&a, &b).await, spawn(&b, &a).await);
    there.send(Entry::new(0, 1)).unwrap();
    back.send(Entry::new(0, 1)).unwrap();
    assert_eq!((there.call(Seen).await, back.call(Seen).await), (Ok(1), Ok(1)));
    sim.sleep(Duration::from_secs(1)).await;
    let settled = log.lines(": connected node=");
    let last = |name: &str| {
        let node = format!(" node={name} ");
        let of_node: Vec<_> = settled.iter().filter(|l| l.contains(&node)).cloned().collect();
        fields(&of_node, "connection").last()
    };
    assert_eq!(last("a"), last("b"), "both have the same");
    sim.sleep(Duration::from_secs(30)).await;
    assert_eq!(log.lines(": connected node="), settled, "it stays");
    for (events, other) in [(events.0, &b), (events.1, &a)] {
        let up = NodeEvent::Up(other.member().clone());
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [up]);
    }
}

/// NODE 13: twenty breaks while both sides join each other again and again.
#[test]
fn node_13_breaks_under_join_spam_take_nobody_down() {
    sim::search(0..20, |sim| async move {
        let (a, b) = pair(&sim).await;
        let events = (a.events(), b.events());
        let ledger = spawn(&a, &b).await;
        let spam = |from: Node, to: Node| {
            let sim = sim.clone();
            async move {
                loop {
                    let joined = from.join(&to.member().address, PATIENCE).await;
                    assert_eq!(joined.unwrap(), *to.member());
                    sim.sleep(Duration::from_micros(sim.random() % 2000)).await;
                }
            }
        };
        let spams = zip(spam(a.clone(), b.clone()), spam(b.clone(), a.clone()));
        let breaks = async {
            for n in 0..20 {
                ledger.send(Entry::new(n, 1)).unwrap();
                sim.sleep(Duration::from_micros(sim.random() % 20_000)).await;
                sim.break_connections("a", "b");
            }
            ledger.call(Seen).forever().await.unwrap()
        };
        let seen = futures_lite::future::or(breaks, async {
            spams.await;
            unreachable!("they never end")
        });
        assert_eq!(seen.await, 20);
        let seen: Vec<_> = events.0.try_iter().chain(events.1.try_iter()).collect();
        assert_eq!(seen, []);
    });
}

/// NODE 13: twenty lives under one name, each of which is found out by who wants to connect again: down
/// before up, each once, and what was monitored is told.
#[test]
fn node_13_down_comes_before_up_when_the_life_is_another() {
    sim::search(0..20, |sim| async move {
        let a = node(&sim, "a").await;
        let events = a.events();
        let mut lives = Vec::new();
        for _ in 0..20 {
            let b = node(&sim, "b").await;
            b.join(&a.member().address, PATIENCE).await.unwrap();
            a.wait_for("b", PATIENCE).await.unwrap();
            lives.push(b.member().id);
            let ledger = spawn(&a, &b).await;
            let down = ledger.down();
            sim.break_connections("a", "b");
            sim.sleep(Duration::from_micros(sim.random() % 2000)).await;
            sim.kill("b");
            if sim.random().is_multiple_of(2) {
                let failed = ExitReason::NodeFailure { node: "b".into() };
                assert_eq!(down.await.reason, failed);
            }
        }
        a.system().host().clock.sleep(Duration::from_secs(1)).await;
        let seen: Vec<_> = events
            .try_iter()
            .map(|event| match event {
                NodeEvent::Up(member) => (true, member.id),
                NodeEvent::Down { member, .. } => (false, member.id),
                event => panic!("{event:?}"),
            })
            .collect();
        let expected: Vec<_> = lives.iter().flat_map(|id| [(true, *id), (false, *id)]).collect();
        assert_eq!(seen, expected);
    });
}

/// NODE 12: a monitor that is set while there is no connection fires all the same, whatever comes; so does
/// one that is set after the node is gone.
#[test]
fn node_12_a_monitor_set_without_a_connection_fires() {
    sim::search(0..30, |sim| async move {
        let (a, b) = pair(&sim).await;
        let [stopped, lost] = [spawn(&a, &b).await, spawn(&a, &b).await];
        let before = stopped.down();
        let (inside, again) = with_window(&sim, "a", "b", async || {
            let inside = stopped.down();
            stopped.stop(ExitReason::Normal);
            (inside, stopped.down())
        })
        .await;
        for down in [before, inside] {
            assert_eq!(down.await.reason, ExitReason::Normal);
        }
        let reasons = [ExitReason::Normal, ExitReason::NoProc];
        assert!(reasons.contains(&again.await.reason), "it is there still, or no more");

        let before = lost.down();
        let inside = with_window(&sim, "a", "b", async || {
            sim.kill("b");
            [lost.down()]
        })
        .await;
        let [inside] = inside;
        let failed = ExitReason::NodeFailure { node: "b".into() };
        assert_eq!((before.await.reason, inside.await.reason), (failed.clone(), failed));
        let after = lost.down().await.reason;
        assert!(
            matches!(after, ExitReason::NoConnection | ExitReason::NodeFailure { .. }),
            "{after}"
        );
    });
}

/// A call that is made without a connection is answered when there is one again, or is late as it is always.
#[test]
fn calls_wait_for_the_connection_and_their_deadlines_hold() {
    sim::search(0..20, |sim| async move {
        let (a, b) = pair(&sim).await;
        let calculator = a.spawn::<Calculator>(b.member().id, "calculator", &0_i64).await.unwrap();
        let patient = with_window(&sim, "a", "b", async || {
            let patient = calculator.call(Add(1)).forever().into_future();
            let since = sim.now();
            let hasty = calculator.call(Add(0)).within(Duration::from_millis(50)).await;
            assert_eq!(hasty, Err(CallError::Timeout));
            assert!(sim.now().since(since) < Duration::from_millis(60));
            [patient]
        });
        let [patient] = patient.await;
        assert_eq!(patient.await, Ok(1));
        drop((a, b));
    });
}

/// What cannot be given back is bounded without a connection too.
#[test]
fn node_22_too_much_for_a_peer_without_a_connection_is_its_end() {
    sim::search(0..20, |sim| async move {
        let start = async |name: &str| {
            let timeout = Duration::from_secs(3600);
            let patient = Detection { heartbeat: Duration::from_millis(250), timeout };
            let builder = Node::builder(&breaking::system(&sim, name)).detection(patient);
            builder.outbox_bound(100_000).longest_message(100_000).start().await.unwrap()
        };
        let (a, b) = (start("a").await, start("b").await);
        connect(&[&a, &b]).await;
        let (ledger, events) = (spawn(&a, &b).await, a.events());
        let down = ledger.down();
        sim.cut("a", "b");
        sim.break_connections("a", "b");
        sim.sleep(Duration::from_secs(5)).await;
        let taken = (0..100).take_while(|n| ledger.send(Entry::new(*n, 50_000)).is_ok()).count();
        assert!((2..10).contains(&taken), "{taken} were taken: there is a bound");
        sim.sleep(Duration::from_secs(60)).await;
        assert_eq!(a.members().len(), 1, "full is not dead");
        for _ in 0..1000 {
            ledger.stop(ExitReason::Error("x".repeat(1000).into()));
        }
        assert_eq!(down.await.reason, ExitReason::NodeFailure { node: "b".into() });
        let lost = NodeEvent::Down { member: b.member().clone(), cause: DownCause::Overflow };
        assert_eq!(downs(&events), [lost]);
    });
}

/// Who is not reached any more for the timeout is dead, though it lives and its connection was merely lost.
#[test]
fn a_node_that_cannot_be_reached_again_is_silent() {
    sim::search(0..20, |sim| async move {
        let (a, b) = pair(&sim).await;
        let events = a.events();
        let since = sim.now();
        sim.cut("a", "b");
        sim.cut("b", "a");
        sim.break_connections("a", "b");
        while a.members().len() == 1 {
            sim.sleep(Duration::from_millis(10)).await;
        }
        let after = sim.now().since(since);
        assert!(after > Duration::from_secs(3) && after < Duration::from_secs(5), "{after:?}");
        let member = b.member().clone();
        let expected = [
            NodeEvent::Suspected(member.clone()),
            NodeEvent::Down { member, cause: DownCause::Silent },
        ];
        assert_eq!(events.try_iter().collect::<Vec<_>>(), expected);
    });
}

/// NODE 15: a life that was declared dead while it could not be reached is told when it connects again.
#[test]
fn node_15_a_dead_life_that_connects_again_is_told() {
    sim::search(0..30, |sim| async move {
        let (a, b) = pair(&sim).await;
        let of_b = b.events();
        sim.pause("b");
        sim.break_connections("a", "b");
        while !a.members().is_empty() {
            sim.sleep(Duration::from_millis(100)).await;
        }
        sim.resume("b");
        let down = NodeEvent::Down { member: a.member().clone(), cause: DownCause::ConnectionLost };
        let mut seen = Vec::new();
        while !seen.contains(&down) {
            sim.sleep(Duration::from_millis(10)).await;
            seen.extend(of_b.try_iter());
        }
        seen.retain(|event| !matches!(event, NodeEvent::Suspected(_)));
        assert_eq!(seen, [NodeEvent::Fenced { by: a.member().clone() }, down]);
        assert_eq!((a.members(), b.members()), (Vec::new(), Vec::new()), "fenced both ways");
        let back = b.join(&a.member().address, PATIENCE).await.unwrap_err();
        assert!(back.to_string().contains("declared dead"), "{back}");
    });
}

/// NODE 15: so are both that have declared each other dead, also when much is still to be said before.
#[test]
fn node_15_both_that_declared_each_other_dead_are_told() {
    sim::search(0..20, |sim| async move {
        let (a, b) = pair(&sim).await;
        let ledger = spawn(&a, &b).await;
        let events = (a.events(), b.events());
        sim.limit("a", "b", Some(300_000));
        for _ in 0..500 {
            ledger.stop(ExitReason::Error("x".repeat(1000).into()));
        }
        sim.cut("a", "b");
        sim.cut("b", "a");
        while !(a.members().is_empty() && b.members().is_empty()) {
            sim.sleep(Duration::from_millis(100)).await;
        }
        sim.heal("a", "b");
        sim.heal("b", "a");
        sim.sleep(Duration::from_secs(5)).await;
        for (events, other) in [(events.0, &b), (events.1, &a)] {
            let fenced = NodeEvent::Fenced { by: other.member().clone() };
            let seen: Vec<_> = events.try_iter().collect();
            assert_eq!(seen.iter().filter(|event| **event == fenced).count(), 1, "{seen:?}");
        }
    });
}

/// A process that is gone is found out as fast as its host says so, in whatever state the connection is.
#[test]
fn a_killed_node_is_found_out_at_once() {
    sim::search(0..100, |sim| async move {
        let (a, b) = pair(&sim).await;
        let events = a.events();
        for _ in 0..sim.random() % 3 {
            sim.break_connections("a", "b");
            sim.sleep(Duration::from_micros(sim.random() % 1000)).await;
        }
        let since = sim.now();
        sim.kill("b");
        while !a.members().is_empty() {
            sim.sleep(Duration::from_micros(100)).await;
        }
        assert!(sim.now().since(since) < Duration::from_millis(100), "{:?}", sim.now());
        let member = b.member().clone();
        let lost = NodeEvent::Down { member, cause: DownCause::ConnectionLost };
        assert_eq!(events.try_iter().collect::<Vec<_>>(), [lost]);
    });
}
