use std::{
    pin::Pin,
    task::{Context, Poll},
};

use futures_lite::{AsyncRead, future};

use super::*;
use crate::pieces::{LONGEST_VALUE, append_value};

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

/// Each piece is asked for again and again, by futures that are dropped.
fn pieces(incoming: &mut Incoming) -> io::Result<Vec<Vec<u8>>> {
    let mut pieces = Vec::new();
    loop {
        let Some(piece) = future::block_on(future::poll_once(incoming.piece())) else { continue };
        match piece? {
            Some(piece) => pieces.push(piece.to_vec()),
            None => return Ok(pieces),
        }
    }
}

fn values(lengths: &[usize]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (n, length) in lengths.iter().enumerate() {
        append_value(&mut bytes, &vec![n as u8; *length]);
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
    while let Some(_piece) = future::block_on(flood.piece()).unwrap() {
        largest = largest.max(flood.buffer.len());
    }
    assert_eq!(largest, LARGE);
    assert_eq!(flood.buffer.len(), SMALL);
}
