use std::io;

use super::Versions;
use crate::{tls, wire::Refusal};

/// Why two nodes did not come to talk. No message of an actor was read before.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HandShakeError {
    /// Something else is at the other end.
    #[error("it is no actors node{}", what_says(*said))]
    NotANode {
        /// Its first bytes.
        said: [u8; 4],
    },
    /// There is no version of the protocol that both speak.
    #[error("it speaks version {theirs}; this node speaks {ours}")]
    NoCommonVersion {
        /// What this node speaks.
        ours: Versions,
        /// What the other side speaks.
        theirs: Versions,
    },
    /// One side knows members by gossip, the other one by a connection to each.
    #[error("it has another kind of membership")]
    OtherMembership,
    /// The other side could not prove that it knows the secret of the cluster.
    #[error("it does not know the secret of this node's cluster")]
    WrongSecret,
    /// A frame that no hand-shake has.
    #[error("it sends {bytes} bytes at once in the hand-shake; at most {limit} are taken")]
    TooLong {
        /// What it announced.
        bytes: usize,
        /// What is taken.
        limit: usize,
    },
    /// A frame that does not decode.
    #[error("what it says in the hand-shake does not decode: {0}")]
    Malformed(String),
    /// The other side's certificate is not taken here.
    #[error("its certificate is not taken: {0}")]
    Certificate(CertificateFault),
    /// The other side does not take this node's certificate.
    #[error("it does not take this node's certificate: {0}")]
    CertificateRefused(String),
    /// There is no encrypted connection, for another reason.
    #[error("TLS: {0}")]
    Tls(String),
    /// One side does not want the other.
    #[error("{0}")]
    Refused(Refusal),
    /// The hand-shake took too long.
    #[error("no hand-shake in time")]
    TimedOut,
    /// Others took its place: too many were in the hand-shake at once.
    #[error("too many were in the hand-shake at once")]
    Crowded,
    /// The connection broke.
    #[error("the connection broke in the hand-shake: {0}")]
    Broken(String),
}

impl HandShakeError {
    /// Whether another attempt may end otherwise, with nothing changed on either side.
    pub(crate) const fn is_passing(&self) -> bool {
        matches!(self, Self::TimedOut | Self::Crowded | Self::Broken(_))
    }
}

impl From<io::Error> for HandShakeError {
    fn from(error: io::Error) -> Self {
        tls::fault(&error).unwrap_or_else(|| Self::Broken(error.to_string()))
    }
}

/// What is wrong with a certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateFault {
    /// No authority that this node trusts has signed it.
    #[error("its authority is unknown here")]
    UnknownAuthority,
    /// Its time is over.
    #[error("it has expired")]
    Expired,
    /// Its time has not begun: one of the clocks is wrong.
    #[error("it is not valid yet")]
    NotYetValid,
    /// It names other nodes.
    #[error("it is not that of a node named {0:?}")]
    WrongName(String),
    /// There is none.
    #[error("there is none")]
    Missing,
    /// Something else.
    #[error("{0}")]
    Other(String),
}

/// The beginning of a TLS record: an alert or a greeting.
fn what_says(said: [u8; 4]) -> String {
    match said {
        [0x15 | 0x16, 3, ..] => ": it speaks TLS, and this node does not".into(),
        _ => format!(": it says {said:02x?}"),
    }
}
