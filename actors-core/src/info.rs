use serde::Serialize;

use crate::{ActorId, ExitReason, SystemId};

/// What is known of an actor from outside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct ActorInfo {
    /// Its identity.
    pub id: ActorId,
    /// The type of its state.
    pub type_name: &'static str,
    /// Its name in the registry; of several the oldest.
    pub name: Option<String>,
    /// The system it runs in; with [`Status::Remote`] the other node's.
    pub system: SystemId,
    /// Whether it lives.
    pub status: Status,
    /// Messages waiting: exact when it is idle or suspended, or bounded; of another that is busy, as many as there
    /// were in its first turn after it was last asked (counted up to a million). Zero for a remote
    /// actor.
    pub mailbox_len: usize,
    /// Starts so far; 1 is the first life. Zero for a remote actor.
    pub incarnation: u32,
    /// Messages handled in all its lives.
    pub handled: u64,
    /// Why its last incarnation ended, if one did.
    pub last_error: Option<ExitReason>,
}

/// Whether an actor lives.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[non_exhaustive]
pub enum Status {
    /// It takes and handles messages.
    Running,
    /// Between two incarnations, or before the first: messages queue.
    Suspended,
    /// It is on another node.
    Remote,
    /// It is no more.
    Dead(ExitReason),
}
