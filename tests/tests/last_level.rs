//! Starting from what an earlier run left in the directory of the last level.

use std::{
    collections::BTreeMap,
    io,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_checkpoint::SnapshotDir;
use actors_core::{
    System,
    host::{Disk, DiskFile, DiskLock},
    sim::{self, Sim},
};
use actors_node::Node;
use actors_tests::{
    bank::{self, Heard, Teller},
    cluster::{connect, sim_node, start},
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
async fn run(sim: &Sim, stop: impl FnMut(&[Event]) -> bool) -> Ended {
    let head = sim_node(sim, "head").await;
    run_on(sim, head, stop).await
}

async fn run_on(sim: &Sim, head: Node, mut stop: impl FnMut(&[Event]) -> bool) -> Ended {
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
        if stop(&events) {
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
        let first = run(&sim, |events| events.contains(&committed)).await;
        assert_eq!(first.balances, None);
        let second = run(&sim, |_| false).await;
        let from = second.from().expect("there is a committed version");
        assert!(from >= 10, "{from}");
        assert_eq!(second.balances, Some(bank::expected(ACCOUNTS, ROUNDS)));
        assert!(second.committed().iter().all(|version| *version > from), "numbers go on");
    });
}

/// The head's disk; at the first sign that a version is committed on it, the head is dead.
struct Fatal {
    disk: Arc<dyn Disk>,
    sim: Sim,
    version: u64,
    struck: Arc<AtomicBool>,
}

impl Fatal {
    fn look(&self) {
        let directory = SnapshotDir::open_read_only(self.disk.clone(), DIRECTORY);
        let committed = directory.is_ok_and(|d| d.versions().contains(&self.version));
        if committed && !self.struck.swap(true, Ordering::Relaxed) {
            self.sim.kill("head");
        }
    }
}

impl Disk for Fatal {
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.create(path)
    }
    fn append(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.disk.append(path)
    }
    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        self.disk.read(path)
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.disk.rename(from, to)
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.disk.remove(path)
    }
    fn list(&self, dir: &Path) -> io::Result<Vec<PathBuf>> {
        self.disk.list(dir)
    }
    fn create_dir_all(&self, dir: &Path) -> io::Result<()> {
        self.disk.create_dir_all(dir)
    }
    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let synced = self.disk.sync_dir(dir);
        self.look();
        synced
    }
    fn lock(&self, path: &Path) -> io::Result<Box<dyn DiskLock>> {
        self.disk.lock(path)
    }
    fn free_space(&self, dir: &Path) -> io::Result<u64> {
        self.disk.free_space(dir)
    }
}

/// The flush to the last level has finished, and its owner dies before it knows: the version is found.
#[test]
fn frame_8_a_finished_flush_is_found_though_its_owner_died() {
    sim::search(0..40, |sim| async move {
        let struck = Arc::new(AtomicBool::new(false));
        let mut host = sim.node("head");
        let (disk, version) = (host.disk.clone(), 5);
        host.disk = Arc::new(Fatal { disk, sim: sim.clone(), version, struck: struck.clone() });
        let head = start(&System::builder().name("head").host(host).build()).await;
        let first = run_on(&sim, head, |_| struck.load(Ordering::Relaxed)).await;
        assert_eq!((first.balances, first.events.iter().any(is_committed)), (None, false));
        let second = run(&sim, |_| false).await;
        assert_eq!(second.from(), Some(version));
        assert_eq!(second.balances, Some(bank::expected(ACCOUNTS, ROUNDS)));
    });
}

fn is_committed(event: &Event) -> bool {
    matches!(event, Event::Committed { level: LAST, .. })
}
