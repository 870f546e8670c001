use actors_core::{ActorId, SystemId, remote::Location};

use super::*;
use crate::{
    directory::Record,
    office::{self, Say},
    vectors,
    wire::{Asked, Frame},
};

const LONGEST: usize = 1 << 30;

fn read_all(bytes: &[u8], assembly: &mut Assembly) -> io::Result<Vec<Frame>> {
    let mut incoming = Incoming::new(Box::new(futures_lite::io::Cursor::new(bytes.to_vec())));
    futures_lite::future::block_on(async {
        let mut frames = Vec::new();
        while let Some(frame) = assembly.read(&mut incoming).await? {
            frames.extend(frame);
        }
        Ok(frames)
    })
}

fn read(bytes: &[u8]) -> io::Result<Vec<Frame>> {
    read_all(bytes, &mut Assembly::new(LONGEST))
}

fn message(length: usize) -> Frame {
    let to = ActorId { home: SystemId(7), serial: 9 };
    Frame::Message {
        to,
        name: "add".into(),
        body: vec![3; length],
        epoch: None,
        call: Some(Asked(4, None)),
        trace: None,
    }
}

fn whole(frame: &Frame) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_whole(&mut bytes, frame);
    bytes
}

fn append_value(to: &mut Vec<u8>, value: &[u8]) {
    begin_value(to, value.len());
    to.extend_from_slice(value);
}

fn append_first_part(to: &mut Vec<u8>, transfer: u32, total: usize, part: &[u8]) {
    begin_first_part(to, transfer, total, part.len());
    to.extend_from_slice(part);
}

fn append_part(to: &mut Vec<u8>, transfer: u32, part: &[u8]) {
    begin_part(to, transfer, part.len());
    to.extend_from_slice(part);
}

/// A value in parts of this length.
fn parts(frame: &Frame, transfer: u32, length: usize) -> Vec<Vec<u8>> {
    let value = encode(frame);
    let mut pieces = Vec::new();
    for (n, part) in value.chunks(length).enumerate() {
        let mut piece = Vec::new();
        match n {
            0 => append_first_part(&mut piece, transfer, value.len(), part),
            _ => append_part(&mut piece, transfer, part),
        }
        pieces.push(piece);
    }
    pieces
}

#[test]
fn values_come_back_as_they_were_sent() {
    let frame = message(300);
    let expected = format!("{frame:?}");
    let mut bytes = whole(&frame);
    append_value(&mut bytes, &encode(&frame));
    let [one, two] = [parts(&frame, 1, 50), parts(&frame, 2, 70)];
    for n in 0..one.len().max(two.len()) {
        bytes.extend(one.get(n).into_iter().chain(two.get(n)).flatten());
    }
    let back = read(&bytes).unwrap();
    assert_eq!(back.len(), 4);
    assert!(back.iter().all(|frame| format!("{frame:?}") == expected));
    assert!(read(b"").unwrap().is_empty());
}

/// NODE-24: every truncation and every garbled byte is an error or another frame, never a panic.
#[test]
fn node_24_damaged_pieces_are_errors() {
    let mut bytes = whole(&message(3));
    bytes.extend(parts(&message(40), 1, 20).concat());
    let ends: Vec<usize> = (1..=bytes.len()).filter(|end| read(&bytes[..*end]).is_ok()).collect();
    assert_eq!(ends.len(), 5, "those between two pieces: {ends:?}");
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut damaged = bytes.clone();
            damaged[at] ^= 1 << bit;
            let _ = read(&damaged);
        }
    }
}

/// NODE-24: a length is not believed before its data is there.
#[test]
fn node_24_a_length_without_its_data_costs_nothing() {
    for length in [0, LONGEST_PIECE as u32 + 1, u32::MAX] {
        let mut assembly = Assembly::new(LONGEST);
        let error = read_all(&length.to_le_bytes(), &mut assembly).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert_eq!(assembly.held(), 0);
    }
    let mut announced = Vec::new();
    for transfer in 0..TRANSFERS as u32 {
        append_first_part(&mut announced, transfer, LONGEST, &[0; 100]);
    }
    let mut assembly = Assembly::new(LONGEST);
    assert!(read_all(&announced, &mut assembly).unwrap().is_empty());
    assert!(assembly.held() < 64 << 10, "{} bytes", assembly.held());
}

/// NODE-24: what no peer sends.
#[test]
fn node_24_transfers_that_do_not_add_up_are_errors() {
    let first = |transfer, total, part: &[u8]| {
        let mut bytes = Vec::new();
        append_first_part(&mut bytes, transfer, total, part);
        bytes
    };
    let next = |transfer, part: &[u8]| {
        let mut bytes = Vec::new();
        append_part(&mut bytes, transfer, part);
        bytes
    };
    let crowd: Vec<u8> = (0..=TRANSFERS as u32).flat_map(|n| first(n, 9, b"a")).collect();
    for (bytes, expected) in [
        (next(1, b"a"), "not begun"),
        ([first(1, 9, b"a"), first(1, 9, b"a")].concat(), "begins twice"),
        ([first(1, 9, b"a"), next(1, b"0123456789")].concat(), "10 bytes after 1 of the 9"),
        ([first(1, 9, b"a"), next(1, b"")].concat(), "0 bytes after 1 of the 9"),
        (first(1, 1, b"ab"), "2 bytes after 0 of the 1"),
        (first(1, LONGEST + 1, b"a"), "at most"),
        (first(1, usize::MAX, b"a"), "at most"),
        (crowd, "more than 64"),
        (b"\x01\0\0\0\x03".to_vec(), "kind 3"),
        (b"\x03\0\0\0\x02ab".to_vec(), "without its head"),
        (b"\x02\0\0\0\0\xc1".to_vec(), "does not decode"),
    ] {
        let error = read(&bytes).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        assert!(error.to_string().contains(expected), "{error}");
    }
}

/// `docs/formats.md` shows what is really said.
#[test]
fn pieces_are_as_documented() {
    let to = ActorId { home: SystemId(7), serial: 3 };
    let (name, body) = ("add".into(), vec![0x91, 2]);
    let message =
        Frame::Message { to, name, body, epoch: None, call: Some(Asked(1, None)), trace: None };
    vectors::check("message", &whole(&message));
    let reply = Frame::Reply { call: 1, answer: Ok(crate::wire::Body(vec![5])) };
    vectors::check("reply", &whole(&reply));
    let (actor, export) = (ActorId { home: SystemId(7), serial: 3 }, "calculator".into());
    let location = Location { node: SystemId(9), version: 2 };
    let record = Record { actor, location, export };
    let named = Frame::Named { name: "leader".into(), stamp: 5, record };
    vectors::check("named", &whole(&named));
    let ballot = office::Ballot::new(1, SystemId(2));
    let say = Say::Renew { ballot, number: 1, term: 1, micros: 3_000_000 };
    vectors::check("role", &whole(&Frame::Role { role: "head".into(), say }));
    vectors::check("heartbeat", &whole(&Frame::Heartbeat(70_000)));
    vectors::check("parts", &parts(&message, 1, 20).concat());
}
