//! A role at one node: its vote, and what it does to become the owner and to stay it. Pure: what is heard and the
//! time come in, effects go out.

use std::{
    collections::{BTreeMap, VecDeque},
    mem,
    time::Duration,
};

use actors_core::{SystemId, host::Time};

use super::{
    Quorum,
    acceptor::{Acceptor, micros},
    campaign::{Campaign, Founding, Pace},
    reign::{Done, Reign},
    say::Say,
    value::{Ballot, Config, Value},
};

/// What a node has to do for a role, in this order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Effect {
    Send(SystemId, Say),
    /// This node is the owner now. The table is what the last one kept.
    Elected {
        term: u64,
        table: Vec<u8>,
    },
    /// It cannot say any more that it is the owner, and perhaps will again.
    Lapsed {
        term: u64,
    },
    /// It is not the owner any more.
    StoodDown {
        term: u64,
    },
    /// Who is the owner.
    Heard {
        term: u64,
        owner: SystemId,
    },
    /// The table with this tag, and all before it, will be those of the next owner.
    Kept(u64),
    /// After it was asked this node was still the owner, and nobody else is until then.
    Confirmed(u64, Time),
}

/// How a node stands for a role.
#[derive(Clone, Debug)]
pub(crate) struct Candidate {
    /// Names of those who begin.
    pub(crate) founders: Vec<String>,
    pub(crate) quorum: Quorum,
    pub(crate) lease: Duration,
}

#[derive(Debug)]
enum Part {
    Voter,
    Campaign(Box<Campaign>),
    Owner(Box<Reign>),
}

#[derive(Debug)]
pub(crate) struct Office {
    us: SystemId,
    candidate: Option<Candidate>,
    acceptor: Acceptor,
    part: Part,
    /// This node too.
    live: BTreeMap<SystemId, String>,
    /// Those that are gone too.
    names: BTreeMap<SystemId, String>,
    changed_at: Time,
    /// The last owner that was heard of, and its term; whether it has resigned.
    heard: Option<(u64, SystemId)>,
    vacant: bool,
    /// Those that have heard that this node is the owner.
    told: Config,
    lapsed: bool,
    /// The highest of all rounds that were heard of.
    round: u64,
    rests_until: Time,
    random: fastrand::Rng,
    own: VecDeque<Say>,
    effects: Vec<Effect>,
}

impl Office {
    pub(crate) fn new(us: (SystemId, String), seed: u64, now: Time) -> Self {
        let (us, live) = (us.0, BTreeMap::from([us]));
        Self {
            us,
            candidate: None,
            acceptor: Acceptor::new(),
            part: Part::Voter,
            names: live.clone(),
            live,
            changed_at: now,
            heard: None,
            vacant: false,
            told: Config::new(),
            lapsed: false,
            round: 0,
            rests_until: now,
            random: fastrand::Rng::with_seed(seed),
            own: VecDeque::new(),
            effects: Vec::new(),
        }
    }

    /// From now on this node may become the owner.
    pub(crate) fn stand(&mut self, candidate: Candidate, now: Time) {
        self.candidate = Some(candidate);
        self.changed_at = now;
    }

    /// From now on it does not want to be. As the owner it must have stopped acting.
    pub(crate) fn withdraw(&mut self, now: Time) {
        self.candidate = None;
        match self.part {
            Part::Owner(_) => self.stand_down(now),
            Part::Campaign(_) | Part::Voter => self.part = Part::Voter,
        }
    }

    pub(crate) fn effects(&mut self) -> Vec<Effect> {
        mem::take(&mut self.effects)
    }

    /// Who is the owner, as far as it was heard here.
    pub(crate) const fn heard(&self) -> Option<(u64, SystemId)> {
        self.heard
    }

    /// Whether it is the owner, and can say so.
    #[cfg(test)]
    pub(super) fn holds(&self, now: Time) -> Option<&Value> {
        match &self.part {
            Part::Owner(reign) if now < reign.lease_until => Some(&reign.value),
            _ => None,
        }
    }

    pub(crate) fn member_up(&mut self, id: SystemId, name: &str, now: Time) {
        self.live.insert(id, name.to_owned());
        self.names.insert(id, name.to_owned());
        self.changed(now);
    }

    pub(crate) fn member_down(&mut self, id: SystemId, now: Time) {
        self.live.remove(&id);
        self.told.remove(&id);
        self.changed(now);
    }

    fn changed(&mut self, now: Time) {
        self.changed_at = now;
        if let Part::Owner(reign) = &mut self.part {
            reign.renew_at = now;
        }
        self.go_on(now);
    }

    /// Keeps this for the next owner. False if this node is not the owner.
    pub(crate) fn keep(&mut self, table: Vec<u8>, tag: u64, now: Time) -> bool {
        let Part::Owner(reign) = &mut self.part else { return false };
        reign.keep(table, tag);
        self.go_on(now);
        true
    }

    /// Asks the others whether this node is the owner. False if it is not.
    pub(crate) fn confirm(&mut self, tag: u64, now: Time) -> bool {
        let Part::Owner(reign) = &mut self.part else { return false };
        reign.ask(tag, now);
        self.tick(now);
        true
    }

    /// When it is to be called again.
    pub(crate) fn due(&self) -> Option<Time> {
        match &self.part {
            Part::Voter => self.campaign_at(),
            Part::Campaign(campaign) => Some(campaign.again_at.min(campaign.given_up_at)),
            Part::Owner(reign) => {
                let again = reign.proposed().map_or(reign.renew_at, |_| reign.again_at);
                let lapse = if self.lapsed { reign.ends_at } else { reign.lease_until };
                Some(again.min(reign.renew_at).min(lapse))
            }
        }
    }

    pub(crate) fn tick(&mut self, now: Time) {
        let Some(due) = self.due().filter(|due| *due <= now) else { return self.go_on(now) };
        let pace = self.pace();
        match &mut self.part {
            Part::Voter => self.begin_campaign(now),
            Part::Campaign(campaign) if now >= campaign.given_up_at => self.give_up(now),
            Part::Campaign(campaign) => {
                campaign.again_at = now + pace.renewal();
                self.say_again();
                self.propose_election(now);
            }
            Part::Owner(reign) => {
                // It was this node that stood still, not the others.
                if now.since(due) > pace.renewal() {
                    reign.stood_still(pace, now);
                }
                if now >= reign.ends_at {
                    return self.stand_down(now);
                }
                self.lapse(now);
                self.renew(now);
                self.propose_again(now);
            }
        }
        self.go_on(now);
    }

    pub(crate) fn receive(&mut self, from: SystemId, say: Say, now: Time) {
        self.hear(from, say, now);
        self.go_on(now);
    }

    fn hear(&mut self, from: SystemId, say: Say, now: Time) {
        match say {
            Say::Prepare { ballot } => {
                self.round = self.round.max(ballot.round);
                let answer = self.acceptor.prepare(ballot, now);
                self.send(from, answer);
            }
            Say::Accept { ballot, value, micros } => {
                self.round = self.round.max(ballot.round);
                let lease = Duration::from_micros(micros);
                let answer = self.acceptor.accept(ballot, &value, lease, now);
                self.send(from, answer);
            }
            Say::Renew { ballot, number, term, micros } => {
                self.round = self.round.max(ballot.round);
                let lease = Duration::from_micros(micros);
                let answer = self.acceptor.renew(ballot, number, lease, now);
                self.heard_of(term, from);
                self.send(from, answer);
            }
            Say::Promise { ballot, accepted } => {
                if let Part::Campaign(campaign) = &mut self.part
                    && campaign.ballot == ballot
                {
                    campaign.promised(from, accepted);
                    self.propose_election(now);
                }
            }
            Say::Held { ballot, micros } => {
                // Perhaps the others are enough; else it is asked again when it may.
                if let Part::Campaign(campaign) = &mut self.part
                    && campaign.ballot == ballot
                {
                    let free = now + Duration::from_micros(micros);
                    campaign.again_at = campaign.again_at.min(free);
                }
            }
            Say::Refused { ballot, promised } => {
                self.round = self.round.max(promised.round);
                let live = self.live_ids();
                if let Part::Campaign(campaign) = &mut self.part
                    && campaign.ballot == ballot
                    && campaign.is_hopeless(from, &live)
                {
                    self.give_up(now);
                }
            }
            Say::Accepted { ballot } => self.hear_accepted(from, ballot),
            Say::Renewed { ballot, number } => {
                let pace = self.pace();
                if let Part::Owner(reign) = &mut self.part
                    && reign.ballot.first() == ballot
                {
                    let done = reign.renewed(from, number, pace, now);
                    self.told.insert(from);
                    self.done(done);
                }
            }
            Say::Resigned { ballot, term } => {
                self.acceptor.released(ballot, now);
                self.vacant |= self.heard.is_none_or(|(heard, _)| heard == term);
            }
        }
    }

    fn hear_accepted(&mut self, from: SystemId, ballot: Ballot) {
        let pace = self.pace();
        match &mut self.part {
            Part::Voter => {}
            Part::Owner(reign) => {
                let done = reign.accepted(from, ballot, pace);
                self.done(done);
            }
            Part::Campaign(campaign) => {
                let Some(proposed) = campaign.proposed().filter(|p| p.ballot == ballot) else {
                    return;
                };
                if proposed.accepted_by(from) {
                    self.elected();
                }
            }
        }
    }

    fn elected(&mut self) {
        let pace = self.pace();
        let Part::Campaign(campaign) = mem::replace(&mut self.part, Part::Voter) else { return };
        let Some(proposed) = campaign.into_proposed() else { return };
        let reign = Reign::new(proposed, pace);
        let Value { term, table, .. } = reign.value.clone();
        (self.lapsed, self.told) = (false, Config::new());
        self.part = Part::Owner(Box::new(reign));
        self.heard_of(term, self.us);
        self.effects.push(Effect::Elected { term, table });
    }

    fn heard_of(&mut self, term: u64, owner: SystemId) {
        if self.heard.is_none_or(|(heard, _)| heard < term) {
            (self.heard, self.vacant) = (Some((term, owner)), false);
            self.effects.push(Effect::Heard { term, owner });
        }
    }

    fn done(&mut self, done: Done) {
        let Part::Owner(reign) = &self.part else { return };
        let until = reign.lease_until;
        self.effects.extend(done.kept.into_iter().map(Effect::Kept));
        let confirmed = done.confirmed.into_iter().map(|tag| Effect::Confirmed(tag, until));
        self.effects.extend(confirmed);
    }

    /// What follows from whatever came in, and what this node says to itself.
    fn go_on(&mut self, now: Time) {
        loop {
            let config = self.wanted_config();
            let (pace, live) = (self.pace(), self.live_ids());
            if let Part::Owner(reign) = &mut self.part {
                if now < reign.lease_until {
                    self.lapsed = false;
                }
                let decides = reign.value.is_decided_by(&live);
                if decides && reign.propose(&config, pace, now).is_some() {
                    self.say_again();
                }
                self.renew(now);
            }
            let Some(say) = self.own.pop_front() else { return };
            self.hear(self.us, say, now);
        }
    }

    fn lapse(&mut self, now: Time) {
        let Part::Owner(reign) = &self.part else { return };
        if now >= reign.lease_until && !mem::replace(&mut self.lapsed, true) {
            self.effects.push(Effect::Lapsed { term: reign.value.term });
        }
    }

    fn renew(&mut self, now: Time) {
        let (pace, micros) = (self.pace(), self.lease_micros());
        let Part::Owner(reign) = &mut self.part else { return };
        if now < reign.renew_at {
            return;
        }
        let (ballot, term) = (reign.ballot.first(), reign.value.term);
        let number = reign.renew(pace, now);
        let mut to = self.voters();
        to.extend(self.live.keys().filter(|id| !self.told.contains(id)));
        self.send_all(&to, &Say::Renew { ballot, number, term, micros });
    }

    fn propose_again(&mut self, now: Time) {
        let pace = self.pace();
        if let Part::Owner(reign) = &mut self.part
            && reign.proposed().is_some()
            && now >= reign.again_at
        {
            reign.again_at = now + pace.renewal();
            self.say_again();
        }
    }

    /// What is proposed, or asked before, to all whom it concerns.
    fn say_again(&mut self) {
        let micros = self.lease_micros();
        let accept = |p: &super::campaign::Proposed| Say::Accept {
            ballot: p.ballot,
            value: p.value.clone(),
            micros,
        };
        let (say, to) = match &mut self.part {
            Part::Voter => return,
            Part::Owner(reign) => {
                let Some(proposed) = reign.proposed() else { return };
                (accept(proposed), self.voters())
            }
            Part::Campaign(campaign) => {
                let ballot = campaign.ballot;
                let proposed = campaign.proposed().map(|p| accept(p));
                let mut to: Config = self.live.keys().copied().collect();
                if proposed.is_none() {
                    to.remove(&self.us);
                }
                (proposed.unwrap_or(Say::Prepare { ballot }), to)
            }
        };
        self.send_all(&to, &say);
    }

    /// Those whose word the owner needs.
    fn voters(&self) -> Config {
        let Part::Owner(reign) = &self.part else { return Config::new() };
        let Value { config, previous, .. } = &reign.value;
        let next = reign.proposed().map(|next| &next.value.config).into_iter().flatten();
        config.union(previous).chain(next).copied().collect()
    }

    fn send_all(&mut self, to: &Config, say: &Say) {
        for &to in to {
            self.send(to, say.clone());
        }
    }

    fn send(&mut self, to: SystemId, say: Say) {
        match to == self.us {
            true => self.own.push_back(say),
            false => self.effects.push(Effect::Send(to, say)),
        }
    }

    fn stand_down(&mut self, now: Time) {
        let pace = self.pace();
        let Part::Owner(reign) = mem::replace(&mut self.part, Part::Voter) else { return };
        let (ballot, term) = (reign.ballot.first(), reign.value.term);
        self.effects.push(Effect::StoodDown { term });
        // Others go first.
        self.rests_until = now + pace.campaign();
        self.send_all(&self.live_ids(), &Say::Resigned { ballot, term });
        self.go_on(now);
    }

    fn begin_campaign(&mut self, now: Time) {
        let pace = self.pace();
        self.round = self.round.max(self.acceptor.round()) + 1;
        let ballot = Ballot::new(self.round, self.us);
        let campaign = Campaign::new(ballot, now + pace.campaign(), now + pace.renewal());
        self.part = Part::Campaign(Box::new(campaign));
        self.say_again();
        self.propose_election(now);
    }

    /// When all others have promised that have to, this node does: not before, since what it has promised to itself
    /// it cannot give to an owner that lives.
    fn propose_election(&mut self, now: Time) {
        let (founding, us) = (self.founding(), self.us);
        let Part::Campaign(campaign) = &mut self.part else { return };
        let known = self.acceptor.accepted().cloned();
        let Some(value) = campaign.base(known, founding.as_ref(), us) else { return };
        match self.acceptor.prepare(campaign.ballot, now) {
            Say::Promise { .. } => {
                campaign.propose(value, now);
                self.say_again();
            }
            // Then nobody else is elected: it is said again.
            Say::Held { micros, .. } => {
                let free = now + Duration::from_micros(micros);
                campaign.again_at = campaign.again_at.min(free);
            }
            _ => self.give_up(now),
        }
    }

    /// And rests for a while of chance, from then on.
    fn give_up(&mut self, from: Time) {
        self.part = Part::Voter;
        let most = micros(4 * self.pace().step()).max(1);
        self.rests_until = from + Duration::from_micros(self.random.u64(..most));
    }

    /// When it tries to become the owner, if nothing else happens.
    fn campaign_at(&self) -> Option<Time> {
        self.candidate.as_ref()?;
        let pace = self.pace();
        let live = self.live_ids();
        let Some(value) = self.acceptor.value() else {
            let Founding { founders, .. } = self.founding().filter(|_| self.heard.is_none())?;
            let place = founders.iter().position(|id| *id == self.us)?;
            // All that are there have been heard of by then.
            let begin = self.changed_at + pace.renewal() + pace.step() * place as u32;
            return Some(begin.max(self.rests_until));
        };
        if !value.is_decided_by(&live) {
            return None;
        }
        let mut voters = value.config.intersection(&live);
        let place = voters.position(|id| *id == self.us)?;
        let (term, owner) = self.heard.unwrap_or((value.term, value.owner));
        let owner = if term < value.term { value.owner } else { owner };
        let is_there = live.contains(&owner) && owner != self.us && !self.vacant;
        let patience = if is_there { pace.patience() } else { Duration::ZERO };
        let free = self.acceptor.lease_end().unwrap_or(self.changed_at);
        Some((free + patience + pace.step() * place as u32).max(self.rests_until))
    }

    /// All founders, if they are there.
    fn founding(&self) -> Option<Founding> {
        let names = &self.candidate.as_ref()?.founders;
        let life = |name: &String| self.live.iter().find(|(_, n)| *n == name).map(|(id, _)| *id);
        let founders = names.iter().map(life).collect::<Option<Config>>()?;
        (!founders.is_empty()).then(|| Founding { founders, witnesses: self.live_ids() })
    }

    /// Who is to vote, if this node is the owner.
    fn wanted_config(&self) -> Config {
        let (Part::Owner(reign), Some(candidate)) = (&self.part, &self.candidate) else {
            return Config::new();
        };
        match candidate.quorum {
            Quorum::LastAgreed => self.live_ids(),
            Quorum::Founders => self.one_replaced(&candidate.founders, &reign.value.config),
        }
    }

    /// The first founder with a new life has the place of its old one.
    fn one_replaced(&self, founders: &[String], config: &Config) -> Config {
        let mut wanted = config.clone();
        let is_missing =
            |name: &String| !config.iter().any(|id| self.live.get(id).is_some_and(|n| n == name));
        let new = self.live.iter().find(|(_, n)| founders.contains(n) && is_missing(n));
        let Some((&new, name)) = new else { return wanted };
        let gone = || config.iter().filter(|id| !self.live.contains_key(id));
        let old = gone().find(|id| self.names.get(id) == Some(name));
        let old = old.or_else(|| gone().find(|id| !self.names.contains_key(id)));
        if let Some(old) = old {
            wanted.remove(old);
            wanted.insert(new);
        }
        wanted
    }

    fn live_ids(&self) -> Config {
        self.live.keys().copied().collect()
    }

    fn pace(&self) -> Pace {
        Pace(self.candidate.as_ref().map_or(Duration::ZERO, |candidate| candidate.lease))
    }

    fn lease_micros(&self) -> u64 {
        micros(self.pace().0)
    }
}
