//! How nodes find the cluster that they belong to.

use std::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};

use actors_core::{
    BoxFuture, System,
    host::Host,
    sim::{self, Sim},
};
use actors_node::{Discovery, DiscoveryError, HostList, Node, NodeError, Refusal, Secret, Slurm};
use actors_tests::cluster::{PATIENCE, real_node};

async fn node(sim: &Sim, name: &str) -> Node {
    let system = System::builder().name(name).host(sim.node(name)).build();
    Node::builder(&system).listen(format!("{name}:7000")).start().await.unwrap()
}

fn job() -> Slurm {
    Slurm::of("n[1-5],missing".parse::<HostList>().unwrap(), 7000)
}

/// All with the same list, in which one is missing: whoever comes first and whoever is found first, in the
/// end each knows each.
#[test]
fn nodes_that_start_together_become_one_cluster() {
    sim::search(0..100, |sim| async move {
        let names = ["n1", "n2", "n3", "n4", "n5"];
        let (joined, all_joined) = crossbeam_channel::unbounded();
        for name in names {
            sim.sleep(Duration::from_millis(sim.random() % 100)).await;
            let (node, joined) = (node(&sim, name).await, joined.clone());
            node.system().clone().spawn_task(async move {
                let found = node.join_by(&job(), Duration::from_secs(10)).await.unwrap();
                assert!(!found.is_empty(), "{name} is not alone");
                joined.send(node).unwrap();
            });
        }
        let mut nodes = Vec::new();
        while nodes.len() < names.len() {
            nodes.extend(all_joined.try_iter());
            sim.sleep(Duration::from_millis(10)).await;
        }
        for node in &nodes {
            for other in names.iter().filter(|other| **other != node.member().name) {
                node.wait_for(other, PATIENCE).await.unwrap();
            }
        }
    });
}

#[test]
fn a_node_that_finds_only_itself_is_the_first() {
    sim::search(0..10, |sim| async move {
        let first = node(&sim, "n1").await;
        let before = sim.now();
        assert_eq!(first.join_by(&Vec::<String>::new(), PATIENCE).await, Ok(Vec::new()));
        assert_eq!(first.join_by(&vec!["n1:7000"], PATIENCE).await, Ok(Vec::new()));
        assert_eq!(sim.now(), before, "there is nobody to wait for");
    });
    // Under another name too.
    let system = System::new();
    system.block_on(async {
        let first = real_node("first").await;
        let port = first.member().address.rsplit_once(':').unwrap().1.to_owned();
        let found = first.join_by(&vec![format!("localhost:{port}")], PATIENCE).await;
        assert_eq!(found, Ok(Vec::new()));
        first.leave();
    });
}

#[test]
fn who_is_refused_by_all_is_told_at_once() {
    sim::search(0..10, |sim| async move {
        let secret = |text| Secret::new(text).unwrap();
        let start = |name: &str, text| {
            let system = System::builder().name(name).host(sim.node(name)).build();
            Node::builder(&system).listen(format!("{name}:7000")).secret(secret(text)).start()
        };
        let _own = start("n1", "the secret of the cluster").await.unwrap();
        let stranger = start("x", "a secret of strangers").await.unwrap();
        let before = sim.now();
        let error = stranger.join_by(&vec!["n1:7000", "x:7000"], PATIENCE).await.unwrap_err();
        let (address, refusal) = ("n1:7000".to_owned(), Refusal::WrongSecret);
        assert_eq!(
            error,
            NodeError::Alone { tried: vec![NodeError::Refused { address, refusal }] }
        );
        assert!(
            sim.now() - before < Duration::from_secs(5),
            "it does not wait for a change of mind"
        );
    });
}

#[test]
fn who_finds_nobody_in_time_is_told_whom_it_tried() {
    const TIME: Duration = Duration::from_secs(7);
    sim::search(0..10, |sim| async move {
        let alone = node(&sim, "n1").await;
        let before = sim.now();
        let error = alone.join_by(&job(), TIME).await.unwrap_err();
        let NodeError::Alone { tried } = &error else { panic!("{error}") };
        assert_eq!(tried.len(), 5);
        assert!(tried.iter().all(|error| matches!(error, NodeError::Unreachable { .. })));
        assert!(error.to_string().contains("n3:7000"), "{error}");
        let took = sim.now() - before;
        assert!(took >= TIME && took < TIME + Duration::from_secs(1), "{took:?}");
    });
}

/// Says where others are from the third question on.
struct Late(AtomicU32);

impl Discovery for Late {
    fn addresses(&self, _: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        let asked = self.0.fetch_add(1, Ordering::Relaxed);
        Box::pin(async move {
            match asked {
                0 | 1 => Err(DiscoveryError::other("a service", "not ready")),
                _ => Ok(vec!["n1:7000".to_owned()]),
            }
        })
    }
}

#[test]
fn what_is_not_known_yet_is_asked_for_again() {
    sim::search(0..10, |sim| async move {
        let _first = node(&sim, "n1").await;
        let second = node(&sim, "n2").await;
        let found = second.join_by(&Late(AtomicU32::new(0)), PATIENCE).await.unwrap();
        assert_eq!(found.len(), 1);

        let third = node(&sim, "n3").await;
        let in_vain = third.join_by(&Late(AtomicU32::new(0)), Duration::from_millis(700)).await;
        let why = DiscoveryError::other("a service", "not ready");
        assert_eq!(in_vain, Err(NodeError::Discovery(why)));
    });
}

/// Never says anything.
struct Mute;

impl Discovery for Mute {
    fn addresses(&self, _: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        Box::pin(std::future::pending())
    }
}

#[test]
fn who_asks_in_vain_asks_no_longer_than_it_wants_to() {
    const TIME: Duration = Duration::from_secs(7);
    sim::search(0..10, |sim| async move {
        let (alone, before) = (node(&sim, "n1").await, sim.now());
        let error = alone.join_by(&Mute, TIME).await;
        assert_eq!(error, Err(NodeError::Discovery(DiscoveryError::TimedOut)));
        assert_eq!(sim.now() - before, TIME);
    });
}

/// Once it has left, it tries nobody any more.
#[test]
fn a_node_that_leaves_is_not_joined_later() {
    sim::search(0..10, |sim| async move {
        let second = node(&sim, "n2").await;
        let seeds = vec!["n1:7000"];
        let joining = second.join_by(&seeds, PATIENCE);
        let not_yet = async {
            sim.sleep(Duration::from_secs(1)).await;
            Err(NodeError::Alone { tried: Vec::new() })
        };
        futures_lite::future::or(joining, not_yet).await.unwrap_err();
        second.leave();
        let first = node(&sim, "n1").await;
        first.wait_for("n2", PATIENCE).await.unwrap_err();
    });
}
