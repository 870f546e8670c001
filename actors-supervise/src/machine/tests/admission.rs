//! Many restarts at once.

use super::*;

fn bounded(max: usize, max_restarts: u32) -> Settings {
    Settings { max_parallel_starts: max, ..settings(Strategy::OneForOne, max_restarts) }
}

/// So many children run, and all crash.
fn crashed(settings: Settings, children: u64, backoff: Backoff) -> (World, Vec<ChildKey>) {
    let mut world = World::new(settings);
    let rules = Rules { backoff, ..RULES };
    let keys: Vec<_> = (0..children).map(|_| world.insert(rules, false)).collect();
    world.give(Input::Boot);
    world.settle();
    world.log.clear();
    for &key in &keys {
        world.crash(key);
    }
    (world, keys)
}

impl World {
    fn under_way(&self) -> Vec<ChildKey> {
        self.asked.iter().map(|asked| asked.key()).collect()
    }

    /// The start of this one, which is prepared and admitted.
    fn starts(&mut self, key: ChildKey, result: Result<(), StartError>) {
        for result in [Ok(()), result] {
            let asked =
                *self.asked.iter().find(|asked| asked.key() == key).expect("it is admitted");
            self.answer(asked, result, None);
        }
    }
}

#[test]
fn frame_15_restarts_are_admitted_in_order_when_places_are_free() {
    let (mut world, keys) = crashed(bounded(2, 100), 5, Backoff::none());
    assert_eq!(world.under_way(), keys[..2]);
    world.starts(keys[1], Ok(()));
    assert_eq!(world.under_way(), [keys[0], keys[2]]);
    world.starts(keys[0], Ok(()));
    assert_eq!(world.under_way(), keys[2..4]);
    world.settle();
    assert!(keys.iter().all(|&key| world.machine.status(key) == Status::Running));
    assert!(world.timers.is_empty());
}

#[test]
fn frame_15_a_start_that_fails_waits_behind_the_others() {
    let (mut world, keys) = crashed(bounded(1, 100), 3, Backoff::none());
    world.starts(keys[0], Err(StartError::failed("refused")));
    assert_eq!(world.under_way(), [keys[1]]);
    world.settle();
    assert_eq!(world.log, ["+1", "+2", "+3", "+1"]);
}

#[test]
fn frame_15_only_those_that_had_to_wait_start_later_by_their_jitter() {
    let second = Duration::from_secs(1);
    let (mut world, keys) = crashed(bounded(1, 100), 3, Backoff::exponential(second, second));
    assert_eq!(world.timers.len(), 3, "each waits for its backoff");
    for (token, after) in std::mem::take(&mut world.timers) {
        assert_eq!(after, second);
        world.give(Input::Timer { token });
    }
    assert_eq!(world.under_way(), [keys[0]]);
    assert!(world.timers.is_empty());
    world.spreads.clear();
    world.starts(keys[0], Ok(()));
    assert!(world.under_way().is_empty(), "the next has the place, and waits");
    let (token, after) = world.timers.pop().unwrap();
    assert_eq!((after, &world.spreads[..]), (Duration::ZERO, &[second / 4][..]));
    world.give(Input::Timer { token });
    assert_eq!(world.under_way(), [keys[1]]);
}

#[test]
fn frame_15_sup_12_a_child_that_waits_can_be_stopped() {
    let (mut world, keys) = crashed(bounded(1, 100), 4, Backoff::none());
    assert_eq!(world.machine.status(keys[1]), Status::Restarting);
    world.give(Input::Stop { key: keys[1], remove: false });
    world.give(Input::Stop { key: keys[2], remove: true });
    assert_eq!(world.machine.status(keys[1]), Status::Stopped);
    world.settle();
    assert_eq!(world.log, ["+1", "+4"]);
    world.give(Input::Restart(keys[1]));
    world.settle();
    assert_eq!(world.machine.status(keys[1]), Status::Running);

    let (mut world, _) = crashed(bounded(1, 100), 4, Backoff::none());
    world.give(Input::ShutDown);
    world.settle();
    assert!(world.machine.is_over());
    assert_eq!(world.log, Vec::<String>::new(), "the first was not started yet");
}

#[test]
fn frame_15_children_that_are_restarted_together_are_one_restart() {
    let settings = Settings { strategy: Strategy::OneForAll, ..bounded(1, 100) };
    let (mut world, keys) = World::running(settings, 3);
    world.crash(keys[1]);
    world.settle();
    assert_eq!(world.restarted(), [keys]);
    assert_eq!(world.log, ["-3", "-1", "+1", "+2", "+3"]);
}

#[test]
fn frame_15_starts_by_hand_wait_for_no_restart() {
    let (mut world, keys) = crashed(bounded(1, 100), 2, Backoff::none());
    let added = world.insert(RULES, true);
    world.give(Input::Add(added));
    assert_eq!(world.under_way(), [keys[0], added]);
}
