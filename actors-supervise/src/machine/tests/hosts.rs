//! Nodes that fail with all their children.

use super::*;

fn on(host: u64) -> Option<SystemId> {
    Some(SystemId(host))
}

/// Children that run on these hosts; 0 is here.
fn placed(strategy: Strategy, hosts: &[u64]) -> (World, Vec<ChildKey>) {
    let mut world = World::new(settings(strategy, 0));
    let keys: Vec<_> = hosts.iter().map(|_| world.insert(RULES, false)).collect();
    world.give(Input::Boot);
    for (key, &host) in keys.iter().zip(hosts) {
        let asked = *world.asked.iter().find(|asked| asked.key() == *key).unwrap();
        world.answer(asked, Ok(()), if host == 0 { None } else { on(host) });
    }
    world.settle();
    world.log.clear();
    world.told.clear();
    (world, keys)
}

/// The node is gone; nothing on it answers any more.
fn fail(world: &mut World, host: u64) {
    let lost: Vec<_> = world.bodies.iter_mut().filter(|(_, body)| body.host == on(host)).collect();
    let mut keys = Vec::new();
    for (&key, body) in lost {
        body.runs = false;
        body.host = None;
        keys.push(key);
    }
    world.asked.retain(|asked| !keys.contains(&asked.key()));
    world.give(Input::HostFailed { host: SystemId(host), node: "n".into() });
}

#[test]
fn node_2_one_event_one_round_for_all_children_of_the_host() {
    let (mut world, keys) = placed(Strategy::OneForOne, &[1, 2, 1, 0]);
    fail(&mut world, 1);
    world.settle();
    assert_eq!(world.restarted(), [[keys[0], keys[2]]], "they stay together");
    assert_eq!(world.log, ["+1", "+3"]);
    assert!(!world.exceeded(), "a restart limit of 0 does not count nodes");
}

#[test]
fn node_2_a_second_failure_of_the_same_host_and_one_without_children_are_ignored() {
    let (mut world, _) = placed(Strategy::OneForOne, &[1]);
    fail(&mut world, 1);
    world.settle();
    let told = world.told.len();
    fail(&mut world, 1);
    fail(&mut world, 9);
    assert_eq!(world.told.len(), told);
    assert!(world.asked.is_empty());
}

#[test]
fn node_5_group_strategies_restart_the_others_too() {
    let (mut world, keys) = placed(Strategy::OneForAll, &[0, 1, 2]);
    fail(&mut world, 1);
    world.settle();
    assert_eq!(world.restarted(), [keys]);
    assert_eq!(world.log, ["-3", "-1", "+1", "+2", "+3"]);

    let (mut world, keys) = placed(Strategy::RestForOne, &[0, 1, 2]);
    fail(&mut world, 1);
    world.settle();
    assert_eq!(world.restarted(), [[keys[1], keys[2]]]);
    assert_eq!(world.log, ["-3", "+2", "+3"]);
}

#[test]
fn node_5_temporary_children_are_removed() {
    let mut world = World::new(settings(Strategy::OneForOne, 3));
    let key = world.insert(Rules { restart: RestartPolicy::Temporary, ..RULES }, false);
    world.give(Input::Boot);
    let asked = world.asked[0];
    world.answer(asked, Ok(()), on(1));
    world.settle();
    fail(&mut world, 1);
    world.settle();
    assert!(!world.bodies.contains_key(&key));
    assert_eq!(world.restarted(), Vec::<Vec<ChildKey>>::new());
}

#[test]
fn node_6_node_failures_have_a_limit_of_their_own() {
    let (mut world, _) = placed(Strategy::OneForOne, &[1, 1, 2, 3]);
    world.machine.set_max_node_failures(2);
    for host in [1, 2] {
        fail(&mut world, host);
        world.settle();
        assert!(!world.exceeded());
    }
    world.now = world.now + Duration::from_secs(3600);
    fail(&mut world, 3);
    assert!(world.exceeded(), "the count is for life");
    assert_eq!(world.exit, Some(ExitReason::Shutdown));
}

#[test]
fn node_10_a_host_that_fails_while_its_children_stop_counts_as_their_death() {
    let (mut world, keys) = placed(Strategy::OneForAll, &[0, 1]);
    world.machine.set_limit(Limit { max_restarts: 1, ..Limit::default() });
    world.crash(keys[0]);
    assert_eq!(world.log, ["-2"]);
    fail(&mut world, 1);
    world.settle();
    assert_eq!(world.restarted(), [keys]);
    assert_eq!(world.log, ["-2", "+1", "+2"]);
}

#[test]
fn node_10_what_was_prepared_on_a_host_that_fails_is_prepared_anew() {
    let (mut world, keys) = placed(Strategy::OneForAll, &[1, 2, 3]);
    fail(&mut world, 1);
    while world.log.last().map(String::as_str) != Some("+1") {
        // The first is placed on 2 now.
        match world.asked.first() {
            Some(&asked @ Asked::Prepare(key, _)) if key == keys[0] => {
                world.answer(asked, Ok(()), on(2));
            }
            _ => assert!(world.answer_one()),
        }
    }
    fail(&mut world, 2);
    let prepared: Vec<_> = world.asked.iter().map(|asked| asked.key()).collect();
    assert_eq!(prepared, keys, "all three, before the first is started");
    world.settle();
    assert_eq!(world.restarted(), [keys]);
}

#[test]
fn node_10_a_host_that_fails_while_the_supervisor_ends_holds_nothing_up() {
    let (mut world, _) = placed(Strategy::OneForOne, &[1, 0, 2]);
    world.give(Input::ShutDown);
    fail(&mut world, 2);
    fail(&mut world, 1);
    world.settle();
    assert!(world.machine.is_over());
    assert_eq!(world.log, ["-3", "-2"]);
}

#[test]
fn node_10_a_temporary_child_lost_in_its_start_lets_nothing_start_on_the_lost_host() {
    let mut world = World::new(settings(Strategy::OneForOne, 3));
    world.insert(Rules { restart: RestartPolicy::Temporary, ..RULES }, false);
    let second = world.insert(RULES, false);
    world.give(Input::Boot);
    while let Some(&asked @ Asked::Prepare(..)) = world.asked.first() {
        world.answer(asked, Ok(()), on(1));
    }
    assert_eq!(world.log, ["+1"]);
    fail(&mut world, 1);
    let asked: Vec<_> = world.asked.iter().map(|asked| asked.key()).collect();
    assert_eq!(asked, [second], "prepared anew");
    world.settle();
    assert_eq!(world.bodies[&second].starts, 1);
}
