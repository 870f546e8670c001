//! What nodes say to each other after the hand-shake: length-prefixed MessagePack frames.
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

/// A length that has not arrived is not allocated: at most this much ahead of the data.
const READ_AHEAD: usize = 1 << 20;
/// What a frame has beside a message of the longest kind, at most, in bytes.
pub(crate) const HEAD_ROOM: usize = 1 << 20;
/// A connection keeps a buffer of up to this much from frame to frame.
pub(crate) const KEPT_BUFFER: usize = 4 << 20;

/// What a node that comes is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Roster {
    pub(crate) members: Vec<Member>,
    pub(crate) dead: Vec<SystemId>,
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
    /// It did not prove that it knows the secret of the cluster.
    #[error("it does not know the secret of the cluster")]
    WrongSecret,
    /// A node was asked to join itself.
    #[error("it is this node itself")]
    Itself,
    /// Its certificate names other nodes.
    #[error("its certificate is not that of its name")]
    WrongName,
    /// Another node has come with the same identity.
    #[error("another node has its identity")]
    Impostor,
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
    longest: usize,
) -> io::Result<Option<T>> {
    let mut header = [0; 4];
    match read.read(&mut header[..1]).await? {
        0 => return Ok(None),
        _ => read.read_exact(&mut header[1..]).await?,
    }
    let length = u32::from_le_bytes(header) as usize;
    if length > longest {
        return Err(invalid(format!("a frame of {length} bytes; at most {longest} are taken")));
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

    const LONGEST: usize = 1 << 30;

    fn read(bytes: Vec<u8>) -> io::Result<Option<Frame>> {
        let mut half: ReadHalf = Box::new(futures_lite::io::Cursor::new(bytes));
        futures_lite::future::block_on(read_frame(&mut half, &mut Vec::new(), LONGEST))
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
            Box::new(futures_lite::io::Cursor::new((LONGEST as u32).to_le_bytes().to_vec()));
        let mut buffer = Vec::new();
        let read = read_frame::<Frame>(&mut half, &mut buffer, LONGEST);
        assert!(futures_lite::future::block_on(read).is_err());
        assert!(buffer.len() <= READ_AHEAD);
    }
}
