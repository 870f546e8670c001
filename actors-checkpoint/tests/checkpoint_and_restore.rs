//! States in and out of one level and through several.

use std::{sync::Arc, time::Duration};

use actors_checkpoint::{
    Blob, Capture, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, Key, PutError,
    Reached, RestoreError, chkey, message::Put,
};
use actors_core::{CallError, ExitReason, Link, System, host::Host, sim::SimDisk};

fn level(system: &System, level: u8) -> Link<Checkpointing> {
    system.spawn(Checkpointing::new(CheckpointingConfig::level(level)))
}

/// Levels 1 to `depth`, each the parent of the one before.
fn chain(system: &System, depth: u8) -> Vec<Link<Checkpointing>> {
    let levels: Vec<_> = (1..=depth).map(|n| level(system, n)).collect();
    system.block_on(async {
        for pair in levels.windows(2) {
            pair[1].register(&pair[0]).await.expect("they register");
        }
    });
    levels
}

#[test]
fn ckpt_1_restore_gives_the_latest_value_of_the_key() {
    let system = System::new();
    let local = level(&system, 1);
    system.block_on(async {
        for (version, value) in [(1, "one"), (2, "two"), (3, "three")] {
            local.checkpoint("k", version, value, 1).await.expect("stored");
        }
        assert_eq!(local.restore::<String>("k", 1).await.as_deref(), Ok("three"));
        // An older one that comes late does not become the latest.
        local.checkpoint("k", 2, "again", 1).await.expect("stored");
        assert_eq!(local.restore::<String>("k", 1).await.as_deref(), Ok("three"));
        let second = local.restore_version("k", Some(2), 1).await.expect("it is kept");
        assert_eq!(second.blob.decode::<String>().as_deref(), Ok("again"));
    });
}

#[test]
fn ckpt_1_missing_and_timeout_are_different_answers() {
    let system = System::new();
    let local = level(&system, 1);
    system.block_on(async {
        let missing = RestoreError::Missing { key: "k".into(), version: None, level: 1 };
        assert_eq!(local.restore::<u8>("k", 1).await, Err(missing));
        local.checkpoint("k", 1, &7_u8, 1).await.expect("stored");
        let gone = local.restore_version("k", Some(9), 1).await;
        assert!(matches!(gone, Err(RestoreError::Missing { version: Some(9), .. })));

        let (busy, release) = blocked(&local);
        let late = local.restore::<u8>("k", 1).within(Duration::from_millis(20)).await;
        assert_eq!(late, Err(RestoreError::Call(CallError::Timeout)));
        drop(release);
        busy.await.expect("it goes on");
        assert_eq!(local.restore::<u8>("k", 1).await, Ok(7));
    });
}

/// Keeps an actor busy until the sender is dropped.
fn blocked(actor: &Link<Checkpointing>) -> (actors_core::Call<()>, std::sync::mpsc::Sender<()>) {
    let (release, wait) = std::sync::mpsc::channel::<()>();
    let call = actor.exec(move |_| {
        let _ = wait.recv();
    });
    (call, release)
}

#[test]
fn ckpt_3_a_checkpoint_goes_up_to_its_level_and_says_which_it_reached() {
    let system = System::new();
    let levels = chain(&system, 3);
    system.block_on(async {
        for asked in 1..=4 {
            let key = Key::from(format!("to {asked}"));
            let reached = levels[0].checkpoint(&key, 1, &asked, asked).await;
            assert_eq!(reached, Ok(Reached { level: asked.min(3) }));
            for (i, holder) in levels.iter().enumerate() {
                let holds = holder.inventory().await.expect("it answers");
                let has = holds.iter().any(|(k, _)| *k == key);
                assert_eq!(has, i < usize::from(asked.min(3)), "level {} of {asked}", i + 1);
            }
        }
    });
}

#[test]
fn ckpt_3_a_dead_parent_is_told_with_the_level_that_was_reached() {
    let system = System::new();
    let levels = chain(&system, 3);
    system.block_on(async {
        levels[2].kill();
        levels[2].down().await;
        let put = levels[0].checkpoint("k", 1, &1_u8, 3).await;
        assert_eq!(put, Err(PutError::ParentLost { reached: 2, why: CallError::Closed }));
        assert_eq!(put.unwrap_err().reached(), Some(2));
        assert_eq!(levels[0].restore::<u8>("k", 2).await, Ok(1));
        let lost = levels[0].restore::<u8>("k", 3).await;
        assert_eq!(lost, Err(RestoreError::ParentLost { level: 2, why: CallError::Closed }));
    });
}

#[test]
fn ckpt_3_a_parent_that_dies_with_the_question_in_hand_is_told() {
    let system = System::new();
    let levels = chain(&system, 2);
    system.block_on(async {
        let (_busy, release) = blocked(&levels[1]);
        let put = levels[0].checkpoint("k", 1, &1_u8, 2).forever();
        // The question is above once level 1 has handled what came after it.
        levels[0].describe().await.expect("level 1 is free meanwhile");
        levels[1].kill();
        drop(release);
        let why = CallError::Died(ExitReason::Killed);
        assert_eq!(put.await, Err(PutError::ParentLost { reached: 1, why }));
    });
}

#[test]
fn ckpt_4_restore_is_answered_at_the_level_or_where_the_levels_end() {
    let system = System::new();
    let levels = chain(&system, 3);
    system.block_on(async {
        for (i, holder) in levels.iter().enumerate() {
            let put = Put {
                key: "k".into(),
                version: 1,
                blob: Blob::encode(&(i + 1)).expect("it encodes"),
                level: 0,
                only_newer: false,
            };
            holder.call(put).await.expect("it answers").expect("stored there alone");
        }
        for (asked, answers) in [(0, 1), (1, 1), (2, 2), (3, 3), (9, 3)] {
            assert_eq!(levels[0].restore::<usize>("k", asked).await, Ok(answers));
        }
        assert_eq!(levels[2].restore::<usize>("k", 1).await, Ok(3), "never downward");
        levels[2].reset_all().await.expect("it answers");
        let missing = levels[0].restore::<usize>("k", 3).await;
        assert!(matches!(missing, Err(RestoreError::Missing { level: 3, .. })));
    });
}

#[test]
fn ckpt_4_best_is_the_newest_of_all_levels_that_can_be_reached() {
    let system = System::new();
    let levels = chain(&system, 3);
    system.block_on(async {
        assert!(matches!(
            levels[0].restore_best("k").await,
            Err(RestoreError::Missing { level: 3, .. })
        ));
        levels[0].checkpoint("k", 1, &1_u8, 3).await.expect("stored");
        levels[1].checkpoint("k", 5, &5_u8, 2).await.expect("stored");
        levels[0].checkpoint("k", 3, &3_u8, 1).await.expect("stored");
        let best = levels[0].restore_best("k").await.expect("there is one");
        assert_eq!((best.version, best.level), (5, 2));
        levels[0].checkpoint("k", 6, &6_u8, 1).await.expect("stored");
        levels[1].kill();
        levels[1].down().await;
        let best = levels[0].restore_best("k").await.expect("the rest is reached");
        assert_eq!((best.version, best.level), (6, 1));
        let lost = levels[0].restore_best("other").await;
        assert!(matches!(lost, Err(RestoreError::ParentLost { level: 1, .. })));
    });
}

#[test]
fn ckpt_8_reset_takes_a_key_or_all() {
    let system = System::new();
    let local = level(&system, 1);
    system.block_on(async {
        for key in ["a", "b", "c"] {
            for version in 1..=2 {
                local.checkpoint(key, version, &version, 1).await.expect("stored");
            }
        }
        assert_eq!(local.reset("a").await, Ok(2));
        assert_eq!(local.reset("a").await, Ok(0));
        assert_eq!(local.checkpoints().await.expect("it answers").len(), 2);
        assert_eq!(local.reset_all().await, Ok(4));
        assert_eq!(local.inventory().await, Ok(vec![]));
        assert_eq!(local.describe().await.expect("it answers").bytes, 0);
    });
}

#[test]
fn ckpt_11_chkey_is_module_function_and_arguments() {
    let name = "x";
    let key = chkey!(fill, 3, name, [1.5, -0.0]);
    let expected = concat!(module_path!(), "::fill(3, \"x\", [1.5, -0.0])");
    assert_eq!(key.as_str(), expected);
    assert_eq!(chkey!(fill, 3, name, [1.5, -0.0]), key, "the same every time");
    assert_ne!(chkey!(fill, 4, name, [1.5, -0.0]), key);
    assert_ne!(chkey!(empty, 3, name, [1.5, -0.0]), key);
    assert_eq!(chkey!(fill).as_str(), concat!(module_path!(), "::fill()"));
    assert_eq!(chkey!(inner::fill,).as_str(), concat!(module_path!(), "::inner::fill()"));
    let back: Key = rmp_serde::from_slice(&rmp_serde::to_vec(&key).unwrap()).unwrap();
    assert_eq!(back, key);
}

#[test]
fn ckpt_13_what_changes_after_the_capture_is_not_in_the_checkpoint() {
    let system = System::new();
    let local = level(&system, 1);
    system.block_on(async {
        let (busy, release) = blocked(&local);
        let mut heights = vec![1.0_f64; 100];
        let mut names = vec!["a".to_owned()];
        let raw = local.checkpoint_raw("raw", 1, &heights, 1);
        let encoded = local.checkpoint("encoded", 1, &names, 1);
        heights.fill(2.0);
        names.clear();
        drop(release);
        busy.await.expect("it goes on");
        raw.await.expect("stored");
        encoded.await.expect("stored");
        assert_eq!(local.restore_raw::<f64>("raw", 1).await, Ok(vec![1.0; 100]));
        assert_eq!(local.restore::<Vec<String>>("encoded", 1).await, Ok(vec!["a".to_owned()]));
    });
}

#[test]
fn ckpt_13_a_buffer_is_used_again_only_when_nobody_holds_its_state() {
    let mut capture = Capture::new(3);
    let held = capture.raw(&[1_u64; 64]);
    let place = held.bytes().as_ptr();
    for n in 0..10 {
        assert_ne!(capture.raw(&[n; 64]).bytes().as_ptr(), place);
    }
    assert_eq!(held.to_vec::<u64>(), Ok(vec![1; 64]));

    let mut capture = Capture::new(1);
    let encoded = capture.encode(&"a text that takes some room").expect("it encodes");
    let place = encoded.bytes().as_ptr();
    drop(encoded);
    let again = capture.encode(&"another").expect("it encodes");
    assert_eq!(again.bytes().as_ptr(), place);
    assert_eq!(again.decode::<String>().as_deref(), Ok("another"));
}

#[test]
fn a_checkpoint_runs_in_the_simulation_without_a_change() {
    let run = actors_core::sim::simulate(11, |sim| async move {
        let system = System::builder().host(sim.node("a")).build();
        let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2)));
        let config = CheckpointingConfig::level(1).parent(&above).directory("states");
        let local = system.spawn(Checkpointing::new(config));
        local.checkpoint("k", 1, &5_u8, 2).await.expect("stored");
        local.save().await.expect("saved");
        local.reset_all().await.expect("it answers");
        local.load().await.expect("loaded");
        local.restore::<u8>("k", 1).await
    });
    assert_eq!(run.output, Ok(5));
}

#[test]
fn a_system_may_have_a_disk_of_its_own() {
    let mut host = Host::real();
    host.disk = Arc::new(SimDisk::new(1));
    let system = System::builder().host(host).build();
    let local = level(&system, 1);
    let directory = std::path::Path::new("of/its/own");
    system.block_on(async {
        local.checkpoint("k", 1, &5_u8, 1).await.expect("stored");
        local.save_to(directory).await.expect("saved");
        local.load_from(directory).await.expect("loaded");
    });
}

/// What is captured later is the state of the call, however long the capture waits.
#[test]
fn ckpt_13_a_shared_state_is_captured_as_it_was() {
    struct Gate;

    /// Waits to be captured until the gate opens.
    #[derive(Clone)]
    struct Table {
        cells: Vec<u64>,
        gate: crossbeam_channel::Receiver<Gate>,
    }

    impl Checkpoint for Table {
        fn capture(&self, into: &mut Capture) -> Result<Blob, PutError> {
            self.gate.recv().expect("it opens");
            self.cells.capture(into)
        }

        fn restore(_: &Blob) -> Result<Self, RestoreError> {
            unreachable!("it is restored as its cells")
        }
    }

    let system = System::new();
    let levels = chain(&system, 2);
    let (open, gate) = crossbeam_channel::bounded(1);
    let mut table = Arc::new(Table { cells: vec![1, 2, 3], gate });
    system.block_on(async {
        let stored = levels[0].checkpoint_later("table", 1, table.clone(), 2);
        Arc::make_mut(&mut table).cells[0] = 99;
        assert_eq!(levels[0].inventory().await, Ok(vec![]), "the actor answers meanwhile");
        open.send(Gate).expect("somebody waits");
        assert_eq!(stored.await.map(|reached| reached.level), Ok(2));
        for level in [1, 2] {
            let cells = levels[0].restore_raw::<u64>("table", level).await;
            assert_eq!(cells, Ok(vec![1, 2, 3]));
        }
    });
}

#[test]
fn a_batch_is_stored_and_refused_state_by_state() {
    let system = System::new();
    let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2).budget(12)));
    let config = CheckpointingConfig::level(1).keep(1).parent(&above);
    let local = system.spawn(Checkpointing::new(config));
    system.block_on(async {
        local.checkpoint("old", 9, &1_u8, 1).await.expect("stored");
        let state =
            |key: &str, version, bytes: usize| (key.into(), version, Blob::raw(&vec![7_u8; bytes]));
        let batch = vec![state("a", 1, 10), state("old", 8, 1), state("b", 1, 5), state("c", 1, 2)];
        let report = local.checkpoint_batch(batch, 2).await.expect("both answer");
        assert_eq!(report.level, 2);
        let refused: Vec<_> =
            report.refused.iter().map(|r| (r.key.as_str(), r.version, r.level)).collect();
        assert_eq!(refused, [("old", 8, 1), ("b", 1, 2)]);
        let keys = |inventory: Vec<(Key, Vec<u64>)>| -> Vec<String> {
            inventory.into_iter().map(|(key, _)| key.to_string()).collect()
        };
        assert_eq!(keys(local.inventory().await.unwrap()), ["a", "b", "c", "old"]);
        assert_eq!(keys(above.inventory().await.unwrap()), ["a", "c"]);
    });
}
