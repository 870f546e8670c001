//! The state machine: what is known of the members, and whom to ask next.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use actors_core::{SystemId, host::Time};

use super::{
    Packet, Swim,
    health::Health,
    packet::{Update, Updates, What},
    probing::{Probe, Probing},
    ring::Ring,
    rumours::Rumours,
    suspicion::Suspicion,
};
use crate::{DownCause, Member};

/// One node's view of the cluster.
///
/// After each input the [effects](Self::effects) are to be carried out, in order; and it is to be called
/// again when it is [due](Self::due).
#[derive(Debug)]
pub(crate) struct Engine {
    pub(super) us: Arc<Member>,
    settings: Swim,
    /// Suspicions of this node that it has refuted.
    pub(super) refuted: u32,
    pub(super) members: BTreeMap<SystemId, Known>,
    pub(super) suspicions: BTreeMap<SystemId, Suspicion>,
    /// Those that never come back.
    pub(super) gone: BTreeSet<SystemId>,
    pub(super) ring: Ring,
    probing: Probing,
    pub(super) rumours: Rumours,
    pub(super) health: Health,
    pub(super) random: fastrand::Rng,
    /// When this node has found everyone, it has nobody to probe.
    next_period: Option<Time>,
    next_gossip: Time,
    /// When it has said that it wants to be called.
    promised: Option<Time>,
    pub(super) effects: Vec<Effect>,
}

#[derive(Debug)]
pub(super) struct Known {
    pub(super) member: Arc<Member>,
    /// The suspicions that it has refuted.
    pub(super) refuted: u32,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Send(SystemId, Packet),
    /// Somebody is there.
    Up(Arc<Member>),
    Suspected(SystemId),
    Recovered(SystemId),
    Down(SystemId, DownCause),
    /// This one has declared this node dead.
    Fenced(SystemId),
}

/// What is known from elsewhere.
#[derive(Clone, Debug)]
pub(crate) enum Fact {
    /// It has joined, and shown who it is.
    Joined(Arc<Member>),
    /// It is known to be a member.
    Listed(Arc<Member>),
    /// All that a node knows which did not know this one before, itself among them.
    Roster(Vec<Member>),
    /// It has said something.
    Heard(SystemId),
    /// It has failed, or left: the others are to know.
    Gone(SystemId, DownCause),
    /// It is dead, and the others know, or are not to be told by this node.
    Buried(SystemId),
}

/// What a node is late by no more is not its own pause.
const PUNCTUAL: u32 = 4;

impl Engine {
    pub(crate) fn new(us: Member, settings: Swim, seed: u64) -> Self {
        Self {
            us: Arc::new(us),
            settings: settings.checked(),
            refuted: 0,
            members: BTreeMap::new(),
            suspicions: BTreeMap::new(),
            gone: BTreeSet::new(),
            ring: Ring::default(),
            probing: Probing::default(),
            rumours: Rumours::default(),
            health: Health::default(),
            random: fastrand::Rng::with_seed(seed),
            next_period: None,
            next_gossip: Time::default(),
            promised: None,
            effects: Vec::new(),
        }
    }

    /// What has come of the inputs, in order.
    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// When to call [`tick`](Self::tick); never, if nobody else is there.
    pub(crate) const fn due(&self) -> Option<Time> {
        self.promised
    }

    /// A suspicion that others confirm may be over since long: that is no delay of this node.
    fn promise(&mut self, now: Time) {
        let nodes = self.nodes();
        let gossip = (!self.rumours.is_empty()).then_some(self.next_gossip);
        let suspicions = self.suspicions.values().map(|s| s.until(&self.settings, nodes)).min();
        let due = [gossip, suspicions, self.probing.due()].into_iter().flatten();
        let due = self.next_period.map(|period| due.chain([period]).min().unwrap_or(period));
        self.promised = due.map(|due| due.max(now));
    }

    /// Does what is due.
    pub(crate) fn tick(&mut self, now: Time) {
        self.catch_up(now);
        self.probe_by_others(now);
        for relay in self.probing.late(now) {
            self.send(relay.origin, What::Nack(relay.number));
        }
        self.condemn(now);
        if self.next_period.is_some_and(|period| period <= now) {
            self.end_period(now);
            self.begin_period(now);
        }
        if !self.rumours.is_empty() && self.next_gossip <= now {
            self.gossip(now);
        }
        self.promise(now);
    }

    /// A node that has shown who it is says something.
    pub(crate) fn receive(&mut self, from: SystemId, packet: Packet, now: Time) {
        self.catch_up(now);
        // One that is dead here is told so, but for an answer to just that.
        let told = packet.updates.0.contains(&Update::Dead(self.us.id));
        for update in packet.updates.0 {
            // From one that is dead here, or does not count this node among the living, nothing is taken.
            if !self.gone.contains(&from) {
                self.hear_of(from, update, now);
            }
        }
        if !self.gone.contains(&from) {
            self.answer(from, packet.what, now);
        } else if !told {
            let updates = Updates(vec![Update::Dead(from)]);
            self.effects.push(Effect::Send(from, Packet { what: What::News, updates }));
        }
        self.promise(now);
    }

    fn answer(&mut self, from: SystemId, what: What, now: Time) {
        match what {
            What::Ping(number) => self.send(from, What::Ack(number)),
            What::PingFor(number, target) => self.relay(from, number, target, now),
            What::Nack(number) => self.probing.refuse(from, number),
            What::News => {}
            What::Ack(number) => {
                if let Some(relay) = self.probing.answer(from, number) {
                    self.send(relay.origin, What::Ack(relay.number));
                }
            }
        }
    }

    /// Something is known from elsewhere.
    pub(crate) fn learn(&mut self, fact: Fact, now: Time) {
        self.catch_up(now);
        match fact {
            Fact::Joined(member) => {
                let id = member.id;
                if self.add(member.clone(), 0, now) {
                    self.spread(Update::Alive(member, 0), now);
                }
                self.is_gone(id);
            }
            Fact::Listed(member) => {
                let id = member.id;
                self.add(member, 0, now);
                self.is_gone(id);
            }
            Fact::Roster(members) => self.enrol(members, now),
            Fact::Heard(id) => {
                self.probing.heard(id);
                if let Some(suspicion) = self.suspicions.get_mut(&id) {
                    suspicion.again(now);
                }
            }
            Fact::Gone(id, cause) => {
                if self.bury(id) {
                    let left = cause == DownCause::Left;
                    self.spread(if left { Update::Left(id) } else { Update::Dead(id) }, now);
                }
            }
            Fact::Buried(id) => drop(self.bury(id)),
        }
        self.promise(now);
    }

    /// Its death was told before itself was known.
    fn is_gone(&mut self, id: SystemId) {
        if self.gone.contains(&id) {
            self.effects.push(Effect::Down(id, DownCause::Reported));
        }
    }

    /// News to be passed on.
    pub(super) fn spread(&mut self, update: Update, now: Time) {
        if self.rumours.is_empty() {
            self.next_gossip = self.next_gossip.max(now);
        }
        self.rumours.add(update);
    }

    /// How many there are, with this one.
    pub(super) fn nodes(&self) -> usize {
        self.members.len() + 1
    }

    /// An observer that stood still has not seen what it waits for: all get that time on top.
    fn catch_up(&mut self, now: Time) {
        let Some(due) = self.promised else { return };
        let late = now.since(due);
        if late <= self.settings.period / PUNCTUAL {
            return;
        }
        self.health.worse(1);
        self.next_period = self.next_period.map(|period| period + late);
        self.next_gossip = self.next_gossip + late;
        self.probing.postpone(late);
        self.suspicions.values_mut().for_each(|suspicion| suspicion.postpone(late));
    }

    /// False if it is known, dead, or this node.
    pub(super) fn add(&mut self, member: Arc<Member>, refuted: u32, now: Time) -> bool {
        let id = member.id;
        if id == self.us.id || self.gone.contains(&id) || self.members.contains_key(&id) {
            return false;
        }
        self.members.insert(id, Known { member, refuted });
        self.ring.insert(id, &mut self.random);
        // Nodes that start together do not probe at the same moment.
        let period = self.settings.period.as_micros() as u64;
        let wait = Duration::from_micros(self.random.u64(..period));
        if self.next_period.is_none() {
            self.next_period = Some(now + wait);
            self.next_gossip = self.next_gossip.max(now);
        }
        true
    }

    /// False if that was known.
    pub(super) fn bury(&mut self, id: SystemId) -> bool {
        if id == self.us.id || !self.gone.insert(id) {
            return false;
        }
        if self.members.remove(&id).is_some() {
            self.ring.remove(id);
            self.suspicions.remove(&id);
        }
        if self.members.is_empty() {
            self.next_period = None;
            self.probing.probe = None;
        }
        true
    }

    pub(super) fn send(&mut self, to: SystemId, what: What) {
        // Who is suspected is to hear it first.
        let suspected = self.suspicions.contains_key(&to).then(|| self.suspicion_of(to)).flatten();
        let updates = self.rumours.take(self.settings.transmissions(self.nodes()), suspected);
        self.effects.push(Effect::Send(to, Packet { what, updates }));
    }

    fn suspicion_of(&self, id: SystemId) -> Option<Update> {
        let known = self.members.get(&id)?;
        Some(Update::Suspect(id, known.refuted, self.us.id))
    }

    fn begin_period(&mut self, now: Time) {
        let Some(target) = self.ring.next(&mut self.random) else { return };
        let period = self.health.stretch(self.settings.period);
        let until = now + period;
        let direct_until = now + self.health.stretch(self.settings.answer);
        self.next_period = Some(until);
        let number = self.probing.begin(target, direct_until, until);
        self.send(target, What::Ping(number));
    }

    fn probe_by_others(&mut self, now: Time) {
        let Some(probe) = &mut self.probing.probe else { return };
        if probe.relayed || probe.direct_until > now {
            return;
        }
        probe.relayed = true;
        if probe.answered {
            return;
        }
        let (target, number) = (probe.target, probe.number);
        let indirect = self.settings.indirect;
        let asked = self.ring.choose(indirect, &mut self.random, |id| id != target);
        probe.asked.clone_from(&asked);
        for id in asked {
            self.send(id, What::PingFor(number, target));
        }
    }

    fn end_period(&mut self, now: Time) {
        let Some(probe) = self.probing.probe.take() else { return };
        if probe.answered {
            return self.health.better();
        }
        let Probe { target, asked, refused, .. } = probe;
        if !self.members.contains_key(&target) {
            return;
        }
        // Those that cannot reach it either say so: who does not hear them may be deaf.
        self.health.worse(if asked.is_empty() {
            1
        } else {
            asked.len() - refused.min(asked.len())
        });
        let refuted = self.members.get(&target).map_or(0, |known| known.refuted);
        let us = self.us.id;
        self.suspect(target, refuted, us, now);
    }

    fn relay(&mut self, origin: SystemId, number: u32, target: SystemId, now: Time) {
        let until = now + self.settings.answer * 4 / 5;
        let known = self.members.contains_key(&target);
        let own = known.then(|| self.probing.relay(origin, number, target, until)).flatten();
        match own {
            Some(own) => self.send(target, What::Ping(own)),
            None if target == self.us.id => self.send(origin, What::Ack(number)),
            None => self.send(origin, What::Nack(number)),
        }
    }

    /// Those that did not say in time that they live.
    fn condemn(&mut self, now: Time) {
        let nodes = self.nodes();
        let over = |(id, suspicion): (&SystemId, &Suspicion)| {
            (suspicion.until(&self.settings, nodes) <= now).then_some(*id)
        };
        let over: Vec<SystemId> = self.suspicions.iter().filter_map(over).collect();
        for id in over {
            self.bury(id);
            self.spread(Update::Dead(id), now);
            self.effects.push(Effect::Down(id, DownCause::Silent));
        }
    }

    fn gossip(&mut self, now: Time) {
        self.next_gossip = now + self.settings.gossip;
        for id in self.ring.choose(Swim::FANOUT, &mut self.random, |_| true) {
            if self.rumours.is_empty() {
                return;
            }
            self.send(id, What::News);
        }
    }
}
