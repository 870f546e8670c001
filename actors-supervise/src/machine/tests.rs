//! The machine against a world that answers late, out of order, and not at all.

mod admission;
mod hosts;
mod model;

use std::{collections::BTreeMap, time::Duration};

use actors_core::{ExitReason, StartError, SystemId, host::Time};

use super::{ChildKey, Effect, Input, Machine, Status, Token, Told};
use crate::{
    Backoff, ChildKind, Limit, RestartPolicy, Shutdown, Strategy, builder::Settings, spec::Rules,
};

/// What the machine asked for and the world has not answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Asked {
    Prepare(ChildKey, Token),
    Start(ChildKey, Token),
}

#[derive(Debug, Default)]
struct Body {
    incarnation: u32,
    /// Its start was answered, or its exit comes before the answer.
    runs: bool,
    host: Option<SystemId>,
    asked_to_stop: bool,
    starts: u32,
}

/// Children that do what the test says, and checks of everything that the machine does to them.
struct World {
    machine: Machine,
    now: Time,
    bodies: BTreeMap<ChildKey, Body>,
    asked: Vec<Asked>,
    timers: Vec<(Token, Duration)>,
    /// Of all timers so far.
    spreads: Vec<Duration>,
    told: Vec<Told>,
    /// Who asked for their stop was answered.
    stopped: Vec<ChildKey>,
    /// Starts, stops and kills, in order.
    log: Vec<String>,
    exit: Option<ExitReason>,
    booted: Option<bool>,
}

const RULES: Rules = Rules {
    restart: RestartPolicy::Transient,
    shutdown: Shutdown::Infinity,
    significant: false,
    backoff: Backoff::none(),
    kind: ChildKind::Worker,
    of_template: false,
};

fn settings(strategy: Strategy, max_restarts: u32) -> Settings {
    Settings {
        limit: Limit { max_restarts, period: Duration::from_secs(5) },
        ..Settings::new(strategy)
    }
}

impl World {
    fn new(settings: Settings) -> Self {
        Self {
            machine: Machine::new(settings, false),
            now: Time::default(),
            bodies: BTreeMap::new(),
            asked: Vec::new(),
            timers: Vec::new(),
            spreads: Vec::new(),
            told: Vec::new(),
            stopped: Vec::new(),
            log: Vec::new(),
            exit: None,
            booted: None,
        }
    }

    /// With so many children, which all run.
    fn running(settings: Settings, children: u64) -> (Self, Vec<ChildKey>) {
        let mut world = Self::new(settings);
        let keys: Vec<_> = (0..children).map(|_| world.insert(RULES, false)).collect();
        world.give(Input::Boot);
        world.settle();
        assert_eq!(world.booted, Some(true));
        world.log.clear();
        world.told.clear();
        (world, keys)
    }

    fn insert(&mut self, rules: Rules, dynamic: bool) -> ChildKey {
        let key = self.machine.insert(rules, dynamic);
        self.bodies.insert(key, Body::default());
        key
    }

    fn give(&mut self, input: Input) {
        self.machine.handle(input, self.now);
        self.carry_out();
    }

    fn carry_out(&mut self) {
        let under_way = self.machine.count_under_way();
        assert!(under_way <= self.machine.admission.max, "{under_way} restarts at a time");
        while let Some(effect) = self.machine.take_effect() {
            self.check(effect);
        }
    }

    fn check(&mut self, effect: Effect) {
        let over = matches!(effect, Effect::Start { .. } | Effect::Prepare { .. });
        assert!(!(over && self.machine.is_ending()), "an ending supervisor starts nothing");
        match effect {
            Effect::Prepare { key, token } => {
                assert!(!self.is_asked(key), "{key:?} is asked for one thing at a time");
                assert!(!self.bodies[&key].runs, "{key:?} is prepared when it is dead");
                self.asked.push(Asked::Prepare(key, token));
            }
            Effect::Start { key, token, .. } => {
                assert!(!self.is_asked(key), "{key:?} is started once at a time");
                assert!(!self.bodies[&key].runs, "{key:?} is started when it is dead");
                self.log.push(format!("+{}", key.0));
                self.asked.push(Asked::Start(key, token));
                let body = self.bodies.get_mut(&key).unwrap();
                body.asked_to_stop = false;
                body.starts += 1;
            }
            Effect::Stop(key) | Effect::Kill(key) => {
                self.log.push(format!("-{}", key.0));
                let body = self.bodies.get_mut(&key).expect("only known children are stopped");
                body.asked_to_stop = true;
            }
            Effect::Remove(key) => {
                self.bodies.remove(&key).expect("removed once");
                self.asked.retain(|asked| asked.key() != key);
            }
            Effect::Timer { token, after, spread } => {
                self.timers.push((token, after));
                self.spreads.push(spread);
            }
            Effect::Tell(told) => self.told.push(told),
            Effect::Exit(reason) => self.exit = Some(reason),
            Effect::Booted(result) => self.booted = Some(result.is_ok()),
            Effect::Plan { .. } => unreachable!("there is no planner"),
            Effect::Stopped(key) => self.stopped.push(key),
            Effect::Settled(..) => {}
        }
    }

    fn is_asked(&self, key: ChildKey) -> bool {
        self.asked.iter().any(|asked| asked.key() == key)
    }

    fn answer(&mut self, asked: Asked, result: Result<(), StartError>, host: Option<SystemId>) {
        self.asked.retain(|other| *other != asked);
        match asked {
            Asked::Prepare(key, token) => {
                if let Some(body) = self.bodies.get_mut(&key) {
                    body.host = host;
                }
                self.give(Input::Prepared { key, token, result, host });
            }
            Asked::Start(key, token) => {
                let Some(body) = self.bodies.get_mut(&key) else { return };
                body.incarnation += 1;
                body.runs = result.is_ok();
                let (incarnation, host) = (body.incarnation, body.host);
                let result = result.map(|()| incarnation);
                self.give(Input::Started { key, token, result, host });
            }
        }
    }

    fn dies(&mut self, key: ChildKey, reason: ExitReason) {
        let Some(body) = self.bodies.get_mut(&key) else { return };
        if std::mem::take(&mut body.runs) {
            let incarnation = body.incarnation;
            self.give(Input::Exited { key, incarnation, reason });
        }
    }

    fn crash(&mut self, key: ChildKey) {
        self.dies(key, ExitReason::Error("crash".into()));
    }

    /// One answer that the machine waits for. False if there is none.
    fn answer_one(&mut self) -> bool {
        if let Some(&asked) = self.asked.first() {
            let stopped = self.bodies.get(&asked.key()).is_some_and(|body| body.asked_to_stop);
            let result = match asked {
                Asked::Start(..) if stopped => Err(StartError::Exited(ExitReason::Shutdown)),
                _ => Ok(()),
            };
            let host = self.bodies.get(&asked.key()).and_then(|body| body.host);
            self.answer(asked, result, host);
            return true;
        }
        let stopping = self.bodies.iter().find(|(_, body)| body.runs && body.asked_to_stop);
        if let Some((&key, _)) = stopping {
            self.dies(key, ExitReason::Shutdown);
            return true;
        }
        if let Some((token, after)) = self.timers.pop() {
            self.now = self.now + after;
            self.give(Input::Timer { token });
            return true;
        }
        false
    }

    /// Everything is answered, until the machine waits for nothing.
    fn settle(&mut self) {
        for _ in 0..100_000 {
            if !self.answer_one() {
                return;
            }
        }
        panic!("the machine never comes to rest: {:?}", self.log);
    }

    fn restarted(&self) -> Vec<Vec<ChildKey>> {
        let restarted = |told: &Told| match told {
            Told::Restarted { children, .. } => Some(children.clone()),
            _ => None,
        };
        self.told.iter().filter_map(restarted).collect()
    }

    fn exceeded(&self) -> bool {
        self.told.iter().any(|told| matches!(told, Told::LimitExceeded { .. }))
    }
}

impl Asked {
    const fn key(self) -> ChildKey {
        match self {
            Self::Prepare(key, _) | Self::Start(key, _) => key,
        }
    }
}

#[test]
fn sup_28_stale_and_unknown_news_changes_nothing() {
    let (mut world, keys) = World::running(settings(Strategy::OneForAll, 3), 2);
    let reason = ExitReason::Killed;
    let (key, unknown, token) = (keys[0], ChildKey(u64::MAX), Token(0));
    let stale = [
        Input::Exited { key, incarnation: 0, reason: reason.clone() },
        Input::Exited { key, incarnation: 7, reason: reason.clone() },
        Input::Exited { key: unknown, incarnation: 1, reason },
        Input::Prepared { key, token, result: Ok(()), host: None },
        Input::Started { key, token, result: Ok(9), host: None },
        Input::Timer { token },
        Input::HostFailed { host: SystemId(1), node: "n".into() },
        Input::Stop { key: unknown, remove: true },
    ];
    for input in stale {
        world.give(input);
    }
    assert!(world.log.is_empty() && world.told.is_empty() && world.timers.is_empty());
}

#[test]
fn sup_28_an_exit_that_overtakes_the_answer_of_its_start_is_an_exit() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 3), 1);
    let key = keys[0];
    world.crash(key);
    world.answer_one();
    let start = world.asked[0];
    world.give(Input::Exited { key, incarnation: 2, reason: ExitReason::Killed });
    assert_eq!(world.asked, [start], "it waits for the answer");
    let Asked::Start(_, token) = start else { panic!("{start:?}") };
    world.asked.clear();
    world.bodies.get_mut(&key).unwrap().incarnation = 2;
    world.give(Input::Started { key, token, result: Ok(2), host: None });
    assert_eq!(world.asked.len(), 1, "life 3 is prepared");
    world.settle();
    assert_eq!(world.bodies[&key].starts, 3);
}

/// Found by seed 2390 of the random trees, when it was looked into: the exit of a start that had failed came
/// last, and took the place of the one that counts.
#[test]
fn sup_28_of_two_exits_before_an_answer_the_one_of_the_last_life_counts() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 9), 1);
    let key = keys[0];
    world.crash(key);
    world.answer_one();
    let refused = world.asked[0];
    world.answer(refused, Err(StartError::failed("refused")), None);
    while !matches!(world.asked[..], [Asked::Start(..)]) {
        assert!(world.answer_one());
    }
    let [Asked::Start(_, token)] = world.asked[..] else { panic!("{:?}", world.asked) };
    for incarnation in [3, 2] {
        world.give(Input::Exited { key, incarnation, reason: ExitReason::Killed });
    }
    world.asked.clear();
    world.bodies.get_mut(&key).unwrap().incarnation = 3;
    world.give(Input::Started { key, token, result: Ok(3), host: None });
    assert_eq!(world.machine.status(key), Status::Restarting, "life 3 has ended");
    world.settle();
    assert_eq!(world.machine.incarnation(key), 4);
}

/// Found by seed 221 of the random trees: a child that is told to stop while it is prepared, by a supervisor
/// that ends meanwhile and is restarted.
#[test]
fn sup_31_who_waits_for_a_stop_is_answered_when_the_supervisor_ends() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 3), 1);
    let key = keys[0];
    world.crash(key);
    world.give(Input::Stop { key, remove: false });
    assert_eq!(world.stopped, [], "it is being prepared");
    world.give(Input::ShutDown);
    assert_eq!(world.stopped, [key]);
}

/// Found by seed 12407 of the random trees: the node of a child that is being stopped fails while the
/// supervisor ends.
#[test]
fn sup_31_who_waits_for_a_stop_is_answered_when_the_node_fails_in_an_end() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 3), 0);
    assert!(keys.is_empty());
    let key = world.insert(RULES, true);
    world.give(Input::Add(key));
    let host = Some(SystemId(1));
    world.answer(world.asked[0], Ok(()), host);
    world.answer(world.asked[0], Ok(()), host);
    world.give(Input::Stop { key, remove: false });
    world.give(Input::ShutDown);
    assert_eq!(world.stopped, []);
    world.bodies.get_mut(&key).unwrap().runs = false;
    world.give(Input::HostFailed { host: SystemId(1), node: "n".into() });
    assert_eq!(world.stopped, [key]);
    assert!(world.machine.is_over());
}

#[test]
fn sup_8_one_for_one_rounds_are_concurrent() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 3), 3);
    world.crash(keys[0]);
    world.crash(keys[2]);
    assert_eq!(world.asked.len(), 2);
    world.settle();
    assert_eq!(world.restarted(), [[keys[0]], [keys[2]]]);
}

#[test]
fn sup_11_a_death_before_its_turn_to_stop_is_not_a_second_failure() {
    let (mut world, keys) = World::running(settings(Strategy::OneForAll, 1), 3);
    world.crash(keys[1]);
    assert_eq!(world.log, ["-3"]);
    world.crash(keys[0]);
    world.settle();
    assert!(!world.exceeded());
    assert_eq!(world.log, ["-3", "+1", "+2", "+3"]);
}

#[test]
fn sup_12_no_connection_is_not_counted_and_waits() {
    let (mut world, keys) = World::running(settings(Strategy::OneForOne, 1), 1);
    world.crash(keys[0]);
    let lost = StartError::NoConnection { node: "n".into() };
    let mut waits = Vec::new();
    for _ in 0..8 {
        let asked = world.asked[0];
        world.answer(asked, Err(lost.clone()), None);
        let (token, after) = world.timers.pop().unwrap();
        waits.push(after.as_millis());
        world.give(Input::Timer { token });
    }
    assert_eq!(waits, [20, 40, 80, 160, 320, 500, 500, 500]);
    world.settle();
    assert!(!world.exceeded());
    assert_eq!(world.machine.status(keys[0]), Status::Running);
}

#[test]
fn sup_13_a_failure_during_a_group_round_repeats_it() {
    let (mut world, keys) = World::running(settings(Strategy::OneForAll, 3), 3);
    world.crash(keys[1]);
    while world.log.last().map(String::as_str) != Some("+2") {
        assert!(world.answer_one());
    }
    // The first runs again, the second is starting: the first crashes.
    world.crash(keys[0]);
    world.settle();
    assert_eq!(world.restarted(), [keys], "one round in the end");
    assert_eq!(world.log, ["-3", "-1", "+1", "+2", "-2", "+1", "+2", "+3"]);
}
