//! What the fuzz targets call: readers of what strangers and peers send.

use actors_core::host::Stream;
use futures_lite::{future::block_on, io};

use crate::{
    hand_shake::{
        HandShakeError, accept, dial,
        documented::{self, LONGEST},
    },
    incoming::Incoming,
    pieces::{self, Assembly},
};

/// Reads what a peer sends after the hand-shake. What decodes also encodes, and is the same when it comes
/// back; no more memory is held than was sent, but for room to grow.
pub fn pieces(bytes: &[u8]) {
    let mut assembly = Assembly::new(LONGEST);
    let mut incoming = Incoming::new(Box::new(io::Cursor::new(bytes.to_vec())));
    while let Ok(Some(frame)) = block_on(assembly.read(&mut incoming)) {
        assert!(assembly.held() <= 4 * bytes.len() + (1 << 17), "{} bytes", assembly.held());
        let Some(frame) = frame else { continue };
        let again = pieces::encode(&frame);
        let mut piece = vec![];
        pieces::append_whole(&mut piece, &frame);
        assert_eq!(piece[pieces::WHOLE_HEADER..], again);
        let back = assembly.take_frame(&piece[4..]).expect("what was encoded decodes");
        assert_eq!(pieces::encode(&back.expect("it is whole")), again);
    }
}

/// Reads what a dialler says. Nobody gets in but the node of the page on formats, by what it has really
/// said there.
pub fn from_dialler(bytes: &[u8]) {
    if let Ok(guest) = block_on(accept(&documented::acceptor(), stream(bytes))) {
        assert_eq!(guest.member, documented::dialler().member);
    }
}

/// Reads what an acceptor says, as [`from_dialler`].
pub fn from_acceptor(bytes: &[u8]) {
    let us = documented::dialler();
    let dialled = async { dial(&us, stream(bytes)).await?.enter(&us).await };
    match block_on(dialled) {
        Ok(connected) => assert_eq!(connected.member, documented::acceptor().member),
        Err(HandShakeError::TooLong { bytes, limit }) => assert!(bytes > limit),
        Err(_) => {}
    }
}

fn stream(bytes: &[u8]) -> Stream {
    let read = Box::new(io::Cursor::new(bytes.to_vec()));
    Stream { read, write: Box::new(io::sink()), peer: "a stranger".into() }
}
