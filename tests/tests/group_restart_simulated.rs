//! A group on simulated nodes that loses nodes: it must end as if nothing had failed.

use std::{collections::BTreeMap, time::Duration};

use actors_core::sim::{self, Sim};
use actors_node::Node;
use actors_supervise::Event as SupervisorEvent;
use actors_tests::{
    bank::{self, Heard, INITIAL, Reached, Teller},
    cluster::{connect, sim_node},
};
use checkpointing_framework::{Coordinator, Event, Hierarchy, LAST, MEMORY, PARTNER, RestartEvent};
use crossbeam_channel::{Receiver, unbounded};

const NODES: [&str; 4] = ["n1", "n2", "n3", "n4"];
const ROUNDS: u64 = 30;

/// What to do to the nodes, and when the slowest account has come to which round.
#[derive(Clone)]
struct Plan {
    spares: Vec<&'static str>,
    kills: Vec<(u64, Vec<&'static str>)>,
    hierarchy: Hierarchy,
}

#[derive(Debug, PartialEq, Eq)]
struct Outcome {
    balances: Vec<u64>,
    restarts: Vec<RestartEvent>,
    node_failures: usize,
}

fn hierarchy() -> Hierarchy {
    Hierarchy::new().memory(1).partner(3).directory("checkpoints", 10)
}

async fn nodes(sim: &Sim, names: &[&str]) -> Vec<Node> {
    let mut nodes = vec![sim_node(sim, "head").await];
    for name in names {
        nodes.push(sim_node(sim, name).await);
    }
    connect(&nodes.iter().collect::<Vec<_>>()).await;
    nodes
}

async fn run(sim: Sim, plan: Plan) -> Outcome {
    let names: Vec<&str> = NODES.iter().chain(&plan.spares).copied().collect();
    let nodes = nodes(&sim, &names).await;
    let head = nodes[0].clone();
    let (tx, heard) = unbounded();
    let teller = head.system().spawn(Teller(tx));
    let group = Coordinator::start(&head, plan.hierarchy, Vec::new()).await.unwrap();
    group.observe(teller.erase()).await;
    let restarts = group.events();
    let (builder, _) =
        bank::supervisor(&head, &NODES, &plan.spares, NODES.len(), ROUNDS, &group, &teller);
    let events = builder.subscribe();
    let supervisor = builder.start(head.system()).await.unwrap();
    let mut kills = plan.kills.into_iter().peekable();
    let balances = follow(&sim, &heard, |slowest| {
        while let Some((_, names)) = kills.next_if(|(round, _)| *round <= slowest) {
            names.iter().for_each(|name| sim.kill(name));
        }
    })
    .await;
    let node_failures =
        events.try_iter().filter(|e| matches!(e, SupervisorEvent::HostFailed { .. })).count();
    drop(supervisor);
    let restart = |event| match event {
        Event::Restart(restart) => Some(restart),
        _ => None,
    };
    Outcome { balances, restarts: restarts.try_iter().filter_map(restart).collect(), node_failures }
}

/// Hears of the accounts until all have ended; `at` gets the slowest account's round.
async fn follow(sim: &Sim, heard: &Receiver<Heard>, mut at: impl FnMut(u64)) -> Vec<u64> {
    let (mut rounds, mut balances) = (BTreeMap::new(), BTreeMap::new());
    while balances.len() < NODES.len() {
        match heard.try_recv() {
            Ok(Heard::Final(last)) => drop(balances.insert(last.number, last.balance)),
            Ok(Heard::Reached(Reached { number, round })) => {
                rounds.insert(number, round);
                if rounds.len() == NODES.len() {
                    at(*rounds.values().min().expect("not empty"));
                }
            }
            Err(_) => sim.sleep(Duration::from_micros(200)).await,
        }
    }
    balances.into_values().collect()
}

fn assert_conserved(outcome: &Outcome) {
    assert_eq!(outcome.balances, bank::expected(NODES.len(), ROUNDS));
    let total: u64 = (1..=NODES.len() as u64).map(|n| n * INITIAL).sum();
    assert_eq!(outcome.balances.iter().sum::<u64>(), total);
}

/// Money is conserved and every balance right over a node loss, whatever the delays and the order of
/// messages: nothing of the rolled-back run is handled. The lost member's near copy is gone, and its
/// state comes from another node.
#[test]
fn frame_11_ckpt_10_a_group_goes_on_from_one_common_version() {
    let (mut from_partner, mut rolled_back) = (0, 0);
    for seed in 0..150 {
        let kills = vec![(5 + seed % 20, vec!["n2"])];
        let plan = Plan { spares: vec!["s1"], kills, hierarchy: hierarchy() };
        let outcome = sim::simulate(seed, |sim| run(sim, plan)).output;
        assert_conserved(&outcome);
        assert_eq!(outcome.node_failures, 1, "seed {seed}");
        let last = outcome.restarts.last().expect("it was restarted");
        let lost = last.levels.iter().find(|(key, _)| key.as_str() == "account-1").expect("placed");
        assert_ne!(*lost.1, MEMORY, "seed {seed}: the memory of the lost node is gone");
        from_partner += u32::from(*lost.1 == PARTNER);
        rolled_back += u32::from(last.version.is_some_and(|v| v + 1 < 5 + seed % 20));
        assert!(last.version >= Some(3), "seed {seed}: {last:?}");
    }
    assert!(from_partner > 50, "{from_partner}");
    assert!(rolled_back > 20, "{rolled_back}");
}

/// The same seed gives the same trace, a node loss included.
#[test]
fn core_43_a_node_loss_replays_from_its_seed() {
    for seed in 0..10 {
        let kills = vec![(12, vec!["n3"])];
        let plan = Plan { spares: vec!["s1"], kills, hierarchy: hierarchy() };
        let first = sim::simulate(seed, |sim| run(sim, plan.clone()));
        let second = sim::simulate(seed, |sim| run(sim, plan));
        assert_eq!(first, second, "seed {seed}");
    }
}

/// Nodes that die together, spares among them, and with no spare left: it converges.
#[test]
fn node_10_nodes_that_die_together_are_survived() {
    type Kills = &'static [(u64, &'static [&'static str])];
    let storms: [(&[&str], Kills); 5] = [
        (&["s1", "s2"], &[(8, &["n2", "n3"])]),
        (&["s1", "s2"], &[(8, &["n1", "n2", "s1"])]),
        (&[], &[(8, &["n1", "n2", "n3"])]),
        (&["s1"], &[(8, &["n4"]), (11, &["n2"]), (12, &["s1"])]),
        (&["s1", "s2", "s3"], &[(8, &["n1"]), (8, &["s1"]), (8, &["s2", "n2"])]),
    ];
    for seed in 0..60 {
        let (spares, kills) = storms[seed as usize % storms.len()];
        let plan = Plan {
            spares: spares.to_vec(),
            kills: kills.iter().map(|(round, names)| (*round, names.to_vec())).collect(),
            hierarchy: hierarchy(),
        };
        assert_conserved(&sim::simulate(seed, |sim| run(sim, plan)).output);
    }
}

/// Two neighbours in the ring lost at once take both near copies of one member with them: all go back
/// to the last level, or to the input when that is off.
#[test]
fn frame_6_without_near_copies_the_last_level_or_the_input_is_used() {
    for seed in 0..30 {
        let kills = vec![(14, vec!["n2", "n3"])];
        let with = Plan { spares: vec![], kills, hierarchy: hierarchy() };
        let without = Plan { hierarchy: Hierarchy::new().memory(1).partner(3), ..with.clone() };
        let outcome = sim::simulate(seed, |sim| run(sim, with)).output;
        assert_conserved(&outcome);
        let last = outcome.restarts.last().expect("it was restarted");
        assert_eq!(last.version, Some(10), "seed {seed}: {last:?}");
        assert!(last.levels.values().any(|level| *level == LAST));
        let outcome = sim::simulate(seed, |sim| run(sim, without)).output;
        assert_conserved(&outcome);
        assert_eq!(outcome.restarts.last().expect("it was restarted").version, None);
    }
}
