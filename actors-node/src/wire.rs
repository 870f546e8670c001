//! What nodes say to each other: a versioned preamble, then length-prefixed MessagePack frames.
//!
//! The format is written down in `docs/formats.md`.

use std::io;

use actors_core::{
    ActorId, CallError, Down, ExitReason, GroupEpoch, StartError, SystemId, host::ReadHalf,
    remote::Location,
};
use futures_lite::AsyncReadExt;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::Member;

/// The first bytes of a connection, in both directions.
pub(crate) const MAGIC: [u8; 4] = *b"ACTN";
/// The version of everything after the preamble.
pub(crate) const VERSION: u16 = 1;
/// Features that this build has; unknown bits of the other side are ignored.
pub(crate) const FEATURES: u32 = 0;
pub(crate) const PREAMBLE: usize = 10;
/// The longest frame taken, in bytes.
pub(crate) const MAX_FRAME: usize = 1 << 30;
/// A length that has not arrived is not allocated: at most this much ahead of the data.
const READ_AHEAD: usize = 1 << 20;
/// A connection keeps a buffer of up to this much from frame to frame.
pub(crate) const KEPT_BUFFER: usize = 4 << 20;

/// The first frame from the side that connects.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) cluster: String,
    pub(crate) member: Member,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Welcome {
    Accepted { member: Member, members: Vec<Member>, dead: Vec<SystemId> },
    Refused { reason: Refusal },
}

/// Why a node does not talk to another.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[non_exhaustive]
pub enum Refusal {
    /// It belongs to another cluster.
    #[error("it belongs to another cluster")]
    OtherCluster,
    /// The incarnation of the node that asks was declared dead: it must come back as a new one.
    #[error("this incarnation of the node was declared dead")]
    Fenced,
    /// They are connected already.
    #[error("already connected")]
    Duplicate,
}

/// Everything after the hand-shake.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Frame {
    Heartbeat,
    /// All members that the sender knows.
    Members(Vec<Member>),
    /// A node was declared dead.
    Dead(Member),
    /// The receiver was declared dead by the sender.
    Fenced,
    /// The sender leaves in order.
    Goodbye,
    Message {
        to: ActorId,
        name: String,
        #[serde(with = "serde_bytes")]
        body: Vec<u8>,
        epoch: Option<GroupEpoch>,
        /// Set when an answer is wanted.
        call: Option<u64>,
    },
    Reply {
        call: u64,
        answer: Result<Body, CallError>,
    },
    Stop(ActorId, ExitReason),
    End(ActorId, ExitReason),
    Monitor(ActorId),
    Down(Down),
    /// Make an address here for an actor of an exported type.
    Reserve {
        call: u64,
        export: String,
        actor: ActorId,
        version: u32,
    },
    /// Start its next incarnation.
    Start {
        call: u64,
        actor: ActorId,
        group: Option<GroupEpoch>,
        incarnation: u32,
        #[serde(with = "serde_bytes")]
        args: Vec<u8>,
    },
    /// The answer to `Reserve` and `Start`.
    Started {
        call: u64,
        result: Result<u32, StartError>,
    },
    /// The supervisor gives the actor up.
    Retire(ActorId, ExitReason),
    /// The supervisor lets the actor go on without it.
    Release(ActorId),
    /// An incarnation of a supervised actor has ended.
    ChildExit {
        actor: ActorId,
        incarnation: u32,
        reason: ExitReason,
    },
    /// An actor is elsewhere now, says its home.
    Relocated(ActorId, Location),
}

/// Bytes as one MessagePack blob.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Body(#[serde(with = "serde_bytes")] pub(crate) Vec<u8>);

/// The preamble that this build sends.
pub(crate) fn preamble() -> [u8; PREAMBLE] {
    let mut bytes = [0; PREAMBLE];
    bytes[..4].copy_from_slice(&MAGIC);
    bytes[4..6].copy_from_slice(&VERSION.to_le_bytes());
    bytes[6..].copy_from_slice(&FEATURES.to_le_bytes());
    bytes
}

/// Checks the other side's preamble.
pub(crate) fn check_preamble(bytes: &[u8; PREAMBLE]) -> io::Result<()> {
    if bytes[..4] != MAGIC {
        return Err(invalid(format!("not an actors node: it says {:02x?}", &bytes[..4])));
    }
    let version = u16::from_le_bytes([bytes[4], bytes[5]]);
    if version != VERSION {
        return Err(invalid(format!("wire version {version}; this node speaks {VERSION}")));
    }
    Ok(())
}

/// A frame with its length before it, ready to write.
pub(crate) fn frame<T: Serialize>(value: &T) -> Vec<u8> {
    let mut bytes = Vec::new();
    append_frame(&mut bytes, value);
    bytes
}

/// Appends a frame with its length before it.
pub(crate) fn append_frame<T: Serialize>(bytes: &mut Vec<u8>, value: &T) {
    let start = bytes.len();
    bytes.extend_from_slice(&[0; 4]);
    rmp_serde::encode::write(bytes, value).expect("frames are plain data: they encode");
    let length = bytes.len() - start - 4;
    let length = u32::try_from(length).expect("bodies are limited before they are framed");
    bytes[start..start + 4].copy_from_slice(&length.to_le_bytes());
}

/// Reads one frame, through a buffer that is used again. `Ok(None)` is the orderly end of the stream.
pub(crate) async fn read_frame<T: DeserializeOwned>(
    read: &mut ReadHalf,
    buffer: &mut Vec<u8>,
) -> io::Result<Option<T>> {
    let mut header = [0; 4];
    match read.read(&mut header[..1]).await? {
        0 => return Ok(None),
        _ => read.read_exact(&mut header[1..]).await?,
    }
    let length = u32::from_le_bytes(header) as usize;
    if length > MAX_FRAME {
        return Err(invalid(format!("a frame of {length} bytes; at most {MAX_FRAME} are taken")));
    }
    let mut start = 0;
    while start < length {
        let end = length.min(start + READ_AHEAD);
        if buffer.len() < end {
            buffer.resize(end, 0);
        }
        read.read_exact(&mut buffer[start..end]).await?;
        start = end;
    }
    let frame = rmp_serde::from_slice(&buffer[..length]);
    if buffer.len() > KEPT_BUFFER {
        *buffer = Vec::new();
    }
    frame
        .map(Some)
        .map_err(|error| invalid(format!("a frame of {length} bytes does not decode: {error}")))
}

fn invalid(text: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: Vec<u8>) -> io::Result<Option<Frame>> {
        let mut half: ReadHalf = Box::new(futures_lite::io::Cursor::new(bytes));
        futures_lite::future::block_on(read_frame(&mut half, &mut Vec::new()))
    }

    fn sample() -> Frame {
        let home = SystemId(7);
        let to = ActorId { home, serial: 9 };
        Frame::Message { to, name: "add".into(), body: vec![1, 2, 3], epoch: None, call: Some(4) }
    }

    #[test]
    fn frames_come_back_as_they_were_sent() {
        let back = read(frame(&sample())).unwrap().unwrap();
        assert_eq!(format!("{back:?}"), format!("{:?}", sample()));
        assert!(read(Vec::new()).unwrap().is_none());
    }

    /// NODE-24: every truncation and every garbled byte is an error or another frame, never a panic.
    #[test]
    fn node_24_damaged_frames_are_errors() {
        let whole = frame(&sample());
        for end in 1..whole.len() {
            assert!(read(whole[..end].to_vec()).is_err(), "{end} bytes");
        }
        for at in 0..whole.len() {
            for bit in 0..8 {
                let mut damaged = whole.clone();
                damaged[at] ^= 1 << bit;
                let _ = read(damaged);
            }
        }
    }

    /// NODE-24: a length is not believed before its data is there.
    #[test]
    fn node_24_an_oversized_length_is_refused() {
        let error = read(u32::MAX.to_le_bytes().to_vec()).unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::InvalidData);
        let mut half: ReadHalf =
            Box::new(futures_lite::io::Cursor::new((MAX_FRAME as u32).to_le_bytes().to_vec()));
        let mut buffer = Vec::new();
        let read = read_frame::<Frame>(&mut half, &mut buffer);
        assert!(futures_lite::future::block_on(read).is_err());
        assert!(buffer.len() <= READ_AHEAD);
    }

    #[test]
    fn node_24_a_foreign_or_newer_peer_is_told_apart() {
        let mut foreign = preamble();
        foreign[..4].copy_from_slice(b"GET ");
        assert!(check_preamble(&foreign).unwrap_err().to_string().contains("not an actors node"));
        let mut newer = preamble();
        newer[4] = 2;
        assert!(check_preamble(&newer).unwrap_err().to_string().contains("version 2"));
        check_preamble(&preamble()).unwrap();
    }
}
