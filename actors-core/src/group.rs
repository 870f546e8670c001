use serde::{Deserialize, Serialize};

/// A set of actors that restart together from one common point.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct GroupId(pub u64);

/// A group and how often it was rolled back.
///
/// What a member sends carries the epoch of the activation that sent it. A member of the same group
/// drops what is older than its own epoch (a [dead letter](crate::DeadLetterCause::Fenced)) and
/// holds back what is newer until it has itself been restarted: nothing of a rolled-back run is ever
/// handled. Messages to and from actors outside the group are not touched.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct GroupEpoch {
    /// The group.
    pub group: GroupId,
    /// Starts at 0 and grows by one with every group restart.
    pub restart: u64,
}

pub(crate) enum Admission {
    Handle,
    Fenced,
    Ahead,
}

/// What a receiver in `own` does with a message tagged `message`.
pub(crate) fn admit(own: Option<GroupEpoch>, message: Option<GroupEpoch>) -> Admission {
    match (own, message) {
        (Some(own), Some(message)) if own.group == message.group => {
            match message.restart.cmp(&own.restart) {
                std::cmp::Ordering::Less => Admission::Fenced,
                std::cmp::Ordering::Equal => Admission::Handle,
                std::cmp::Ordering::Greater => Admission::Ahead,
            }
        }
        _ => Admission::Handle,
    }
}
