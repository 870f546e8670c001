//! Several tables that hear of each other in every order that connections allow.

use std::{collections::VecDeque, fmt::Write};

use super::*;
use crate::directory::record::Record;

const NAME: &str = "leader";

/// Nodes with one actor each, that all want the same name.
struct World {
    random: u64,
    nodes: Vec<Node>,
    /// What goes from one to the other, in order.
    lines: BTreeMap<(usize, usize), VecDeque<Frame>>,
    log: String,
}

struct Node {
    names: Names,
    /// Whom it is connected to, as it knows.
    up: BTreeSet<usize>,
    alive: bool,
    wants: bool,
    done: bool,
    taken: bool,
}

fn id(node: usize) -> SystemId {
    SystemId(node as u64)
}

fn actor(node: usize) -> ActorId {
    ActorId { home: id(node), serial: 1 }
}

fn entry(node: usize) -> Entry {
    let location = Location { node: id(node), version: 1 };
    Entry::unresolved(Record { actor: actor(node), location, export: "worker".into() })
}

impl World {
    fn new(seed: u64, nodes: usize) -> Self {
        let node = |n| Node {
            names: Names::new(id(n)),
            up: BTreeSet::new(),
            alive: true,
            wants: false,
            done: false,
            taken: false,
        };
        let nodes = (0..nodes).map(node).collect();
        Self {
            random: seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1,
            nodes,
            lines: BTreeMap::new(),
            log: String::new(),
        }
    }

    fn below(&mut self, limit: usize) -> usize {
        self.random ^= self.random << 13;
        self.random ^= self.random >> 7;
        self.random ^= self.random << 17;
        (self.random % limit as u64) as usize
    }

    fn carry_out(&mut self, of: usize, out: Vec<Effect>) {
        for effect in out {
            writeln!(self.log, "{of}: {effect:?}").expect("a string takes all");
            match effect {
                Effect::Send(to, frame) => self.push(of, to.0 as usize, frame),
                Effect::All(frame) => {
                    for to in self.nodes[of].up.clone() {
                        // Frames are not cheap to clone: they are said again.
                        self.push(of, to, again(&frame));
                    }
                }
                Effect::Name(NameEvent::Lost { .. }) => self.nodes[of].done = false,
                _ => {}
            }
        }
    }

    fn push(&mut self, from: usize, to: usize, frame: Frame) {
        if self.nodes[from].up.contains(&to) {
            self.lines.entry((from, to)).or_default().push_back(frame);
        }
    }

    /// One side knows that there is a connection.
    fn up(&mut self, node: usize, other: usize) {
        let mut out = Vec::new();
        if self.nodes[node].alive && self.nodes[other].alive && self.nodes[node].up.insert(other) {
            self.nodes[node].names.node_up(id(other), &mut out);
        }
        self.carry_out(node, out);
    }

    /// One side knows that the other is dead.
    fn down(&mut self, node: usize, other: usize) {
        let mut out = Vec::new();
        if self.nodes[node].up.remove(&other) {
            self.nodes[node].names.node_down(id(other), &mut out);
        }
        self.lines.remove(&(other, node));
        self.carry_out(node, out);
    }

    /// A frame is heard, if both sides know of the connection.
    fn deliver(&mut self, (from, to): (usize, usize)) -> bool {
        if !self.nodes[to].up.contains(&from) || !self.nodes[to].alive {
            return false;
        }
        let Some(frame) = self.lines.get_mut(&(from, to)).and_then(VecDeque::pop_front) else {
            return false;
        };
        let mut out = Vec::new();
        let names = &mut self.nodes[to].names;
        match frame {
            Frame::Claim { name, stamp, actor } => {
                names.claimed(&name, Key { stamp, actor, home: actor.home }, &mut out);
            }
            Frame::Claimed { name, stamp, actor, taken_by } => {
                let key = Key { stamp, actor, home: actor.home };
                names.answered(id(from), &name, key, taken_by);
            }
            Frame::Named { name, stamp, record } => {
                let said = (stamp, record.actor.home);
                names.named(&name, said, Entry::unresolved(record), &mut out);
            }
            Frame::Unnamed { name, actor } => names.unnamed(&name, actor, &mut out),
            frame => panic!("{frame:?}"),
        }
        self.carry_out(to, out);
        true
    }

    /// The registration of a node's actor is looked at, as it is whenever something has changed.
    fn step(&mut self, node: usize) {
        let one = &self.nodes[node];
        if !one.alive || !one.wants || one.done || one.taken {
            return;
        }
        let members: Vec<SystemId> = one.up.iter().map(|&other| id(other)).collect();
        let mut out = Vec::new();
        let step = self.nodes[node].names.register(NAME, &entry(node), &members, &mut out);
        self.carry_out(node, out);
        match step {
            Step::Wait(_) => {}
            Step::Done => self.nodes[node].done = true,
            Step::Taken(by) => self.nodes[node].taken = members.contains(&by.home),
        }
    }

    fn release(&mut self, node: usize) {
        if mem::take(&mut self.nodes[node].done) {
            let mut out = Vec::new();
            assert!(self.nodes[node].names.release(NAME, actor(node), &mut out));
            self.nodes[node].wants = false;
            self.carry_out(node, out);
        }
    }

    fn anything(&mut self) {
        let nodes = self.nodes.len();
        let (a, b) = (self.below(nodes), self.below(nodes));
        match self.below(3) {
            0 => self.step(a),
            _ => drop(self.deliver((a, b))),
        }
    }

    fn holders(&self) -> Vec<usize> {
        let live = self.nodes.iter().enumerate();
        live.filter(|(_, node)| node.alive && node.done).map(|(n, _)| n).collect()
    }

    /// Until nothing is on the way, and each has said what it wants.
    fn settle(&mut self) {
        for _ in 0..200 {
            for a in 0..self.nodes.len() {
                self.step(a);
                for b in 0..self.nodes.len() {
                    while self.deliver((a, b)) {}
                }
            }
        }
    }

    /// All live nodes know the one who has it, or that nobody has.
    fn agree(&self) -> Option<ActorId> {
        let live = self.nodes.iter().filter(|node| node.alive);
        let said: BTreeSet<_> =
            live.map(|node| node.names.holder(NAME).map(Entry::actor)).collect();
        assert_eq!(said.len(), 1, "{said:?}\n{}", self.log);
        for node in self.nodes.iter().filter(|node| node.alive) {
            let slot = node.names.slots.get(NAME);
            assert!(slot.is_none_or(|slot| slot.claims.is_empty()), "{}", self.log);
            assert!(slot.is_none_or(|slot| slot.holders.len() == 1), "{}", self.log);
        }
        said.into_iter().next().flatten()
    }
}

fn again(frame: &Frame) -> Frame {
    let bytes = rmp_serde::to_vec(frame).expect("it encodes");
    rmp_serde::from_slice(&bytes).expect("what was encoded decodes")
}

/// NODE 25: nodes that want a name at once while they come to know each other; the first of them is known to all.
/// One has it, however often it is looked, and all agree in the end.
#[test]
fn node_25_of_many_that_want_a_name_one_gets_it() {
    for seed in 1..4000 {
        let count = 2 + seed as usize % 4;
        let mut world = World::new(seed, count);
        let mut to_come: Vec<(usize, usize)> = (0..count)
            .flat_map(|a| (0..count).map(move |b| (a, b)))
            .filter(|(a, b)| a != b)
            .collect();
        // Each is connected to the first when it begins.
        to_come.retain(|&(a, b)| a != 0 && b != 0);
        for node in 1..count {
            world.up(0, node);
            world.up(node, 0);
        }
        world.nodes.iter_mut().for_each(|node| node.wants = true);
        for _ in 0..400 {
            if !to_come.is_empty() && world.below(20) == 0 {
                let next = world.below(to_come.len());
                let (a, b) = to_come.swap_remove(next);
                world.up(a, b);
            }
            world.anything();
            assert!(world.holders().len() <= 1, "seed {seed}\n{}", world.log);
        }
        to_come.into_iter().for_each(|(a, b)| world.up(a, b));
        world.settle();
        let holder = world.agree().expect("one has it");
        assert_eq!(world.holders(), [holder.home.0 as usize], "seed {seed}");
        assert!(world.nodes.iter().all(|node| node.done || node.taken), "seed {seed}");
    }
}

/// NODE 25: also while nodes die, names are given back, and wanted again.
#[test]
fn node_25_one_has_a_name_while_nodes_die_and_names_are_given_back() {
    for seed in 1..4000 {
        let count = 3 + seed as usize % 3;
        let mut world = World::new(seed, count);
        for (a, b) in (0..count).flat_map(|a| (0..count).map(move |b| (a, b))) {
            if a != b {
                world.up(a, b);
            }
        }
        let mut verdicts = Vec::new();
        for _ in 0..600 {
            let node = world.below(count);
            match world.below(60) {
                0 if world.nodes.iter().filter(|n| n.alive).count() > 2 => {
                    world.nodes[node].alive = false;
                    verdicts.extend((0..count).map(|other| (other, node)));
                }
                1 => world.release(node),
                2..6 => {
                    world.nodes[node].wants = true;
                    world.nodes[node].taken = false;
                }
                6..12 if !verdicts.is_empty() => {
                    let next = world.below(verdicts.len());
                    let (by, dead) = verdicts.swap_remove(next);
                    world.down(by, dead);
                }
                _ => world.anything(),
            }
            assert!(world.holders().len() <= 1, "seed {seed}\n{}", world.log);
        }
        verdicts.into_iter().for_each(|(by, dead)| world.down(by, dead));
        world.settle();
        let holder = world.agree().map(|holder| holder.home.0 as usize);
        assert_eq!(world.holders(), holder.into_iter().collect::<Vec<_>>(), "seed {seed}");
    }
}

/// NODE 25: two clusters in which the name is given out, one in each, are joined: who had it first keeps it.
#[test]
fn node_25_two_clusters_that_meet_agree_on_one() {
    for seed in 1..500 {
        let mut world = World::new(seed, 4);
        for (a, b) in [(0, 1), (1, 0), (2, 3), (3, 2)] {
            world.up(a, b);
        }
        world.nodes[0].wants = true;
        world.nodes[2].wants = true;
        world.settle();
        assert_eq!(world.holders(), [0, 2]);
        let mut to_come: Vec<_> =
            [0, 1].iter().flat_map(|&a| [(a, 2), (a, 3), (2, a), (3, a)]).collect();
        while !to_come.is_empty() {
            let next = world.below(to_come.len());
            let (a, b) = to_come.swap_remove(next);
            world.up(a, b);
            (0..3).for_each(|_| world.anything());
        }
        world.settle();
        assert_eq!(world.agree(), Some(actor(0)), "the lower of equal stamps");
        assert_eq!(world.holders(), [0]);
    }
}
