//! Roles of which there is one owner at most, in the simulation: under partitions, pauses and the deaths of nodes.

use std::{sync::Arc, time::Duration};

use actors_core::{
    SystemId,
    sim::{self, Sim},
};
use actors_node::{Node, NodeEvent, Quorum, Tenure};
use actors_tests::cluster::{sim_nodes, until};
use crossbeam_channel::Receiver;
use std::sync::Mutex;

const SEEDS: u64 = 40;
const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];
/// A verdict takes 4.5 s, and an election after it less than the lease of 3 s and a half second.
const SETTLED: Duration = Duration::from_secs(9);

/// An owner was sure of it.
#[derive(Clone, Debug)]
struct Act {
    term: u64,
    node: SystemId,
}

struct World {
    sim: Sim,
    nodes: Vec<Node>,
    events: Vec<Receiver<NodeEvent>>,
    /// In the order in which they were done.
    acts: Arc<Mutex<Vec<Act>>>,
}

/// The highest term that an owner was told it has kept.
type Kept = Arc<Mutex<u64>>;

/// Acts as long as it is sure to be the owner, and keeps what it has done.
async fn act(sim: Sim, node: SystemId, acts: Arc<Mutex<Vec<Act>>>, kept: Kept, tenure: Tenure) {
    let before = tenure.kept().try_into().map_or(0, u64::from_le_bytes);
    assert!(before >= *kept.lock().unwrap() && before < tenure.term(), "{before} in {tenure:?}");
    while tenure.confirm().await.is_ok() {
        acts.lock().unwrap().push(Act { term: tenure.term(), node });
        if tenure.keep(tenure.term().to_le_bytes()).await.is_err() {
            return;
        }
        *kept.lock().unwrap() = tenure.term();
        sim.sleep(Duration::from_millis(20)).await;
    }
}

impl World {
    async fn new(sim: &Sim, names: &[&str], quorum: Quorum) -> Self {
        let nodes = sim_nodes(sim, names).await;
        let events = nodes.iter().map(Node::events).collect();
        let (acts, kept) = (Arc::<Mutex<Vec<Act>>>::default(), Kept::default());
        for node in &nodes {
            let (sim, id) = (sim.clone(), node.member().id);
            let (acts, kept) = (acts.clone(), kept.clone());
            let duty = move |tenure| act(sim.clone(), id, acts.clone(), kept.clone(), tenure);
            node.role("head", names.iter().copied()).quorum(quorum).run(duty).unwrap();
        }
        let world = Self { sim: sim.clone(), nodes, events, acts };
        until(sim, || !world.acts.lock().unwrap().is_empty()).await;
        world
    }

    fn name(&self, id: SystemId) -> &str {
        let node = self.nodes.iter().find(|node| node.member().id == id);
        &node.expect("one of them").member().name
    }

    /// By name, who has acted last, and in which term.
    fn owner(&self) -> (&str, u64) {
        let last = self.acts.lock().unwrap().last().cloned().expect("one has acted");
        (self.name(last.node), last.term)
    }

    /// Who has acted in this time, in the order of names.
    async fn acting(&self, span: Duration) -> Vec<&str> {
        let before = self.acts.lock().unwrap().len();
        self.sim.sleep(span).await;
        let acts = self.acts.lock().unwrap();
        let mut names: Vec<_> = acts[before..].iter().map(|act| self.name(act.node)).collect();
        names.sort_unstable();
        names.dedup();
        names
    }

    /// Nobody was sure to be the owner after another one of a later term was, nor two in one term.
    fn check(&self) {
        let acts = self.acts.lock().unwrap();
        for pair in acts.windows(2) {
            let same = pair[0].term == pair[1].term && pair[0].node == pair[1].node;
            assert!(same || pair[0].term < pair[1].term, "{pair:?}");
        }
    }

    fn saw(&self, name: &str, wanted: impl Fn(&NodeEvent) -> bool) -> bool {
        let at = self.nodes.iter().position(|node| node.member().name == name);
        self.events[at.expect("one of them")].try_iter().any(|event| wanted(&event))
    }

    fn cut(&self, from: &[&str], to: &[&str]) {
        from.iter().for_each(|from| to.iter().for_each(|to| self.sim.cut(from, to)));
    }

    fn heal(&self) {
        let names = self.nodes.iter().map(|node| node.member().name.clone());
        let names: Vec<String> = names.collect();
        names.iter().for_each(|a| names.iter().for_each(|b| self.sim.heal(a, b)));
    }
}

fn stood_down(event: &NodeEvent) -> bool {
    matches!(event, NodeEvent::StoodDown { .. })
}

/// The side with the majority has an owner, the other side none, and none when the line is there again: an owner on
/// the smaller side has stood down before the other one is elected.
#[test]
fn node_17_of_two_sides_the_larger_has_the_owner() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        let (before, term) = world.owner();
        let size = 1 + (sim.random() % 2) as usize;
        let first = (sim.random() % 5) as usize;
        let few: Vec<&str> = (0..size).map(|n| FIVE[(first + n) % 5]).collect();
        let many: Vec<&str> = FIVE.into_iter().filter(|name| !few.contains(name)).collect();
        world.cut(&few, &many);
        // Not heard is enough.
        if sim.random().is_multiple_of(2) {
            world.cut(&many, &few);
        }
        sim.sleep(SETTLED).await;
        let acting = world.acting(Duration::from_secs(1)).await;
        assert_eq!(acting.len(), 1, "of {many:?}");
        assert!(many.contains(&acting[0]), "{acting:?} of {many:?}");
        let (after, new) = world.owner();
        if few.contains(&before) {
            assert!(new > term);
            assert!(world.saw(before, stood_down));
        } else {
            assert_eq!((after, new), (before, term), "it goes on");
        }
        world.heal();
        assert_eq!(world.acting(SETTLED).await, acting);
        world.check();
    });
}

/// Cuts that leave no side, and come and go: at no time are there two.
#[test]
fn node_17_overlapping_cuts_never_make_two_owners() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        for _ in 0..4 {
            for _ in 0..=sim.random() % 6 {
                let pair = [0; 2].map(|_| FIVE[(sim.random() % 5) as usize]);
                sim.cut(pair[0], pair[1]);
            }
            sim.sleep(Duration::from_millis(sim.random() % 7_000)).await;
            world.heal();
            sim.sleep(Duration::from_millis(sim.random() % 2_000)).await;
        }
        world.check();
    });
}

/// An owner that stood still is told by the others that it is none, whatever it was about to do.
#[test]
fn node_17_an_owner_that_stood_still_is_refused() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        let (before, term) = world.owner();
        sim.pause(before);
        sim.sleep(SETTLED).await;
        let (after, new) = world.owner();
        assert!(after != before && new > term);
        sim.resume(before);
        assert_eq!(world.acting(SETTLED).await, [after]);
        assert!(world.saw(before, stood_down));
        world.check();
    });
}

/// For less than the detection takes: it is suspected, and still the owner after it.
#[test]
fn node_17_an_owner_that_stood_still_for_a_moment_goes_on() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        let owner = world.owner();
        sim.pause(owner.0);
        sim.sleep(Duration::from_millis(500 + sim.random() % 3_000)).await;
        sim.resume(owner.0);
        let acting = world.acting(SETTLED).await;
        assert_eq!(acting, [owner.0]);
        assert_eq!(world.owner(), owner, "in the same term");
        world.check();
    });
}

/// Of two the one with the lower identity goes on alone, the other one never.
#[test]
fn node_17_of_two_nodes_the_lower_identity_has_the_role() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &["a", "b"], Quorum::LastAgreed).await;
        world.cut(&["a"], &["b"]);
        world.cut(&["b"], &["a"]);
        sim.sleep(SETTLED).await;
        let lower = world.nodes.iter().min_by_key(|node| node.member().id).unwrap();
        assert_eq!(world.acting(SETTLED).await, [&*lower.member().name]);
        world.check();
    });
}

/// Who votes is fixed: after two of five another two are too many, which the last agreed members could spare.
#[test]
fn node_17_a_fixed_quorum_does_not_shrink() {
    for quorum in [Quorum::LastAgreed, Quorum::Founders] {
        sim::search(0..SEEDS / 2, |sim| async move {
            let world = World::new(&sim, &FIVE, quorum).await;
            for left in (2..=4).rev() {
                let owner = world.owner().0;
                let victim = FIVE.iter().find(|name| **name != owner && !killed(&world, name));
                sim.kill(victim.expect("one is left"));
                let there = || live(&world) == left;
                until(&sim, there).await;
                sim.sleep(Duration::from_secs(1)).await;
            }
            let acting = world.acting(Duration::from_secs(5)).await;
            // Of the last two the one that owns the role needs the lower identity or both.
            let expected = usize::from(quorum == Quorum::LastAgreed);
            assert_eq!(acting.len(), expected, "{quorum:?}");
            world.check();
        });
    }
}

fn live(world: &World) -> usize {
    let owner = world.owner().0;
    let node = world.nodes.iter().find(|node| node.member().name == owner);
    node.expect("one of them").members().len() + 1
}

fn killed(world: &World, name: &str) -> bool {
    let owner = world.owner().0;
    let node = world.nodes.iter().find(|node| node.member().name == owner).expect("one of them");
    name != owner && node.members().iter().all(|member| member.name != name)
}

/// Whoever is killed: another one is the owner in less than five seconds, with what was kept.
#[test]
fn node_27_when_the_owner_dies_another_one_is_elected() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        for _ in 0..3 {
            sim.sleep(Duration::from_secs(1)).await;
            let (before, term) = world.owner();
            let before = before.to_owned();
            let killed = sim.now();
            sim.kill(&before);
            until(&sim, || world.owner().1 > term).await;
            let took = sim.now().since(killed);
            assert!(took < Duration::from_secs(4), "{took:?}");
        }
        world.check();
    });
}

/// Who leaves hands the role on without a wait, and so does who withdraws.
#[test]
fn node_27_an_owner_that_leaves_is_followed_at_once() {
    sim::search(0..SEEDS, |sim| async move {
        let world = World::new(&sim, &FIVE, Quorum::LastAgreed).await;
        sim.sleep(Duration::from_secs(1)).await;
        let (before, term) = world.owner();
        let left = sim.now();
        world.nodes.iter().find(|node| node.member().name == before).unwrap().leave();
        until(&sim, || world.owner().1 > term).await;
        let took = sim.now().since(left);
        assert!(took < Duration::from_secs(1), "{took:?}");
        world.check();
    });
}
