//! One decision for all children of a round: where they go on from.

use std::{any::Any, fmt, sync::Arc};

use actors_core::{AnyLink, BoxFuture, GroupEpoch, StartError, SystemId, supervision::Failure};

/// Decides once per round what all its children start from, for instance one common checkpoint.
pub trait Planner: Send + 'static {
    /// Called in every round when all its children are stopped and prepared, before the first is
    /// started. A round that is tried again is planned again; only the result of the round with the
    /// highest number counts.
    ///
    /// An error is a failed start of the round, and counts as one;
    /// [`StartError::NoConnection`] does not.
    fn plan(&mut self, round: Round) -> BoxFuture<'static, Result<Plan, StartError>>;
}

/// What a [`Planner`] decided for one round; given to every child of it at its start.
#[derive(Clone)]
pub struct Plan {
    /// The group and restart epoch that the children are members of from now on.
    pub group: Option<GroupEpoch>,
    /// For the children's [`start`](crate::Child::start).
    pub data: Arc<dyn Any + Send + Sync>,
}

impl fmt::Debug for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Plan").field("group", &self.group).finish_non_exhaustive()
    }
}

/// A set of children that are about to be started together.
#[derive(Clone, Debug)]
pub struct Round {
    /// Grows with every plan of this supervisor; 1 is the first.
    pub number: u64,
    /// What it is for.
    pub kind: RoundKind,
    /// Its children, in the order of their start.
    pub children: Vec<Member>,
}

/// What a round is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum RoundKind {
    /// The first start of the supervisor's static children.
    Initial,
    /// One child that was added, or restarted by hand, while the others run.
    Added,
    /// A restart after a failure.
    Restart,
}

/// One child of a round.
#[derive(Clone, Debug)]
pub struct Member {
    /// The id in its spec.
    pub id: String,
    /// Its address.
    pub link: Option<AnyLink>,
    /// The system that is going to host it, if that is another one.
    pub host: Option<SystemId>,
    /// How its last incarnation ended: the cause of the round, or `Shutdown` for a bystander.
    pub failure: Option<Failure>,
}
