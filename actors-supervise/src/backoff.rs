//! How long to wait before the next try.

use std::time::Duration;

/// The delay before a restart, by how many failures in a row it answers. Exponential, with a cap.
///
/// The default restarts a crashed child at once, and slows down only when starts keep failing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Backoff {
    free: u32,
    first: Duration,
    cap: Duration,
    jitter: u8,
    stable_after: Duration,
}

impl Backoff {
    /// Waits `first` after the first failure, twice as long after each further one, `cap` at most,
    /// and up to a quarter more by chance. A child that has run for 10 s starts from the beginning.
    pub const fn exponential(first: Duration, cap: Duration) -> Self {
        Self { free: 0, first, cap, jitter: 25, stable_after: Duration::from_secs(10) }
    }

    /// Restarts at once, always.
    pub const fn none() -> Self {
        Self::exponential(Duration::ZERO, Duration::ZERO)
    }

    /// Waits up to `percent` longer by chance, so that many children do not start in step.
    pub const fn jitter(mut self, percent: u8) -> Self {
        self.jitter = percent;
        self
    }

    /// Starts from the beginning when the child has run this long. With zero every start that succeeds
    /// counts as stable, and only starts that fail in a row wait longer: so it is with the default.
    pub const fn reset_after(mut self, stable: Duration) -> Self {
        self.stable_after = stable;
        self
    }

    /// The least delay after `failures` failures in a row.
    pub(crate) fn delay(&self, failures: u32) -> Duration {
        let Some(doublings) = failures.checked_sub(self.free + 1) else { return Duration::ZERO };
        let factor = 2_u32.checked_pow(doublings).unwrap_or(u32::MAX);
        self.first.saturating_mul(factor).min(self.cap)
    }

    /// The most that chance adds to `delay`.
    pub(crate) fn spread(&self, delay: Duration) -> Duration {
        delay * u32::from(self.jitter) / 100
    }

    pub(crate) const fn stable_after(&self) -> Duration {
        self.stable_after
    }
}

impl Default for Backoff {
    fn default() -> Self {
        Self {
            free: 2,
            first: Duration::from_millis(10),
            cap: Duration::from_secs(1),
            jitter: 25,
            stable_after: Duration::ZERO,
        }
    }
}

/// Between two tries to reach a node that is about to be declared dead.
pub(crate) const UNREACHABLE: Backoff = Backoff {
    free: 0,
    first: Duration::from_millis(20),
    cap: Duration::from_millis(500),
    jitter: 25,
    stable_after: Duration::ZERO,
};

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sup_33_doubles_up_to_the_cap() {
        let backoff = Backoff::exponential(Duration::from_millis(10), Duration::from_millis(50));
        let delays = [0, 1, 2, 3, 4, 1000].map(|n| backoff.delay(n).as_millis());
        assert_eq!(delays, [0, 10, 20, 40, 50, 50]);
    }

    #[test]
    fn sup_12_the_default_retries_at_once_first() {
        let delays = [1, 2, 3, 4, 100].map(|n| Backoff::default().delay(n).as_millis());
        assert_eq!(delays, [0, 0, 10, 20, 1000]);
    }
}
