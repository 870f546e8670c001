use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::IntervalError;

/// Something that is done over and over, or is switched off.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Interval {
    /// From one time to the next.
    pub period: Duration,
    /// Whether it is done.
    pub on: bool,
}

impl Interval {
    /// The shortest period.
    pub const MINIMUM: Duration = Duration::from_millis(10);

    /// Switched off, with a period of 10 s for when it is switched on.
    pub const OFF: Self = Self { period: Duration::from_secs(10), on: false };

    /// Switched on.
    pub const fn every(period: Duration) -> Self {
        Self { period, on: true }
    }

    /// This interval with a change.
    ///
    /// # Errors
    /// [`IntervalError::TooShort`].
    pub fn with(self, change: IntervalChange) -> Result<Self, IntervalError> {
        let period = change.period.unwrap_or(self.period);
        if period < Self::MINIMUM {
            return Err(IntervalError::TooShort { period, minimum: Self::MINIMUM });
        }
        Ok(Self { period, on: change.on.unwrap_or(self.on) })
    }
}

/// A change of an [`Interval`]; what is `None` stays.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct IntervalChange {
    /// Another period, from now.
    pub period: Option<Duration>,
    /// On or off. Switching on what is on changes nothing.
    pub on: Option<bool>,
}

impl IntervalChange {
    /// No change.
    pub const NONE: Self = Self { period: None, on: None };
    /// Switch on.
    pub const START: Self = Self { period: None, on: Some(true) };
    /// Switch off.
    pub const STOP: Self = Self { period: None, on: Some(false) };

    /// Switch on with this period.
    pub const fn every(period: Duration) -> Self {
        Self { period: Some(period), on: Some(true) }
    }
}

/// When a checkpointing actor does what by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Intervals {
    /// Pulling from the children.
    pub update: Interval,
    /// Saving to the snapshot directory.
    pub save: Interval,
}
