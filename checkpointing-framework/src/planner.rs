//! What a group restarts from. Pure: what survives comes in, the decision goes out.

use std::collections::{BTreeMap, BTreeSet};

use actors_checkpoint::{Key, Version};

/// Where copies are: per member and version, the levels that have it, with a store of each.
pub(crate) type Copies<S> = BTreeMap<Key, BTreeMap<Version, Vec<(u8, S)>>>;

/// The decision for a group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Decision<S> {
    /// All members go on from this version, each from the first of its sources that is whole.
    Restore { version: Version, sources: BTreeMap<Key, Vec<(u8, S)>> },
    /// No version survives for all members.
    Fresh,
}

impl<S> Decision<S> {
    pub(crate) const fn version(&self) -> Option<Version> {
        match self {
            Self::Restore { version, .. } => Some(*version),
            Self::Fresh => None,
        }
    }

    /// Whether the state of any member comes from this level.
    pub(crate) fn needs(&self, level: u8) -> bool {
        match self {
            Self::Restore { sources, .. } => sources.values().any(|from| from[0].0 == level),
            Self::Fresh => false,
        }
    }

    /// Leaves out a level wherever a cheaper one has a copy: its states are only made ready when
    /// they are needed. Should the cheaper copy turn out damaged, the next plan asks for this one.
    pub(crate) fn without_late_sources(mut self, level: u8) -> Self {
        if let Self::Restore { sources, .. } = &mut self {
            for from in sources.values_mut().filter(|from| from[0].0 != level) {
                from.retain(|(held, _)| *held != level);
            }
        }
        self
    }
}

/// The newest complete version that all members still have, each from its cheapest level.
///
/// `complete` holds the versions that all members had placed in the run that is being restarted:
/// copies of others are of a rolled-back run, or of a cut that was never whole.
pub(crate) fn decide<S: Clone>(
    members: &[Key],
    complete: &BTreeSet<Version>,
    copies: &Copies<S>,
) -> Decision<S> {
    let sources = |version| {
        members
            .iter()
            .map(|key| {
                let mut sources = copies.get(key)?.get(&version)?.clone();
                sources.sort_by_key(|(level, _)| *level);
                (!sources.is_empty()).then(|| (key.clone(), sources))
            })
            .collect::<Option<BTreeMap<_, _>>>()
    };
    complete
        .iter()
        .rev()
        .find_map(|&version| Some(Decision::Restore { version, sources: sources(version)? }))
        .unwrap_or(Decision::Fresh)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn copies(rows: &[(&str, u64, u8)]) -> Copies<&'static str> {
        let mut copies: Copies<&'static str> = BTreeMap::new();
        for &(key, version, level) in rows {
            copies
                .entry(Key::new(key))
                .or_default()
                .entry(version)
                .or_default()
                .push((level, "store"));
        }
        copies
    }

    fn chosen(complete: &[u64], rows: &[(&str, u64, u8)]) -> Option<(u64, Vec<u8>)> {
        let members = [Key::new("a"), Key::new("b")];
        match decide(&members, &complete.iter().copied().collect(), &copies(rows)) {
            Decision::Fresh => None,
            Decision::Restore { version, sources } => {
                Some((version, sources.values().map(|s| s[0].0).collect()))
            }
        }
    }

    #[test]
    fn the_newest_version_that_all_have_at_the_cheapest_level() {
        let rows = [("a", 5, 1), ("a", 4, 2), ("a", 4, 1), ("b", 4, 2), ("b", 3, 1), ("a", 3, 1)];
        assert_eq!(chosen(&[3, 4, 5], &rows), Some((4, vec![1, 2])));
    }

    #[test]
    fn a_version_that_was_never_whole_does_not_count() {
        let rows = [("a", 5, 1), ("b", 5, 1), ("a", 3, 3), ("b", 3, 3)];
        assert_eq!(chosen(&[3], &rows), Some((3, vec![3, 3])));
    }

    #[test]
    fn nothing_that_all_have_is_a_fresh_start() {
        assert_eq!(chosen(&[3, 4], &[("a", 4, 1), ("b", 3, 1)]), None);
        assert_eq!(chosen(&[], &[]), None);
    }
}
