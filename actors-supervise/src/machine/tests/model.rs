//! Random histories: whatever happens, the checks of the world hold, and in the end all is as the
//! policies say.

use proptest::{
    prelude::{Just, ProptestConfig, any, prop, prop_assert_eq, prop_oneof, proptest},
    strategy::Strategy as Histories,
};

use super::*;

#[derive(Clone, Debug)]
enum Act {
    Answer {
        pick: usize,
        host: u64,
    },
    Refuse {
        pick: usize,
        lost: bool,
    },
    Crash(usize),
    EndNormally(usize),
    /// The exit comes before the answer of the start.
    Flash(usize),
    ObeyStop,
    Timer,
    Pass(u64),
    HostFails(u64),
    Strategy(u8),
    Stop {
        child: usize,
        remove: bool,
    },
    Restart(usize),
    /// These of the children that are there, last first if the flag says so, and one that is new.
    Declare {
        which: usize,
        reversed: bool,
    },
    Add(u8),
    Stale(usize),
    ShutDown,
}

fn act() -> impl Histories<Value = Act> {
    prop_oneof![
        20 => (any::<usize>(), 0..4_u64).prop_map(|(pick, host)| Act::Answer { pick, host }),
        3 => (any::<usize>(), any::<bool>()).prop_map(|(pick, lost)| Act::Refuse { pick, lost }),
        6 => any::<usize>().prop_map(Act::Crash),
        2 => any::<usize>().prop_map(Act::EndNormally),
        2 => any::<usize>().prop_map(Act::Flash),
        10 => Just(Act::ObeyStop),
        4 => Just(Act::Timer),
        3 => (0..3000_u64).prop_map(Act::Pass),
        2 => (1..4_u64).prop_map(Act::HostFails),
        1 => (0..3_u8).prop_map(Act::Strategy),
        2 => (any::<usize>(), any::<bool>()).prop_map(|(child, remove)| Act::Stop { child, remove }),
        2 => any::<usize>().prop_map(Act::Restart),
        2 => (0..3_u8).prop_map(Act::Add),
        2 => (any::<usize>(), any::<bool>())
            .prop_map(|(which, reversed)| Act::Declare { which, reversed }),
        2 => any::<usize>().prop_map(Act::Stale),
        1 => Just(Act::ShutDown),
    ]
}

fn strategy(n: u8) -> Strategy {
    [Strategy::OneForOne, Strategy::OneForAll, Strategy::RestForOne][usize::from(n) % 3]
}

fn rules(n: u8) -> Rules {
    let restart = [RestartPolicy::Permanent, RestartPolicy::Transient, RestartPolicy::Temporary];
    let shutdown =
        [Shutdown::Infinity, Shutdown::Timeout(Duration::from_secs(1)), Shutdown::BrutalKill];
    let (restart, shutdown) = (restart[usize::from(n) % 3], shutdown[usize::from(n / 3) % 3]);
    Rules { restart, shutdown, backoff: Backoff::default(), ..RULES }
}

impl World {
    fn pick(&self, n: usize) -> Option<ChildKey> {
        let keys: Vec<_> = self.bodies.keys().copied().collect();
        (!keys.is_empty()).then(|| keys[n % keys.len()])
    }

    fn act(&mut self, act: &Act) {
        match *act {
            Act::Answer { pick, host } if !self.asked.is_empty() => {
                let asked = self.asked[pick % self.asked.len()];
                self.answer(asked, Ok(()), (host > 0).then_some(SystemId(host)));
            }
            Act::Refuse { pick, lost } if !self.asked.is_empty() => {
                let asked = self.asked[pick % self.asked.len()];
                let error = if lost {
                    StartError::NoConnection { node: "n".into() }
                } else {
                    StartError::failed("refused")
                };
                self.answer(asked, Err(error), None);
            }
            Act::Crash(n) => {
                if let Some(key) = self.pick(n) {
                    self.crash(key);
                }
            }
            Act::EndNormally(n) => {
                if let Some(key) = self.pick(n) {
                    self.dies(key, ExitReason::Normal);
                }
            }
            Act::Flash(n) => {
                let starts = self.asked.iter().filter(|asked| matches!(asked, Asked::Start(..)));
                let starts: Vec<_> = starts.copied().collect();
                if starts.is_empty() {
                    return;
                }
                let Asked::Start(key, token) = starts[n % starts.len()] else { return };
                self.asked.retain(|asked| asked.key() != key);
                let body = self.bodies.get_mut(&key).unwrap();
                body.incarnation += 1;
                let (incarnation, host) = (body.incarnation, body.host);
                self.give(Input::Exited { key, incarnation, reason: ExitReason::Killed });
                self.give(Input::Started { key, token, result: Ok(incarnation), host });
            }
            Act::ObeyStop => {
                let stopping = self.bodies.iter().find(|(_, body)| body.runs && body.asked_to_stop);
                if let Some((&key, _)) = stopping {
                    self.dies(key, ExitReason::Shutdown);
                }
            }
            Act::Timer => {
                if let Some((token, after)) = self.timers.pop() {
                    self.now = self.now + after;
                    self.give(Input::Timer { token });
                }
            }
            Act::Pass(millis) => self.now = self.now + Duration::from_millis(millis),
            Act::HostFails(host) => self.fail(host),
            Act::Strategy(n) => self.machine.set_strategy(strategy(n)),
            Act::Stop { child, remove } => {
                if let Some(key) = self.pick(child) {
                    self.give(Input::Stop { key, remove });
                    self.drop_abandoned();
                }
            }
            Act::Restart(n) => {
                let stopped = |key: &ChildKey| self.machine.status(*key) == Status::Stopped;
                if let Some(key) = self.pick(n).filter(stopped)
                    && !self.machine.is_ending()
                {
                    self.give(Input::Restart(key));
                }
            }
            Act::Declare { which, reversed } => self.declare(which, reversed),
            Act::Add(n) if !self.machine.is_ending() && self.bodies.len() < 8 => {
                let key = self.insert(rules(n), true);
                self.give(Input::Add(key));
            }
            Act::Stale(n) => {
                if let Some(key) = self.pick(n) {
                    let incarnation = self.bodies[&key].incarnation.saturating_sub(1);
                    self.give(Input::Exited { key, incarnation, reason: ExitReason::Killed });
                }
            }
            Act::ShutDown => {
                self.give(Input::ShutDown);
                self.drop_abandoned();
            }
            _ => {}
        }
        if self.machine.is_ending() {
            self.drop_abandoned();
        }
        self.check_order();
    }

    fn declare(&mut self, which: usize, reversed: bool) {
        let keys: Vec<_> = self.bodies.keys().copied().collect();
        let declared = keys.iter().enumerate().filter(|(n, _)| which >> n & 1 == 1);
        let mut declared: Vec<_> = declared.map(|(_, &key)| key).collect();
        if reversed {
            declared.reverse();
        }
        let concerned = |key: &&ChildKey| self.machine.is_static(**key) || declared.contains(key);
        let at_rest = keys.iter().filter(concerned).all(|&key| self.machine.is_at_rest(key));
        if self.machine.is_ending() || !at_rest {
            return;
        }
        let mut declared: Vec<_> = declared.into_iter().map(|key| (Some(key), rules(0))).collect();
        if keys.len() < 8 {
            declared.push((None, rules(1)));
        }
        let count = declared.len();
        let moved = self.machine.declare(declared);
        assert!(moved.is_sorted_by_key(|(_, new)| *new), "the order of the declaration");
        for (n, (old, new)) in moved.into_iter().enumerate() {
            let body = old.map_or_else(Body::default, |old| self.bodies.remove(&old).unwrap());
            assert!(n < count || body.runs, "one that does not run is removed at once");
            self.bodies.insert(new, body);
        }
        self.carry_out();
    }

    fn fail(&mut self, host: u64) {
        let host = SystemId(host);
        let mut lost = Vec::new();
        for (&key, body) in &mut self.bodies {
            if body.host == Some(host) {
                body.host = None;
                body.runs = false;
                lost.push(key);
            }
        }
        self.asked.retain(|asked| !lost.contains(&asked.key()));
        self.give(Input::HostFailed { host, node: "n".into() });
    }

    /// Preparations that an ending supervisor no longer waits for.
    fn drop_abandoned(&mut self) {
        if self.machine.is_ending() {
            self.asked.retain(|asked| matches!(asked, Asked::Start(..)));
        }
    }

    /// Children that were asked to stop at an end go last first.
    fn check_order(&self) {
        if !self.machine.is_ending() {
            return;
        }
        let alive = |key: &ChildKey| self.machine.is_alive(*key);
        let Some(last) = self.bodies.keys().rev().find(|key| alive(key)) else { return };
        assert!(self.bodies[last].asked_to_stop, "the last one alive is being stopped");
    }

    /// Nothing is left to wait for: everything is as the policies say.
    fn check_rest(&self) {
        if self.machine.is_ending() {
            assert!(self.machine.is_over());
            assert!(self.bodies.values().all(|body| !body.runs), "no orphans");
            return;
        }
        for (&key, body) in &self.bodies {
            let status = self.machine.status(key);
            let expected = if body.runs { Status::Running } else { Status::Stopped };
            assert_eq!(status, expected, "{key:?}");
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1000, ..ProptestConfig::default() })]

    #[test]
    fn sup_any_history_comes_to_rest(
        first in 0..3_u8,
        max_restarts in prop_oneof![Just(3_u32), Just(1_000_000)],
        max_parallel_starts in 1..4_usize,
        children in prop::collection::vec(0..9_u8, 0..5),
        acts in prop::collection::vec(act(), 0..120),
    ) {
        let settings = settings(strategy(first), max_restarts);
        let mut world = World::new(Settings { max_parallel_starts, ..settings });
        for child in children {
            world.insert(rules(child), false);
        }
        world.give(Input::Boot);
        for act in &acts {
            world.act(act);
        }
        world.settle();
        world.check_rest();
        if !world.machine.is_ending() {
            prop_assert_eq!(world.booted, Some(true));
        }
        // And it still ends.
        world.give(Input::ShutDown);
        world.drop_abandoned();
        world.settle();
        world.check_rest();
    }

    /// Permanent children that nobody stops always run in the end.
    #[test]
    fn sup_3_permanent_children_always_come_back(
        first in 0..3_u8,
        max_parallel_starts in 1..4_usize,
        acts in prop::collection::vec(act(), 0..80),
    ) {
        let settings = settings(strategy(first), u32::MAX);
        let (mut world, _) = World::running(Settings { max_parallel_starts, ..settings }, 0);
        let keys: Vec<_> = (0..4).map(|_| world.insert(rules(0), true)).collect();
        for &key in &keys {
            world.give(Input::Add(key));
        }
        world.settle();
        for act in acts.iter().filter(|act| !matches!(act, Act::Stop { .. } | Act::ShutDown | Act::Add(_) | Act::Declare { .. })) {
            world.act(act);
        }
        world.settle();
        for key in keys {
            prop_assert_eq!(world.machine.status(key), Status::Running);
        }
    }

    /// The limit against a count by hand: crashes of one child, at these distances.
    #[test]
    fn sup_11_the_limit_is_a_sliding_window(
        max_restarts in 0..4_u32,
        gaps in prop::collection::vec(0..4000_u64, 1..20),
    ) {
        let (mut world, keys) = World::running(settings(Strategy::OneForOne, max_restarts), 1);
        let mut crashes: Vec<Time> = Vec::new();
        for gap in gaps {
            world.now = world.now + Duration::from_millis(gap);
            let recent = |at: &&Time| world.now.since(**at) <= Duration::from_secs(5);
            let over = crashes.iter().filter(recent).count() >= max_restarts as usize;
            crashes.push(world.now);
            world.crash(keys[0]);
            world.settle();
            prop_assert_eq!(world.exceeded(), over);
            if over {
                break;
            }
        }
    }
}
