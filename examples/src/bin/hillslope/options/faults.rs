//! What is to go wrong, and when.

use std::{
    fmt::{self, Display},
    str::FromStr,
    time::Duration,
};

use thiserror::Error;

/// A node to kill when the slowest strip reaches a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Kill {
    /// The node's name, from 1.
    pub(crate) node: u32,
    /// The step that fires it, at most the job's last.
    pub(crate) step: u64,
}

impl FromStr for Kill {
    type Err = KillSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (node, step) = text.split_once('@').ok_or(KillSyntax)?;
        Ok(Self {
            node: node.parse().map_err(|_| KillSyntax)?,
            step: step.parse().map_err(|_| KillSyntax)?,
        })
    }
}

impl Display for Kill {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}", self.node, self.step)
    }
}

/// A `--kill` that is not of the form `NODE@STEP`.
#[derive(Debug, Error)]
#[error("expected NODE@STEP, such as 2@10000")]
pub(crate) struct KillSyntax;

/// A node to let stand still for a time (SIGSTOP, then SIGCONT) when the slowest strip reaches a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Stop {
    /// The node's name, from 1.
    pub(crate) node: u32,
    /// The step that fires it, at most the job's last.
    pub(crate) step: u64,
    /// For how long, above 0.
    pub(crate) time: Duration,
}

impl FromStr for Stop {
    type Err = StopSyntax;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (at, seconds) = text.split_once('+').ok_or(StopSyntax)?;
        let Kill { node, step } = at.parse().map_err(|_| StopSyntax)?;
        let seconds = seconds.parse::<f64>().map_err(|_| StopSyntax)?;
        let time = Duration::try_from_secs_f64(seconds).map_err(|_| StopSyntax)?;
        if !(Duration::from_millis(1)..=LONGEST_STOP).contains(&time) {
            return Err(StopSyntax);
        }
        Ok(Self { node, step, time })
    }
}

impl Display for Stop {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}@{}+{}", self.node, self.step, self.time.as_secs_f64())
    }
}

/// A `--stop` that is not of the form `NODE@STEP+SECONDS`.
#[derive(Debug, Error)]
#[error("expected NODE@STEP+SECONDS, such as 2@10000+6, with 0.001 to 3600 seconds")]
pub(crate) struct StopSyntax;

const LONGEST_STOP: Duration = Duration::from_secs(3600);
