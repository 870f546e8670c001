//! Messages of any bytes from another node: they do not decode, or are refused, or do what they say. The
//! first byte chooses the message.

#![no_main]

use std::sync::LazyLock;

use actors_checkpoint::{
    Blob, Checkpointing, CheckpointingConfig, Delta, Key, PutError, Version,
    message::{Changes, Get, Put, PutDelta, PutMany},
};
use actors_core::{
    Handler, Link, Message, System,
    remote::{decode, encode},
};
use actors_fuzz::base;
use libfuzzer_sys::fuzz_target;
use serde::{Serialize, de::DeserializeOwned};

static SYSTEM: LazyLock<System> = LazyLock::new(System::new);

fuzz_target!(|bytes: &[u8]| {
    let Some((kind, body)) = bytes.split_first() else { return };
    let _ = match kind % 4 {
        0 => decoded(body).map(put),
        1 => decoded(body).map(put_delta),
        2 => decoded(body).map(put_many),
        _ => decoded(body).map(changes),
    };
});

/// What decodes also encodes, and is the same when it comes back.
fn decoded<M: Serialize + DeserializeOwned>(body: &[u8]) -> Option<M> {
    let message: M = decode(&SYSTEM, body).ok()?;
    let bytes = encode(&SYSTEM, &message).expect("what was decoded encodes");
    let again: M = decode(&SYSTEM, &bytes).expect("what was encoded decodes");
    assert_eq!(encode(&SYSTEM, &again).expect("as before"), bytes);
    Some(message)
}

fn level() -> Link<Checkpointing> {
    SYSTEM.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(100)))
}

fn put(put: Put) {
    let level = level();
    let (key, version, blob) = (put.key.clone(), put.version, put.blob.clone());
    if ask(&level, put).is_ok() {
        assert_eq!(get(&level, key, version), blob);
    }
}

fn put_many(put: PutMany) {
    let _ = ask(&level(), put);
}

fn changes(changes: Changes) {
    put_many(PutMany { entries: changes.entries, level: 1 });
    for (key, version, delta) in changes.deltas {
        apply(key, version, delta);
    }
}

fn put_delta(put: PutDelta) {
    apply(put.key, put.version, put.delta);
}

/// What a delta makes of its base is what was meant, or nothing.
fn apply(key: Key, version: Version, delta: Delta) {
    let level = level();
    let before = Put { key: key.clone(), version: 1, blob: base(), level: 1, only_newer: false };
    ask(&level, before).expect("it is stored");
    let put = PutDelta { key: key.clone(), version, delta, level: 1, only_newer: false };
    match ask(&level, put) {
        Ok(_) => get(&level, key, version).verify().expect("it is what was meant"),
        Err(PutError::NoBase | PutError::Refused { .. }) => {}
        Err(error) => panic!("{error}"),
    }
}

/// A level that panics gives no answer.
fn ask<M: Message>(level: &Link<Checkpointing>, message: M) -> M::Reply
where
    Checkpointing: Handler<M>,
{
    SYSTEM.block_on(level.call(message).forever().into_future()).expect("it answers")
}

fn get(level: &Link<Checkpointing>, key: Key, version: Version) -> Blob {
    let get = Get { version: Some(version), ..Get::newest(key, 1) };
    let found = ask(level, get);
    found.expect("it was stored").blob
}
