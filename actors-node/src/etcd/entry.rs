use serde::{Deserialize, Serialize};

use crate::Member;

/// What stands under the key of a node, as JSON.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Entry {
    pub(super) member: Member,
    /// It leaves in order: its key goes next.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) left: bool,
}

impl Entry {
    pub(super) fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec(self).expect("entries are plain data: they encode")
    }

    /// `None` for what no node has written: it is nobody's entry.
    pub(super) fn from_json(bytes: &[u8]) -> Option<Self> {
        let entry = serde_json::from_slice(bytes);
        entry.inspect_err(|error| tracing::warn!(%error, "a key in etcd that is no node's")).ok()
    }
}
