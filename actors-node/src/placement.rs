//! Which node a child runs on, and which takes over. Pure.
//!
//! The rules are those of the Actors.jl supervisor: spares in list order, each used once; without a
//! spare the least-used live node that hosts no child yet, else the least-used one. Children of one
//! failed node stay together.

use std::collections::{BTreeMap, BTreeSet};

use actors_core::SystemId;

use crate::Member;

/// The children of one supervisor on their nodes.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// Names of nodes kept free for take-overs, in order of use.
    spares: Vec<String>,
    /// Child to node.
    hosts: BTreeMap<String, SystemId>,
    /// Where the children of a failed node went.
    successors: BTreeMap<SystemId, SystemId>,
}

impl Placement {
    pub(crate) fn new(spares: Vec<String>) -> Self {
        Self { spares, ..Self::default() }
    }

    pub(crate) fn host(&self, child: &str) -> Option<SystemId> {
        self.hosts.get(child).copied()
    }

    pub(crate) fn removed(&mut self, child: &str) {
        self.hosts.remove(child);
    }

    /// The node for a child: where it is while that lives, else the one named, else by the rules.
    pub(crate) fn place(&mut self, child: &str, wanted: &str, live: &[Member]) -> Option<SystemId> {
        let is_live = |id: SystemId| live.iter().any(|member| member.id == id);
        let failed = self.host(child);
        let place = match failed {
            Some(host) if is_live(host) => host,
            Some(failed) => match self.successor(failed).filter(|&id| is_live(id)) {
                Some(successor) => successor,
                None => self.take_over(live)?,
            },
            None => match live.iter().find(|member| member.name == wanted) {
                Some(member) => member.id,
                None => self.take_over(live)?,
            },
        };
        if let Some(failed) = failed.filter(|&host| host != place) {
            self.successors.insert(failed, place);
        }
        self.hosts.insert(child.to_owned(), place);
        Some(place)
    }

    /// The last in the chain of take-overs.
    fn successor(&self, failed: SystemId) -> Option<SystemId> {
        let mut seen = BTreeSet::from([failed]);
        let mut at = *self.successors.get(&failed)?;
        while let Some(&next) = self.successors.get(&at) {
            if !seen.insert(at) {
                break;
            }
            at = next;
        }
        Some(at)
    }

    fn take_over(&mut self, live: &[Member]) -> Option<SystemId> {
        while !self.spares.is_empty() {
            let name = self.spares.remove(0);
            if let Some(spare) = live.iter().find(|member| member.name == name) {
                return Some(spare.id);
            }
        }
        let used = |member: &&Member| self.hosts.values().filter(|&&id| id == member.id).count();
        live.iter().min_by_key(|member| (used(member), member.name.clone())).map(|m| m.id)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u64) -> Member {
        Member { id: SystemId(n), name: n.to_string(), address: String::new() }
    }

    fn without(dead: &[u64]) -> Vec<Member> {
        (1..=7).filter(|n| !dead.contains(n)).map(member).collect()
    }

    fn placement(spares: &[u64]) -> Placement {
        let mut placement = Placement::new(spares.iter().map(u64::to_string).collect());
        for (child, node) in [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")] {
            assert!(placement.place(child, node, &without(&[])).is_some());
        }
        placement
    }

    /// NODE-3: in list order, consumed, children of one failed node together.
    #[test]
    fn node_3_spares_are_used_in_order_and_consumed() {
        let mut placement = placement(&[6, 5]);
        let live = without(&[1]);
        assert_eq!(placement.place("a", "1", &live), Some(SystemId(6)));
        assert_eq!(placement.place("b", "1", &live), Some(SystemId(6)));
        assert_eq!(placement.place("c", "2", &live), Some(SystemId(2)), "it lives");
        let live = without(&[1, 2]);
        assert_eq!(placement.place("c", "2", &live), Some(SystemId(5)));
        let live = without(&[1, 2, 6]);
        assert_eq!(placement.place("b", "1", &live), placement.place("a", "1", &live));
    }

    /// NODE-4: no spare left, or only dead ones.
    #[test]
    fn node_4_without_spares_the_least_used_node_takes_over() {
        let mut placement = placement(&[7]);
        let live = without(&[1, 4, 7]);
        assert_eq!(placement.place("a", "1", &live), Some(SystemId(5)), "hosts no child yet");
        assert_eq!(placement.place("b", "1", &live), Some(SystemId(5)), "stays together");
        let live: Vec<_> = [2, 3].map(member).into();
        assert_eq!(placement.place("a", "1", &live), Some(SystemId(2)), "any live one");
        assert_eq!(placement.place("a", "1", &[]), None);
    }

    /// A chain of failures ends where the last take-over went.
    #[test]
    fn node_10_take_overs_of_take_overs_stay_together() {
        let mut placement = placement(&[4, 5, 6]);
        assert_eq!(placement.place("a", "1", &without(&[1])), Some(SystemId(4)));
        assert_eq!(placement.place("a", "1", &without(&[1, 4])), Some(SystemId(5)));
        assert_eq!(placement.place("b", "1", &without(&[1, 4])), Some(SystemId(5)));
    }
}
