//! Which decisions the machine has come to, by name, counted in tests only: from the input and the state
//! before it, and the state after it.

use std::{cell::RefCell, collections::BTreeMap};

use actors_core::{ExitReason, StartError, host::Time};

use super::{ChildKey, Command, Input, Machine, State, Wake};
use crate::{
    AutoShutdown, ChildKind, RestartPolicy, RoundKind, Shutdown, Strategy,
    policy::{Verdict, verdict},
};

thread_local! {
    static REACHED: RefCell<BTreeMap<String, u64>> = RefCell::default();
}

/// What this thread has counted since it was last asked.
pub(crate) fn take() -> BTreeMap<String, u64> {
    REACHED.take()
}

fn count(case: impl Into<String>) {
    REACHED.with_borrow_mut(|reached| *reached.entry(case.into()).or_default() += 1);
}

/// What an input meets.
pub(super) struct Seen {
    met: Met,
    was_ending: bool,
    counted: usize,
    rounds: usize,
}

enum Met {
    /// Decided already.
    Case(String),
    /// A failure that the limit counts.
    Failure(String),
    /// The end of a significant child.
    Significant(String),
    NodeFailure,
    Nothing,
}

impl Seen {
    pub(super) fn before(machine: &Machine, input: &Input, now: Time) -> Self {
        Self {
            met: machine.meets(input),
            was_ending: machine.ending,
            counted: machine.restarts.count(now),
            rounds: machine.rounds.len(),
        }
    }

    pub(super) fn after(self, machine: &Machine, now: Time) {
        let gave_up = machine.ending && !self.was_ending;
        let strategy = machine.strategy;
        match self.met {
            Met::Nothing => {}
            Met::Case(case) => count(case),
            Met::Failure(case) => {
                let allowed = machine.restarts.limit().max_restarts as usize;
                assert_eq!(
                    gave_up,
                    self.counted >= allowed,
                    "{case}: {} of {allowed}",
                    self.counted
                );
                if gave_up {
                    count("over the limit: the supervisor gives up");
                } else {
                    assert_eq!(machine.restarts.count(now), self.counted + 1, "{case}: one count");
                    if strategy != Strategy::OneForOne && self.rounds > 0 {
                        count(format!("a failure during a round: widened, {}", strategy.as_str()));
                    }
                }
                count(case);
            }
            Met::Significant(case) => {
                let auto = match machine.auto_shutdown {
                    AutoShutdown::AnySignificant => "any",
                    _ => "all",
                };
                let then = if gave_up { "ends the supervisor" } else { "others are left" };
                count(format!("a significant child ends, {auto}: {then}"));
                count(case);
            }
            Met::NodeFailure if gave_up => count("node failure: one too many"),
            Met::NodeFailure => count(format!("node failure: {}", strategy.as_str())),
        }
    }
}

impl Machine {
    fn meets(&self, input: &Input) -> Met {
        let case = |case: &str| Met::Case(case.to_owned());
        match input {
            Input::Exited { key, incarnation, reason } => {
                let Some(entry) = self.children.get(key) else {
                    return case("stale exit: of a child that is gone");
                };
                match entry.state {
                    State::Running { .. } if entry.incarnation == *incarnation => {
                        self.meets_death(*key, reason)
                    }
                    State::Starting { .. } if *incarnation > entry.incarnation => {
                        case("an exit before the answer of its start")
                    }
                    _ => case("stale exit: of a life that was replaced"),
                }
            }
            Input::Started { key, token, result, .. } => {
                let state = self.children.get(key).map(|entry| &entry.state);
                let Some(State::Starting { token: asked, early, .. }) = state else {
                    return case("stale answer of a start");
                };
                match (result, early) {
                    _ if asked != token => case("stale answer of a start"),
                    (Ok(life), Some((exited, reason))) if life == exited => {
                        self.meets_death(*key, reason)
                    }
                    (Ok(_), _) => case("started"),
                    (Err(error), _) => self.meets_failed_start(*key, error),
                }
            }
            Input::HostFailed { host, .. } => {
                let mut there = self.children.values().filter(|entry| {
                    entry.host == Some(*host) && (entry.is_up() || entry.round.is_some())
                });
                if there.next().is_some() {
                    Met::NodeFailure
                } else {
                    case("node failure: nobody there")
                }
            }
            Input::Timer { token } => match self.timers.get(token) {
                Some(Wake::Kill(key)) if self.is_alive(*key) => case("not stopped in time: killed"),
                Some(Wake::Round(_)) => case("a round has waited for its backoff"),
                _ => Met::Nothing,
            },
            Input::Stop { key, remove } => {
                let round = self.children.get(key).and_then(|entry| entry.round);
                match (round, remove) {
                    (Some(_), _) => case("told to stop by hand: out of its round"),
                    (None, true) => case("told to stop by hand: to be removed"),
                    (None, false) => case("told to stop by hand: to be kept"),
                }
            }
            Input::Boot => case("the static children are started"),
            Input::Add(_) => case("a child is added"),
            Input::Restart(_) => case("restarted by hand"),
            Input::Release(_) => case("let go"),
            Input::ShutDown => case("shut down"),
            Input::Prepared { .. } | Input::Planned { .. } => Met::Nothing,
        }
    }

    fn meets_death(&self, key: ChildKey, reason: &ExitReason) -> Met {
        let entry = &self.children[&key];
        let rules = entry.rules;
        if entry.stop.is_some() {
            let how = match rules.shutdown {
                Shutdown::BrutalKill => "brutal kill",
                Shutdown::Timeout(_) => "within a time",
                Shutdown::Infinity => "however long",
            };
            let what = match (entry.command, rules.restart) {
                (Some(Command::Keep), _) => "by hand, kept",
                (Some(Command::Remove), _) => "by hand, removed",
                _ if self.ending => "with the supervisor",
                (None, RestartPolicy::Temporary) => "with its group, removed",
                (None, _) => "with its group",
            };
            count(format!("stopped: {how}"));
            return Met::Case(format!("stopped: {what}"));
        }
        if self.ending {
            return Met::Case("died while the supervisor ended".into());
        }
        if self.is_about_to_stop(key) {
            return Met::Case("died before its turn to stop".into());
        }
        let then = verdict(rules.restart, rules.kind, reason);
        let what = match (then, rules.of_template) {
            (Verdict::Restart, _) => "restarted",
            (Verdict::Keep, false) => "kept",
            (Verdict::Keep, true) => "kept no longer than a template's child",
            (Verdict::Remove, _) => "removed",
        };
        let kind = if rules.kind == ChildKind::Task { " task" } else { "" };
        let case = format!("{:?}{kind}, {}: {what}", rules.restart, name(reason));
        match then {
            Verdict::Restart => Met::Failure(case),
            _ if rules.significant => Met::Significant(case),
            _ => Met::Case(case),
        }
    }

    fn meets_failed_start(&self, key: ChildKey, error: &StartError) -> Met {
        let case = |case: &str| Met::Case(case.to_owned());
        let entry = &self.children[&key];
        if entry.stop.is_some() || self.ending || self.is_about_to_stop(key) {
            return case("a failed start of one that was to stop");
        }
        if *error == StartError::Ignore {
            let removed = entry.dynamic || entry.rules.restart == RestartPolicy::Temporary;
            return case(if removed { "ignored start: removed" } else { "ignored start: kept" });
        }
        let Some(round) = entry.round.and_then(|id| self.rounds.get(&id)) else {
            return Met::Nothing;
        };
        match (round.kind(), error) {
            (RoundKind::Initial, _) => case("a failed first start: the supervisor ends"),
            (RoundKind::Added, _) if entry.incarnation == 0 => {
                case("a failed start of an added child: removed")
            }
            (RoundKind::Added, _) => case("a failed restart by hand: kept"),
            (RoundKind::Restart, StartError::NoConnection { .. }) => {
                case("an unreachable node: tried again, not counted")
            }
            (RoundKind::Restart, _) => {
                Met::Failure(format!("a failed start: tried again, {}", self.strategy.as_str()))
            }
        }
    }
}

/// The kind of a reason.
fn name(reason: &ExitReason) -> &'static str {
    match reason {
        ExitReason::Normal => "normal",
        ExitReason::Shutdown => "shutdown",
        ExitReason::ShutdownWith(_) => "shutdown with a word",
        ExitReason::Error(_) => "error",
        ExitReason::Panic { .. } => "panic",
        ExitReason::Killed => "killed",
        ExitReason::TimedOut => "timed out",
        ExitReason::NodeFailure { .. } => "node failure",
        _ => "another reason",
    }
}
