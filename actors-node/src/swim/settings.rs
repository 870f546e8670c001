use std::time::Duration;

/// How a node knows who is a member, and who has failed.
///
/// | | `Each` | `Swim` |
/// |---|---|---|
/// | connections of a node | one to each other node | those that are in use, and 20 for probes |
/// | what detection costs a node | 8 packets a second for each other node | about the same for any number |
/// | a silent node is declared dead | by each, after [`Detection::timeout`](crate::Detection::timeout) | by one, after 6 s or more, and known to all soon after |
/// | a killed process is found | at once by all | at once by who is connected, and told by gossip |
/// | two that cannot reach each other, but others | declare each other dead, and all believe it | stay members |
///
/// All nodes of a cluster have the same kind: others refuse them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Membership {
    /// Each node is connected to each, with a heartbeat on every connection: for up to some tens of nodes, and
    /// where all are to hear of a failure at once.
    #[default]
    Each,
    /// Members are known by gossip; connections are made at first use and closed when nothing uses them.
    Swim(Swim),
}

/// Settings of [`Membership::Swim`]. All nodes of a cluster should have the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Swim {
    /// Each node probes one other node in each. Everything else is counted in it. At least 10 ms are taken.
    pub period: Duration,
    /// Time for an answer to a probe, a hand-shake included, before others are asked to probe. At most half
    /// of `period` is taken.
    pub answer: Duration,
    /// How many others are asked to probe.
    pub indirect: usize,
    /// A suspected node has this many periods to say that it lives, times the decimal logarithm of the number of
    /// members (at least 1), if others suspect it too; six times as many if only one does.
    pub suspicion: u32,
    /// Between two rounds of news to [`FANOUT`](Self::FANOUT) others, while there are news.
    pub gossip: Duration,
    /// A connection that nothing has used for so long is closed. At least two periods are taken.
    pub idle: Duration,
}

impl Default for Swim {
    /// A period of 1 s, 500 ms for an answer, 3 others are asked, 4 periods of suspicion, news every 200 ms,
    /// connections are closed after 10 s.
    fn default() -> Self {
        Self {
            period: Duration::from_secs(1),
            answer: Duration::from_millis(500),
            indirect: 3,
            suspicion: 4,
            gossip: Duration::from_millis(200),
            idle: Duration::from_secs(10),
        }
    }
}

/// Independent suspicions that are enough for the shortest time.
const CONFIRMATIONS: usize = 3;
/// The longest time of a suspicion, by the shortest.
const LONELY: f64 = 6.0;
/// News are passed on this many times by each, times the natural logarithm of the number of members.
const TRANSMISSIONS: f64 = 3.0;
/// But no less often.
const FEWEST_TRANSMISSIONS: u32 = 6;
const SHORTEST_PERIOD: Duration = Duration::from_millis(10);

impl Swim {
    /// Others that are told news in one round.
    pub const FANOUT: usize = 3;

    /// With what cannot be replaced by what is nearest to it.
    pub(crate) fn checked(self) -> Self {
        let period = self.period.max(SHORTEST_PERIOD);
        Self {
            period,
            answer: self.answer.clamp(period / 10, period / 2),
            indirect: self.indirect.min(64),
            suspicion: self.suspicion.max(1),
            gossip: self.gossip.max(SHORTEST_PERIOD),
            idle: self.idle.max(2 * period),
        }
    }

    /// How often news are passed on among so many nodes.
    pub(super) fn transmissions(&self, nodes: usize) -> u32 {
        let times = (TRANSMISSIONS * ((nodes + 1) as f64).ln()).ceil();
        FEWEST_TRANSMISSIONS.max(times as u32)
    }

    /// How long a suspicion lasts among so many nodes, with so many that confirm it: Lifeguard's formula.
    pub(crate) fn suspicion_time(&self, nodes: usize, confirmations: usize) -> Duration {
        let shortest = self.period * self.suspicion;
        let shortest = shortest.mul_f64((nodes as f64).log10().max(1.0));
        let enough = Self::confirmations(nodes);
        if confirmations >= enough {
            return shortest;
        }
        let share = ((confirmations + 1) as f64).ln() / ((enough + 1) as f64).ln();
        shortest.mul_f64(LONELY - (LONELY - 1.0) * share)
    }

    /// Those that are looked for: neither the first nor the suspect confirms.
    pub(super) fn confirmations(nodes: usize) -> usize {
        CONFIRMATIONS.min(nodes.saturating_sub(2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_suspicion_is_the_shorter_the_more_share_it() {
        let settings = Swim::default();
        let times: Vec<_> =
            (0..5).map(|n| settings.suspicion_time(10, n).as_secs_f64().round()).collect();
        assert_eq!(times, [24.0, 14.0, 8.0, 4.0, 4.0]);
        assert_eq!(settings.suspicion_time(2, 0), Duration::from_secs(4), "nobody can confirm it");
        assert_eq!(settings.suspicion_time(1000, 3), Duration::from_secs(12));
    }

    #[test]
    fn settings_that_cannot_be_are_replaced() {
        let zero = Duration::ZERO;
        let none = Swim {
            period: zero,
            answer: zero,
            indirect: 0,
            suspicion: 0,
            gossip: zero,
            idle: zero,
        };
        let checked = none.checked();
        assert_eq!(checked.period, SHORTEST_PERIOD);
        assert!(checked.answer > zero && checked.idle >= 2 * checked.period);
        assert_eq!(Swim::default().checked(), Swim::default());
        let late = Swim { answer: Duration::from_secs(9), ..Swim::default() };
        assert_eq!(late.checked().answer, Duration::from_millis(500));
    }
}
