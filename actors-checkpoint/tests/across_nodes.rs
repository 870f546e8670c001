//! The same levels on two systems that know each other only by what crosses the wire.

use std::{
    collections::HashMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_checkpoint::{
    CheckpointLink, Checkpointing, CheckpointingConfig, IntervalChange, LoadError, PutError,
    Reached, RestoreError, SaveError, Skipped, export,
};
use actors_core::{
    ActorId, CallError, Link, System, SystemId,
    remote::{Parcel, Route, Router, decode, encode},
};

/// A network that delivers at once, or is cut.
struct Wire {
    here: SystemId,
    systems: HashMap<SystemId, System>,
    cut: Arc<AtomicBool>,
}

struct Way {
    from: SystemId,
    to: Option<System>,
    cut: Arc<AtomicBool>,
}

impl Router for Wire {
    fn route(&self, node: SystemId) -> Arc<dyn Route> {
        let to = self.systems.get(&node).cloned();
        Arc::new(Way { from: self.here, to, cut: self.cut.clone() })
    }
}

impl Route for Way {
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), Parcel> {
        match &self.to {
            Some(system) if !self.cut.load(Ordering::SeqCst) => {
                system.deliver(self.from, to, parcel);
                Ok(())
            }
            _ => Err(parcel),
        }
    }
}

fn two_nodes() -> (System, System, Arc<AtomicBool>) {
    let (a, b, cut) = (System::new(), System::new(), Arc::new(AtomicBool::new(false)));
    let systems = HashMap::from([(a.id(), a.clone()), (b.id(), b.clone())]);
    for system in [&a, &b] {
        export(system);
        let wire = Wire { here: system.id(), systems: systems.clone(), cut: cut.clone() };
        system.set_router(Arc::new(wire));
    }
    (a, b, cut)
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
    let (a, b, cut) = two_nodes();
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

        cut.store(true, Ordering::SeqCst);
        let put = local.checkpoint("k2", 1, &1_u8, 2).await;
        assert_eq!(put, Err(PutError::ParentLost { reached: 1, why: CallError::NoConnection }));
        let report = above.update().forever().await.expect("it answers");
        assert_eq!(report.skipped, [(local.id(), Skipped::Call(CallError::NoConnection))]);

        cut.store(false, Ordering::SeqCst);
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
