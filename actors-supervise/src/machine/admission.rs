//! How many restarts are under way at a time.

use std::collections::VecDeque;

use actors_core::host::Time;

use super::{Machine, round::RoundId};

/// Places for rounds that start children, and those that wait for one, in order.
pub(super) struct Admission {
    pub(super) max: usize,
    taken: usize,
    waiting: VecDeque<RoundId>,
}

impl Admission {
    pub(super) const fn new(max: usize) -> Self {
        Self { max, taken: 0, waiting: VecDeque::new() }
    }

    /// Takes a place. False: there is none, or others wait for it.
    pub(super) fn enter(&mut self) -> bool {
        let admitted = self.waiting.is_empty() && self.has_place();
        self.taken += usize::from(admitted);
        admitted
    }

    pub(super) fn wait(&mut self, id: RoundId) {
        self.waiting.push_back(id);
    }

    pub(super) const fn leave(&mut self) {
        self.taken -= 1;
    }

    pub(super) fn clear(&mut self) {
        self.taken = 0;
        self.waiting.clear();
    }

    const fn has_place(&self) -> bool {
        self.taken < self.max
    }

    fn next(&mut self) -> Option<RoundId> {
        if self.has_place() { self.waiting.pop_front() } else { None }
    }
}

impl Machine {
    /// Free places go to those that wait.
    pub(super) fn admit(&mut self, now: Time) {
        while let Some(id) = self.admission.next() {
            if self.begin_late(id) {
                self.admission.taken += 1;
                self.advance(id, now);
            }
        }
    }
}
