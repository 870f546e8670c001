//! Whom to probe next: each in turn, in an order that is drawn anew each time round.
//!
//! So nobody waits longer than twice round, whatever chance does.

use actors_core::SystemId;

/// Below this, a choice is made from a shuffled copy.
const FEW: usize = 32;

#[derive(Debug, Default)]
pub(super) struct Ring {
    order: Vec<SystemId>,
    next: usize,
}

impl Ring {
    /// Where nobody can foresee it.
    pub(super) fn insert(&mut self, id: SystemId, random: &mut fastrand::Rng) {
        self.order.push(id);
        let last = self.order.len() - 1;
        self.order.swap(random.usize(..=last), last);
    }

    pub(super) fn remove(&mut self, id: SystemId) {
        if let Some(at) = self.order.iter().position(|other| *other == id) {
            self.order.remove(at);
            self.next -= usize::from(at < self.next);
        }
    }

    pub(super) fn next(&mut self, random: &mut fastrand::Rng) -> Option<SystemId> {
        if self.next >= self.order.len() {
            random.shuffle(&mut self.order);
            self.next = 0;
        }
        let id = self.order.get(self.next).copied();
        self.next += 1;
        id
    }

    /// Up to so many of those that may be.
    pub(super) fn choose(
        &self,
        most: usize,
        random: &mut fastrand::Rng,
        may: impl Fn(SystemId) -> bool,
    ) -> Vec<SystemId> {
        let mut chosen = Vec::with_capacity(most);
        if self.order.len() <= FEW.max(4 * most) {
            chosen.extend(self.order.iter().copied().filter(|id| may(*id)));
            random.shuffle(&mut chosen);
            chosen.truncate(most);
            return chosen;
        }
        for _ in 0..8 * most {
            let id = self.order[random.usize(..self.order.len())];
            if chosen.len() < most && may(id) && !chosen.contains(&id) {
                chosen.push(id);
            }
        }
        chosen
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn ring(nodes: u64, random: &mut fastrand::Rng) -> Ring {
        let mut ring = Ring::default();
        (0..nodes).for_each(|id| ring.insert(SystemId(id), random));
        ring
    }

    #[test]
    fn each_is_next_once_each_time_round_in_another_order() {
        let random = &mut fastrand::Rng::with_seed(7);
        let mut ring = ring(50, random);
        let mut round = || -> Vec<_> { (0..50).filter_map(|_| ring.next(random)).collect() };
        let (first, second) = (round(), round());
        assert_ne!(first, second);
        for round in [first, second] {
            assert_eq!(round.into_iter().collect::<BTreeSet<_>>().len(), 50);
        }
    }

    #[test]
    fn nobody_is_passed_over_because_another_goes() {
        let random = &mut fastrand::Rng::with_seed(7);
        let mut ring = ring(50, random);
        let mut seen = BTreeSet::new();
        for gone in 0..20 {
            seen.extend(ring.next(random));
            ring.remove(SystemId(gone));
        }
        for _ in 20..50 {
            seen.extend(ring.next(random));
        }
        assert!((20..50).all(|id| seen.contains(&SystemId(id))));
    }

    #[test]
    fn as_many_are_chosen_as_there_are_each_once() {
        let random = &mut fastrand::Rng::with_seed(7);
        for (nodes, most) in [(0, 0), (2, 1), (5, 3), (500, 3)] {
            let chosen = ring(nodes, random).choose(3, random, |id| id != SystemId(0));
            assert_eq!(chosen.iter().collect::<BTreeSet<_>>().len(), most, "of {nodes}");
            assert!(!chosen.contains(&SystemId(0)));
        }
    }
}
