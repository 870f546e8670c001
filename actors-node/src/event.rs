use actors_core::SystemId;

use crate::{DiscoveryError, HandShakeError, Member, wire::Refusal};

/// Something happened to the cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum NodeEvent {
    /// A node is connected. It stays up when the connection breaks and is made again.
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
    /// A node is the owner of a [role](crate::Node::role), this one or another.
    Elected {
        /// The role.
        role: String,
        /// Its term: higher than all before.
        term: u64,
        /// Who.
        owner: SystemId,
    },
    /// This node owns a role and has not heard of a quorum for so long that it cannot be sure of that any more. It
    /// stands down if it does not soon.
    QuorumLost {
        /// The role.
        role: String,
        /// In which it is the owner.
        term: u64,
    },
    /// This node does not own a role any more.
    StoodDown {
        /// The role.
        role: String,
        /// In which it was the owner.
        term: u64,
    },
    /// Another node has declared this one dead: it must stop what it does and rejoin as a new one.
    Fenced {
        /// Who said so: this node itself, if it could not renew its lease ([`NodeBuilder::etcd`](crate::NodeBuilder)).
        by: Member,
    },
    /// What says who is a member cannot be reached. Nobody is dead for that.
    RegistryLost {
        /// Why.
        error: String,
    },
    /// It can be reached again.
    RegistryBack,
}

/// How the end of a node was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum DownCause {
    /// Its connection ended without a good-bye, and nobody listens at its address any more, or another life; or it
    /// said what cannot be understood, or has declared this node dead.
    ConnectionLost,
    /// It was silent for too long.
    Silent,
    /// Another node declared it dead.
    Reported,
    /// More waited for it than may: it does not read, or too slowly.
    Overflow,
    /// A new incarnation came under its name.
    Replaced,
    /// It left in order.
    Left,
    /// Its lease has run out, or its entry was removed: etcd says so.
    Expired,
}

impl DownCause {
    /// Whether the others hear of it without this node.
    pub(crate) const fn is_told(self) -> bool {
        matches!(self, Self::Reported | Self::Left | Self::Expired)
    }
}

/// Errors of nodes and of joining.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum NodeError {
    /// Whoever reaches the address could join and run code: off the loopback interface a node has a
    /// secret, certificates, or says that it is open to all.
    #[error(
        "{address} is not on the loopback interface: give the cluster a secret or certificates"
    )]
    Exposed {
        /// The address asked for.
        address: String,
    },
    /// It listens on all interfaces: others need an address of one of them.
    #[error("{address} is no address to connect to: say which is, with `advertise`")]
    NoAddress {
        /// The address asked for.
        address: String,
    },
    /// Name, cluster and address of the node do not fit into a hand-shake.
    #[error(
        "name, cluster and address have {bytes} bytes in a hand-shake; at most {limit} are taken"
    )]
    TooLong {
        /// Bytes that they have.
        bytes: usize,
        /// Bytes that they may have.
        limit: usize,
    },
    /// The node has more tags than others take.
    #[error("{count} tags; a node has at most {most}")]
    TooManyTags {
        /// Tags that it has.
        count: usize,
        /// Tags that it may have.
        most: usize,
    },
    /// A tag of the node, or its value, is too long.
    #[error("tag {tag:?} or its value has {bytes} bytes; at most {limit} are taken")]
    LongTag {
        /// Which.
        tag: String,
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// The certificate of this node is not made out for its name, or the name fits into none.
    #[error("the certificate is not that of a node named {name:?}")]
    Certificate {
        /// The name of the node.
        name: String,
    },
    /// No random numbers, say.
    #[error("cannot start a node: {0}")]
    System(String),
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {error}")]
    Listen {
        /// The address.
        address: String,
        /// What the system said.
        error: String,
    },
    /// The node is not registered: etcd cannot be reached, or refuses. A retry may succeed.
    #[error("cannot register in etcd: {error}")]
    Registry {
        /// What went wrong.
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
    /// Nobody else was joined.
    #[error("no node of the cluster was joined{}", each(tried))]
    Alone {
        /// Why not each of those that were tried and have answered, or could not be reached.
        tried: Vec<Self>,
    },
    /// It cannot be found out where others are.
    #[error(transparent)]
    Discovery(#[from] DiscoveryError),
    /// This node does not want the other one, or cannot understand it. A retry cannot succeed.
    #[error("cannot join {address}: {error}")]
    HandShake {
        /// The address.
        address: String,
        /// Why.
        error: HandShakeError,
    },
}

fn each(errors: &[NodeError]) -> String {
    errors.iter().map(|error| format!("; {error}")).collect()
}
