use actors_core::SystemId;

use super::record::Entry;
use crate::{GroupEvent, NameEvent, wire::Frame};

/// What comes of a change of the directory, in this order.
#[derive(Debug)]
pub(crate) enum Effect {
    Send(SystemId, Frame),
    /// To all members.
    All(Frame),
    Name(NameEvent),
    Group(GroupEvent),
    /// Its link may be the last one: it is let go without a lock.
    Forget(Entry),
}

impl From<NameEvent> for Effect {
    fn from(event: NameEvent) -> Self {
        Self::Name(event)
    }
}

impl From<GroupEvent> for Effect {
    fn from(event: GroupEvent) -> Self {
        Self::Group(event)
    }
}
