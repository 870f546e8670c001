//! Nodes with a role each, and between them a network that loses, delays, doubles and mixes up.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use actors_core::{SystemId, host::Time};

use super::super::{
    Quorum,
    engine::{Candidate, Effect, Office},
    say::Say,
    value::{Config, Value, is_quorum},
};

pub(super) const LEASE: Duration = Duration::from_secs(3);
const MS: Duration = Duration::from_millis(1);

struct Node {
    office: Office,
    name: String,
    paused: bool,
    waiting: Vec<(SystemId, Say)>,
    tables: u64,
}

enum Event {
    Say(SystemId, SystemId, Say),
    Down(SystemId, SystemId),
    Up(SystemId, SystemId),
}

/// All that happens comes of the seed. What is promised is looked at after each step.
pub(super) struct World {
    pub(super) now: Time,
    pub(super) random: fastrand::Rng,
    nodes: BTreeMap<SystemId, Node>,
    events: BTreeMap<(Time, u64), Event>,
    count: u64,
    /// One of so many messages is lost, and one comes twice; none if 0.
    pub(super) loss: u32,
    pub(super) slowest: Duration,
    cuts: BTreeSet<(SystemId, SystemId)>,
    /// Those who have declared others dead: nothing is heard of them any more.
    buried: BTreeSet<(SystemId, SystemId)>,
    founders: Vec<String>,
    quorum: Quorum,
    /// Owners by their terms, since the role was founded last.
    owners: BTreeMap<u64, SystemId>,
    kept: u64,
    confirmed: u64,
    /// The last value of an owner that held.
    pub(super) last: Option<Value>,
    pub(super) elections: usize,
    pub(super) confirms: usize,
}

impl World {
    pub(super) fn new(seed: u64, names: &[&str], quorum: Quorum) -> Self {
        let mut world = Self {
            now: Time::default(),
            random: fastrand::Rng::with_seed(seed),
            nodes: BTreeMap::new(),
            events: BTreeMap::new(),
            count: 0,
            loss: 0,
            slowest: 5 * MS,
            cuts: BTreeSet::new(),
            buried: BTreeSet::new(),
            founders: names.iter().map(|name| (*name).to_owned()).collect(),
            quorum,
            owners: BTreeMap::new(),
            kept: 0,
            confirmed: 0,
            last: None,
            elections: 0,
            confirms: 0,
        };
        for name in names {
            world.start(name);
        }
        world
    }

    /// A new life under the name; all hear of it.
    pub(super) fn start(&mut self, name: &str) -> SystemId {
        let id = SystemId(self.random.u64(1..));
        let mut office = Office::new((id, name.to_owned()), self.random.u64(..), self.now);
        let (founders, quorum) = (self.founders.clone(), self.quorum);
        office.stand(Candidate { founders, quorum, lease: LEASE }, self.now);
        let node =
            Node { office, name: name.to_owned(), paused: false, waiting: Vec::new(), tables: 0 };
        for other in self.ids() {
            self.later(50 * MS, Event::Up(id, other));
            self.later(50 * MS, Event::Up(other, id));
        }
        self.nodes.insert(id, node);
        id
    }

    pub(super) fn ids(&self) -> Vec<SystemId> {
        self.nodes.keys().copied().collect()
    }

    pub(super) fn name(&self, id: SystemId) -> String {
        self.nodes[&id].name.clone()
    }

    /// The others hear of it soon.
    pub(super) fn kill(&mut self, id: SystemId) {
        self.nodes.remove(&id);
        for other in self.ids() {
            self.later(20 * MS, Event::Down(other, id));
        }
    }

    /// Nothing gets from the one to the other; `dead_after` that the other declares it dead.
    pub(super) fn cut(&mut self, from: SystemId, to: SystemId, dead_after: Option<Duration>) {
        self.cuts.insert((from, to));
        if let Some(after) = dead_after {
            self.count += 1;
            self.events.insert((self.now + after, self.count), Event::Down(to, from));
        }
    }

    pub(super) fn split(&mut self, side: &[SystemId], dead_after: Option<Duration>) {
        for other in self.ids().into_iter().filter(|id| !side.contains(id)) {
            for &one in side {
                self.cut(one, other, dead_after);
                self.cut(other, one, dead_after);
            }
        }
    }

    pub(super) fn heal(&mut self) {
        self.cuts.clear();
    }

    pub(super) fn pause(&mut self, id: SystemId, paused: bool) {
        let Some(node) = self.nodes.get_mut(&id) else { return };
        node.paused = paused;
        if !paused {
            let waiting = std::mem::take(&mut node.waiting);
            waiting
                .into_iter()
                .for_each(|(from, say)| self.give(id, |o, now| o.receive(from, say, now)));
        }
    }

    /// Who is the owner and can say so.
    pub(super) fn holders(&self) -> Vec<SystemId> {
        let holds = |(id, node): (&SystemId, &Node)| node.office.holds(self.now).map(|_| *id);
        self.nodes.iter().filter_map(holds).collect()
    }

    pub(super) fn config(&self) -> Config {
        let holder = self.holders().first().copied();
        holder
            .and_then(|id| self.nodes[&id].office.holds(self.now))
            .map_or_else(Config::new, |v| v.config.clone())
    }

    pub(super) fn run(&mut self, span: Duration) {
        let end = self.now + span;
        while self.now < end {
            self.step();
        }
    }

    /// So many milliseconds.
    pub(super) fn run_ms(&mut self, range: std::ops::Range<u64>) {
        let ms = self.random.u64(range);
        self.run(Duration::from_millis(ms));
    }

    /// Until it is so, or for too long.
    pub(super) fn until(&mut self, longest: Duration, is: impl Fn(&Self) -> bool) -> Duration {
        let (begin, end) = (self.now, self.now + longest);
        while !is(self) {
            if self.now >= end {
                for (id, node) in &self.nodes {
                    eprintln!("{id} {} {:#?}", node.name, node.office);
                }
            }
            assert!(self.now < end, "not within {longest:?}");
            self.step();
        }
        self.now.since(begin)
    }

    /// A millisecond.
    fn step(&mut self) {
        self.now = self.now + MS;
        while let Some(entry) = self.events.first_entry().filter(|e| e.key().0 <= self.now) {
            match entry.remove() {
                Event::Say(from, to, say) => self.arrive(from, to, say),
                Event::Down(at, who) => {
                    self.buried.insert((at, who));
                    self.give(at, |office, now| office.member_down(who, now));
                }
                Event::Up(at, who) if self.nodes.contains_key(&who) => {
                    let name = self.name(who);
                    self.give(at, |office, now| office.member_up(who, &name, now));
                }
                Event::Up(..) => {}
            }
        }
        for id in self.ids() {
            let due = self.nodes[&id].office.due();
            if due.is_some_and(|due| due <= self.now) {
                self.give(id, Office::tick);
            }
            if self.random.u32(..200) == 0 {
                self.use_office(id);
            }
        }
        self.check();
    }

    fn arrive(&mut self, from: SystemId, to: SystemId, say: Say) {
        let lost = self.loss > 0 && self.random.u32(..self.loss) == 0;
        let fenced = self.buried.contains(&(to, from));
        if lost || fenced || self.cuts.contains(&(from, to)) {
            return;
        }
        match self.nodes.get_mut(&to) {
            Some(node) if node.paused => node.waiting.push((from, say)),
            _ => self.give(to, |office, now| office.receive(from, say, now)),
        }
    }

    /// The owner keeps something, and asks whether it is the owner.
    fn use_office(&mut self, id: SystemId) {
        let tables = self.nodes[&id].tables + 1;
        self.give(id, |office, now| {
            if office.keep(tables.to_le_bytes().to_vec(), tables, now) {
                office.confirm(0, now);
            }
        });
    }

    fn give(&mut self, id: SystemId, input: impl FnOnce(&mut Office, Time)) {
        let now = self.now;
        let Some(node) = self.nodes.get_mut(&id).filter(|node| !node.paused) else { return };
        input(&mut node.office, now);
        let effects = node.office.effects();
        for effect in effects {
            self.carry_out(id, effect);
        }
    }

    fn carry_out(&mut self, id: SystemId, effect: Effect) {
        match effect {
            Effect::Send(to, say) => {
                if self.loss > 0 && self.random.u32(..self.loss) == 0 {
                    self.later(self.slowest * 20, Event::Say(id, to, say.clone()));
                }
                self.later(self.slowest, Event::Say(id, to, say));
            }
            Effect::Elected { term, table } => {
                self.elections += 1;
                self.may_be_founded_again(term);
                let before = self.owners.insert(term, id);
                assert!(before.is_none(), "term {term} has two owners");
                let last = self.owners.last_key_value().map(|(term, _)| *term);
                assert_eq!(last, Some(term), "terms grow");
                let table = table.try_into().map_or(0, u64::from_le_bytes);
                assert!(table >= self.kept, "{table} is older than {}", self.kept);
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.tables = table;
                }
            }
            Effect::Kept(table) => {
                self.kept = self.kept.max(table);
                if let Some(node) = self.nodes.get_mut(&id) {
                    node.tables = node.tables.max(table);
                }
            }
            Effect::Confirmed(_, until) => {
                self.confirms += 1;
                assert!(self.now < until, "it is still good");
                let terms = self.owners.iter().filter(|(_, owner)| **owner == id);
                let term = terms.map(|(term, _)| *term).next_back().expect("it was elected");
                assert!(term >= self.confirmed, "a later owner was sure before");
                self.confirmed = term;
            }
            Effect::Lapsed { .. } | Effect::StoodDown { .. } | Effect::Heard { .. } => {}
        }
    }

    /// Which is right only if those who knew of it cannot decide any more.
    fn may_be_founded_again(&mut self, term: u64) {
        let live: Config = self.nodes.keys().copied().collect();
        let is_lost = self.last.as_ref().is_none_or(|last| !is_quorum(&last.config, &live));
        assert!(term > 1 || is_lost, "it was founded again");
        if is_lost {
            (self.kept, self.confirmed) = (0, 0);
            self.owners.clear();
        }
    }

    fn later(&mut self, slowest: Duration, event: Event) {
        let delay = Duration::from_micros(self.random.u64(..=slowest.as_micros() as u64));
        self.count += 1;
        self.events.insert((self.now + delay, self.count), event);
    }

    /// NODE 17.
    fn check(&mut self) {
        let holders = self.holders();
        assert!(holders.len() <= 1, "{holders:?} at {}", self.now);
        if let Some(value) = holders.first().and_then(|id| self.nodes[id].office.holds(self.now)) {
            self.last = Some(value.clone());
        }
    }
}
