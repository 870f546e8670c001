use crate::{Member, wire::Refusal};

/// Something happened to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A node is connected.
    Up(Member),
    /// A node is silent. It is not dead.
    Suspected(Member),
    /// A suspected node spoke again.
    Recovered(Member),
    /// An incarnation of a node is gone. It can neither speak nor write here any more.
    Down {
        /// Who.
        member: Member,
        /// How that was found.
        cause: DownCause,
    },
    /// Another node has declared this one dead: it must stop what it does and rejoin as a new one.
    Fenced {
        /// Who said so.
        by: Member,
    },
}

/// How the end of a node was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DownCause {
    /// Its connection ended without a good-bye.
    ConnectionLost,
    /// It was silent for too long.
    Silent,
    /// Another node declared it dead.
    Reported,
    /// A new incarnation came under its name.
    Replaced,
    /// It left in order.
    Left,
}

/// Errors of nodes and of joining.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Connections off this machine need encryption and authentication.
    #[error("{address} is not on the loopback interface")]
    Exposed {
        /// The address asked for.
        address: String,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        error: String,
    },
    /// The other node cannot be reached. A retry may succeed.
    #[error("cannot reach {address}: {error}")]
    Unreachable {
        /// The address.
        address: String,
        /// What went wrong.
        error: String,
    },
    /// The other node does not want this one. A retry cannot succeed.
    #[error("refused by {address}: {refusal}")]
    Refused {
        /// The address.
        address: String,
        /// Why.
        refusal: Refusal,
    },
}
