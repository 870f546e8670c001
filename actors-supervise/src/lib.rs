//! Supervisors for [`actors_core`]: who restarts what, when, and how often.
//!
//! A [`Supervisor`] starts its children in order, hears of every end, and restarts what is to be
//! restarted, in place: a restarted actor has the same address, the same name, and what was queued
//! for it, in order. Supervisors are children of others: a tree.
//!
//! ```
//! use actors_core::{Actor, Context, Handler, Message, System};
//! use actors_supervise::{ChildSpec, Strategy, Supervisor};
//!
//! struct Divider;
//! impl Actor for Divider {}
//!
//! struct Divide(u32, u32);
//! impl Message for Divide {
//!     type Reply = u32;
//! }
//!
//! impl Handler<Divide> for Divider {
//!     async fn handle(&mut self, Divide(a, b): Divide, _: &mut Context<Self>) -> u32 {
//!         a / b
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! system.block_on(async {
//!     let supervisor = Supervisor::builder(Strategy::OneForOne)
//!         .child(ChildSpec::new("divider", || Divider))
//!         .start(&system)
//!         .await?;
//!     let divider = supervisor.child::<Divider>("divider").await?;
//!     assert!(divider.call(Divide(1, 0)).await.is_err());
//!     assert_eq!(divider.call(Divide(6, 3)).await?, 2);
//! #   Ok::<_, Box<dyn std::error::Error>>(())
//! })?;
//! # Ok(())
//! # }
//! ```
//!
//! | to say | use |
//! |---|---|
//! | whom a failure takes along | [`Strategy`] |
//! | which end is a failure | [`RestartPolicy`] |
//! | how many failures are too many | [`Limit`], [`SupervisorBuilder::max_node_failures`] |
//! | how long to wait before the next try | [`Backoff`] |
//! | how many restarts are under way at a time | [`SupervisorBuilder::max_parallel_starts`] |
//! | how to stop a child | [`Shutdown`] |
//! | where a restarted state comes from | [`ChildSpec`] |
//! | many equal children | [`Template`] |
//! | add, stop, restart, remove, count children | [`SupervisorLink`] |
//! | another declaration while it runs | [`SupervisorLink::change`] |
//! | what happened | [`Event`] |
//! | end the tree on Ctrl-C or SIGTERM | `SupervisorLink::shut_down_on_signals` (feature `signals`) |
//! | how it all is now, printed | [`SupervisorLink::tree`] |
//! | children elsewhere; one decision for a group | [`Child`], [`Planner`] |
//!
//! What is promised about rounds, limits and shutdown is on one page: `docs/semantics/supervise.md`
//! in the repository.

mod alarm;
mod backoff;
mod builder;
mod child;
mod commands;
mod contain;
mod engine;
mod error;
mod event;
mod host_failures;
mod inbox;
mod info;
mod limit;
mod link;
mod local;
mod machine;
mod place;
mod plan;
mod policy;
mod restart_source;
#[cfg(test)]
mod seeds;
#[cfg(feature = "signals")]
mod signals;
mod spec;
mod state_source;
mod strategy;
mod supervisor;
mod task;
mod template;
mod tree;
mod tree_info;

pub use backoff::Backoff;
pub use builder::SupervisorBuilder;
pub use child::{Child, ChildKind, InPlace, Start};
pub use error::{ChildError, SpecError, SupervisorError};
pub use event::{Escalation, Event};
pub use host_failures::HostFailures;
pub use info::{ChildInfo, ChildStatus, Counts};
pub use limit::Limit;
pub use link::SupervisorLink;
pub use local::Local;
pub use plan::{Member, Plan, Planner, Round, RoundKind};
pub use policy::{RestartPolicy, Shutdown};
#[cfg(feature = "signals")]
pub use signals::{Ending, ShutdownReport, Signal};
pub use spec::ChildSpec;
pub use state_source::StateSource;
pub use strategy::{AutoShutdown, Strategy};
pub use supervisor::Supervisor;
pub use task::TaskActor;
pub use template::Template;
pub use tree_info::{Branch, Tree};
