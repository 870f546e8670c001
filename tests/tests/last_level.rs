//! Starting from what an earlier run left in the directory of the last level.

use std::{collections::BTreeMap, time::Duration};

use actors_checkpoint::SnapshotDir;
use actors_core::sim::{self, Sim};
use actors_node::Node;
use actors_tests::{
    bank::{self, Heard, Teller},
    cluster::{connect, sim_node},
};
use checkpointing_framework::{Coordinator, Event, Hierarchy, LAST};
use crossbeam_channel::unbounded;

const NODES: [&str; 2] = ["n1", "n2"];
const ACCOUNTS: usize = 3;
const ROUNDS: u64 = 20;
const DIRECTORY: &str = "checkpoints";

struct Ended {
    /// The balances, if the run was not stopped before.
    balances: Option<Vec<u64>>,
    events: Vec<Event>,
}

impl Ended {
    /// What the run went on from.
    fn from(&self) -> Option<u64> {
        self.events.iter().find_map(|event| match event {
            Event::Restart(restart) => Some(restart.version),
            _ => None,
        })?
    }

    fn committed(&self) -> Vec<u64> {
        let committed = |event: &Event| match event {
            Event::Committed { level: LAST, version } => Some(*version),
            _ => None,
        };
        self.events.iter().filter_map(committed).collect()
    }
}

/// Runs the bank on fresh nodes until it ends or `stop` says so; then every node is killed.
async fn run(sim: &Sim, mut stop: impl FnMut(&Node, &[Event]) -> bool) -> Ended {
    let head = sim_node(sim, "head").await;
    let (n1, n2) = (sim_node(sim, "n1").await, sim_node(sim, "n2").await);
    connect(&[&head, &n1, &n2]).await;
    let (tx, heard) = unbounded();
    let teller = head.system().spawn(Teller(tx));
    let hierarchy = Hierarchy::new().memory(1).partner(2).directory(DIRECTORY, 5);
    let group = Coordinator::start(&head, hierarchy, Vec::new()).await.unwrap();
    group.observe(teller.erase()).await;
    let published = group.events();
    let (builder, _) = bank::supervisor(&head, &NODES, &[], ACCOUNTS, ROUNDS, &group, &teller);
    let _supervisor = builder.start(head.system()).await.unwrap();
    let (mut balances, mut events) = (BTreeMap::new(), Vec::new());
    let stopped = loop {
        events.extend(published.try_iter());
        for heard in heard.try_iter() {
            if let Heard::Final(last) = heard {
                balances.insert(last.number, last.balance);
            }
        }
        if stop(&head, &events) {
            break true;
        }
        if balances.len() == ACCOUNTS {
            break false;
        }
        sim.sleep(Duration::from_micros(100)).await;
    };
    for name in ["head", "n1", "n2"] {
        sim.kill(name);
    }
    Ended { balances: (!stopped).then(|| balances.into_values().collect()), events }
}

/// Everything is killed, the head too: a clean restart takes the newest committed version, and the
/// numbering goes on from there.
#[test]
fn frame_1_a_clean_restart_takes_the_newest_committed_version() {
    sim::search(0..40, |sim| async move {
        let committed = Event::Committed { level: LAST, version: 10 };
        let first = run(&sim, |_, events| events.contains(&committed)).await;
        assert_eq!(first.balances, None);
        let second = run(&sim, |_, _| false).await;
        let from = second.from().expect("there is a committed version");
        assert!(from >= 10, "{from}");
        assert_eq!(second.balances, Some(bank::expected(ACCOUNTS, ROUNDS)));
        assert!(second.committed().iter().all(|version| *version > from), "numbers go on");
    });
}

/// The flush to the last level has finished, and its owner dies before it knows: the version is found.
#[test]
fn frame_8_a_finished_flush_is_found_though_its_owner_died() {
    let mut unheard = 0;
    for seed in 0..40 {
        let known = sim::simulate(seed, |sim| async move {
            let on_disk = |head: &Node| {
                let disk = head.system().host().disk.clone();
                let directory = SnapshotDir::open_read_only(disk, DIRECTORY);
                directory.is_ok_and(|directory| directory.versions().contains(&5))
            };
            let first = run(&sim, |head, _| on_disk(head)).await;
            let second = run(&sim, |_, _| false).await;
            assert_eq!(second.from(), Some(5));
            assert_eq!(second.balances, Some(bank::expected(ACCOUNTS, ROUNDS)));
            first.committed().contains(&5)
        });
        unheard += u32::from(!known.output);
    }
    assert!(unheard > 0, "the head died before it knew, at least once");
}
