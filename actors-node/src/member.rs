use std::fmt;

use actors_core::SystemId;
use serde::{Deserialize, Serialize};

/// One incarnation of a node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// This incarnation: a restarted node has another.
    pub id: SystemId,
    /// Its name, the same over its incarnations.
    pub name: String,
    /// Where it takes connections.
    pub address: String,
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} at {})", self.name, self.id, self.address)
    }
}
