//! What nodes say to each other about a role.

use serde::{Deserialize, Serialize};

use super::value::{Ballot, Value};

/// One thing that is said. CASPaxos (Rystsov, 2018), with leases.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Say {
    /// Promise not to accept anything lower, and say what was accepted.
    Prepare { ballot: Ballot },
    /// So be it.
    Promise { ballot: Ballot, accepted: Option<(Ballot, Value)> },
    /// Somebody else has the sender's word, for so long.
    Held { ballot: Ballot, micros: u64 },
    /// Something higher was promised.
    Refused { ballot: Ballot, promised: Ballot },
    /// Accept this, and promise nobody else anything for so long.
    Accept { ballot: Ballot, value: Value, micros: u64 },
    /// It is.
    Accepted { ballot: Ballot },
    /// From the owner of this term: go on promising nobody else anything.
    Renew { ballot: Ballot, number: u64, term: u64, micros: u64 },
    /// It will.
    Renewed { ballot: Ballot, number: u64 },
    /// The sender, elected with this ballot, is not the owner any more.
    Resigned { ballot: Ballot, term: u64 },
}

impl Say {
    /// About how many bytes it has, encoded.
    pub(crate) const fn weight(&self) -> usize {
        match self {
            Self::Accept { value, .. } | Self::Promise { accepted: Some((_, value)), .. } => {
                value.table.len()
            }
            _ => 0,
        }
    }
}
