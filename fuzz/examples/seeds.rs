//! Writes the seeds of the fuzz targets: files that were really committed, messages that were really encoded.

use std::{fs, io, path::Path};

use actors_checkpoint::{
    Blob, Codec, Delta, Kind, MessagePack,
    message::{Changes, Cursor, Put, PutDelta, PutMany},
};
use actors_core::sim::SimDisk;
use actors_fuzz::{base, committed, data_file, entries, open, read, references};
use bytes::Bytes;
use serde::{Serialize, de::DeserializeOwned};

fn main() -> io::Result<()> {
    let codec = Kind::Encoded { codec: Other::NAME.into() };
    let other = Blob::encode_with::<Other, _>(&1).expect("a number encodes");
    assert_eq!(*other.kind(), codec);
    let commits =
        [("empty", vec![]), ("codec", vec![("k".into(), 7, other)]), ("kinds", entries(7))];
    for (name, entries) in commits {
        let disk = SimDisk::new(1);
        let mut directory = open(&disk);
        directory.commit(7, &entries, name.as_bytes()).expect("the disk does not fail");
        seed("data", name, &read(&disk, &data_file(7)))?;
        seed("manifest", name, &read(&disk, "MANIFEST"))?;
    }
    seed("manifest", "two", &read(&committed(), "MANIFEST"))?;
    let disk = committed();
    let mut directory = open(&disk);
    let states = directory.load(3).expect("it is whole").entries;
    let done = directory.commit(7, &states, b"referring").expect("the disk does not fail");
    assert_eq!(done.referred, 2);
    let referring = read(&disk, &data_file(7));
    assert_eq!(references(&referring), Some(2));
    seed("data", "referring", &referring)?;
    seed("manifest", "three", &read(&disk, "MANIFEST"))?;

    let [dialler, acceptor] = ["dialler", "acceptor"].map(documented);
    seed("hand_shake", "dialler", &[&[0], &dialler[..]].concat())?;
    seed("hand_shake", "acceptor", &[&[1], &acceptor[..]].concat())?;
    for name in ["message", "parts", "reply", "named", "swim"] {
        seed("pieces", name, &documented(name))?;
    }

    let states = || entries(2);
    let (key, version, blob) = states().swap_remove(2);
    let put = Put { key: key.clone(), version, blob, level: 1, only_newer: false };
    message("put", 0, &put)?;
    let delta = delta();
    let put =
        PutDelta { key: key.clone(), version, delta: delta.clone(), level: 1, only_newer: true };
    message("put-delta", 1, &put)?;
    message("put-many", 2, &PutMany { entries: states(), level: 2 })?;
    let cursor = Cursor { incarnation: 1, change: 9 };
    message("changes", 3, &Changes { entries: states(), cursor, deltas: vec![(key, 3, delta)] })
}

/// From the base to a longer state: made of its fields, as the smallest real one is of 32 KiB.
fn delta() -> Delta {
    let base = base();
    let mut new = base.bytes().to_vec();
    new[3..6].copy_from_slice(b"abc");
    new.extend_from_slice(b"more");
    let blob = Blob::raw(&new);
    let changed =
        [(3_u64, Bytes::from_static(b"abc")), (base.len() as u64, Bytes::from_static(b"more"))];
    let fields =
        (1_u64, base.crc(), blob.kind(), blob.schema(), blob.crc(), new.len() as u64, changed);
    let encoded = rmp_serde::to_vec(&fields).expect("the fields encode");
    rmp_serde::from_slice(&encoded).expect("they are those of a delta")
}

/// A test vector of the page on formats.
fn documented(name: &str) -> Vec<u8> {
    let page = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/formats.md");
    let page = fs::read_to_string(page).expect("the page is there");
    let start = format!("<!-- test vector: {name} -->\n```\n");
    let (_, vector) = page.split_once(&start).expect("the page has it");
    let (vector, _) = vector.split_once("```").expect("it ends");
    let byte = |hex| u8::from_str_radix(hex, 16).expect("it is in hexadecimal digits");
    vector.split_whitespace().map(byte).collect()
}

fn message(name: &str, kind: u8, message: &impl Serialize) -> io::Result<()> {
    let mut bytes = vec![kind];
    bytes.extend(rmp_serde::to_vec(message).expect("a message encodes"));
    seed("messages", name, &bytes)
}

fn seed(target: &str, name: &str, bytes: &[u8]) -> io::Result<()> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("seeds").join(target);
    fs::create_dir_all(&directory)?;
    fs::write(directory.join(name), bytes)
}

/// A codec of one's own.
struct Other;

impl Codec for Other {
    const NAME: &'static str = "other";
    type Error = <MessagePack as Codec>::Error;

    fn encode<T: Serialize + ?Sized>(
        value: &T,
        to: &mut impl io::Write,
    ) -> Result<(), Self::Error> {
        MessagePack::encode(value, to)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error> {
        MessagePack::decode(bytes)
    }
}
