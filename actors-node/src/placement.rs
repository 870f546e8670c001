//! Which node a child runs on, and which takes over. Pure.
//!
//! The rules are those of the Actors.jl supervisor: spares in list order, each used once; without a
//! spare the least-used live node that hosts no child yet, else the least-used one. Children of one
//! failed node stay together. A child may want nodes with certain tags, and a supervisor its children spread
//! over the values of one.

use std::collections::{BTreeMap, BTreeSet};

use actors_core::{StartError, SystemId};

use crate::Member;

/// The children of one supervisor on their nodes.
#[derive(Debug, Default)]
pub(crate) struct Placement {
    /// Names of nodes kept free for take-overs, in order of use.
    spares: Vec<String>,
    /// The tag over whose values children are spread.
    spread_over: Option<String>,
    /// What each live node has for it.
    values: BTreeMap<SystemId, String>,
    /// Child to node.
    hosts: BTreeMap<String, SystemId>,
    /// Where the children of a failed node went.
    successors: BTreeMap<SystemId, SystemId>,
}

/// What a child wants of its node.
#[derive(Clone, Debug, Default)]
pub(crate) struct Wants {
    /// The name of its first node; any if there is none.
    pub(crate) on: Option<String>,
    pub(crate) tags: BTreeMap<String, String>,
}

impl Wants {
    fn fits(&self, member: &Member) -> bool {
        self.tags.iter().all(|(tag, value)| member.tags.get(tag) == Some(value))
    }

    /// Why there is no node: what none of the live ones has, if any is there.
    pub(crate) fn missing(&self) -> StartError {
        if self.tags.is_empty() {
            return StartError::NoNode;
        }
        let tags = self.tags.iter().map(|(tag, value)| format!("{tag}={value}"));
        StartError::NoNodeWith { tags: tags.collect::<Vec<_>>().join(", ") }
    }
}

impl Placement {
    pub(crate) fn new(spares: Vec<String>) -> Self {
        Self { spares, ..Self::default() }
    }

    pub(crate) fn spread_over(&mut self, tag: String) {
        self.spread_over = Some(tag);
    }

    pub(crate) fn host(&self, child: &str) -> Option<SystemId> {
        self.hosts.get(child).copied()
    }

    /// Where an owner before had the child.
    pub(crate) fn restore(&mut self, child: &str, host: SystemId) {
        self.hosts.entry(child.to_owned()).or_insert(host);
    }

    pub(crate) fn removed(&mut self, child: &str) {
        self.hosts.remove(child);
    }

    /// The node for a child: where it is while that lives, else the one named, else by the rules. Those that lack
    /// a tag do not count.
    pub(crate) fn place(
        &mut self,
        child: &str,
        wants: &Wants,
        live: &[Member],
    ) -> Option<SystemId> {
        self.note_values(live);
        let failed = self.host(child);
        let live: Vec<&Member> = live.iter().filter(|member| wants.fits(member)).collect();
        let is_live = |id: SystemId| live.iter().any(|member| member.id == id);
        let stays = match failed {
            Some(host) if is_live(host) => Some(host),
            Some(failed) => self.successor(failed).filter(|&id| is_live(id)),
            None => self.first_place(wants.on.as_deref(), &live),
        };
        let place = match stays {
            Some(place) => place,
            None => self.take_over(&live)?,
        };
        if let Some(failed) = failed.filter(|&host| host != place) {
            self.successors.insert(failed, place);
        }
        self.hosts.insert(child.to_owned(), place);
        Some(place)
    }

    /// The node named; without a name any that is no spare.
    fn first_place(&self, on: Option<&str>, live: &[&Member]) -> Option<SystemId> {
        match on {
            Some(name) => live.iter().find(|member| member.name == name).map(|member| member.id),
            None => {
                self.least_used(live.iter().filter(|m| !self.spares.contains(&m.name)).copied())
            }
        }
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

    /// Spares that are dead or do not fit are passed over.
    fn take_over(&mut self, live: &[&Member]) -> Option<SystemId> {
        let member = |name: &String| live.iter().find(|member| member.name == *name).copied();
        let fitting: Vec<&Member> = self.spares.iter().filter_map(member).collect();
        // Of equals the first in the list.
        let spare = fitting.iter().min_by_key(|spare| self.crowd(spare)).copied();
        let Some(spare) = spare else { return self.least_used(live.iter().copied()) };
        self.spares.retain(|name| *name != spare.name);
        Some(spare.id)
    }

    fn least_used<'a>(&self, live: impl Iterator<Item = &'a Member>) -> Option<SystemId> {
        let rank =
            |member: &&Member| (self.crowd(member), self.used(member.id), member.name.clone());
        live.min_by_key(rank).map(|member| member.id)
    }

    /// Children where the node is, as the tag says that they are spread over: a node without it is a place of its own.
    fn crowd(&self, member: &Member) -> usize {
        if self.spread_over.is_none() {
            return 0;
        }
        let Some(value) = self.values.get(&member.id) else { return self.used(member.id) };
        self.hosts.values().filter(|id| self.values.get(id) == Some(value)).count()
    }

    fn note_values(&mut self, live: &[Member]) {
        let Some(tag) = &self.spread_over else { return };
        let value = |member: &Member| Some((member.id, member.tags.get(tag)?.clone()));
        self.values = live.iter().filter_map(value).collect();
    }

    fn used(&self, node: SystemId) -> usize {
        self.hosts.values().filter(|&&id| id == node).count()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(n: u64) -> Member {
        Member { id: SystemId(n), name: n.to_string(), address: String::new(), tags: Tags::new() }
    }

    type Tags = BTreeMap<String, String>;

    fn on(name: &str) -> Wants {
        Wants { on: Some(name.into()), tags: Tags::new() }
    }

    /// Nodes 1, 2, … with these values of `rack`; an empty one is none.
    fn racks(values: &[&str]) -> Vec<Member> {
        let with_rack = |(n, value): (u64, &&str)| {
            let rack = Some(("rack".to_owned(), (*value).to_owned()));
            let tags = rack.filter(|(_, value)| !value.is_empty()).into_iter().collect();
            Member { tags, ..member(n) }
        };
        (1..).zip(values).map(with_rack).collect()
    }

    fn in_rack(on: Option<&str>, rack: &str) -> Wants {
        let tags = [("rack".to_owned(), rack.to_owned())].into();
        Wants { on: on.map(str::to_owned), tags }
    }

    fn without(dead: &[u64]) -> Vec<Member> {
        (1..=7).filter(|n| !dead.contains(n)).map(member).collect()
    }

    fn placement(spares: &[u64]) -> Placement {
        let mut placement = Placement::new(spares.iter().map(u64::to_string).collect());
        for (child, node) in [("a", "1"), ("b", "1"), ("c", "2"), ("d", "3")] {
            assert!(placement.place(child, &on(node), &without(&[])).is_some());
        }
        placement
    }

    /// NODE-3: in list order, consumed, children of one failed node together.
    #[test]
    fn node_3_spares_are_used_in_order_and_consumed() {
        let mut placement = placement(&[6, 5]);
        let live = without(&[1]);
        assert_eq!(placement.place("a", &on("1"), &live), Some(SystemId(6)));
        assert_eq!(placement.place("b", &on("1"), &live), Some(SystemId(6)));
        assert_eq!(placement.place("c", &on("2"), &live), Some(SystemId(2)), "it lives");
        let live = without(&[1, 2]);
        assert_eq!(placement.place("c", &on("2"), &live), Some(SystemId(5)));
        let live = without(&[1, 2, 6]);
        assert_eq!(placement.place("b", &on("1"), &live), placement.place("a", &on("1"), &live));
    }

    /// NODE-4: no spare left, or only dead ones.
    #[test]
    fn node_4_without_spares_the_least_used_node_takes_over() {
        let mut placement = placement(&[7]);
        let live = without(&[1, 4, 7]);
        assert_eq!(placement.place("a", &on("1"), &live), Some(SystemId(5)), "hosts no child yet");
        assert_eq!(placement.place("b", &on("1"), &live), Some(SystemId(5)), "stays together");
        let live: Vec<_> = [2, 3].map(member).into();
        assert_eq!(placement.place("a", &on("1"), &live), Some(SystemId(2)), "any live one");
        assert_eq!(placement.place("a", &on("1"), &[]), None);
    }

    /// A chain of failures ends where the last take-over went.
    #[test]
    fn node_10_take_overs_of_take_overs_stay_together() {
        let mut placement = placement(&[4, 5, 6]);
        assert_eq!(placement.place("a", &on("1"), &without(&[1])), Some(SystemId(4)));
        assert_eq!(placement.place("a", &on("1"), &without(&[1, 4])), Some(SystemId(5)));
        assert_eq!(placement.place("b", &on("1"), &without(&[1, 4])), Some(SystemId(5)));
    }

    #[test]
    fn node_29_a_child_goes_only_where_its_tags_are() {
        let live = racks(&["r1", "r2", "r2", ""]);
        let mut placement = Placement::new(vec!["4".into(), "3".into()]);
        let wants = in_rack(Some("1"), "r2");
        assert_eq!(placement.place("a", &wants, &live), Some(SystemId(3)), "the spare that fits");
        assert_eq!(placement.place("b", &on("3"), &live[..3]), Some(SystemId(3)));
        let left = [live[0].clone(), live[1].clone(), live[3].clone()];
        assert_eq!(placement.place("a", &wants, &left), Some(SystemId(2)));
        assert_eq!(placement.place("b", &on("3"), &left), Some(SystemId(2)), "stays together");
        let left = [live[0].clone(), live[3].clone()];
        assert_eq!(placement.place("a", &wants, &left), None);
        assert_eq!(placement.place("b", &on("3"), &left), Some(SystemId(4)), "it wants nothing");
        let error = wants.missing();
        assert_eq!(error, StartError::NoNodeWith { tags: "rack=r2".into() });
        assert_eq!(on("1").missing(), StartError::NoNode);
    }

    #[test]
    fn node_29_children_are_spread_over_a_tag() {
        let live = racks(&["r1", "r1", "r2", "", "r3"]);
        let mut placement = Placement::new(vec!["5".into()]);
        placement.spread_over("rack".into());
        let anywhere = Wants::default();
        let mut place = |child: &str, live: &[Member]| placement.place(child, &anywhere, live);
        let first: Vec<_> = ["a", "b", "c", "d", "e"].map(|c| place(c, &live).unwrap().0).into();
        assert_eq!(first, [1, 3, 4, 2, 3], "not on the spare; a node without the tag is a rack");
        let left = [&live[..2], &live[3..]].concat();
        assert_eq!(place("b", &left), Some(SystemId(5)), "the spare has no child in its rack");
        assert_eq!(place("e", &left), Some(SystemId(5)), "stays together");
        let left = [&live[..2], &live[3..4]].concat();
        assert_eq!(place("b", &left), Some(SystemId(4)), "one child there, two in r1");
    }

    #[test]
    fn node_29_of_several_spares_the_emptier_rack_is_first() {
        let live = racks(&["r1", "r2", "r1", "r2", "r2"]);
        let mut placement = Placement::new(vec!["3".into(), "5".into(), "4".into()]);
        placement.spread_over("rack".into());
        for (child, node) in [("a", "1"), ("b", "1"), ("c", "2")] {
            placement.place(child, &on(node), &live);
        }
        let left = [&live[..1], &live[2..]].concat();
        assert_eq!(placement.place("c", &on("2"), &left), Some(SystemId(5)), "then list order");
    }
}
