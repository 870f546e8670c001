//! What nodes say to each other after the hand-shake, as MessagePack.
//!
//! The format is written down in `docs/formats.md`.

use actors_core::{
    ActorId, CallError, Down, ExitReason, GroupEpoch, StartError, SystemId, remote::Location,
};
use serde::{Deserialize, Serialize};

use crate::{
    Member, RegisterError,
    directory::{Record, Request},
    office::Say,
    swim::Packet,
};

/// What a frame has beside a message of the longest kind, at most, in bytes.
pub(crate) const HEAD_ROOM: usize = 1 << 20;
/// What a node that comes is told first.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Roster {
    pub(crate) members: Vec<Member>,
    pub(crate) dead: Vec<SystemId>,
}

/// What both sides say last in the hand-shake, the one with the lower identity first: a connection goes
/// on where the one before has ended.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Resume {
    /// Higher than that of every connection before, between these two lives.
    pub(crate) connection: u64,
    /// Bytes of the other side's stream that have arrived so far, in whole pieces.
    pub(crate) received: u64,
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
    /// They are connected already, or are just about to be.
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

/// Everything after the hand-shake. Of what comes, the long parts are read where they are: `B` is a slice then.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "B: serde_bytes::Serialize",
    deserialize = "B: serde_bytes::Deserialize<'de>"
))]
pub(crate) enum Frame<B = Vec<u8>> {
    /// The sender is there, and has so many bytes of the receiver's stream.
    Heartbeat(u64),
    /// Nothing has used the connection for long: it may be closed.
    Idle,
    /// Probes and news of members that are known by gossip.
    Swim(Packet),
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
        body: B,
        epoch: Option<GroupEpoch>,
        /// Set when an answer is wanted.
        call: Option<Asked>,
        /// The sender's trace, for the receiver's propagator.
        #[serde(with = "serde_bytes")]
        trace: Option<Vec<u8>>,
    },
    Reply {
        call: u64,
        answer: Result<Body<B>, CallError>,
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
    /// The owner of a role, which supervises the actor from now on: let it live on, or make its address.
    Adopt {
        call: u64,
        export: String,
        actor: ActorId,
        version: u32,
        role: String,
        term: u64,
    },
    /// Start its next incarnation.
    Start {
        call: u64,
        actor: ActorId,
        group: Option<GroupEpoch>,
        incarnation: u32,
        #[serde(with = "serde_bytes")]
        args: B,
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
    /// The sender wants a name for an actor of its own.
    Claim {
        name: String,
        stamp: u64,
        actor: ActorId,
    },
    /// The answer to it: granted, unless somebody has the name.
    Claimed {
        name: String,
        stamp: u64,
        actor: ActorId,
        taken_by: Option<ActorId>,
    },
    /// An actor of the sender has the name.
    Named {
        name: String,
        stamp: u64,
        record: Record,
    },
    /// It has it no more, or is not to have it.
    Unnamed {
        name: String,
        actor: ActorId,
    },
    /// An actor of the sender is in the group.
    Joined {
        group: String,
        record: Record,
    },
    /// It is in it no more.
    Parted {
        group: String,
        actor: ActorId,
    },
    /// Something is wanted for an actor of the receiver.
    Request {
        call: u64,
        request: Request,
    },
    /// The answer to it.
    Answered {
        call: u64,
        result: Result<(), RegisterError>,
    },
    /// Of the voters and the owner of a role.
    Role {
        role: String,
        say: Say,
    },
    /// Say so when all that was sent before is handled.
    Sync(u64),
    /// The answer to it.
    Synced(u64),
}

/// The number of a question, and how long its asker waits, if the question says so: in milliseconds, from when it was sent.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) struct Asked(pub(crate) u64, pub(crate) Option<u64>);

/// Bytes as one MessagePack blob.
#[derive(Debug, Serialize, Deserialize)]
#[serde(bound(
    serialize = "B: serde_bytes::Serialize",
    deserialize = "B: serde_bytes::Deserialize<'de>"
))]
pub(crate) struct Body<B = Vec<u8>>(#[serde(with = "serde_bytes")] pub(crate) B);

/// In which order a frame goes, where a long one is on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Lane {
    /// At once.
    Free,
    /// In order with what goes to this actor.
    Actor(ActorId),
    /// So too; and what overtakes the messages does not overtake this.
    Start(ActorId),
    /// Ahead of the messages to this actor.
    Ahead(ActorId),
    /// After all that this actor has sent.
    After(ActorId),
}

impl<B: AsRef<[u8]>> Frame<B> {
    pub(crate) const fn lane(&self) -> Lane {
        match *self {
            Self::Message { to, .. } | Self::Stop(to, _) | Self::Monitor(to) => Lane::Actor(to),
            Self::Reserve { actor, .. } | Self::Adopt { actor, .. } | Self::Start { actor, .. } => {
                Lane::Start(actor)
            }
            Self::Retire(actor, _) | Self::Release(actor) => Lane::Actor(actor),
            Self::End(to, _) => Lane::Ahead(to),
            Self::Down(Down { actor, .. }) => Lane::After(actor),
            Self::Heartbeat(_)
            | Self::Idle
            | Self::Swim(_)
            | Self::Members(_)
            | Self::Dead(_)
            | Self::Fenced
            | Self::Goodbye
            | Self::Reply { .. }
            | Self::Started { .. }
            | Self::ChildExit { .. }
            | Self::Relocated(..)
            | Self::Claim { .. }
            | Self::Claimed { .. }
            | Self::Named { .. }
            | Self::Unnamed { .. }
            | Self::Joined { .. }
            | Self::Parted { .. }
            | Self::Request { .. }
            | Self::Answered { .. }
            | Self::Role { .. }
            | Self::Sync(_)
            | Self::Synced(_) => Lane::Free,
        }
    }

    /// Whether it is said for something else than the connection itself.
    pub(crate) const fn is_use(&self) -> bool {
        !matches!(self, Self::Heartbeat(_) | Self::Idle)
    }

    /// What may be long in it.
    fn bytes(&self) -> Option<&B> {
        match self {
            Self::Message { body, .. } => Some(body),
            Self::Start { args, .. } => Some(args),
            Self::Reply { answer: Ok(Body(body)), .. } => Some(body),
            _ => None,
        }
    }

    /// About how many bytes it has, encoded.
    pub(crate) fn weight(&self) -> usize {
        match self {
            Self::Role { say, .. } => say.weight(),
            _ => self.bytes().map_or(0, |bytes| bytes.as_ref().len()),
        }
    }
}

impl Frame {
    /// What may be long in it, empty if nothing is.
    pub(crate) fn long_part(&self) -> &[u8] {
        self.bytes().map_or(&[], Vec::as_slice)
    }

    /// [`long_part`](Self::long_part), to be had.
    pub(crate) fn into_long_part(self) -> Vec<u8> {
        match self {
            Self::Message { body, .. } => body,
            Self::Start { args, .. } => args,
            Self::Reply { answer: Ok(Body(body)), .. } => body,
            _ => Vec::new(),
        }
    }
}
