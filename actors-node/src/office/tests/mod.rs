//! Roles under partitions, losses and the deaths of nodes.

mod world;

use std::{panic, time::Duration};

use actors_core::SystemId;

use self::world::{LEASE, World};
use super::{Quorum, value::is_quorum};

const SECOND: Duration = Duration::from_secs(1);
/// Of the detection.
const DEAD_AFTER: Option<Duration> = Some(Duration::from_secs(4));
const FIVE: [&str; 5] = ["a", "b", "c", "d", "e"];

fn each_seed(seeds: u64, test: impl Fn(u64)) {
    for seed in 0..seeds {
        let result = panic::catch_unwind(panic::AssertUnwindSafe(|| test(seed)));
        if let Err(payload) = result {
            eprintln!("failed with seed {seed}");
            panic::resume_unwind(payload);
        }
    }
}

/// One that has been founded.
fn founded(seed: u64, names: &[&str], quorum: Quorum) -> World {
    let mut world = World::new(seed, names, quorum);
    world.until(5 * SECOND, |world| world.holders().len() == 1);
    world.run(SECOND);
    assert_eq!(world.elections, 1);
    world
}

fn others(world: &World, than: SystemId) -> Vec<SystemId> {
    world.ids().into_iter().filter(|id| *id != than).collect()
}

/// NODE 27: whoever dies, down to the last, another one is elected, within the lease and a little.
#[test]
fn node_27_owners_that_die_one_after_the_other_are_followed() {
    each_seed(1_500, |seed| {
        let mut world = founded(seed, &FIVE, Quorum::LastAgreed);
        for left in (2..=4).rev() {
            let owner = world.holders()[0];
            world.kill(owner);
            let took = world.until(5 * SECOND, |world| world.holders().len() == 1);
            assert!(took <= LEASE + SECOND / 2, "{took:?}");
            world.until(SECOND, |world| world.config().len() == left);
            world.run_ms(100..1_000);
        }
        assert_eq!(world.elections, 4);
    });
}

/// NODE 17: of two nodes that part, the one with the lower identity goes on.
#[test]
fn node_17_of_two_the_lower_identity_goes_on() {
    each_seed(200, |seed| {
        let mut world = founded(seed, &["a", "b"], Quorum::LastAgreed);
        let ids = world.ids();
        world.split(&ids[..1], DEAD_AFTER);
        world.run(15 * SECOND);
        assert_eq!(world.holders(), ids[..1]);
    });
}

/// NODE 17: the side with the majority has an owner, the other one has none, from before the first on.
#[test]
fn node_17_the_majority_has_the_owner_and_the_minority_has_none() {
    each_seed(300, |seed| {
        let mut world = founded(seed, &FIVE, Quorum::LastAgreed);
        let mut ids = world.ids();
        world.random.shuffle(&mut ids);
        let few = ids[..world.random.usize(1..=2)].to_vec();
        world.split(&few, DEAD_AFTER);
        world.run(10 * SECOND);
        let holders = world.holders();
        assert_eq!(holders.len(), 1);
        assert!(!few.contains(&holders[0]));
        assert_eq!(world.config().len(), 5 - few.len());
        // What is left parts again.
        let fewer = others(&world, holders[0])[..1].to_vec();
        world.split(&fewer, DEAD_AFTER);
        world.run(10 * SECOND);
        assert_eq!(world.holders().len(), 1);
    });
}

/// NODE 17: cuts in one direction, whoever they leave with whom.
#[test]
fn node_17_cuts_in_one_direction_leave_one_owner_at_most() {
    each_seed(400, |seed| {
        let mut world = founded(seed, &FIVE, Quorum::LastAgreed);
        for _ in 0..3 {
            let ids = world.ids();
            for _ in 0..world.random.usize(1..8) {
                let pair = [0; 2].map(|_| ids[world.random.usize(..ids.len())]);
                let dead_after = if world.random.bool() { DEAD_AFTER } else { None };
                if pair[0] != pair[1] {
                    world.cut(pair[0], pair[1], dead_after);
                }
            }
            world.run_ms(1_000..8_000);
            world.heal();
            world.run_ms(0..3_000);
        }
    });
}

/// NODE 17: an owner that stood still is the owner no more, or still is and nobody else.
#[test]
fn node_17_an_owner_that_stood_still_finds_out_whether_it_is_one() {
    each_seed(300, |seed| {
        let mut world = founded(seed, &FIVE, Quorum::LastAgreed);
        let owner = world.holders()[0];
        world.pause(owner, true);
        let briefly = world.random.bool();
        if briefly {
            world.run_ms(100..3_500);
        } else {
            for other in others(&world, owner) {
                world.cut(owner, other, DEAD_AFTER);
            }
            world.run(8 * SECOND);
            assert_ne!(world.holders(), [owner]);
        }
        world.pause(owner, false);
        world.run(SECOND);
        assert_eq!(world.holders() == [owner], briefly);
    });
}

/// NODE 17: founders alone vote, one life for each of them, and their number never shrinks.
#[test]
fn node_17_with_a_fixed_quorum_the_last_two_of_five_decide_nothing() {
    each_seed(200, |seed| {
        let mut world = founded(seed, &FIVE, Quorum::Founders);
        world.start("f");
        for _ in 0..2 {
            world.run(SECOND);
            let (owner, name) = (world.holders()[0], world.name(world.holders()[0]));
            world.kill(owner);
            world.until(5 * SECOND, |world| world.holders().len() == 1);
            assert_eq!(world.config().len(), 5);
            assert_ne!(world.name(world.holders()[0]), "f");
            let new = world.start(&name);
            world.until(SECOND, |world| world.config().contains(&new));
        }
        for _ in 0..3 {
            let victim = others(&world, world.holders()[0]);
            let victim = victim.iter().find(|id| world.config().contains(id)).copied();
            world.kill(victim.expect("a founder"));
            world.run(SECOND);
        }
        world.run(2 * LEASE);
        assert_eq!(world.holders(), [], "two of five");
    });
}

/// NODE 17: everything at once. At every moment one owner at most, for each term one, and what was kept is never lost
/// while those who know of it can decide; when all is well again, there is one.
#[test]
fn node_17_storms_never_make_two_owners_nor_lose_what_was_kept() {
    each_seed(400, |seed| {
        let mut world = World::new(seed, &FIVE[..2 + seed as usize % 4], quorum(seed));
        world.loss = world.random.u32(3..30);
        world.slowest = Duration::from_millis(world.random.u64(1..400));
        for _ in 0..12 {
            let ids = world.ids();
            let [one, two] = [0; 2].map(|_| world.random.usize(..ids.len()));
            let (one, side) = (ids[one], &ids[..two]);
            match world.random.u32(..8) {
                0 => {
                    let name = world.name(one);
                    world.kill(one);
                    world.run_ms(1..2_000);
                    world.start(&name);
                }
                1 => world.pause(one, true),
                2 => ids.iter().for_each(|id| world.pause(*id, false)),
                3 => world.split(side, None),
                4 => world.cut(one, ids[two], None),
                5 => {
                    world.start("f");
                }
                _ => world.heal(),
            }
            world.run_ms(1..4_000);
        }
        world.heal();
        world.ids().iter().for_each(|id| world.pause(*id, false));
        (world.loss, world.slowest) = (0, Duration::from_millis(5));
        let live = world.ids().into_iter().collect();
        world.run(25 * SECOND);
        if world.last.as_ref().is_some_and(|last| is_quorum(&last.config, &live)) {
            assert_eq!(world.holders().len(), 1, "{:?}", world.last);
        }
    });
}

fn quorum(seed: u64) -> Quorum {
    if seed.is_multiple_of(3) { Quorum::Founders } else { Quorum::LastAgreed }
}
