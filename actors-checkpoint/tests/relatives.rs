//! Parents and children: registering, updates, losing each other.

use std::{collections::BTreeSet, time::Duration};

use actors_checkpoint::{
    CheckpointLink, Checkpointing, CheckpointingArgs, CheckpointingConfig, IntervalChange, Reached,
    RegisterError, RestoreError, Skipped, StoreError,
};
use actors_core::{CallError, ExitReason, Link, System};

fn spawn(system: &System, config: CheckpointingConfig) -> Link<Checkpointing> {
    system.spawn(Checkpointing::new(config))
}

/// Patient enough for a loaded machine; the tests with a slow child shorten it.
fn level(level: u8) -> CheckpointingConfig {
    CheckpointingConfig::level(level).patience(Duration::from_secs(60))
}

/// Asks until the answer is as wanted; a test that hangs here is ended by the runner.
async fn until<T>(mut ask: impl AsyncFnMut() -> T, mut wanted: impl FnMut(&T) -> bool) {
    while !wanted(&ask().await) {
        std::thread::yield_now();
    }
}

#[test]
fn ckpt_5_registration_links_both() {
    let system = System::new();
    let (above, other) = (spawn(&system, level(2)), spawn(&system, level(3)));
    let local = spawn(&system, level(1));
    system.block_on(async {
        above.register(&local).await.expect("they register");
        above.register(&local).await.expect("again is harmless");
        assert_eq!(above.describe().await.unwrap().children, [local.id()]);
        assert_eq!(local.describe().await.unwrap().parent, Some(above.id()));

        other.register(&local).await.expect("another parent");
        assert_eq!(local.describe().await.unwrap().parent, Some(other.id()));
        until(async || above.describe().await.unwrap().children, Vec::is_empty).await;

        local.leave_parent().await.expect("it leaves");
        assert_eq!(local.describe().await.unwrap().parent, None);
        until(async || other.describe().await.unwrap().children, Vec::is_empty).await;
    });
}

#[test]
fn ckpt_5_a_configured_parent_is_registered_with() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let local = spawn(&system, level(1).parent(&above));
    system.block_on(async {
        until(async || above.describe().await.unwrap().children, |c| *c == [local.id()]).await;
        assert_eq!(local.describe().await.unwrap().parent, Some(above.id()));

        let equal = spawn(&system, level(2).parent(&above));
        until(async || equal.describe().await.unwrap().parent, Option::is_none).await;
        until(async || above.describe().await.unwrap().children, |c| *c == [local.id()]).await;
    });
}

#[test]
fn ckpt_5_a_parent_is_of_a_higher_level_than_its_child() {
    let system = System::new();
    let (low, high) = (spawn(&system, level(1)), spawn(&system, level(2)));
    let equal = spawn(&system, level(2));
    let dead = spawn(&system, level(1));
    system.block_on(async {
        high.register(&low).await.expect("they register");
        let order = |parent, child| Err(RegisterError::LevelOrder { parent, child });
        assert_eq!(low.register(&high).await, order(1, 2));
        assert_eq!(high.register(&equal).await, order(2, 2));
        assert_eq!(high.register(&high).await, Err(RegisterError::SameActor));
        dead.kill();
        dead.down().await;
        let gone = high.register(&dead).await;
        assert_eq!(gone, Err(RegisterError::Child(CallError::Closed)));
        assert_eq!(high.describe().await.unwrap().children, [low.id()], "nothing changed");
        assert_eq!(high.describe().await.unwrap().parent, None);
    });
}

#[test]
fn ckpt_5_depth_1_to_5() {
    for depth in 1..=5_u8 {
        let system = System::new();
        let mut levels = vec![spawn(&system, level(depth))];
        for n in (1..depth).rev() {
            let above = levels.last().expect("there is one");
            levels.push(spawn(&system, level(n).parent(above)));
        }
        levels.reverse();
        system.block_on(async {
            let reached = levels[0].checkpoint("k", 1, &depth, depth).await;
            assert_eq!(reached, Ok(Reached { level: depth }));
            for (n, holder) in levels.iter().enumerate() {
                assert_eq!(holder.restore::<u8>("k", n as u8 + 1).await, Ok(depth));
            }
            assert_eq!(levels[0].restore::<u8>("k", depth).await, Ok(depth));
        });
    }
}

#[test]
fn ckpt_5_fan_in_100() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let children: Vec<_> = (0..100).map(|_| spawn(&system, level(1))).collect();
    system.block_on(async {
        let registered: Vec<_> =
            children.iter().map(|child| above.register(child).forever()).collect();
        for answer in registered {
            answer.await.expect("they register");
        }
        for (n, child) in children.iter().enumerate() {
            child.checkpoint(format!("own {n}"), 1, &n, 1).await.expect("stored");
            child.checkpoint("shared", n as u64 + 1, &n, 1).await.expect("stored");
        }
        let report = above.update().forever().await.expect("it answers");
        assert_eq!(report.skipped, []);
        for n in 0..100 {
            assert_eq!(above.restore::<usize>(format!("own {n}"), 2).await, Ok(n));
        }
        assert_eq!(above.restore::<usize>("shared", 2).await, Ok(99), "the newest wins");
        let again = above.update().forever().await.expect("it answers");
        assert_eq!((again.pulled, again.skipped), (0, vec![]), "nothing is pulled twice");
    });
}

#[test]
fn ckpt_6_an_update_pulls_what_is_newer_and_keeps_what_is_not() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let (a, b) = (spawn(&system, level(1)), spawn(&system, level(1)));
    system.block_on(async {
        for child in [&a, &b] {
            above.register(child).await.expect("they register");
        }
        above.checkpoint("k", 5, "above", 2).await.expect("stored");
        a.checkpoint("k", 5, "a", 1).await.expect("stored");
        b.checkpoint("k", 4, "b", 1).await.expect("stored");
        above.update().forever().await.expect("it answers");
        assert_eq!(above.restore::<String>("k", 2).await.as_deref(), Ok("above"));
        b.checkpoint("k", 6, "b", 1).await.expect("stored");
        let report = above.update().forever().await.expect("it answers");
        assert_eq!(report.pulled, 1);
        assert_eq!(above.restore::<String>("k", 2).await.as_deref(), Ok("b"));
        // What was forgotten here is pulled again.
        above.reset_all().await.expect("it answers");
        assert_eq!(above.update().forever().await.expect("it answers").pulled, 2);
        assert_eq!(above.restore::<String>("k", 2).await.as_deref(), Ok("b"));
    });
}

#[test]
fn ckpt_6_dead_and_slow_children_are_skipped_and_the_slow_one_caught_up_later() {
    let system = System::new();
    let above = spawn(&system, CheckpointingConfig::level(2).patience(Duration::from_millis(200)));
    let [good, slow, dead, dropped] = [(); 4].map(|()| spawn(&system, level(1)));
    let (dead_id, dropped_id, slow_id) = (dead.id(), dropped.id(), slow.id());
    system.block_on(async {
        for child in [&good, &slow, &dead, &dropped] {
            above.register(child).forever().await.expect("they register");
            child.checkpoint(format!("{}", child.id()), 1, &1_u8, 1).await.expect("stored");
        }
        dead.kill();
        dead.down().await;
        let down = dropped.down();
        drop(dropped);
        down.await;
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = slow.exec(move |_| wait.recv().is_err());

        let update = above.update().forever();
        // It takes other requests while the update waits for the slow one.
        assert_eq!(above.describe().await.expect("it is free").level, 2);
        let report = update.await.expect("it answers");
        let skipped: BTreeSet<_> = report.skipped.iter().map(|(id, _)| *id).collect();
        assert_eq!(skipped, BTreeSet::from([dead_id, dropped_id, slow_id]));
        for (id, why) in &report.skipped {
            let expected = if *id == slow_id { CallError::Timeout } else { CallError::Closed };
            assert_eq!(*why, Skipped::Call(expected));
        }
        assert_eq!(report.pulled, 1);

        drop(release);
        busy.await.expect("it goes on");
        let later = above.update().forever().await.expect("it answers");
        assert_eq!((later.pulled, later.skipped), (1, vec![]), "the dead are forgotten");
    });
}

#[test]
fn ckpt_6_relatives_that_ask_each_other_do_not_deadlock() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let children: Vec<_> = (0..10).map(|_| spawn(&system, level(1).parent(&above))).collect();
    system.block_on(async {
        let mut pending = Vec::new();
        for version in 1..=20 {
            for child in &children {
                pending.push(child.checkpoint("k", version, &version, 2).forever());
            }
            drop(above.update());
            drop(children[0].update());
        }
        for put in pending {
            // Others may have brought newer ones first.
            match put.await {
                Ok(reached) => assert_eq!(reached.level, 2),
                Err(error) => assert_eq!(error.reached(), Some(1), "{error}"),
            }
        }
        assert_eq!(above.restore::<u64>("k", 2).await, Ok(20));
    });
}

#[test]
fn ckpt_6_an_update_that_is_asked_for_during_one_sees_what_came_before_the_asking() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let (quick, slow) = (spawn(&system, level(1)), spawn(&system, level(1)));
    system.block_on(async {
        above.register(&quick).await.expect("they register");
        above.register(&slow).await.expect("they register");
        let (release, wait) = std::sync::mpsc::channel::<()>();
        let busy = slow.exec(move |_| wait.recv().is_err());
        let first = above.update().forever();
        above.describe().await.expect("the round has begun");
        until(async || quick.info().handled, |handled| *handled >= 2).await;
        quick.checkpoint("k", 1, &1_u8, 1).await.expect("stored after it was asked");
        let second = above.update().forever();
        drop(release);
        busy.await.expect("it goes on");
        first.await.expect("it answers");
        second.await.expect("it answers");
        assert_eq!(above.restore::<u8>("k", 2).await, Ok(1));
    });
}

#[test]
fn ckpt_6_states_that_do_not_fit_are_pulled_once_they_do() {
    let system = System::new();
    let above = spawn(&system, level(2).budget(100));
    let local = spawn(&system, level(1));
    system.block_on(async {
        above.register(&local).await.expect("they register");
        above.checkpoint_raw("old", 1, &[0_u8; 60], 2).await.expect("stored");
        local.checkpoint_raw("new", 1, &[1_u8; 60], 1).await.expect("stored");
        let report = above.update().forever().await.expect("it answers");
        let [(child, Skipped::Store(StoreError::Budget(_)))] = report.skipped[..] else {
            panic!("{report:?}")
        };
        assert_eq!(child, local.id());
        // The large one is no longer the newest of its key, and may go.
        above.checkpoint_raw("old", 2, &[0_u8; 10], 2).await.expect("stored");
        assert_eq!(above.update().forever().await.expect("it answers").pulled, 1);
    });
}

#[test]
fn ckpt_7_an_update_interval_pulls_by_itself_and_stops() {
    let system = System::new();
    let above = spawn(&system, level(2).update_every(Duration::from_millis(10)));
    let local = spawn(&system, level(1).parent(&above));
    system.block_on(async {
        local.checkpoint("k", 1, &1_u8, 1).await.expect("stored");
        until(async || above.restore::<u8>("k", 2).await, Result::is_ok).await;
        let off = above.set_intervals(IntervalChange::STOP, IntervalChange::NONE).await;
        assert!(!off.expect("it is set").update.on);
    });
}

#[test]
fn ckpt_10_what_a_dead_level_1_had_is_restored_from_level_2() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let local = spawn(&system, level(1).parent(&above));
    system.block_on(async {
        local.checkpoint("high", 1, &1_u8, 2).await.expect("stored");
        local.checkpoint("low", 1, &2_u8, 1).await.expect("stored");
        local.kill();
        local.down().await;
        let lost = local.restore::<u8>("low", 1).await;
        assert_eq!(lost, Err(RestoreError::Call(CallError::Closed)), "and no hang");
        let elsewhere = spawn(&system, level(1).parent(&above));
        assert_eq!(elsewhere.restore::<u8>("high", 2).await, Ok(1));
        assert!(matches!(
            elsewhere.restore::<u8>("low", 2).await,
            Err(RestoreError::Missing { level: 2, .. })
        ));
    });
}

#[test]
fn an_actor_nobody_links_to_ends_although_its_parent_knows_it() {
    let system = System::new();
    let above = spawn(&system, level(2));
    let local = spawn(&system, level(1).parent(&above));
    system.block_on(async {
        until(async || above.describe().await.unwrap().children.len(), |n| *n == 1).await;
        let (down_below, down_above) = (local.down(), above.down());
        drop((local, above));
        assert_eq!(down_below.await.reason, ExitReason::Normal);
        assert_eq!(down_above.await.reason, ExitReason::Normal);
    });
}

#[test]
fn an_exported_one_starts_from_arguments_and_restarts_with_its_states() {
    let system = System::new();
    actors_checkpoint::export(&system);
    let args = CheckpointingArgs { level: 2, keep: 1, budget: Some(99), parent: None, hold: None };
    let args = actors_core::remote::encode(&system, &args).expect("they encode");
    let on_exit: actors_core::supervision::OnExit = std::sync::Arc::new(|_| {});
    let id = actors_core::ActorId { home: system.id(), serial: 1 << 40 };
    let seat = system.reserve_export(actors_checkpoint::EXPORT_NAME, (id, 0), on_exit).unwrap();
    let link: Link<Checkpointing> = seat.link().downcast().expect("it is one");
    system.block_on(async {
        seat.start(None, 1, args.clone()).await.expect("it starts");
        let described = link.describe().await.expect("it answers");
        assert_eq!((described.level, described.budget), (2, Some(99)));
        let local = spawn(&system, level(1));
        link.register(&local).await.expect("they register");
        link.checkpoint("k", 1, &1_u8, 2).await.expect("stored");
        let down = link.down();
        link.kill();
        down.await;
        until(async || seat.is_suspended(), |suspended| *suspended).await;
        seat.start(None, 2, args).await.expect("it starts again");
        assert_eq!(link.restore::<u8>("k", 2).await, Ok(1));
        assert_eq!(link.describe().await.unwrap().children, [local.id()]);
        seat.retire(ExitReason::Shutdown);
        link.kill();
    });
}
