//! One measured number, as a child process prints it.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde::{Deserialize, Serialize};

#[derive(Clone, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Sample {
    /// Operations that were measured.
    pub(crate) n: u64,
    /// Mean of one operation; none when it never came to that.
    pub(crate) ns: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p50_ns: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) p99_ns: Option<f64>,
    /// What did not arrive, and what arrived out of order.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) lost: Option<u64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) reordered: Option<u64>,
    /// When the client was told, in nanoseconds since 1970.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) at: Option<u64>,
}

impl Sample {
    /// `n` operations that took `elapsed` together.
    pub(crate) fn time(n: u64, elapsed: Duration) -> Self {
        Self { n, ns: Some(elapsed.as_nanos() as f64 / n as f64), ..Self::default() }
    }

    /// Operations that were timed one by one.
    pub(crate) fn laps(mut laps: Vec<Duration>) -> Self {
        laps.sort_unstable();
        let at =
            |share: f64| Some(laps[((laps.len() - 1) as f64 * share) as usize].as_nanos() as f64);
        let total = laps.iter().sum();
        Self { p50_ns: at(0.5), p99_ns: at(0.99), ..Self::time(laps.len() as u64, total) }
    }

    /// Of the messages sent, so many have arrived.
    pub(crate) fn arrived(self, count: Arrived) -> Self {
        let lost = Some(self.n - count.messages.min(self.n));
        Self { lost, reordered: Some(count.reordered), ..self }
    }

    /// The client was told just now.
    pub(crate) fn told() -> Self {
        Self { n: 1, at: Some(now()), ..Self::default() }
    }

    /// It was not told in time.
    pub(crate) fn never() -> Self {
        Self { n: 1, ..Self::default() }
    }
}

/// Of this machine, for all its processes.
pub(crate) fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos() as u64
}

/// What a server has seen since it was asked last.
#[derive(Clone, Copy, Debug, Default, Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub(crate) messages: u64,
    pub(crate) reordered: u64,
    next: u64,
}

impl Arrived {
    /// In order, as a stream of bytes is.
    pub(crate) fn so_many(messages: u64) -> Self {
        Self { messages, ..Self::default() }
    }

    pub(crate) fn count(&mut self, number: u64) {
        self.messages += 1;
        if number < self.next {
            self.reordered += 1;
        }
        self.next = number + 1;
    }
}
