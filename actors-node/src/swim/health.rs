//! Whether it may be this node that is slow: Lifeguard's local health.

use std::time::Duration;

const WORST: usize = 8;

/// The worse, the longer the others are given.
#[derive(Debug, Default)]
pub(super) struct Health(usize);

impl Health {
    /// It has missed what it should have heard.
    pub(super) fn worse(&mut self, by: usize) {
        self.0 = (self.0 + by).min(WORST);
    }

    pub(super) fn better(&mut self) {
        self.0 = self.0.saturating_sub(1);
    }

    pub(super) fn stretch(&self, time: Duration) -> Duration {
        time * (self.0 + 1) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_hears_nothing_gives_others_up_to_nine_times_as_long() {
        let mut health = Health::default();
        let second = Duration::from_secs(1);
        assert_eq!(health.stretch(second), second);
        health.worse(3);
        assert_eq!(health.stretch(second), 4 * second);
        health.worse(30);
        assert_eq!(health.stretch(second), 9 * second);
        (0..20).for_each(|_| health.better());
        assert_eq!(health.stretch(second), second);
    }
}
