//! How many restarts are too many.

use std::{collections::VecDeque, time::Duration};

use actors_core::host::Time;

/// At most `max_restarts` restarts within `period`: restart `max_restarts` is done, the next one
/// within the period is over the limit. With 0, the first failure is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Limit {
    /// Restarts allowed.
    pub max_restarts: u32,
    /// The window they are counted in; its boundary counts as inside.
    pub period: Duration,
}

impl Default for Limit {
    fn default() -> Self {
        Self { max_restarts: 3, period: Duration::from_secs(5) }
    }
}

/// The failures within the last period.
#[derive(Debug)]
pub(crate) struct Intensity {
    limit: Limit,
    failures: VecDeque<Time>,
}

impl Intensity {
    pub(crate) const fn new(limit: Limit) -> Self {
        Self { limit, failures: VecDeque::new() }
    }

    /// Counts a failure. False: it is one too many.
    pub(crate) fn record(&mut self, now: Time) -> bool {
        while self.failures.front().is_some_and(|&first| now.since(first) > self.limit.period) {
            self.failures.pop_front();
        }
        if self.failures.len() >= self.limit.max_restarts as usize {
            return false;
        }
        self.failures.push_back(now);
        true
    }

    pub(crate) const fn limit(&self) -> Limit {
        self.limit
    }

    /// Failures within the period that ends now.
    pub(crate) fn count(&self, now: Time) -> usize {
        self.failures.iter().filter(|&&at| now.since(at) <= self.limit.period).count()
    }

    pub(crate) const fn set_limit(&mut self, limit: Limit) {
        self.limit = limit;
    }

    pub(crate) fn reset(&mut self) {
        self.failures.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(millis: u64) -> Time {
        Time::from_start(Duration::from_millis(millis))
    }

    fn limit(max_restarts: u32, millis: u64) -> Intensity {
        Intensity::new(Limit { max_restarts, period: Duration::from_millis(millis) })
    }

    #[test]
    fn sup_11_restart_n_is_done_and_n_plus_1_is_over() {
        let mut three = limit(3, 5000);
        assert!([0, 1, 2].map(|t| three.record(at(t))).iter().all(|&done| done));
        assert!(!three.record(at(3)));
    }

    #[test]
    fn sup_11_the_boundary_of_the_period_is_inside() {
        let mut one = limit(1, 5000);
        assert!(one.record(at(1000)));
        assert!(!one.record(at(6000)));
        let mut one = limit(1, 5000);
        assert!(one.record(at(1000)));
        assert!(one.record(at(6001)));
    }

    #[test]
    fn sup_11_zero_trips_at_the_first_failure() {
        assert!(!limit(0, 5000).record(at(0)));
    }

    #[test]
    fn sup_11_spaced_failures_never_trip() {
        let mut one = limit(1, 10);
        assert!((0..10_000).all(|n| one.record(at(n * 11))));
    }
}
