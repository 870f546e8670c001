//! All decisions of a supervisor: events and the time in, effects out. No actor, no clock, no I/O.
//!
//! Children that start together are a [`Round`](round::Round): its children are stopped, last first,
//! each death awaited; then all are prepared; then planned; then started one after the other. What
//! fails meanwhile widens the round or repeats it.

mod admission;
mod command;
mod death;
mod declare;
mod ending;
mod keys;
mod round;
#[cfg(test)]
pub(crate) mod tally;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    time::Duration,
};

use actors_core::{ExitReason, StartError, SystemId, host::Time, supervision::Failure};

pub(crate) use self::round::cause;
use self::{
    admission::Admission,
    keys::Keys,
    round::{Round, RoundId},
};
use crate::{
    AutoShutdown, Escalation, Limit, Plan, RoundKind, Strategy, builder::Settings,
    limit::Intensity, spec::Rules,
};

/// A child within its supervisor. The order of keys is the order of start: first those that were
/// declared, then those that were added.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct ChildKey(pub(crate) u64);

/// Matches an answer to what asked for it; anything older is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Token(pub(crate) u64);

/// What has happened, or is asked for.
#[derive(Debug)]
pub(crate) enum Input {
    Exited {
        key: ChildKey,
        incarnation: u32,
        reason: ExitReason,
    },
    HostFailed {
        host: SystemId,
        node: String,
    },
    Prepared {
        key: ChildKey,
        token: Token,
        result: Result<(), StartError>,
        host: Option<SystemId>,
    },
    Planned {
        token: Token,
        result: Result<Plan, StartError>,
    },
    Started {
        key: ChildKey,
        token: Token,
        result: Result<u32, StartError>,
        host: Option<SystemId>,
    },
    Timer {
        token: Token,
    },
    /// Start all children for the first time.
    Boot,
    /// Start this child, just inserted.
    Add(ChildKey),
    /// Start this one, which is [`Status::Stopped`].
    Restart(ChildKey),
    Stop {
        key: ChildKey,
        remove: bool,
    },
    /// Forget this one, which is [`Status::Running`] and goes its own way.
    Release(ChildKey),
    ShutDown,
}

/// What is to be done, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    Prepare {
        key: ChildKey,
        token: Token,
    },
    Plan {
        token: Token,
        kind: RoundKind,
        members: Vec<(ChildKey, Option<Failure>)>,
    },
    Start {
        key: ChildKey,
        token: Token,
        attempt: u32,
        failure: Option<Failure>,
        plan: Option<Plan>,
    },
    Stop(ChildKey),
    Kill(ChildKey),
    /// Never started again: retire it and forget it.
    Remove(ChildKey),
    /// After `after` and up to `spread` more.
    Timer {
        token: Token,
        after: Duration,
        spread: Duration,
    },
    /// The start of a child that was added or restarted by hand is decided.
    Settled(ChildKey, Result<(), StartError>),
    /// The child that was to stop does not run.
    Stopped(ChildKey),
    /// The first start is decided.
    Booted(Result<(), (Option<ChildKey>, StartError)>),
    Tell(Told),
    /// Children are being stopped; the supervisor is to end for this reason.
    Exit(ExitReason),
}

/// An [`Event`](crate::Event) by keys.
#[derive(Clone, Debug)]
pub(crate) enum Told {
    RoundStarted { kind: RoundKind, children: Vec<ChildKey> },
    ChildStarted { key: ChildKey, incarnation: u32, took: Duration },
    ChildExited { key: ChildKey, incarnation: u32, reason: ExitReason },
    StartFailed { key: Option<ChildKey>, error: StartError },
    ChildIgnored { key: ChildKey },
    Restarted { children: Vec<ChildKey>, took: Duration },
    HostFailed { node: String, children: Vec<ChildKey> },
    LimitExceeded { key: Option<ChildKey>, reason: ExitReason },
    Escalated { why: Escalation, key: Option<ChildKey>, reason: ExitReason },
    ShutDown,
}

/// What a child does now.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Status {
    Running,
    /// In a round, or waiting for its first start.
    Restarting,
    /// Asked to stop, not yet dead.
    Stopping,
    Stopped,
}

pub(crate) struct Machine {
    strategy: Strategy,
    auto_shutdown: AutoShutdown,
    restarts: Intensity,
    node_failures: Option<Intensity>,
    planned: bool,
    children: BTreeMap<ChildKey, Entry>,
    /// Those that are starting or running.
    alive: Keys,
    rounds: BTreeMap<RoundId, Box<Round>>,
    admission: Admission,
    timers: HashMap<Token, Wake>,
    next: u64,
    next_static: u64,
    ending: bool,
    over: bool,
    /// Somebody wants to be told.
    is_heard: bool,
    effects: VecDeque<Effect>,
}

struct Entry {
    rules: Rules,
    dynamic: bool,
    state: State,
    round: Option<RoundId>,
    host: Option<SystemId>,
    /// Set once it was asked to stop, with the timer of its kill.
    stop: Option<Option<Token>>,
    /// It was told to stop by hand.
    command: Option<Command>,
    /// Somebody waits for its start.
    awaited: bool,
    /// How its last incarnation ended.
    failure: Option<Failure>,
    incarnation: u32,
    attempt: u32,
    /// Failures in a row.
    streak: u32,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Command {
    Keep,
    Remove,
}

enum State {
    Down,
    Preparing(Token),
    /// An exit may overtake the answer of the start that it follows.
    Starting {
        token: Token,
        since: Time,
        early: Option<(u32, ExitReason)>,
    },
    Running {
        since: Time,
    },
}

enum Wake {
    Kill(ChildKey),
    Round(RoundId),
}

impl Machine {
    pub(crate) fn new(settings: Settings, planned: bool) -> Self {
        Self {
            strategy: settings.strategy,
            auto_shutdown: settings.auto_shutdown,
            restarts: Intensity::new(settings.limit),
            node_failures: settings.max_node_failures.map(node_failures),
            planned,
            children: BTreeMap::new(),
            alive: Keys::None,
            rounds: BTreeMap::new(),
            admission: Admission::new(settings.max_parallel_starts),
            timers: HashMap::new(),
            next: FIRST_ADDED,
            next_static: 1,
            ending: false,
            over: false,
            is_heard: true,
            effects: VecDeque::new(),
        }
    }

    /// Takes a child in; it is started by [`Input::Boot`] or [`Input::Add`].
    pub(crate) fn insert(&mut self, rules: Rules, dynamic: bool) -> ChildKey {
        let key = if dynamic { ChildKey(self.fresh()) } else { self.next_static() };
        self.children.insert(key, Entry::new(rules, dynamic));
        key
    }

    /// What comes of it is appended to the effects.
    pub(crate) fn handle(&mut self, input: Input, now: Time) {
        #[cfg(test)]
        let seen = tally::Seen::before(self, &input, now);
        match input {
            Input::Exited { key, incarnation, reason } => {
                self.exited(key, incarnation, reason, now);
            }
            Input::HostFailed { host, node } => self.host_failed(host, node, now),
            Input::Prepared { key, token, result, host } => {
                self.prepared(key, token, result, host, now);
            }
            Input::Planned { token, result } => self.on_planned(token, result, now),
            Input::Started { key, token, result, host } => {
                self.started(key, token, result, host, now);
            }
            Input::Timer { token } => self.timer(token, now),
            Input::Boot => self.boot(now),
            Input::Add(key) | Input::Restart(key) => self.start_by_hand(key, now),
            Input::Stop { key, remove } => self.stop_by_hand(key, remove, now),
            Input::Release(key) => self.release(key),
            Input::ShutDown => self.end(),
        }
        self.admit(now);
        #[cfg(test)]
        seen.after(self, now);
    }

    /// What is to be done next.
    pub(crate) fn next_effect(&self) -> Option<&Effect> {
        self.effects.front()
    }

    pub(crate) fn take_effect(&mut self) -> Option<Effect> {
        self.effects.pop_front()
    }

    /// Between two lives of the supervisor itself: all children are down, none is in a round.
    pub(crate) fn revive(&mut self) {
        let static_children = |(key, entry): (ChildKey, Entry)| {
            let fresh = Entry {
                incarnation: entry.incarnation,
                failure: entry.failure,
                ..Entry::new(entry.rules, false)
            };
            (!entry.dynamic).then_some((key, fresh))
        };
        self.children =
            std::mem::take(&mut self.children).into_iter().filter_map(static_children).collect();
        self.alive = Keys::None;
        self.rounds.clear();
        self.admission.clear();
        self.timers.clear();
        self.restarts.reset();
        self.ending = false;
        self.over = false;
        if let Some(node_failures) = &mut self.node_failures {
            node_failures.reset();
        }
    }

    pub(crate) const fn strategy(&self) -> Strategy {
        self.strategy
    }

    pub(crate) const fn limit(&self) -> Limit {
        self.restarts.limit()
    }

    /// Those that the limit counts now.
    pub(crate) fn count_restarts(&self, now: Time) -> usize {
        self.restarts.count(now)
    }

    pub(crate) const fn set_strategy(&mut self, strategy: Strategy) {
        self.strategy = strategy;
    }

    pub(crate) const fn set_limit(&mut self, limit: Limit) {
        self.restarts.set_limit(limit);
    }

    pub(crate) fn set_max_node_failures(&mut self, max: u32) {
        match &mut self.node_failures {
            Some(limit) => limit.set_limit(lifelong(max)),
            None => self.node_failures = Some(node_failures(max)),
        }
    }

    /// Whether [`Effect::Tell`] is of use to anybody from now on.
    pub(crate) const fn set_heard(&mut self, is_heard: bool) {
        self.is_heard = is_heard;
    }

    pub(crate) const fn auto_shutdown(&self) -> AutoShutdown {
        self.auto_shutdown
    }

    /// All children are dead after a shutdown.
    pub(crate) const fn is_over(&self) -> bool {
        self.over
    }

    #[cfg(test)]
    const fn is_ending(&self) -> bool {
        self.ending
    }

    pub(crate) fn keys(&self) -> impl Iterator<Item = ChildKey> {
        self.children.keys().copied()
    }

    pub(crate) fn is_alive(&self, key: ChildKey) -> bool {
        self.alive.contains(key)
    }

    /// Those that are starting, running or stopping.
    pub(crate) fn count_alive(&self) -> usize {
        self.alive.len()
    }

    pub(crate) fn status(&self, key: ChildKey) -> Status {
        let Some(entry) = self.children.get(&key) else { return Status::Stopped };
        match entry.state {
            _ if entry.command.is_some() => Status::Stopping,
            _ if entry.round.is_some() => match entry.state {
                State::Running { .. } if entry.stop.is_none() && self.started_in_round(key) => {
                    Status::Running
                }
                _ => Status::Restarting,
            },
            _ if entry.stop.is_some() => Status::Stopping,
            State::Running { .. } => Status::Running,
            State::Down => Status::Stopped,
            State::Preparing(_) | State::Starting { .. } => Status::Restarting,
        }
    }

    /// The current incarnation, or the last one.
    pub(crate) fn incarnation(&self, key: ChildKey) -> u32 {
        self.children.get(&key).map_or(0, |entry| entry.incarnation)
    }

    fn started_in_round(&self, key: ChildKey) -> bool {
        let round = self.children.get(&key).and_then(|entry| entry.round);
        round.and_then(|id| self.rounds.get(&id)).is_some_and(|round| round.is_starting())
    }

    fn tell(&mut self, told: impl FnOnce() -> Told) {
        if self.is_heard {
            self.effects.push_back(Effect::Tell(told()));
        }
    }

    const fn next_static(&mut self) -> ChildKey {
        self.next_static += 1;
        ChildKey(self.next_static - 1)
    }

    const fn fresh(&mut self) -> u64 {
        self.next += 1;
        self.next - 1
    }

    const fn token(&mut self) -> Token {
        Token(self.fresh())
    }

    fn timer(&mut self, token: Token, now: Time) {
        match self.timers.remove(&token) {
            Some(Wake::Kill(key)) if self.is_alive(key) => {
                self.effects.push_back(Effect::Kill(key))
            }
            Some(Wake::Round(id)) => self.waited(id, token, now),
            _ => {}
        }
    }

    fn set_timer(&mut self, wake: Wake, after: Duration, spread: Duration) -> Token {
        let token = self.token();
        self.timers.insert(token, wake);
        self.effects.push_back(Effect::Timer { token, after, spread });
        token
    }
}

impl Entry {
    const fn new(rules: Rules, dynamic: bool) -> Self {
        Self {
            rules,
            dynamic,
            state: State::Down,
            round: None,
            host: None,
            stop: None,
            command: None,
            awaited: false,
            failure: None,
            incarnation: 0,
            attempt: 0,
            streak: 0,
        }
    }
}

/// Keys below are those of static children.
const FIRST_ADDED: u64 = 1 << 32;

/// Node failures are counted over the whole life of the supervisor.
const fn lifelong(max: u32) -> Limit {
    Limit { max_restarts: max, period: Duration::MAX }
}

const fn node_failures(max: u32) -> Intensity {
    Intensity::new(lifelong(max))
}
