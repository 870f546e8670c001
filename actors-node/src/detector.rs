//! When a silent peer counts as dead. Pure: time comes in, verdicts go out.

use std::{collections::BTreeMap, time::Duration};

use actors_core::{SystemId, host::Time};

/// How failures are detected.
///
/// The kernel closes the sockets of a killed process: its connection ends, nobody listens at its address any
/// more, and it has failed at once. A connection that was merely lost is made again. A peer that is merely
/// silent is *suspected* after half of `timeout` and has failed after all of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Detection {
    /// Between two heartbeats to a peer.
    pub heartbeat: Duration,
    /// Silence after which a peer has failed.
    pub timeout: Duration,
}

impl Default for Detection {
    /// Heartbeats every 250 ms, failed after 4 s of silence.
    fn default() -> Self {
        Self { heartbeat: Duration::from_millis(250), timeout: Duration::from_secs(4) }
    }
}

/// What the detector has to say about a peer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// Silent for half the time: not dead.
    Suspected(SystemId),
    /// It spoke again.
    Recovered(SystemId),
    /// Silent for too long.
    Failed(SystemId),
}

/// Watches connected peers.
#[derive(Debug)]
pub(crate) struct Detector {
    detection: Detection,
    peers: BTreeMap<SystemId, Watched>,
    last_tick: Time,
}

#[derive(Debug)]
struct Watched {
    heard: Time,
    suspected: bool,
}

impl Detector {
    pub(crate) const fn new(detection: Detection, now: Time) -> Self {
        Self { detection, peers: BTreeMap::new(), last_tick: now }
    }

    pub(crate) fn connected(&mut self, peer: SystemId, now: Time) {
        self.peers.insert(peer, Watched { heard: now, suspected: false });
    }

    pub(crate) fn removed(&mut self, peer: SystemId) {
        self.peers.remove(&peer);
    }

    pub(crate) fn heard(&mut self, peer: SystemId, now: Time) -> Option<Verdict> {
        let watched = self.peers.get_mut(&peer)?;
        watched.heard = now;
        std::mem::take(&mut watched.suspected).then_some(Verdict::Recovered(peer))
    }

    /// Whether all were heard so short a time ago that nobody is suspected.
    #[cfg(feature = "etcd")]
    pub(crate) fn hears_all(&self, now: Time) -> bool {
        self.peers.values().all(|watched| now.since(watched.heard) < self.detection.timeout / 2)
    }

    /// To be called every heartbeat. When this tick comes late, it was the observer that stood
    /// still: the peers get that time on top.
    pub(crate) fn tick(&mut self, now: Time) -> Vec<Verdict> {
        let elapsed = now.since(self.last_tick);
        self.last_tick = now;
        let own_pause = elapsed.saturating_sub(2 * self.detection.heartbeat);
        let mut verdicts = Vec::new();
        for (&peer, watched) in &mut self.peers {
            watched.heard = watched.heard + own_pause;
            let silence = now.since(watched.heard);
            if silence >= self.detection.timeout {
                verdicts.push(Verdict::Failed(peer));
            } else if silence >= self.detection.timeout / 2 && !watched.suspected {
                watched.suspected = true;
                verdicts.push(Verdict::Suspected(peer));
            }
        }
        verdicts
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: SystemId = SystemId(1);
    const B: SystemId = SystemId(2);

    fn at(ms: u64) -> Time {
        Time::from_start(Duration::from_millis(ms))
    }

    fn detector() -> Detector {
        let detection =
            Detection { heartbeat: Duration::from_millis(100), timeout: Duration::from_secs(1) };
        let mut detector = Detector::new(detection, at(0));
        detector.connected(A, at(0));
        detector.connected(B, at(0));
        detector
    }

    #[test]
    fn suspicion_comes_before_death_and_can_be_taken_back() {
        let mut detector = detector();
        let mut seen = Vec::new();
        for ms in (100..2_000).step_by(100) {
            seen.extend(detector.heard(B, at(ms)));
            if ms == 700 {
                assert_eq!(detector.heard(A, at(ms)), Some(Verdict::Recovered(A)));
            }
            seen.extend(detector.tick(at(ms)));
            if seen.last() == Some(&Verdict::Failed(A)) {
                detector.removed(A);
            }
        }
        let expected = [Verdict::Suspected(A), Verdict::Suspected(A), Verdict::Failed(A)];
        assert_eq!(seen, expected);
    }

    /// NODE-19: the observer itself was paused.
    #[test]
    fn node_19_an_observer_that_was_paused_condemns_nobody() {
        let mut detector = detector();
        assert_eq!(detector.tick(at(60_000)), [], "before its first tick");
        assert_eq!(detector.tick(at(60_100)), []);
        assert_eq!(detector.heard(A, at(60_110)), None);
        let later: Vec<_> = (602..620).flat_map(|t| detector.tick(at(t * 100))).collect();
        assert!(later.contains(&Verdict::Failed(B)), "silence from then on counts: {later:?}");
    }
}
