//! What is agreed on, in which order, and by how many.

use std::collections::BTreeSet;

use actors_core::SystemId;
use serde::{Deserialize, Serialize};

/// Nodes whose word counts: lives, not names. A new life knows nothing of what the one before has promised.
pub(crate) type Config = BTreeSet<SystemId>;

/// Orders all proposals. What one node proposes in the same round, one after the other, is counted by `step`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub(crate) struct Ballot {
    pub(crate) round: u64,
    pub(crate) by: SystemId,
    pub(crate) step: u32,
}

impl Ballot {
    /// Before all others.
    pub(crate) const NONE: Self = Self { round: 0, by: SystemId(0), step: 0 };

    pub(crate) const fn new(round: u64, by: SystemId) -> Self {
        Self { round, by, step: 0 }
    }

    /// The first of its round, which is what is promised.
    pub(crate) const fn first(self) -> Self {
        Self { step: 0, ..self }
    }

    pub(crate) const fn next_step(self) -> Self {
        Self { step: self.step + 1, ..self }
    }
}

/// What is agreed on of a role.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Value {
    /// Grows with each election.
    pub(crate) term: u64,
    pub(crate) owner: SystemId,
    /// Who votes.
    pub(crate) config: Config,
    /// Who voted before, and does so until it is known that `config` was agreed on. Else the same.
    pub(crate) previous: Config,
    /// What the owner keeps for the next one.
    #[serde(with = "serde_bytes")]
    pub(crate) table: Vec<u8>,
}

impl Value {
    /// Whether these nodes can decide what follows it, or that it is agreed on itself.
    pub(crate) fn is_decided_by(&self, nodes: &Config) -> bool {
        is_quorum(&self.config, nodes) && is_quorum(&self.previous, nodes)
    }

    /// What a new owner proposes in its place. A change of the voters that is perhaps under way stays that.
    pub(crate) fn elected(&self, owner: SystemId) -> Self {
        Self { term: self.term + 1, owner, ..self.clone() }
    }

    /// What its owner proposes next. Only good for who knows that this one was agreed on.
    pub(crate) fn followed_by(&self, config: Config, table: Vec<u8>) -> Self {
        let previous = self.config.clone();
        Self { config, previous, table, ..self.clone() }
    }
}

/// More than half of them, or half of them with the lowest (dynamic linear voting; Jajodia and Mutchler, 1990):
/// any two quorums have a node in common.
pub(crate) fn is_quorum(config: &Config, nodes: &Config) -> bool {
    let present = config.intersection(nodes).count();
    let has_lowest = config.first().is_some_and(|lowest| nodes.contains(lowest));
    2 * present > config.len() || (2 * present == config.len() && has_lowest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn nodes(bits: u32) -> Config {
        (0..6).filter(|n| bits >> n & 1 == 1).map(SystemId).collect()
    }

    /// NODE 17: and so two sides of a partition never decide both.
    #[test]
    fn node_17_any_two_quorums_meet_and_of_two_halves_one_is_one() {
        for config in (1..64).map(nodes) {
            let quorums: Vec<Config> =
                (0..64).map(nodes).filter(|side| is_quorum(&config, side)).collect();
            for one in &quorums {
                assert!(
                    quorums
                        .iter()
                        .all(|two| { one.intersection(two).any(|node| config.contains(node)) })
                );
            }
            for side in (0..64).map(nodes) {
                let others = config.difference(&side).copied().collect();
                assert!(is_quorum(&config, &side) != is_quorum(&config, &others), "{config:?}");
            }
        }
        assert!(!is_quorum(&Config::new(), &nodes(63)), "nobody decides nothing");
    }
}
