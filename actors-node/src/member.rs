use std::{collections::BTreeMap, fmt};

use actors_core::SystemId;
use serde::{Deserialize, Serialize};

use crate::NodeError;

/// One incarnation of a node of the cluster.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Member {
    /// This incarnation: a restarted node has another.
    pub id: SystemId,
    /// Its name, the same over its incarnations.
    pub name: String,
    /// Where it takes connections.
    pub address: String,
    /// What it says of itself: see [`NodeBuilder::tag`](crate::NodeBuilder::tag).
    pub tags: BTreeMap<String, String>,
}

impl Member {
    /// How many tags a node may have.
    pub const MOST_TAGS: usize = 16;
    /// The longest tag or value of one, in bytes.
    pub const LONGEST_TAG: usize = 64;

    /// Whether there are not too many tags, and none is too long.
    pub(crate) fn check_tags(&self) -> Result<(), NodeError> {
        let (count, most) = (self.tags.len(), Self::MOST_TAGS);
        if count > most {
            return Err(NodeError::TooManyTags { count, most });
        }
        let (limit, is_long) = (Self::LONGEST_TAG, |text: &String| text.len() > Self::LONGEST_TAG);
        match self.tags.iter().find(|(tag, value)| is_long(tag) || is_long(value)) {
            Some((tag, value)) => {
                let bytes = tag.len().max(value.len());
                Err(NodeError::LongTag { tag: tag.clone(), bytes, limit })
            }
            None => Ok(()),
        }
    }
}

impl fmt::Display for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({} at {})", self.name, self.id, self.address)
    }
}
