//! What a store keeps.

use actors_checkpoint::{
    Blob, BudgetExceeded, CheckpointEvent, CheckpointLink, Checkpointing, CheckpointingConfig,
    Evicted, EvictedFor, Key, PutError, Store, StoreError,
};
use actors_core::System;

fn blob(bytes: usize) -> Blob {
    Blob::raw(&vec![7_u8; bytes])
}

fn versions(store: &Store, key: &str) -> Vec<u64> {
    let found = store.inventory().into_iter().find(|(k, _)| k.as_str() == key);
    found.map(|(_, versions)| versions).unwrap_or_default()
}

#[test]
fn ckpt_12_the_newest_n_versions_are_kept() {
    let mut store = Store::new(3, None);
    for version in [1, 2, 3, 4, 7] {
        store.put("k".into(), version, blob(1)).expect("it fits");
    }
    assert_eq!(versions(&store, "k"), [3, 4, 7]);
    let outdated = store.put("k".into(), 2, blob(1));
    assert_eq!(outdated, Err(StoreError::Outdated { version: 2, oldest: 3, newest: 7 }));
    store.put("k".into(), 5, blob(1)).expect("it is among the newest");
    assert_eq!(versions(&store, "k"), [4, 5, 7]);
    let evicted = store.put("k".into(), 8, blob(1)).expect("it fits");
    assert_eq!(
        evicted,
        [Evicted { key: "k".into(), version: 4, bytes: 1, why: EvictedFor::Retention }]
    );
}

#[test]
fn ckpt_12_one_version_is_kept_at_least() {
    let mut store = Store::new(0, None);
    store.put("k".into(), 1, blob(1)).expect("it fits");
    assert_eq!(versions(&store, "k"), [1]);
}

#[test]
fn ckpt_12_the_protected_version_stays_until_a_newer_one_is_protected() {
    let mut store = Store::new(2, None);
    store.put("k".into(), 1, blob(1)).expect("it fits");
    store.put("other".into(), 1, blob(1)).expect("it fits");
    assert_eq!(store.protect(1), []);
    for version in 2..=9 {
        store.put("k".into(), version, blob(1)).expect("it fits");
    }
    assert_eq!(versions(&store, "k"), [1, 8, 9]);
    assert_eq!(store.protect(0), [], "protection does not go back");
    assert_eq!(store.protected(), Some(1));
    // Of a key without that very version, the one before it is what the commit had.
    assert_eq!(
        store.protect(8),
        [Evicted { key: "k".into(), version: 1, bytes: 1, why: EvictedFor::Retention }]
    );
    for version in 10..=12 {
        store.put("k".into(), version, blob(1)).expect("it fits");
    }
    assert_eq!(versions(&store, "k"), [8, 11, 12]);
    assert_eq!(versions(&store, "other"), [1]);
}

#[test]
fn ckpt_12_a_protected_version_may_come_late() {
    let mut store = Store::new(1, None);
    store.put("k".into(), 9, blob(1)).expect("it fits");
    store.protect(4);
    store.put("k".into(), 4, blob(1)).expect("it is the protected one");
    assert_eq!(versions(&store, "k"), [4, 9]);
    assert!(store.put("k".into(), 3, blob(1)).is_err());
}

#[test]
fn ckpt_18_the_budget_evicts_the_oldest_first() {
    let mut store = Store::new(9, Some(50));
    for (key, version) in [("a", 1), ("b", 2), ("a", 3), ("b", 4), ("a", 5)] {
        assert_eq!(store.put(key.into(), version, blob(10)), Ok(vec![]));
    }
    let evicted = store.put("b".into(), 6, blob(15)).expect("it fits then");
    let gone: Vec<_> = evicted.iter().map(|e| (e.key.as_str(), e.version)).collect();
    assert_eq!(gone, [("a", 1), ("b", 2)]);
    assert_eq!(store.bytes(), 45);
}

#[test]
fn ckpt_18_the_only_version_of_a_key_and_the_protected_one_are_never_evicted() {
    let mut store = Store::new(9, Some(30));
    store.put("only".into(), 1, blob(10)).expect("it fits");
    store.put("k".into(), 1, blob(10)).expect("it fits");
    store.protect(1);
    store.put("k".into(), 2, blob(10)).expect("it fits");
    let before = store.inventory();
    let exceeded = store.put("k".into(), 3, blob(21));
    assert_eq!(exceeded, Err(BudgetExceeded { budget: 30, needed: 11 }.into()));
    assert_eq!((store.inventory(), store.bytes()), (before, 30), "nothing changed");
    store.put("k".into(), 3, blob(10)).expect("version 2 may go");
    assert_eq!(versions(&store, "k"), [1, 3]);
    // The same version in place of itself, and too large for it.
    assert!(store.put("k".into(), 3, blob(11)).is_err());
    assert_eq!(store.get(&"k".into(), 3), Some(&blob(10)));
}

#[test]
fn ckpt_18_an_old_version_never_pushes_out_a_newer_one() {
    let mut store = Store::new(9, Some(30));
    for version in [5, 6, 7] {
        store.put("k".into(), version, blob(10)).expect("it fits");
    }
    assert!(matches!(store.put("k".into(), 4, blob(10)), Err(StoreError::Budget(_))));
    assert_eq!(versions(&store, "k"), [5, 6, 7]);
    store.put("other".into(), 1, blob(10)).expect("it is the newest of its key");
    assert_eq!(versions(&store, "k"), [6, 7]);
}

#[test]
fn ckpt_18_an_actor_tells_who_refused_and_who_has_it() {
    let system = System::new();
    let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2).budget(100)));
    let config = CheckpointingConfig::level(1).parent(&above);
    let local = system.spawn(Checkpointing::new(config));
    let put = system.block_on(async { local.checkpoint_raw("k", 1, &[0_u8; 101], 2).await });
    let why = StoreError::Budget(BudgetExceeded { budget: 100, needed: 1 });
    assert_eq!(put, Err(PutError::Refused { level: 2, reached: Some(1), why }));
}

#[test]
fn ckpt_18_evictions_and_refusals_are_told() {
    let system = System::new();
    let store = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(9).budget(30)));
    system.block_on(async {
        let events = store.subscribe().await.expect("it answers");
        for version in 1..=4 {
            store.checkpoint_raw("k", version, &[0_u8; 10], 1).await.expect("it fits");
        }
        let why = EvictedFor::Budget;
        let evicted = Evicted { key: "k".into(), version: 1, bytes: 10, why };
        assert_eq!(events.try_recv(), Ok(CheckpointEvent::Evicted(evicted)));
        store.checkpoint_raw("k", 5, &[0_u8; 31], 1).await.expect_err("it does not fit");
        let why = StoreError::Budget(BudgetExceeded { budget: 30, needed: 1 });
        let refused = CheckpointEvent::Refused { key: "k".into(), version: 5, why };
        assert_eq!(events.try_recv(), Ok(refused));
        assert!(events.try_recv().is_err(), "and nothing else");
    });
}

/// Against a model that keeps everything and decides by the words of the documentation.
#[test]
fn ckpt_12_random_operations_keep_what_is_promised() {
    for seed in 0..300 {
        let mut rng = fastrand::Rng::with_seed(seed);
        let (keep, budget) = (rng.usize(1..4), rng.u64(20..200));
        let mut store = Store::new(keep, Some(budget));
        let mut newest = std::collections::BTreeMap::<Key, u64>::new();
        let mut floor = None;
        let mut sure = std::collections::BTreeMap::<Key, u64>::new();
        for _ in 0..200 {
            if rng.u8(..20) == 0 {
                let version = rng.u64(..50);
                store.protect(version);
                floor = floor.max(Some(version));
                sure = store
                    .inventory()
                    .into_iter()
                    .filter_map(|(key, held)| {
                        Some((key, held.into_iter().rfind(|v| Some(*v) <= floor)?))
                    })
                    .collect();
                continue;
            }
            let key = Key::from(format!("k{}", rng.u8(..4)));
            let (version, size) = (rng.u64(..50), rng.usize(..30));
            let before = store.inventory();
            match store.put(key.clone(), version, blob(size)) {
                Ok(_) => {
                    assert!(store.get(&key, version).is_some());
                    newest
                        .entry(key.clone())
                        .and_modify(|v| *v = version.max(*v))
                        .or_insert(version);
                    if Some(version) <= floor {
                        sure.entry(key).and_modify(|v| *v = version.max(*v)).or_insert(version);
                    }
                }
                Err(_) => assert_eq!(store.inventory(), before, "a refusal changes nothing"),
            }
            assert!(store.bytes() <= budget);
            let bytes: usize = store.entries().map(|(_, _, blob)| blob.len()).sum();
            assert_eq!(store.bytes(), bytes as u64);
            for (key, version) in newest.iter().chain(&sure) {
                assert!(store.get(key, *version).is_some(), "{key} {version} of seed {seed}");
            }
            for (key, held) in store.inventory() {
                let extra = usize::from(sure.contains_key(&key));
                assert!(held.len() <= keep + extra, "{key}: {held:?}");
            }
        }
    }
}

/// A version on its way to a commit is kept until one at or above it is committed, however many newer
/// ones come meanwhile; a roll-back drops what is above it.
#[test]
fn ckpt_12_versions_that_a_group_may_go_back_to_are_held() {
    let mut store = Store::new(2, None);
    let key = Key::from("k");
    let versions = |store: &Store| store.inventory().pop().map(|(_, versions)| versions);
    store.put_held(key.clone(), 3, Blob::raw(&[3_u8])).unwrap();
    for version in 4..=5 {
        store.put(key.clone(), version, Blob::raw(&[0_u8])).unwrap();
    }
    store.put_held(key.clone(), 6, Blob::raw(&[6_u8])).unwrap();
    for version in 7..=9 {
        store.put(key.clone(), version, Blob::raw(&[0_u8])).unwrap();
    }
    assert_eq!(versions(&store), Some(vec![3, 6, 8, 9]));
    store.protect(3);
    assert_eq!(versions(&store), Some(vec![3, 6, 8, 9]));
    store.protect(6);
    assert_eq!(versions(&store), Some(vec![6, 8, 9]));
    assert_eq!(store.rollback(Some(6)), 2);
    assert_eq!(versions(&store), Some(vec![6]));
    store.put(key.clone(), 7, Blob::raw(&[7_u8])).unwrap();
    assert_eq!(store.rollback(None), 2);
    assert_eq!(versions(&store), None);
}
