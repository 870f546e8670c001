//! How long to wait before the next attempt to connect again. Pure.

use std::time::Duration;

/// The first attempt is made at once: a process that is gone is found by it.
#[derive(Debug, Default)]
pub(crate) struct Backoff {
    pause: Duration,
}

const FIRST: Duration = Duration::from_millis(5);
/// No pause is longer.
pub(crate) const LONGEST: Duration = Duration::from_millis(500);

impl Backoff {
    /// Before the next attempt: each time twice as long, less up to half of it at random, so that two
    /// sides do not meet again and again.
    pub(crate) fn next(&mut self, random: u64) -> Duration {
        let pause = self.pause;
        self.pause = (2 * pause).clamp(FIRST, LONGEST);
        let half = pause.as_micros() as u64 / 2;
        pause - Duration::from_micros(random % (half + 1))
    }

    /// It went well for a while.
    pub(crate) fn reset(&mut self) {
        self.pause = Duration::ZERO;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_grow_to_a_bound_and_differ() {
        let mut backoff = Backoff::default();
        let longest: Vec<_> = (0..9).map(|_| backoff.next(0).as_millis()).collect();
        assert_eq!(longest, [0, 5, 10, 20, 40, 80, 160, 320, 500]);
        let pauses: Vec<_> = (0..1000).map(|n| backoff.next(n * 977)).collect();
        assert!(pauses.iter().all(|pause| (LONGEST / 2..=LONGEST).contains(pause)));
        assert!(pauses.iter().min() < Some(&(LONGEST * 6 / 10)), "they differ");
        backoff.reset();
        assert_eq!(backoff.next(7), Duration::ZERO);
    }
}
