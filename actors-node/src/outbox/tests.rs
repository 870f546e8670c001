//! One side's stream over many connections, as the other side reads it.

use std::{
    io,
    pin::Pin,
    sync::Mutex as StdMutex,
    task::{Context, Poll},
};

use actors_core::SystemId;
use futures_lite::{AsyncWrite, future};

use super::*;
use crate::{incoming::Incoming, pieces::Assembly};

/// A connection that takes so many bytes and then breaks.
struct Line {
    written: Arc<StdMutex<Vec<u8>>>,
    room: usize,
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let taken = bytes.len().min(self.room).min(1 + self.room / 2);
        if taken == 0 {
            return Poll::Ready(Err(io::ErrorKind::ConnectionReset.into()));
        }
        self.room -= taken;
        self.written.lock().unwrap().extend_from_slice(&bytes[..taken]);
        Poll::Ready(Ok(taken))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_close(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// Both sides of a session.
struct Pair {
    outbox: Outbox,
    assembly: Assembly,
    arrived: Vec<(u64, usize)>,
    /// How the connections ended.
    in_a_piece: usize,
    in_a_transfer: usize,
    unacknowledged: usize,
}

impl Pair {
    fn new() -> Self {
        let (outbox, assembly) = (Outbox::new(1 << 30, 1 << 30), Assembly::new(1 << 30));
        let (in_a_piece, in_a_transfer, unacknowledged) = (0, 0, 0);
        Self { outbox, assembly, arrived: Vec::new(), in_a_piece, in_a_transfer, unacknowledged }
    }

    fn push(&self, to: u64, length: usize) {
        let (to, name) = (ActorId { home: SystemId(1), serial: to }, String::new());
        let frame = Frame::Message {
            to,
            name,
            body: vec![0; length],
            epoch: None,
            call: None,
            trace: None,
        };
        assert!(self.outbox.push(&frame, None));
    }

    /// A connection that breaks after so many bytes, and the word of the other side before it.
    fn connect(&mut self, room: usize) {
        let from = self.assembly.received();
        self.unacknowledged += usize::from(self.outbox.unacknowledged() > 0);
        self.outbox.resume(from).unwrap();
        let written = Arc::default();
        let line = Line { written: Arc::clone(&written), room };
        // It breaks, or waits for more to say.
        let writing = self.outbox.write_to(1, Box::new(line), from);
        let _ = future::block_on(future::poll_once(writing.run()));
        let written = std::mem::take(&mut *written.lock().unwrap());
        self.read(written);
    }

    /// All that waits is written, and nobody hears it.
    fn connect_without_reading(&self) {
        let line = Line { written: Arc::default(), room: usize::MAX };
        let from = u64::try_from(self.outbox.unacknowledged()).unwrap();
        let writing = self.outbox.write_to(1, Box::new(line), from);
        let _ = future::block_on(future::poll_once(writing.run()));
    }

    fn read(&mut self, bytes: Vec<u8>) {
        let (before, all) = (self.assembly.received(), bytes.len() as u64);
        let mut incoming = Incoming::new(Box::new(futures_lite::io::Cursor::new(bytes)));
        while let Ok(Some(frame)) = future::block_on(self.assembly.read(&mut incoming)) {
            if let Some(Frame::Message { to, body, .. }) = frame {
                self.arrived.push((to.serial, body.len()));
            }
        }
        self.in_a_piece += usize::from(self.assembly.received() - before < all);
        self.in_a_transfer += usize::from(self.assembly.transfers() > 0);
    }
}

const LONG: usize = 3 * LONGEST_VALUE;

/// What goes to one actor, in order.
fn of(arrived: &[(u64, usize)], actor: u64) -> Vec<usize> {
    arrived.iter().filter(|(to, _)| *to == actor).map(|(_, length)| *length).collect()
}

/// NODE-21: wherever a connection breaks, every message comes once and in order.
#[test]
fn node_21_a_stream_survives_a_break_after_every_byte() {
    for room in (0..700).chain((1..60).map(|n| n * 4999)) {
        let mut pair = Pair::new();
        for n in 0..10 {
            pair.push(1, n);
        }
        pair.push(2, LONG);
        pair.push(1, 10);
        pair.connect(room);
        pair.push(2, 11);
        pair.connect(usize::MAX);
        assert_eq!(of(&pair.arrived, 1), (0..=10).collect::<Vec<_>>(), "broken after {room} bytes");
        assert_eq!(of(&pair.arrived, 2), [LONG, 11], "broken after {room} bytes");
        assert_eq!(pair.outbox.waiting(), 0);
    }
}

/// NODE-21: and so over hundreds of connections, each broken somewhere.
#[test]
fn node_21_a_stream_survives_many_breaks() {
    let mut random = 1_u64;
    let mut next = |most: usize| {
        random =
            random.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (random >> 33) as usize % most
    };
    let mut pair = Pair::new();
    let mut expected = vec![Vec::new(); 4];
    for n in 0..400 {
        for _ in 0..next(4) {
            let (to, length) = (next(4), [n, 1000, LONG][next(3)]);
            pair.push(to as u64, length);
            expected[to].push(length);
        }
        pair.connect([next(100), next(10_000), next(300_000)][n % 3]);
    }
    pair.connect(usize::MAX);
    for (actor, expected) in expected.iter().enumerate() {
        assert_eq!(of(&pair.arrived, actor as u64), *expected);
    }
    let Pair { in_a_piece, in_a_transfer, unacknowledged, .. } = pair;
    let counts = [in_a_piece, in_a_transfer, unacknowledged];
    assert!(counts.iter().all(|count| *count > 100), "it broke everywhere: {counts:?}");
}

/// What was written counts as waiting until it has arrived, but for what is always on its way.
#[test]
fn node_23_what_has_not_arrived_is_bounded_too() {
    const BOUND: usize = 1 << 20;
    let mut pair = Pair::new();
    pair.outbox = Outbox::new(1 << 30, BOUND);
    let mut taken = 0;
    while pair.outbox.takes(1000).is_ok() {
        pair.push(1, 1000);
        taken += 1;
        pair.connect_without_reading();
        assert!(taken < 10_000, "there is a bound");
    }
    let (written, least) = (pair.outbox.unacknowledged(), BOUND + ON_THE_WAY);
    assert!((least..least + 2000).contains(&written), "{written} after {taken} messages");
    let room = pair.outbox.room().expect("it waits for room");
    let written = written as u64;
    assert!(pair.outbox.acknowledge(written + 1).is_err());
    pair.outbox.acknowledge(written).unwrap();
    future::block_on(room);
    assert!(pair.outbox.takes(1000).is_ok());
}
