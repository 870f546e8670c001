//! Which end of a child is followed by a restart.

use std::time::Duration;

use actors_core::ExitReason;

use crate::ChildKind;

/// When a child that ended by itself is restarted.
///
/// | exit reason | `Permanent` | `Transient` | `Temporary` |
/// |---|---|---|---|
/// | `Normal`, `Shutdown`, `ShutdownWith` | restart | keep the spec | remove |
/// | all others | restart | restart | remove |
///
/// A task that is done, or was stopped by its timeout, is removed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum RestartPolicy {
    /// Always.
    Permanent,
    /// After an [abnormal](ExitReason::is_abnormal) end only.
    #[default]
    Transient,
    /// Never.
    Temporary,
}

/// How a supervisor stops a child. It waits for the child's death in every case.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Shutdown {
    /// Killed at once.
    BrutalKill,
    /// Asked to shut down, killed when it has not ended after this time.
    Timeout(Duration),
    /// Asked to shut down, however long it takes: the default of supervisors.
    Infinity,
}

impl Default for Shutdown {
    fn default() -> Self {
        Self::Timeout(Duration::from_secs(5))
    }
}

/// What follows when a child has ended by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Restart,
    /// Not restarted; the spec stays and can be restarted by hand.
    Keep,
    Remove,
}

pub(crate) fn verdict(policy: RestartPolicy, kind: ChildKind, reason: &ExitReason) -> Verdict {
    let done = !reason.is_abnormal() || *reason == ExitReason::TimedOut;
    match policy {
        RestartPolicy::Temporary => Verdict::Remove,
        _ if kind == ChildKind::Task && done => Verdict::Remove,
        RestartPolicy::Permanent => Verdict::Restart,
        RestartPolicy::Transient if reason.is_abnormal() => Verdict::Restart,
        RestartPolicy::Transient => Verdict::Keep,
    }
}
