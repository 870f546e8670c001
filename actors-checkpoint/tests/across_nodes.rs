//! The same levels on two systems that know each other only by what crosses the wire.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_checkpoint::{
    Blob, CheckpointLink, Checkpointing, CheckpointingConfig, IntervalChange, LoadError, PutError,
    Reached, RestoreError, SaveError, Skipped, export,
};
use actors_core::{
    ActorId, BoxFuture, CallError, Link, System, SystemId,
    remote::{NotTaken, Parcel, Route, Router, decode, encode},
};

/// A network that delivers at once, or is cut.
struct Wire {
    here: SystemId,
    systems: HashMap<SystemId, System>,
    cable: Arc<Cable>,
}

#[derive(Default)]
struct Cable {
    cut: AtomicBool,
    /// Of messages that went through it.
    bytes: AtomicU64,
}

struct Way {
    from: SystemId,
    to: Option<System>,
    cable: Arc<Cable>,
}

impl Router for Wire {
    fn route(&self, node: SystemId) -> Arc<dyn Route> {
        let to = self.systems.get(&node).cloned();
        Arc::new(Way { from: self.here, to, cable: self.cable.clone() })
    }
}

impl Route for Way {
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), NotTaken> {
        match &self.to {
            Some(system) if !self.cable.cut.load(Ordering::SeqCst) => {
                if let Parcel::Message { body, .. } = &parcel {
                    self.cable.bytes.fetch_add(body.len() as u64, Ordering::SeqCst);
                }
                system.deliver(self.from, to, parcel);
                Ok(())
            }
            _ => Err(NotTaken::NoConnection),
        }
    }

    fn room(&self) -> BoxFuture<'static, ()> {
        Box::pin(std::future::pending())
    }
}

fn two_nodes() -> (System, System, Arc<Cable>) {
    let (a, b, cable) = (System::new(), System::new(), Arc::new(Cable::default()));
    let systems = HashMap::from([(a.id(), a.clone()), (b.id(), b.clone())]);
    for system in [&a, &b] {
        export(system);
        let wire = Wire { here: system.id(), systems: systems.clone(), cable: cable.clone() };
        system.set_router(Arc::new(wire));
    }
    (a, b, cable)
}

/// The link of an actor on `from`, as `to` gets it in a message.
fn sent(from: &System, to: &System, link: &Link<Checkpointing>) -> Link<Checkpointing> {
    decode(to, &encode(from, link).expect("it encodes")).expect("it decodes")
}

fn level(system: &System, level: u8) -> Link<Checkpointing> {
    let config = CheckpointingConfig::level(level).patience(Duration::from_secs(60));
    system.spawn(Checkpointing::new(config))
}

#[test]
fn ckpt_4_states_go_up_and_come_back_across_nodes() {
    let (a, b, cable) = two_nodes();
    let (local, above) = (level(&a, 1), level(&b, 2));
    let above_from_a = sent(&b, &a, &above);
    a.block_on(async {
        above_from_a.register(&local).await.expect("they register");
        assert_eq!(above.describe().await.unwrap().children, [local.id()]);
        assert_eq!(local.describe().await.unwrap().parent, Some(above.id()));

        let heights: Vec<f64> = (0..50_000).map(f64::from).collect();
        let reached = local.checkpoint_raw("k", 1, &heights, 2).await;
        assert_eq!(reached, Ok(Reached { level: 2 }));
        assert_eq!(above.restore_raw::<f64>("k", 2).await, Ok(heights.clone()));
        assert_eq!(local.restore_raw::<f64>("k", 2).await, Ok(heights));
        let missing = local.restore::<u8>("other", 2).await;
        assert!(matches!(missing, Err(RestoreError::Missing { level: 2, .. })));

        local.checkpoint("low", 3, "new", 1).await.expect("stored");
        let report = above.update().forever().await.expect("it answers");
        assert_eq!((report.pulled, report.skipped), (1, vec![]));
        assert_eq!(above.restore::<String>("low", 2).await.as_deref(), Ok("new"));

        cable.cut.store(true, Ordering::SeqCst);
        let put = local.checkpoint("k2", 1, &1_u8, 2).await;
        assert_eq!(put, Err(PutError::ParentLost { reached: 1, why: CallError::NoConnection }));
        let report = above.update().forever().await.expect("it answers");
        assert_eq!(report.skipped, [(local.id(), Skipped::Call(CallError::NoConnection))]);

        cable.cut.store(false, Ordering::SeqCst);
        let report = above.update().forever().await.expect("it answers");
        assert_eq!((report.pulled, report.skipped), (1, vec![]), "it is caught up");
    });
}

#[test]
fn ckpt_4_every_request_crosses() {
    let (a, b, _) = two_nodes();
    let above = level(&b, 2);
    let remote = sent(&b, &a, &above);
    let directory = tempfile::tempdir().expect("a temporary directory");
    a.block_on(async {
        remote.checkpoint("k", 1, &5_u8, 2).await.expect("stored");
        assert_eq!(remote.restore::<u8>("k", 1).await, Ok(5));
        assert_eq!(remote.restore_best("k").await.expect("found").level, 2);
        assert_eq!(remote.inventory().await, Ok(vec![("k".into(), vec![1])]));
        assert_eq!(remote.checkpoints().await.expect("it answers").len(), 1);
        let batch = vec![("batch".into(), 1, Blob::raw(&[1_u8]))];
        let report = remote.checkpoint_batch(batch, 2).await.expect("it answers");
        assert_eq!((report.level, report.refused), (2, vec![]));
        assert_eq!(remote.reset("batch").await, Ok(1));
        let later = remote.checkpoint_later("later", 1, Arc::new(vec![1_u8]), 2).await;
        assert!(matches!(later, Err(PutError::Call(CallError::NotExported(_)))), "{later:?}");
        assert!(matches!(remote.subscribe().await, Err(CallError::NotExported(_))));
        assert_eq!(remote.protect(1).await, Ok(1));
        assert_eq!(remote.save().await, Err(SaveError::NoDirectory));
        assert_eq!(remote.load().await, Err(LoadError::NoDirectory));
        remote.save_to(directory.path()).forever().await.expect("saved");
        assert_eq!(remote.reset("k").await, Ok(1));
        let loaded = remote.load_from(directory.path()).forever().await.expect("loaded");
        assert_eq!(loaded.loaded, 1);
        assert_eq!(remote.reset_all().await, Ok(1));
        let Err(LoadError::NoSnapshot(why)) = remote.load_from("nowhere".as_ref()).await else {
            panic!("there is nothing to load")
        };
        assert_eq!(why.len(), 1);
        let every = IntervalChange::every(Duration::from_secs(3));
        remote.set_intervals(every, IntervalChange::NONE).await.expect("it is set");
        assert!(remote.describe().await.expect("it answers").intervals.update.on);
        remote.leave_parent().await.expect("it has none");
        assert_eq!(remote.update().await.expect("it answers").skipped, []);
    });
}

/// A state of which one block in twenty has changed since the version before.
fn changed(state: &mut [u64]) -> &[u64] {
    const BLOCK: usize = 4096 / size_of::<u64>();
    for block in state.chunks_mut(BLOCK).step_by(20) {
        block[0] += 1;
    }
    state
}

#[test]
fn ckpt_6_only_what_has_changed_is_pulled_from_another_node() {
    let (a, b, _) = two_nodes();
    let (local, above) = (level(&a, 1), level(&b, 2));
    let above_from_a = sent(&b, &a, &above);
    let mut state: Vec<u64> = (0..1 << 20).collect();
    let whole = 8 << 20;
    a.block_on(async {
        above_from_a.register(&local).await.expect("they register");
        for version in 1..=4 {
            let state = changed(&mut state);
            local.checkpoint_raw("k", version, state, 1).await.expect("stored");
            let report = above.update().forever().await.expect("it answers");
            assert_eq!((report.pulled, report.skipped), (1, vec![]));
            match version {
                1 => assert_eq!(report.moved, whole),
                _ => assert!(report.moved <= whole * 7 / 100, "{} B moved", report.moved),
            }
            assert_eq!(above.restore_raw::<u64>("k", 2).await.as_deref(), Ok(state));
        }

        // What the child believes to be there is not: it is asked for the whole in the same update.
        above.reset("k").await.expect("it answers");
        above.checkpoint("k", 4, "another", 2).await.expect("stored");
        local.checkpoint_raw("k", 5, changed(&mut state), 1).await.expect("stored");
        let report = above.update().forever().await.expect("it answers");
        assert_eq!((report.pulled, report.skipped), (1, vec![]));
        assert_eq!(above.restore_raw::<u64>("k", 2).await, Ok(state));
    });
}

#[test]
fn ckpt_3_only_what_has_changed_is_put_on_another_node() {
    let (a, b, cable) = two_nodes();
    let (local, above) = (level(&a, 1), level(&b, 2));
    let above_from_a = sent(&b, &a, &above);
    let mut state: Vec<u64> = (0..1 << 20).collect();
    let whole = 8 << 20;
    a.block_on(async {
        above_from_a.register(&local).await.expect("they register");
        for version in 1..=5 {
            if version == 4 {
                above.reset_all().await.expect("it answers");
            }
            let before = cable.bytes.load(Ordering::SeqCst);
            let state = changed(&mut state);
            let reached = local.checkpoint_raw("k", version, state, 2).forever().await;
            assert_eq!(reached, Ok(Reached { level: 2 }));
            assert_eq!(above.restore_raw::<u64>("k", 2).await.as_deref(), Ok(state));
            let moved = cable.bytes.load(Ordering::SeqCst) - before;
            match version {
                1 | 4 => assert!(moved >= whole, "{moved} B: version {version} is sent whole"),
                _ => assert!(moved <= whole * 7 / 100, "{moved} B moved"),
            }
        }
    });
}
