use std::{collections::BTreeMap, fmt, sync::Arc};

use actors_checkpoint::Version;
use actors_core::{ActorId, AnyLink, BoxFuture, GroupEpoch, Link, StartError};
use actors_supervise::{Plan, Planner, Round, Start};

use crate::{
    Coordinator, Costs, Event, MemberPlan,
    coordinator::{MakePlan, Observe, WhatCosts},
    event::Hub,
};

/// What a group goes on from; the `data` of the supervisor's [`Plan`].
#[derive(Clone, Debug)]
pub struct GroupPlan {
    /// The group's restart epoch from now on.
    pub epoch: GroupEpoch,
    /// The common version; `None` is a fresh start.
    pub version: Option<Version>,
    pub(crate) members: BTreeMap<String, MemberPlan>,
}

impl GroupPlan {
    /// The plan that a supervised start was given, for the member with this id.
    ///
    /// # Errors
    /// The supervisor has no [`GroupPlanner`], or the child was not in the round.
    pub fn member(start: &Start, id: &str) -> Result<MemberPlan, StartError> {
        let plan = start.plan.as_ref().and_then(|plan| plan.data.downcast_ref::<Self>());
        plan.and_then(|plan| plan.members.get(id))
            .cloned()
            .ok_or_else(|| StartError::failed(format!("no plan for group member {id:?}")))
    }
}

/// A running [`Coordinator`]. Cheap to clone.
#[derive(Clone)]
pub struct GroupLink {
    pub(crate) coordinator: Link<Coordinator>,
    pub(crate) events: Arc<Hub>,
}

impl GroupLink {
    /// For the group's supervisor.
    pub fn planner(&self) -> GroupPlanner {
        GroupPlanner { coordinator: self.coordinator.clone() }
    }

    /// What happens, from now on.
    pub fn events(&self) -> crossbeam_channel::Receiver<Event> {
        self.events.subscribe()
    }

    /// Calls `f` with each event. It must not block.
    pub fn on_event(&self, f: impl Fn(&Event) + Send + Sync + 'static) {
        self.events.listen(Box::new(f));
    }

    /// An actor outside of the group that its members report to: what they sent in a run that was
    /// rolled back does not reach it after the restart.
    pub async fn observe(&self, observer: AnyLink) {
        let _ = self.coordinator.call(Observe(observer)).forever().await;
    }

    /// What protecting the members has cost, over all restarts.
    pub async fn costs(&self) -> Costs {
        self.coordinator.call(WhatCosts).forever().await.unwrap_or_default()
    }

    /// The coordinator's identity.
    pub fn id(&self) -> ActorId {
        self.coordinator.id()
    }
}

/// Plans the rounds of a group's supervisor.
#[derive(Debug)]
pub struct GroupPlanner {
    coordinator: Link<Coordinator>,
}

impl Planner for GroupPlanner {
    fn plan(&mut self, round: Round) -> BoxFuture<'static, Result<Plan, StartError>> {
        let call = self.coordinator.call(MakePlan(round)).forever();
        Box::pin(async move { call.await.map_err(StartError::failed)? })
    }
}

impl fmt::Debug for GroupLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "GroupLink({})", self.coordinator.id())
    }
}
