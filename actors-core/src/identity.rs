use std::fmt;

use serde::{Deserialize, Serialize};

/// One life of one system: drawn at random when a [`System`](crate::System) is built, never reused.
///
/// A process that starts again under the same node name is another system; this is what keeps
/// addresses of the old one from reaching actors of the new one.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct SystemId(pub u64);

/// The identity of an actor. It never changes, over restarts and moves to other nodes.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct ActorId {
    /// The system that gave the identity: the actor's home, not always where it runs.
    pub home: SystemId,
    /// Unique within `home`, never reused.
    pub serial: u64,
}

impl fmt::Display for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for SystemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl fmt::Display for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{:08x}", self.serial, self.home.0 >> 32)
    }
}

impl fmt::Debug for ActorId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}
