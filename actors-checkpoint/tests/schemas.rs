//! States of older programs, of newer ones, and of other codecs.

use std::io;

use actors_checkpoint::{
    Blob, Capture, Checkpoint, CheckpointLink, Checkpointing, CheckpointingConfig, Codec,
    RestoreError,
};
use actors_core::System;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

#[derive(Serialize, Deserialize, Checkpoint)]
struct Oldest {
    name: String,
}

#[derive(Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = 1, from = Oldest)]
struct Older {
    name: String,
    count: i64,
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = 2, from = Older)]
struct Now {
    name: String,
    count: u32,
}

#[derive(Debug, Serialize, Deserialize, Checkpoint)]
#[checkpoint(schema = 3)]
struct Later {
    name: String,
}

impl From<Oldest> for Older {
    fn from(oldest: Oldest) -> Self {
        Self { name: oldest.name, count: 0 }
    }
}

impl TryFrom<Older> for Now {
    type Error = String;

    fn try_from(older: Older) -> Result<Self, String> {
        let count = u32::try_from(older.count).map_err(|_| format!("{} is no count", older.count));
        Ok(Self { name: older.name, count: count? })
    }
}

fn captured(state: &impl Checkpoint) -> Blob {
    Capture::default().state(state).expect("it encodes")
}

fn now(name: &str, count: u32) -> Now {
    Now { name: name.into(), count }
}

#[test]
fn ckpt_14_older_schemas_are_upgraded_step_by_step() {
    assert_eq!(Now::restore(&captured(&now("n", 3))), Ok(now("n", 3)));
    assert_eq!(Now::restore(&captured(&Older { name: "o".into(), count: 7 })), Ok(now("o", 7)));
    assert_eq!(Now::restore(&captured(&Oldest { name: "oo".into() })), Ok(now("oo", 0)));
}

#[test]
fn ckpt_14_what_does_not_upgrade_says_why() {
    let negative = captured(&Older { name: "o".into(), count: -1 });
    let why = Now::restore(&negative).expect_err("a negative count");
    let RestoreError::Upgrade { from: 1, to: 2, why, .. } = why else { panic!("{why}") };
    assert_eq!(why, "-1 is no count");

    let newer = Now::restore(&captured(&Later { name: "l".into() })).expect_err("a newer one");
    assert!(matches!(newer, RestoreError::Schema { known: 2, found: 3, .. }), "{newer}");
    let unknown = Later::restore(&captured(&now("n", 1))).expect_err("nobody upgrades it");
    assert!(matches!(unknown, RestoreError::Schema { known: 3, found: 2, .. }), "{unknown}");
    assert!(matches!(
        Now::restore(&Blob::raw(&[1_u8]).with_schema(2)),
        Err(RestoreError::WrongType { .. })
    ));
}

#[test]
fn ckpt_14_versions_that_cannot_be_read_are_passed_over() {
    let system = System::new();
    let store = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(4)));
    system.block_on(async {
        store.checkpoint_state("k", 1, &Oldest { name: "first".into() }, 1).await.unwrap();
        store.checkpoint_state("k", 2, &now("second", 2), 1).await.unwrap();
        store
            .checkpoint_state("k", 3, &Older { name: "third".into(), count: -3 }, 1)
            .await
            .unwrap();
        store.checkpoint_state("k", 4, &Later { name: "fourth".into() }, 1).await.unwrap();
        let restored = store.restore_state::<Now>("k", 1).await.expect("the second");
        assert_eq!((restored.state, restored.version, restored.level), (now("second", 2), 2, 1));
        let passed_over: Vec<u64> = restored.passed_over.iter().map(|(v, _)| *v).collect();
        assert_eq!(passed_over, [4, 3], "newest first");

        store.checkpoint_state("none", 1, &Older { name: "o".into(), count: -1 }, 1).await.unwrap();
        store.checkpoint_state("none", 2, &Later { name: "l".into() }, 1).await.unwrap();
        let none = store.restore_state::<Now>("none", 1).await;
        assert!(matches!(none, Err(RestoreError::Schema { .. })), "that of the newest: {none:?}");
        let missing = store.restore_state::<Now>("nothing", 1).await;
        assert!(matches!(missing, Err(RestoreError::Missing { .. })));
    });
}

struct Json;

impl Codec for Json {
    const NAME: &str = "json";
    type Error = serde_json::Error;

    fn encode<T: Serialize + ?Sized>(
        value: &T,
        to: &mut impl io::Write,
    ) -> Result<(), Self::Error> {
        serde_json::to_writer(to, value)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error> {
        serde_json::from_slice(bytes)
    }
}

#[derive(Debug, PartialEq, Serialize, Deserialize, Checkpoint)]
#[checkpoint(codec = Json)]
struct Readable {
    name: String,
}

#[test]
fn a_codec_of_ones_own_goes_through_files_and_is_told_from_others() {
    let system = System::new();
    let (first, second) = (
        system.spawn(Checkpointing::new(CheckpointingConfig::level(1))),
        system.spawn(Checkpointing::new(CheckpointingConfig::level(1))),
    );
    let directory = tempfile::tempdir().expect("a directory");
    let state = Readable { name: "n".into() };
    system.block_on(async {
        first.checkpoint_state("k", 1, &state, 1).await.expect("stored");
        first.save_to(directory.path()).await.expect("saved");
        second.load_from(directory.path()).await.expect("loaded");
        let entry = second.restore_best("k").await.expect("there");
        assert_eq!(&entry.blob.bytes()[..], br#"{"name":"n"}"#);
        assert_eq!(second.restore_state("k", 1).await.map(|found| found.state), Ok(state));
        let wrong = second.restore::<String>("k", 1).await.expect_err("not MessagePack");
        let RestoreError::WrongType { found, .. } = &wrong else { panic!("{wrong}") };
        assert_eq!(found, "json");
    });
}

/// Compiles each file in `tests/ui`; the error is that beside it.
#[test]
fn mistakes_in_the_derive_are_explained() {
    trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
}
