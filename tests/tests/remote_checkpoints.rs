//! Children on other nodes that restart from their checkpoints, in the simulation.

use std::time::Duration;

use actors_checkpoint::{
    AutoCheckpoint, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, RestartFrom,
};
use actors_core::{
    Actor, Context, Handler, Link, Message,
    remote::{self, Birth},
    sim::{self, Sim},
};
use actors_node::{Hosts, Node, SuperviseRemotely};
use actors_supervise::{Limit, RestartPolicy, Strategy, Supervisor, SupervisorLink};
use actors_tests::cluster::{connect, sim_node};
use serde::{Deserialize, Serialize};

const SEEDS: u64 = 40;

#[derive(Debug, Default, Serialize, Deserialize, Checkpoint)]
struct Counter {
    count: u32,
}

impl Actor for Counter {}

#[derive(Serialize, Deserialize)]
struct Add;

/// Panics with a count above this.
#[derive(Serialize, Deserialize)]
struct AtMost(u32);

impl Message for Add {
    type Reply = u32;
}

impl Message for AtMost {
    type Reply = u32;
}

impl Handler<Add> for Counter {
    async fn handle(&mut self, _: Add, _: &mut Context<Self>) -> u32 {
        self.count += 1;
        self.count
    }
}

impl Handler<AtMost> for Counter {
    async fn handle(&mut self, AtMost(limit): AtMost, _: &mut Context<Self>) -> u32 {
        assert!(self.count <= limit, "{} is above {limit}", self.count);
        self.count
    }
}

/// A node with a first level of its own, below this link of another node.
async fn node(sim: &Sim, name: &str, above: Option<(&Node, &Link<Checkpointing>)>) -> Node {
    let node = sim_node(sim, name).await;
    let system = node.system();
    actors_checkpoint::export(system);
    let from = |auto: &bool, birth: &Birth<Counter>| {
        let level1 = birth.system.whereis::<Checkpointing>("level 1").map_err(|e| failed(&e))?;
        if *auto {
            let every = AutoCheckpoint::new(&level1, "counter").level(2).every_messages(1);
            birth.observe(every);
        }
        Ok(RestartFrom::checkpoint(&level1, "counter").or_init(Counter::default))
    };
    system
        .export::<Counter>("counter")
        .message::<Add>("add")
        .message::<AtMost>("at-most")
        .constructor(RestartFrom::constructor(from));
    if let Some((other, above)) = above {
        connect(&[other, &node]).await;
        let above: Link<Checkpointing> =
            remote::decode(system, &remote::encode(other.system(), above).unwrap()).unwrap();
        let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
        above.register(&level1).await.expect("they register");
        system.register("level 1", &level1).expect("it is free");
    }
    node
}

fn failed(error: &impl std::fmt::Display) -> actors_core::StartError {
    actors_core::StartError::failed(error)
}

async fn supervised(
    head: &Node,
    spares: &[&str],
    auto: bool,
) -> (SupervisorLink, Link<Counter>, Hosts) {
    let hosts = Hosts::new(head, spares.iter().map(|s| (*s).to_owned()));
    let address = hosts.child::<Counter>("counter", "counter", "n1");
    let link = address.link();
    let spec = address.spec(move |_| Ok(auto)).restart(RestartPolicy::Permanent);
    let limit = Limit { max_restarts: 100, period: Duration::from_secs(1) };
    let builder = Supervisor::builder(Strategy::OneForOne).limit(limit).hosts(&hosts);
    (builder.child(spec).start(head.system()).await.expect("it starts"), link, hosts)
}

/// The state of a child goes on when it crashes, and on another node when its own is lost.
#[test]
fn ckpt_17_sup_5_a_child_on_another_node_goes_on_from_its_checkpoints() {
    sim::search(0..SEEDS, |sim| async move {
        let head = node(&sim, "head", None).await;
        let level2 = head.system().spawn(Checkpointing::new(CheckpointingConfig::level(2)));
        let n1 = node(&sim, "n1", Some((&head, &level2))).await;
        let s1 = node(&sim, "s1", Some((&head, &level2))).await;
        connect(&[&head, &n1, &s1]).await;
        let (_supervisor, counter, hosts) = supervised(&head, &["s1"], true).await;
        for n in 1..=5 {
            assert_eq!(counter.call(Add).await, Ok(n));
        }
        until_stored(&sim, &level2, 5).await;
        assert!(counter.call(AtMost(0)).await.is_err());
        assert_eq!(counter.call(Add).await, Ok(6), "after a crash");
        until_stored(&sim, &level2, 6).await;
        sim.kill("n1");
        let after = loop {
            // What is on its way to the lost node is lost.
            match counter.call(Add).await {
                Ok(count) => break count,
                Err(_) => sim.sleep(Duration::from_millis(10)).await,
            }
        };
        assert_eq!(after, 7, "after the loss of the node");
        assert_eq!(hosts.host("counter"), Some(s1.member().id));
    });
}

async fn until_stored(sim: &Sim, store: &Link<Checkpointing>, count: u32) {
    while store.restore_state::<Counter>("counter", 2).await.ok().map(|s| s.state.count)
        != Some(count)
    {
        sim.sleep(Duration::from_millis(1)).await;
    }
}

/// Repeated failures go up the levels, as with a child here: what was tried is known where it runs.
#[test]
fn sup_5_repeated_failures_on_another_node_go_up_the_levels() {
    sim::search(0..SEEDS, |sim| async move {
        let head = node(&sim, "head", None).await;
        let level2 = head.system().spawn(Checkpointing::new(CheckpointingConfig::level(2).keep(2)));
        let n1 = node(&sim, "n1", Some((&head, &level2))).await;
        connect(&[&head, &n1]).await;
        let level1 = n1.system().whereis::<Checkpointing>("level 1").unwrap();
        for (version, up_to) in [(1, 2), (2, 2), (3, 1)] {
            let state = Counter { count: version as u32 };
            level1.checkpoint_state("counter", version, &state, up_to).await.expect("stored");
        }
        let (_supervisor, counter, _) = supervised(&head, &[], false).await;
        // From the start, level 1, level 2, and the older one there.
        for (limit, count) in [(2, 3), (2, 3), (1, 2)] {
            assert_eq!(counter.call(AtMost(9)).await, Ok(count));
            assert!(counter.call(AtMost(limit)).await.is_err());
        }
        assert_eq!(counter.call(AtMost(1)).await, Ok(1));
        level1.checkpoint_state("counter", 4, &Counter { count: 0 }, 1).await.expect("stored");
        assert!(counter.call(AtMost(0)).await.is_err());
        assert_eq!(counter.call(AtMost(0)).await, Ok(0), "at its own level again");
    });
}

/// Five levels on five nodes: what is asked for goes up as far as it has to, what is pulled comes from the
/// lowest, and a node in the middle that is lost is told.
#[test]
fn ckpt_5_ckpt_10_five_levels_on_five_nodes() {
    sim::search(0..SEEDS, |sim| async move {
        let mut nodes = vec![sim_node(&sim, "level 1").await];
        for level in 2..=5 {
            nodes.push(sim_node(&sim, &format!("level {level}")).await);
        }
        connect(&nodes.iter().collect::<Vec<_>>()).await;
        nodes.iter().for_each(|node| actors_checkpoint::export(node.system()));
        let levels: Vec<_> = (1..=5)
            .zip(&nodes)
            .map(|(n, node)| node.system().spawn(Checkpointing::new(CheckpointingConfig::level(n))))
            .collect();
        for n in (0..4).rev() {
            let (below, above) = (nodes[n].system(), nodes[n + 1].system());
            let above = remote::encode(above, &levels[n + 1]).unwrap();
            let above: Link<Checkpointing> = remote::decode(below, &above).unwrap();
            above.register(&levels[n]).await.expect("they register");
        }
        for asked in 1..=5_u8 {
            let key = format!("up to {asked}");
            let reached = levels[0].checkpoint(key.as_str(), 1, &asked, asked).await.unwrap();
            assert_eq!(reached.level, asked);
            assert_eq!(
                levels[0].restore::<u8>(key.as_str(), 5).await.ok(),
                (asked == 5).then_some(5)
            );
        }
        levels[0].checkpoint("pulled", 1, "from below", 1).await.unwrap();
        // Each level pulls from the one below it.
        for level in &levels[1..] {
            level.update().await.expect("it answers");
        }
        assert_eq!(levels[4].restore::<String>("pulled", 5).await.as_deref(), Ok("from below"));

        sim.kill("level 3");
        let restored = levels[0].restore::<u8>("up to 2", 2).await;
        assert_eq!(restored, Ok(2), "what is below the gap is there");
        let put = levels[0].checkpoint("late", 1, &1_u8, 5).await;
        assert!(put.is_err(), "{put:?}");
        assert_eq!(levels[0].restore::<u8>("late", 2).await, Ok(1), "as far as it went");
        assert!(levels[0].restore::<u8>("up to 5", 5).await.is_err());
        assert_eq!(levels[4].restore::<u8>("up to 5", 5).await, Ok(5));
    });
}
