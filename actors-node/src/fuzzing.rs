//! What the fuzz targets call: readers of what strangers and peers send.

use std::sync::Arc;

use actors_core::{
    SystemId,
    host::{Random, ReadHalf, Stream},
};
use futures_lite::{future::block_on, io};

use crate::{
    Member, Secret,
    hand_shake::{HandShakeError, Offer, Us, accept, dial},
    pieces::{self, Assembly},
    wire::Frame,
};

/// The longest value that is taken here.
const LONGEST: usize = 1 << 20;

/// Reads what a peer sends after the hand-shake. What decodes also encodes, and is the same when it comes
/// back; no more memory is held than was sent, but for room to grow.
pub fn pieces(bytes: &[u8]) {
    let mut assembly = Assembly::new(LONGEST);
    let mut read: ReadHalf = Box::new(io::Cursor::new(bytes.to_vec()));
    while let Ok(Some(frame)) = block_on(assembly.read::<Frame>(&mut read)) {
        assert!(assembly.held() <= 4 * bytes.len() + (1 << 17), "{} bytes", assembly.held());
        let Some(frame) = frame else { continue };
        let again = pieces::encode(&frame);
        let mut piece = vec![];
        pieces::append_whole(&mut piece, &frame);
        assert_eq!(piece[pieces::WHOLE_HEADER..], again);
        let back = assembly.take::<Frame>(&piece[4..]).expect("what was encoded decodes");
        assert_eq!(pieces::encode(&back.expect("it is whole")), again);
    }
}

/// Reads what a dialler says. Nobody gets in but the node of the page on formats, by what it has really
/// said there.
pub fn from_dialler(bytes: &[u8]) {
    if let Ok(guest) = block_on(accept(&us(1, "a", 2), stream(bytes))) {
        assert_eq!(guest.member, us(2, "b", 1).member);
    }
}

/// Reads what an acceptor says, as [`from_dialler`].
pub fn from_acceptor(bytes: &[u8]) {
    let us_b = us(2, "b", 1);
    let dialled = async { dial(&us_b, stream(bytes)).await?.enter(&us_b).await };
    match block_on(dialled) {
        Ok(connected) => assert_eq!(connected.member, us(1, "a", 2).member),
        Err(HandShakeError::TooLong { bytes, limit }) => assert!(bytes > limit),
        Err(_) => {}
    }
}

fn stream(bytes: &[u8]) -> Stream {
    let read = Box::new(io::Cursor::new(bytes.to_vec()));
    Stream { read, write: Box::new(io::sink()), peer: "a stranger".into() }
}

/// The nodes of the page on formats.
fn us(id: u64, name: &str, byte: u8) -> Us {
    let address = format!("127.0.0.1:400{id}");
    Us {
        cluster: "default".into(),
        member: Member { id: SystemId(id), name: name.into(), address },
        longest: LONGEST as u64,
        secret: Secret::new("a secret of the cluster").expect("it is long enough"),
        tls: None,
        offer: Offer::OURS,
        random: Arc::new(Always(byte)),
    }
}

/// Not random at all: a hand-shake can be said again.
struct Always(u8);

impl Random for Always {
    fn next(&self) -> u64 {
        0
    }

    fn fill(&self, bytes: &mut [u8]) -> std::io::Result<()> {
        bytes.fill(self.0);
        Ok(())
    }
}
