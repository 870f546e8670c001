use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::{AsyncRead, future};

use super::*;
use crate::pieces::{LONGEST_VALUE, begin_first_part, begin_part, begin_value};

/// Gives what it has in bites, of a size by what was given so far, and lets its reader wait before each.
struct Bites<F> {
    bytes: Vec<u8>,
    given: usize,
    bite: F,
    waited: bool,
}

impl<F: Fn(usize) -> usize + Unpin> AsyncRead for Bites<F> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        to: &mut [u8],
    ) -> Poll<io::Result<usize>> {
        self.waited = !self.waited;
        if self.waited {
            context.waker().wake_by_ref();
            return Poll::Pending;
        }
        let rest = &self.bytes[self.given..];
        let n = rest.len().min(to.len()).min((self.bite)(self.given));
        to[..n].copy_from_slice(&rest[..n]);
        self.given += n;
        Poll::Ready(Ok(n))
    }
}

fn incoming(bytes: Vec<u8>, bite: impl Fn(usize) -> usize + Send + Unpin + 'static) -> Incoming {
    Incoming::new(Box::new(Bites { bytes, given: 0, bite, waited: false }))
}

fn part_of(incoming: &mut Incoming, part: Part) -> io::Result<Vec<u8>> {
    let mut bytes = vec![0; part.length];
    loop {
        let read = future::block_on(future::poll_once(incoming.read_part(&mut bytes)));
        if let Some(read) = read {
            return read.map(|()| bytes);
        }
    }
}

/// Each piece is asked for again and again, by futures that are dropped.
fn pieces(incoming: &mut Incoming) -> io::Result<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    loop {
        let Some(next) = future::block_on(future::poll_once(incoming.next())) else { continue };
        match next? {
            Some(Next::Piece(piece)) => pieces.push(incoming.piece(piece).to_vec()),
            Some(Next::Part(part)) => pieces.push(part_of(incoming, part)?),
            None => return Ok(pieces),
        }
    }
}

fn values(lengths: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, length) in lengths.iter().enumerate() {
        begin_value(&mut bytes, *length);
        bytes.resize(bytes.len() + length, n as u8);
    }
    bytes
}

/// However the bytes come, and however often the reader is called away.
#[test]
fn pieces_are_read_whole_whatever_comes_at_once() {
    let lengths = [0, 1, 70, LONGEST_VALUE, 3, SMALL - 5, SMALL - 4, LONGEST_VALUE, LONGEST_VALUE];
    for bite in [1, 2, 3, 5, 4096, SMALL, 100_000, usize::MAX] {
        let read = pieces(&mut incoming(values(&lengths), move |_| bite)).unwrap();
        assert_eq!(read.len(), lengths.len(), "{bite} at once");
        for (n, piece) in read.iter().enumerate() {
            assert_eq!(piece[1..], vec![n as u8; lengths[n]], "{bite} at once");
        }
    }
}

/// What comes to where it belongs is what was sent, and so is what comes between.
#[test]
fn long_parts_are_read_to_where_they_belong() {
    let lengths = [LONGEST_VALUE, 1, LONG, LONG + 1, LONGEST_VALUE, 100, LONG - 1, LONGEST_VALUE];
    let mut sent = Vec::new();
    for (n, length) in lengths.iter().enumerate() {
        match n % 3 {
            0 => begin_first_part(&mut sent, n as u32, 1 << 20, *length),
            1 => begin_value(&mut sent, *length),
            _ => begin_part(&mut sent, 1, *length),
        }
        sent.extend((0..*length).map(|at| (at % 251 + n) as u8));
    }
    for bite in [1, 5, 4096, SMALL, LONG + 3, 100_000, usize::MAX] {
        let read = pieces(&mut incoming(sent.clone(), move |_| bite)).unwrap();
        assert_eq!(read.len(), lengths.len(), "{bite} at once");
        for (n, (piece, length)) in read.iter().zip(lengths).enumerate() {
            let bytes = &piece[piece.len() - length..];
            assert!(bytes.iter().enumerate().all(|(at, b)| *b == (at % 251 + n) as u8), "{bite}");
        }
        for end in [20, LONGEST_VALUE / 2, LONGEST_VALUE + 16] {
            let error = pieces(&mut incoming(sent[..end].to_vec(), move |_| bite)).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof, "{bite} at once, {end}");
        }
    }
}

#[test]
fn an_end_in_the_middle_of_a_piece_is_an_error() {
    let bytes = values(&[5, 6]);
    let mut ends = 0;
    for end in 0..=bytes.len() {
        let read = pieces(&mut incoming(bytes[..end].to_vec(), |_| 4));
        ends += usize::from(read.is_ok());
        read.map_err(|error| assert_eq!(error.kind(), io::ErrorKind::UnexpectedEof)).ok();
    }
    assert_eq!(ends, 3, "nothing, one piece, both");
}

/// A buffer grows where much comes at once, and only there; where that is over it is small again.
#[test]
fn the_buffer_is_as_large_as_what_comes() {
    let short = values(&[60; 2000]);
    let mut trickle = incoming(short.clone(), |_| 100);
    pieces(&mut trickle).unwrap();
    assert_eq!(trickle.buffer.len(), SMALL);

    let long = values(&[LONGEST_VALUE; 100]);
    let end = long.len();
    let much_at_first = move |given| if given < end { usize::MAX } else { 100 };
    let mut flood = incoming([long, short].concat(), much_at_first);
    let mut largest = 0;
    while let Some(_piece) = future::block_on(flood.next()).unwrap() {
        largest = largest.max(flood.buffer.len());
    }
    assert_eq!(largest, LARGE);
    assert_eq!(flood.buffer.len(), SMALL);
}
