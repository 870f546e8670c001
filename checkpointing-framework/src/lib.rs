//! A declared hierarchy of checkpoint levels for groups of actors on several nodes.
//!
//! A *group* is a set of actors that restart together from one common version. A [`Hierarchy`] says
//! where their states are kept and how often; a [`Coordinator`] on the supervisor's node places the
//! copies, knows which versions are complete, and plans every restart: the newest version that all
//! members still have, each from the cheapest level that has it.
//!
//! | piece | role |
//! |---|---|
//! | [`Hierarchy`] | memory of the own node → memory of a partner node → directory |
//! | [`Coordinator::start`] → [`GroupLink`] | the group's coordinator |
//! | [`GroupLink::planner`] | given to the group's supervisor |
//! | [`GroupPlan::member`] → [`MemberPlan`] | sent to each member with its start arguments |
//! | [`MemberPlan::restore_raw`] | the state to go on from |
//! | [`Protection::checkpoint_raw`] | protects the state of a version, when a level is due |
//!
//! Messages of a rolled-back run never reach the restarted one: members are in a
//! [`GroupEpoch`](actors_core::GroupEpoch) that grows with every restart.
//!
//! What is promised is on one page: `docs/semantics/framework.md` in the repository. The `hillslope`
//! program of the repository's `examples` shows the whole.

mod coordinator;
mod event;
mod group;
mod hierarchy;
mod last_level;
mod member;
mod planner;
mod stores;

pub use coordinator::{Coordinator, export};
pub use event::{Event, RestartEvent};
pub use group::{GroupLink, GroupPlan, GroupPlanner};
pub use hierarchy::{Hierarchy, HierarchyError, LAST, Level, MEMORY, PARTNER, Scheme};
pub use member::{Cost, Costs, MemberPlan, Protection};
