//! One round: stop, wait, be admitted, prepare, plan, start.

use std::time::Duration;

use actors_core::{ExitReason, StartError, SystemId, host::Time, supervision::Failure};

use super::{ChildKey, Effect, Keys, Machine, State, Token, Told, Wake};
use crate::{Backoff, Escalation, Plan, RestartPolicy, RoundKind, Strategy, backoff::UNREACHABLE};

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct RoundId(u64);

/// Children that start together.
pub(super) struct Round {
    kind: RoundKind,
    members: Keys,
    /// Those that the phase is not yet done with.
    left: Keys,
    phase: Phase,
    /// Whose failure it answers.
    causes: Keys,
    failed: Option<(Option<ChildKey>, StartError)>,
    /// Tries in a row that found a node unreachable.
    unreachable: u32,
    plan: Option<Plan>,
    /// It is one of those that are admitted at a time.
    admitted: bool,
    began: Time,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Phase {
    Stopping,
    Waiting(Token),
    /// As many as may be are under way.
    Queued,
    Preparing,
    Planning(Token),
    Starting,
}

impl Round {
    fn new(kind: RoundKind, now: Time) -> Self {
        Self {
            kind,
            members: Keys::None,
            left: Keys::None,
            phase: Phase::Stopping,
            causes: Keys::None,
            failed: None,
            unreachable: 0,
            plan: None,
            admitted: false,
            began: now,
        }
    }

    #[cfg(test)]
    pub(super) const fn kind(&self) -> RoundKind {
        self.kind
    }

    /// A member that dies now was told to, or was about to be.
    pub(super) fn is_stopping(&self) -> bool {
        self.phase == Phase::Stopping
    }

    pub(super) fn is_starting(&self) -> bool {
        self.phase == Phase::Starting
    }
}

impl Machine {
    pub(super) fn boot(&mut self, now: Time) {
        let all = self.keys().collect();
        self.open(Round::new(RoundKind::Initial, now), all, now);
    }

    pub(super) fn start_by_hand(&mut self, key: ChildKey, now: Time) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        entry.awaited = true;
        entry.streak = 0;
        self.open(Round::new(RoundKind::Added, now), Keys::One(key), now);
    }

    /// Restarts `set` for the failure of `causes`, together with what is being restarted already.
    pub(super) fn restart(&mut self, mut set: Keys, causes: &[ChildKey], now: Time) {
        let mut round = Round::new(RoundKind::Restart, now);
        round.causes.extend(causes.iter().copied());
        set.retain(|key| self.children.get(&key).is_some_and(|entry| entry.command.is_none()));
        let touched: Vec<RoundId> = match self.strategy {
            Strategy::OneForOne => {
                set.iter().filter_map(|key| self.children.get(&key)?.round).collect()
            }
            Strategy::OneForAll | Strategy::RestForOne => self.rounds.keys().copied().collect(),
        };
        for id in touched {
            let Some(old) = self.close(id) else { continue };
            if old.kind == RoundKind::Initial {
                round.kind = RoundKind::Initial;
            }
            let stopping = old.is_stopping();
            round.began = round.began.min(old.began);
            round.causes.extend(old.causes.iter());
            for key in old.members.iter() {
                let Some(entry) = self.children.get_mut(&key) else { continue };
                entry.round = None;
                // Those that it has started already run on, unless they are in the set.
                if stopping || !matches!(entry.state, State::Running { .. }) {
                    set.insert(key);
                }
            }
        }
        self.open(round, set, now);
    }

    fn open(&mut self, mut round: Round, members: Keys, now: Time) {
        let id = RoundId(self.fresh());
        for key in members.iter() {
            if let Some(entry) = self.children.get_mut(&key) {
                entry.round = Some(id);
            }
        }
        round.members = members;
        self.rounds.insert(id, Box::new(round));
        self.again(id, now);
    }

    /// The round is over.
    fn close(&mut self, id: RoundId) -> Option<Box<Round>> {
        self.give_place_back(id);
        self.rounds.remove(&id)
    }

    fn give_place_back(&mut self, id: RoundId) {
        let round = self.rounds.get_mut(&id);
        if round.is_some_and(|round| std::mem::take(&mut round.admitted)) {
            self.admission.leave();
        }
    }

    /// The round begins, or begins anew.
    fn again(&mut self, id: RoundId, now: Time) {
        self.give_place_back(id);
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.phase = Phase::Stopping;
        round.plan = None;
        round.failed = None;
        let busy = |key: &ChildKey| {
            self.children.get(key).is_some_and(|entry| !matches!(entry.state, State::Down))
        };
        round.left = round.members.iter().filter(busy).collect();
        if self.is_heard {
            let (kind, children) = (round.kind, round.members.iter().collect());
            self.tell(|| Told::RoundStarted { kind, children });
        }
        self.advance(id, now);
    }

    /// Goes on as far as it can without an answer from outside.
    pub(super) fn advance(&mut self, id: RoundId, now: Time) {
        while self.step(id, now) {}
    }

    fn step(&mut self, id: RoundId, now: Time) -> bool {
        let Some(round) = self.rounds.get(&id) else { return false };
        match round.phase {
            Phase::Waiting(_) | Phase::Queued | Phase::Planning(_) if round.members.is_empty() => {
                self.finish(id, now)
            }
            Phase::Waiting(_) | Phase::Queued | Phase::Planning(_) => false,
            Phase::Stopping => match round.left.last() {
                Some(last) => {
                    if self.is_alive(last) {
                        self.ask_to_stop(last);
                    }
                    false
                }
                None => self.delay(id),
            },
            Phase::Preparing if !round.left.is_empty() => false,
            Phase::Preparing => self.prepared_all(id, now),
            Phase::Starting => match round.left.first() {
                Some(first) => self.start(id, first, now),
                None => self.finish(id, now),
            },
        }
    }

    fn delay(&mut self, id: RoundId) -> bool {
        let (delay, spread) = self.backoff(id);
        if delay.is_zero() {
            return self.enter(id);
        }
        self.wait(id, delay, spread);
        false
    }

    /// How long it waits, and how much longer by chance.
    fn backoff(&self, id: RoundId) -> (Duration, Duration) {
        let Some(round) = self.rounds.get(&id) else { return Default::default() };
        if round.unreachable > 0 {
            return wait(&UNREACHABLE, round.unreachable);
        }
        let causes = round.causes.iter().filter_map(|key| self.children.get(&key));
        causes.map(|e| wait(&e.rules.backoff, e.streak)).max().unwrap_or_default()
    }

    fn wait(&mut self, id: RoundId, delay: Duration, spread: Duration) {
        let token = self.set_timer(Wake::Round(id), delay, spread);
        if let Some(round) = self.rounds.get_mut(&id) {
            round.phase = Phase::Waiting(token);
        }
    }

    pub(super) fn waited(&mut self, id: RoundId, token: Token, now: Time) {
        let Some(round) = self.rounds.get(&id) else { return };
        if round.phase != Phase::Waiting(token) {
            return;
        }
        let goes_on = if round.admitted { self.prepare(id) } else { self.enter(id) };
        if goes_on {
            self.advance(id, now);
        }
    }

    /// Prepares its children, if not too many rounds do that now. Only restarts wait for others.
    fn enter(&mut self, id: RoundId) -> bool {
        let Some(round) = self.rounds.get_mut(&id) else { return false };
        if round.kind == RoundKind::Restart {
            round.admitted = self.admission.enter();
            if !round.admitted {
                round.phase = Phase::Queued;
                self.admission.wait(id);
                return false;
            }
        }
        self.prepare(id)
    }

    /// There is a place for it. False if it needs none any more.
    pub(super) fn begin_late(&mut self, id: RoundId) -> bool {
        let (_, spread) = self.backoff(id);
        let Some(round) = self.rounds.get_mut(&id) else { return false };
        if round.phase != Phase::Queued {
            return false;
        }
        round.admitted = true;
        if spread.is_zero() {
            self.prepare(id);
        } else {
            self.wait(id, Duration::ZERO, spread);
        }
        true
    }

    fn prepare(&mut self, id: RoundId) -> bool {
        let Some(round) = self.rounds.get_mut(&id) else { return false };
        round.phase = Phase::Preparing;
        round.left.clone_from(&round.members);
        let members = round.members.clone();
        for key in members.iter() {
            let token = self.token();
            if let Some(entry) = self.children.get_mut(&key) {
                entry.state = State::Preparing(token);
                self.effects.push_back(Effect::Prepare { key, token });
            }
        }
        true
    }

    pub(super) fn prepared(
        &mut self,
        key: ChildKey,
        token: Token,
        result: Result<(), StartError>,
        host: Option<SystemId>,
        now: Time,
    ) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        if !matches!(entry.state, State::Preparing(asked) if asked == token) {
            return;
        }
        entry.state = State::Down;
        entry.host = host;
        if entry.command.is_some() {
            self.stopped(key, now);
            return;
        }
        let Some(id) = entry.round else { return };
        let temporary = entry.rules.restart == RestartPolicy::Temporary;
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.left.remove(key);
        let stopped = round.phase == Phase::Stopping;
        if let (false, Err(error)) = (stopped, result) {
            round.failed.get_or_insert((Some(key), error));
        }
        if stopped && temporary {
            self.leave(key);
            self.remove(key);
        }
        self.advance(id, now);
    }

    fn prepared_all(&mut self, id: RoundId, now: Time) -> bool {
        let Some(round) = self.rounds.get_mut(&id) else { return false };
        if let Some((key, error)) = round.failed.take() {
            self.round_failed(id, key, error, now);
            return false;
        }
        if !self.planned || round.members.is_empty() {
            self.start_all(id, None);
            return true;
        }
        let token = self.token();
        let Some(round) = self.rounds.get_mut(&id) else { return false };
        round.phase = Phase::Planning(token);
        let (kind, members) = (round.kind, round.members.iter());
        let failure = |key| self.children.get(&key).and_then(|entry| entry.failure.clone());
        let members = members.map(|key| (key, failure(key))).collect();
        self.effects.push_back(Effect::Plan { token, kind, members });
        false
    }

    pub(super) fn on_planned(&mut self, token: Token, result: Result<Plan, StartError>, now: Time) {
        let mut rounds = self.rounds.iter();
        let planning = rounds.find(|(_, round)| round.phase == Phase::Planning(token));
        let Some((&id, _)) = planning else { return };
        match result {
            Ok(plan) => {
                self.start_all(id, Some(plan));
                self.advance(id, now);
            }
            Err(error) => self.round_failed(id, None, error, now),
        }
    }

    /// So many restarts are under way.
    #[cfg(test)]
    pub(super) fn count_under_way(&self) -> usize {
        for round in self.rounds.values() {
            let begun =
                matches!(round.phase, Phase::Preparing | Phase::Planning(_) | Phase::Starting);
            assert!(round.admitted || !begun || round.kind != RoundKind::Restart, "it has a place");
        }
        self.rounds.values().filter(|round| round.admitted).count()
    }

    fn start_all(&mut self, id: RoundId, plan: Option<Plan>) {
        if let Some(round) = self.rounds.get_mut(&id) {
            round.phase = Phase::Starting;
            round.left.clone_from(&round.members);
            round.plan = plan;
        }
    }

    fn start(&mut self, id: RoundId, key: ChildKey, now: Time) -> bool {
        let token = self.token();
        let plan = self.rounds.get(&id).and_then(|round| round.plan.clone());
        let Some(entry) = self.children.get_mut(&key) else { return false };
        if !matches!(entry.state, State::Down) {
            return false;
        }
        entry.state = State::Starting { token, since: now, early: None };
        entry.attempt += 1;
        let (attempt, failure) = (entry.attempt, entry.failure.clone());
        self.alive.insert(key);
        self.effects.push_back(Effect::Start { key, token, attempt, failure, plan });
        false
    }

    pub(super) fn started(
        &mut self,
        key: ChildKey,
        token: Token,
        result: Result<u32, StartError>,
        host: Option<SystemId>,
        now: Time,
    ) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        let State::Starting { token: asked, since, early } = &mut entry.state else { return };
        if *asked != token {
            return;
        }
        let (took, early) = (now.since(*since), early.take());
        entry.host = host;
        match result {
            Ok(incarnation) => {
                entry.state = State::Running { since: now };
                entry.incarnation = incarnation;
                entry.attempt = 0;
                let settled = entry.stop.is_none() && std::mem::take(&mut entry.awaited);
                let round = entry.round;
                self.tell(|| Told::ChildStarted { key, incarnation, took });
                if settled {
                    self.effects.push_back(Effect::Settled(key, Ok(())));
                }
                match early {
                    Some((life, reason)) if life == incarnation => self.died(key, reason, now),
                    _ => self.runs(key, round, now),
                }
            }
            Err(StartError::Ignore) => self.ignored(key, now),
            Err(error) => self.not_started(key, error, now),
        }
    }

    /// There is nothing to run: the round goes on without it.
    fn ignored(&mut self, key: ChildKey, now: Time) {
        self.tell(|| Told::ChildIgnored { key });
        let asked = self.is_down(key);
        if asked || self.ending || self.is_about_to_stop(key) {
            self.stopped(key, now);
            return;
        }
        let round = self.leave(key);
        let Some(entry) = self.children.get_mut(&key) else { return };
        (entry.attempt, entry.streak) = (0, 0);
        let removed = entry.dynamic || entry.rules.restart == RestartPolicy::Temporary;
        if std::mem::take(&mut entry.awaited) {
            self.effects.push_back(Effect::Settled(key, Err(StartError::Ignore)));
        }
        if removed {
            self.remove(key);
        }
        if let Some(id) = round {
            self.advance(id, now);
        }
    }

    fn runs(&mut self, key: ChildKey, round: Option<RoundId>, now: Time) {
        let Some(id) = round else { return };
        let Some(round) = self.rounds.get_mut(&id) else { return };
        if round.is_starting() {
            round.left.remove(key);
            self.advance(id, now);
        }
    }

    fn not_started(&mut self, key: ChildKey, error: StartError, now: Time) {
        self.tell(|| Told::StartFailed { key: Some(key), error: error.clone() });
        let asked = self.is_down(key);
        if asked || self.ending || self.is_about_to_stop(key) {
            self.stopped(key, now);
            return;
        }
        let Some(entry) = self.children.get_mut(&key) else { return };
        let reason = cause(&error);
        let incarnation = entry.incarnation;
        entry.failure.get_or_insert(Failure { reason, incarnation });
        if let Some(id) = entry.round {
            self.round_failed(id, Some(key), error, now);
        }
    }

    fn round_failed(&mut self, id: RoundId, key: Option<ChildKey>, error: StartError, now: Time) {
        if key.is_none() && self.rounds.contains_key(&id) {
            self.tell(|| Told::StartFailed { key, error: error.clone() });
        }
        let Some(round) = self.rounds.get_mut(&id) else { return };
        match round.kind {
            RoundKind::Initial => {
                let reason = cause(&error);
                self.tell(|| Told::Escalated { why: Escalation::StartFailed, key, reason });
                self.effects.push_back(Effect::Booted(Err((key, error))));
                self.end();
                return;
            }
            RoundKind::Added => {
                let members = std::mem::take(&mut round.members);
                self.rounds.remove(&id);
                for key in members.iter() {
                    self.give_up(key, error.clone());
                }
                return;
            }
            RoundKind::Restart => {}
        }
        if matches!(error, StartError::NoConnection { .. }) {
            round.unreachable += 1;
        } else {
            round.unreachable = 0;
            round.causes.extend(key);
            if let Some(entry) = key.and_then(|key| self.children.get_mut(&key)) {
                entry.streak += 1;
            }
            if !self.restarts.record(now) {
                self.exceeded(key, cause(&error));
                return;
            }
        }
        if self.strategy != Strategy::OneForAll {
            self.let_go_of_running(id);
        }
        self.again(id, now);
    }

    /// A child that was added is not kept when its start fails; one restarted by hand is.
    fn give_up(&mut self, key: ChildKey, error: StartError) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        entry.round = None;
        entry.awaited = false;
        entry.attempt = 0;
        let never_ran = entry.incarnation == 0;
        self.effects.push_back(Effect::Settled(key, Err(error)));
        if never_ran {
            self.remove(key);
        }
    }

    fn let_go_of_running(&mut self, id: RoundId) {
        let Some(round) = self.rounds.get_mut(&id) else { return };
        round.members.retain(|key| {
            let Some(entry) = self.children.get_mut(&key) else { return false };
            let runs = matches!(entry.state, State::Running { .. });
            if runs {
                entry.round = None;
            }
            !runs
        });
    }

    /// The child is no longer a member of its round, whose other members go on.
    pub(super) fn leave(&mut self, key: ChildKey) -> Option<RoundId> {
        let id = self.children.get_mut(&key)?.round.take()?;
        let round = self.rounds.get_mut(&id)?;
        round.members.remove(key);
        round.left.remove(key);
        Some(id)
    }

    /// A member that was to stop is dead.
    pub(super) fn out_of_the_way(&mut self, key: ChildKey, id: RoundId, now: Time) {
        if let Some(round) = self.rounds.get_mut(&id) {
            round.left.remove(key);
        }
        self.advance(id, now);
    }

    fn finish(&mut self, id: RoundId, now: Time) -> bool {
        let Some(round) = self.close(id) else { return false };
        for key in round.members.iter() {
            if let Some(entry) = self.children.get_mut(&key) {
                entry.round = None;
            }
        }
        match round.kind {
            RoundKind::Initial => self.effects.push_back(Effect::Booted(Ok(()))),
            RoundKind::Restart if !round.members.is_empty() => {
                let told = || Told::Restarted {
                    children: round.members.iter().collect(),
                    took: now.since(round.began),
                };
                self.tell(told);
            }
            RoundKind::Restart | RoundKind::Added => {}
        }
        false
    }
}

fn wait(backoff: &Backoff, failures: u32) -> (Duration, Duration) {
    let delay = backoff.delay(failures);
    (delay, backoff.spread(delay))
}

/// The end that a failed start amounts to.
pub(crate) fn cause(error: &StartError) -> ExitReason {
    match error {
        StartError::Exited(reason) => reason.clone(),
        other => ExitReason::Error(other.to_string().into()),
    }
}
