//! Many engines in simulated time, with a network that loses packets. One seed, one run.

use std::{
    cmp::Reverse,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
    time::Duration,
};

use actors_core::{SystemId, host::Time};

use super::{Effect, Engine, Fact, Packet, Swim};
use crate::{Member, pieces, wire::Frame};

/// A packet takes between these times.
const DELAY: (u64, u64) = (200, 2_000);

/// A run.
pub(crate) struct Cluster {
    pub(crate) now: Time,
    settings: Swim,
    /// Of a thousand packets, so many are lost.
    pub(crate) loss: u32,
    /// Nothing gets from the first to the second.
    pub(crate) cuts: BTreeSet<(usize, usize)>,
    pub(crate) nodes: Vec<Node>,
    queue: BinaryHeap<Reverse<(Time, u64, Event)>>,
    number: u64,
    random: fastrand::Rng,
    /// Each knows some of the others alone.
    sampled: bool,
    packets: BTreeMap<u64, (SystemId, Packet)>,
    pub(crate) traffic: Traffic,
    /// When each pair last used its connection.
    used: BTreeMap<(usize, usize), Time>,
    pub(crate) log: Vec<Seen>,
}

pub(crate) struct Node {
    pub(crate) engine: Engine,
    running: bool,
    paused: bool,
    due: Option<Time>,
    /// What came while it stood still.
    waiting: Vec<(SystemId, Packet)>,
}

/// What was sent so far, by all.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Traffic {
    pub(crate) packets: u64,
    /// As frames of a connection.
    pub(crate) bytes: u64,
    /// Connections that had to be made.
    pub(crate) dials: u64,
}

/// What a node has found.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) at: Time,
    pub(crate) observer: usize,
    pub(crate) what: Effect,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Arrives(usize),
    Due(usize),
}

fn id(node: usize) -> SystemId {
    SystemId(node as u64 + 1)
}

fn index(id: SystemId) -> usize {
    id.0 as usize - 1
}

impl Cluster {
    /// Nodes that do not know each other.
    pub(crate) fn new(seed: u64, settings: Swim) -> Self {
        Self {
            now: Time::default(),
            settings: settings.checked(),
            loss: 0,
            cuts: BTreeSet::new(),
            nodes: Vec::new(),
            queue: BinaryHeap::new(),
            number: 0,
            random: fastrand::Rng::with_seed(seed),
            sampled: false,
            packets: BTreeMap::new(),
            traffic: Traffic::default(),
            used: BTreeMap::new(),
            log: Vec::new(),
        }
    }

    /// Nodes of which each knows all, or a random `sample` of so many.
    pub(crate) fn joined(seed: u64, settings: Swim, nodes: usize, sample: Option<usize>) -> Self {
        let mut cluster = Self::new(seed, settings);
        cluster.sampled = sample.is_some();
        for _ in 0..nodes {
            cluster.start();
        }
        let members: Vec<_> = cluster.nodes.iter().map(|node| node.engine.us.clone()).collect();
        for node in 0..nodes {
            let known = match sample {
                None => members.clone(),
                Some(sample) => {
                    (0..sample).map(|_| members[cluster.random.usize(..nodes)].clone()).collect()
                }
            };
            for member in known {
                cluster.learn(node, Fact::Listed(member));
            }
        }
        cluster
    }

    /// One node more, alone.
    pub(crate) fn start(&mut self) -> usize {
        let node = self.nodes.len();
        let (name, address) =
            (format!("worker-{node}"), format!("10.0.{}.{}:4000", node / 256, node % 256));
        let member = Member { id: id(node), name, address, tags: BTreeMap::new() };
        let engine = Engine::new(member, self.settings, self.random.u64(..));
        let waiting = Vec::new();
        self.nodes.push(Node { engine, running: true, paused: false, due: None, waiting });
        node
    }

    /// A node joins another: both know each other, and it is told of all.
    pub(crate) fn join(&mut self, node: usize, other: usize) {
        let (us, them) = (self.nodes[node].engine.us.clone(), self.nodes[other].engine.us.clone());
        let known = self.nodes[other].engine.members.values().map(|known| (*known.member).clone());
        let roster = known.chain([(*them).clone()]).collect();
        self.learn(other, Fact::Joined(us));
        self.learn(node, Fact::Joined(them));
        self.learn(node, Fact::Roster(roster));
    }

    pub(crate) fn learn(&mut self, node: usize, fact: Fact) {
        let now = self.now;
        self.input(node, |engine| engine.learn(fact, now));
    }

    pub(crate) fn kill(&mut self, node: usize) {
        self.nodes[node].running = false;
    }

    pub(crate) fn pause(&mut self, node: usize) {
        self.nodes[node].paused = true;
    }

    /// What came meanwhile was kept, as by a kernel.
    pub(crate) fn resume(&mut self, node: usize) {
        self.nodes[node].paused = false;
        let now = self.now;
        self.input(node, |engine| engine.tick(now));
        for (from, packet) in std::mem::take(&mut self.nodes[node].waiting) {
            self.input(node, |engine| engine.receive(from, packet, now));
        }
    }

    pub(crate) fn knows(&self, node: usize, other: usize) -> bool {
        self.nodes[node].engine.members.contains_key(&id(other))
    }

    /// Those that were used lately.
    #[cfg(feature = "simulation")]
    pub(crate) fn connections(&self) -> usize {
        let stands = |used: &&Time| self.now.since(**used) < self.settings.idle;
        self.used.values().filter(stands).count()
    }

    /// Who was found, by whom, when, of what holds.
    pub(crate) fn found(
        &self,
        is: impl Fn(&Effect) -> Option<SystemId>,
    ) -> impl Iterator<Item = (Time, usize, usize)> {
        self.log.iter().filter_map(move |s| Some((s.at, s.observer, index(is(&s.what)?))))
    }

    pub(crate) fn run(&mut self, time: Duration) {
        let until = self.now + time;
        while self.queue.peek().is_some_and(|Reverse((at, ..))| *at <= until) {
            let Some(Reverse((at, number, event))) = self.queue.pop() else { return };
            self.now = at;
            match event {
                Event::Arrives(node) => self.arrive(node, number),
                Event::Due(node) if self.nodes[node].due == Some(at) => self.due(node),
                Event::Due(_) => {}
            }
        }
        self.now = until;
    }

    fn arrive(&mut self, to: usize, number: u64) {
        let Some((from, packet)) = self.packets.remove(&number) else { return };
        let (now, node) = (self.now, &mut self.nodes[to]);
        if !node.running {
        } else if node.paused {
            node.waiting.push((from, packet));
        } else {
            // A connection shows who is at its other end.
            let gone = self.nodes[to].engine.gone.contains(&from);
            let shows = !self.sampled && !gone;
            let known = shows.then(|| self.nodes[index(from)].engine.us.clone());
            self.input(to, |engine| {
                known.into_iter().for_each(|member| engine.learn(Fact::Joined(member), now));
                engine.learn(Fact::Heard(from), now);
                engine.receive(from, packet, now);
            });
        }
    }

    fn due(&mut self, node: usize) {
        let (now, it) = (self.now, &mut self.nodes[node]);
        it.due = None;
        if it.running && !it.paused {
            self.input(node, |engine| engine.tick(now));
        }
    }

    fn input(&mut self, node: usize, input: impl FnOnce(&mut Engine)) {
        input(&mut self.nodes[node].engine);
        for effect in self.nodes[node].engine.effects() {
            match effect {
                Effect::Send(to, packet) => self.send(node, index(to), packet),
                what => self.log.push(Seen { at: self.now, observer: node, what }),
            }
        }
        let it = &mut self.nodes[node];
        let due = it.engine.due().map(|due| due.max(self.now));
        if due != it.due {
            it.due = due;
            if let Some(due) = due {
                self.push(due, Event::Due(node));
            }
        }
    }

    fn send(&mut self, from: usize, to: usize, packet: Packet) {
        let frame = Frame::Swim(packet);
        let bytes = pieces::WHOLE_HEADER + pieces::encode(&frame).len();
        let Frame::Swim(packet) = frame else { return };
        self.traffic.packets += 1;
        self.traffic.bytes += bytes as u64;
        let used = self.used.insert((from.min(to), from.max(to)), self.now);
        let stands = used.is_some_and(|used| self.now.since(used) < self.settings.idle);
        self.traffic.dials += u64::from(!stands);
        if self.random.u32(..1000) < self.loss || self.cuts.contains(&(from, to)) {
            return;
        }
        let delay = Duration::from_micros(self.random.u64(DELAY.0..DELAY.1));
        let number = self.push(self.now + delay, Event::Arrives(to));
        self.packets.insert(number, (id(from), packet));
    }

    fn push(&mut self, at: Time, event: Event) -> u64 {
        self.number += 1;
        self.queue.push(Reverse((at, self.number, event)));
        self.number
    }
}
