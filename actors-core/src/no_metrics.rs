//! In the place of `metrics` without the feature: nothing is counted.
#![allow(clippy::unused_self, clippy::missing_const_for_fn, reason = "as the real ones")]

use crate::{DeadLetterCause, ExitReason};

#[derive(Clone, Debug)]
pub(crate) struct Metrics;

impl Metrics {
    pub(crate) fn of(_system: &str) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn started(&self, _incarnation: u32) {}

    #[inline]
    pub(crate) fn start_failed(&self) {}

    #[inline]
    pub(crate) fn ended(&self, _reason: &ExitReason) {}

    #[inline]
    pub(crate) fn dead_letter(&self, _cause: DeadLetterCause) {}

    #[inline]
    pub(crate) fn stuck(&self) {}
}

pub(crate) struct Tally;

impl Tally {
    #[inline]
    pub(crate) fn since(_handled: u32) -> Self {
        Self
    }

    #[inline]
    pub(crate) fn flush(&mut self, _handled: u32, _metrics: &Metrics) {}
}
