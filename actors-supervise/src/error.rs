//! What can go wrong with supervisors and specs.

use actors_core::{CallError, StartError};

/// A spec that cannot be taken. Nothing was started.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SpecError {
    /// A child needs an id.
    #[error("the id of a child is empty")]
    EmptyId,
    /// Ids are unique within a supervisor.
    #[error("two children have the id {0:?}")]
    DuplicateId(String),
    /// A permanent child never ends for good, so its end cannot be significant.
    #[error("child {0:?} is significant and permanent")]
    SignificantPermanent(String),
    /// The supervisor would never act on it.
    #[error("child {0:?} is significant, and its supervisor does not shut down by itself")]
    SignificantNever(String),
    /// A child of a template is one of many, none of which is more than the others.
    #[error("child {0:?} is significant and of a template")]
    SignificantTemplate(String),
    /// A mailbox without room takes nothing.
    #[error("the mailbox of child {0:?} has no room")]
    ZeroCapacity(String),
    /// A state cannot be kept before every zeroth message.
    #[error("the state of child {0:?} would never be kept")]
    ZeroEvery(String),
    /// Of a child that is there, the type, the name and the bound of the mailbox stay.
    #[error("child {0:?} cannot become what the new spec says")]
    Fixed(String),
    /// A child that failed would wait for ever.
    #[error("no restart may be under way")]
    ZeroStarts,
    /// Restarts are counted in a period.
    #[error("the period of the restart limit is zero")]
    ZeroPeriod,
}

/// Why a supervisor did not start. None of its children is left running.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SupervisorError {
    /// One of its specs is wrong.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// A child did not start; those started before it were stopped, last first.
    #[error("child {child:?} did not start: {error}")]
    Start {
        /// Its id.
        child: String,
        /// Why.
        error: StartError,
    },
    /// The planner failed.
    #[error("the start was not planned: {0}")]
    Plan(StartError),
    /// It ended while it started.
    #[error("the supervisor ended: {0}")]
    Ended(CallError),
}

/// Why a supervisor did not do what was asked for a child.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ChildError {
    /// A child with this id is there and runs. Nothing changed.
    #[error("child {0:?} is already started")]
    AlreadyStarted(String),
    /// A child with this id is there and does not run: restart or delete it. Nothing changed.
    #[error("child {0:?} is already present")]
    AlreadyPresent(String),
    /// There is no child with this id.
    #[error("there is no child {0:?}")]
    NotFound(String),
    /// It runs: stop it first. Nothing changed.
    #[error("child {0:?} is running")]
    Running(String),
    /// It is being restarted. A retry succeeds later, or finds it running.
    #[error("child {0:?} is being restarted")]
    Restarting(String),
    /// It is being stopped. A retry succeeds later. Nothing changed.
    #[error("child {0:?} is being stopped")]
    Stopping(String),
    /// It does not run. Nothing changed.
    #[error("child {0:?} is not running")]
    NotRunning(String),
    /// It is not an actor of this type.
    #[error("child {id:?} is not a {wanted}")]
    WrongType {
        /// The child.
        id: String,
        /// The type asked for.
        wanted: &'static str,
    },
    /// The spec is wrong. Nothing changed.
    #[error(transparent)]
    Spec(#[from] SpecError),
    /// It did not start. An added child is not kept, one restarted by hand stays present.
    #[error("child {child:?} did not start: {error}")]
    Start {
        /// Its id.
        child: String,
        /// Why.
        error: StartError,
    },
    /// Its start has found that there is nothing to run ([`StartError::Ignore`]). An added child is not
    /// kept, one restarted by hand stays present.
    #[error("child {0:?} has nothing to run")]
    Ignored(String),
    /// The supervisor did not answer.
    #[error("the supervisor did not answer: {0}")]
    Supervisor(#[from] CallError),
}
