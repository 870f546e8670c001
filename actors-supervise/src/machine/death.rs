//! A child is dead: by itself, because it was told to, or with its node.

use actors_core::{ExitReason, SystemId, host::Time, supervision::Failure};

use super::{ChildKey, Command, Effect, Keys, Machine, State, Told};
use crate::{
    AutoShutdown, Escalation, RestartPolicy, Strategy,
    policy::{Verdict, verdict},
};

impl Machine {
    pub(super) fn exited(
        &mut self,
        key: ChildKey,
        incarnation: u32,
        reason: ExitReason,
        now: Time,
    ) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        match &mut entry.state {
            State::Running { .. } if entry.incarnation == incarnation => {
                self.died(key, reason, now);
            }
            // Of several the last: those before are of starts that have failed.
            State::Starting { early, .. }
                if incarnation > early.as_ref().map_or(entry.incarnation, |(life, _)| *life) =>
            {
                *early = Some((incarnation, reason));
            }
            _ => {}
        }
    }

    /// The running incarnation has ended.
    pub(super) fn died(&mut self, key: ChildKey, reason: ExitReason, now: Time) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        let incarnation = entry.incarnation;
        if let State::Running { since } = entry.state
            && now.since(since) >= entry.rules.backoff.stable_after()
        {
            entry.streak = 0;
        }
        let verdict = verdict(entry.rules.restart, entry.rules.kind, &reason);
        let of_template = entry.rules.of_template;
        let told = self.is_heard.then(|| reason.clone());
        entry.failure = Some(Failure { reason, incarnation });
        if let Some(reason) = told {
            self.tell(|| Told::ChildExited { key, incarnation, reason });
        }
        let asked = self.is_down(key);
        if asked || self.ending || self.is_about_to_stop(key) {
            self.stopped(key, now);
            return;
        }
        match verdict {
            Verdict::Restart => self.failed(key, now),
            Verdict::Keep => self.ended(key, of_template, now),
            Verdict::Remove => self.ended(key, true, now),
        }
    }

    /// Records that it does not run. True if it was asked to stop.
    pub(super) fn is_down(&mut self, key: ChildKey) -> bool {
        self.alive.remove(key);
        let Some(entry) = self.children.get_mut(&key) else { return false };
        entry.state = State::Down;
        let stop = entry.stop.take();
        if let Some(Some(timer)) = stop {
            self.timers.remove(&timer);
        }
        stop.is_some()
    }

    /// It waits for its turn in a round that stops its children.
    pub(super) fn is_about_to_stop(&self, key: ChildKey) -> bool {
        let round = self.children.get(&key).and_then(|entry| entry.round);
        round.and_then(|id| self.rounds.get(&id)).is_some_and(|round| round.is_stopping())
    }

    /// A child that was to stop is dead: whoever waits for that goes on.
    pub(super) fn stopped(&mut self, key: ChildKey, now: Time) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        let temporary = entry.rules.restart == RestartPolicy::Temporary;
        if let Some(command) = entry.command.take() {
            if temporary || command == Command::Remove {
                self.remove(key);
            }
            self.effects.push_back(Effect::Stopped(key));
        } else if let Some(id) = entry.round {
            if temporary {
                self.leave(key);
                self.remove(key);
            }
            self.out_of_the_way(key, id, now);
        }
        if self.ending {
            self.stop_next();
        }
    }

    /// It has ended by itself and is not restarted.
    fn ended(&mut self, key: ChildKey, remove: bool, now: Time) {
        let round = self.leave(key);
        let significant = self.children.get(&key).is_some_and(|entry| entry.rules.significant);
        let escalates = significant && self.ends_with_significant();
        if escalates {
            let reason = self.last_reason(key);
            self.tell(|| Told::Escalated {
                why: Escalation::SignificantEnded,
                key: Some(key),
                reason,
            });
        }
        if remove {
            self.remove(key);
        }
        if escalates {
            self.effects.push_back(Effect::Exit(ExitReason::Shutdown));
            self.end();
        } else if let Some(id) = round {
            self.advance(id, now);
        }
    }

    /// How its last incarnation ended.
    fn last_reason(&self, key: ChildKey) -> ExitReason {
        let failure = self.children.get(&key).and_then(|entry| entry.failure.as_ref());
        failure.map_or(ExitReason::Normal, |failure| failure.reason.clone())
    }

    fn ends_with_significant(&self) -> bool {
        let left = || {
            self.children.values().any(|e| e.rules.significant && (e.is_up() || e.round.is_some()))
        };
        match self.auto_shutdown {
            AutoShutdown::Never => false,
            AutoShutdown::AnySignificant => true,
            AutoShutdown::AllSignificant => !left(),
        }
    }

    /// It has failed by itself: one count, and a round for those that its failure takes along.
    fn failed(&mut self, key: ChildKey, now: Time) {
        let Some(entry) = self.children.get_mut(&key) else { return };
        entry.streak += 1;
        if !self.restarts.record(now) {
            let reason = self.last_reason(key);
            self.exceeded(Some(key), reason);
            return;
        }
        let left = match self.strategy {
            Strategy::OneForOne => self.leave(key),
            Strategy::OneForAll | Strategy::RestForOne => None,
        };
        self.restart(self.taken_along(&[key]), &[key], now);
        if let Some(id) = left {
            self.advance(id, now);
        }
    }

    fn taken_along(&self, failed: &[ChildKey]) -> Keys {
        match (self.strategy, failed.iter().min()) {
            (Strategy::OneForAll, _) => self.keys().collect(),
            (Strategy::RestForOne, Some(&first)) => {
                self.children.range(first..).map(|(&key, _)| key).collect()
            }
            _ => failed.iter().copied().collect(),
        }
    }

    /// All children on a node are dead, in one event.
    pub(super) fn host_failed(&mut self, host: SystemId, node: String, now: Time) {
        let mut victims = Vec::new();
        for (&key, entry) in &mut self.children {
            if entry.host == Some(host) {
                entry.host = None;
                if entry.is_up() || entry.round.is_some() {
                    victims.push(key);
                }
            }
        }
        if victims.is_empty() {
            return;
        }
        self.tell(|| Told::HostFailed { node: node.clone(), children: victims.clone() });
        let reason = ExitReason::NodeFailure { node: node.into() };
        let mut failed = Vec::new();
        let mut left = Vec::new();
        for &key in &victims {
            let round = self.children.get(&key).and_then(|entry| entry.round);
            if self.lost(key, &reason, now) {
                failed.push(key);
            } else {
                left.extend(round);
            }
        }
        if self.ending {
            self.stop_next();
            return;
        }
        if let Some(limit) = &mut self.node_failures
            && !limit.record(now)
        {
            self.exceeded(None, reason);
            return;
        }
        if !failed.is_empty() {
            self.restart(self.taken_along(&failed), &[], now);
        }
        // Only now: before, they might have started one that is lost too.
        for id in left {
            self.advance(id, now);
        }
    }

    /// One child is gone with its node. True if it is to be started anew.
    fn lost(&mut self, key: ChildKey, reason: &ExitReason, now: Time) -> bool {
        let Some(entry) = self.children.get_mut(&key) else { return false };
        let incarnation = entry.incarnation;
        let ran = matches!(entry.state, State::Running { .. });
        entry.failure = Some(Failure { reason: reason.clone(), incarnation });
        if ran {
            self.tell(|| Told::ChildExited { key, incarnation, reason: reason.clone() });
        }
        self.is_down(key);
        let Some(entry) = self.children.get_mut(&key) else { return false };
        if entry.command.is_some() {
            self.stopped(key, now);
            return false;
        }
        if self.ending {
            return false;
        }
        if entry.rules.restart == RestartPolicy::Temporary {
            self.leave(key);
            self.remove(key);
            return false;
        }
        true
    }

    pub(super) fn exceeded(&mut self, key: Option<ChildKey>, reason: ExitReason) {
        self.tell(|| Told::LimitExceeded { key, reason: reason.clone() });
        self.tell(|| Told::Escalated { why: Escalation::LimitExceeded, key, reason });
        self.effects.push_back(Effect::Exit(ExitReason::Shutdown));
        self.end();
    }
}

impl super::Entry {
    pub(super) const fn is_up(&self) -> bool {
        !matches!(self.state, State::Down)
    }
}
