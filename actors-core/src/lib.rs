//! Actors with typed messages and addresses that survive restarts.
//!
//! An *actor* is a struct that owns its state; a *message* is a type with a reply; an actor
//! handles one message after the other. A [`Link`] is the address of an actor: cheap to clone, the
//! same over every restart, and the same type whether the actor lives in this process or on another
//! node.
//!
//! ```
//! use actors_core::{Actor, Context, Handler, Message, System};
//!
//! struct Counter(u64);
//! impl Actor for Counter {}
//!
//! struct Add(u64);
//! impl Message for Add {
//!     type Reply = u64;
//! }
//!
//! impl Handler<Add> for Counter {
//!     async fn handle(&mut self, Add(n): Add, _cx: &mut Context<Self>) -> u64 {
//!         self.0 += n;
//!         self.0
//!     }
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let counter = system.spawn(Counter(0));
//! counter.send(Add(1))?;
//! let total = system.block_on(async { counter.call(Add(2)).await })?;
//! assert_eq!(total, 3);
//! # Ok(())
//! # }
//! ```
//!
//! With the feature `macros`, which is on by default, `#[derive(Actor)]` and `#[derive(Message)]` write
//! the short impls, and `#[actor]` turns methods into messages with their handlers.
//!
//! What is promised about ordering, loss, restart and cancellation is on one page:
//! `docs/semantics/core.md` in the repository.
//!
//! # Logs and spans
//!
//! Logs are `tracing` events: failed and ended actors and dead letters at `DEBUG`, monitors without an
//! action at `INFO`, stuck handlers at `ERROR`.
//!
//! Each handler and each hook runs in a span `handle` of the target `actors_core::handler`, at `TRACE`, with
//! the fields `actor`, `actor_type`, `message_type` and `incarnation`. It is a root, is entered whenever the
//! handler is polled, and open from its start to its end. A subscriber that lets it through turns it on,
//! with `tracing-subscriber` for example `RUST_LOG=info,actors_core::handler=trace`; there is nothing to pay
//! while no subscriber wants the level `TRACE`.
//!
//! Counters and gauges come with the feature `metrics`, off by default: see the module `metrics`.
//!
//! # Layers
//!
//! | module | what it holds |
//! |---|---|
//! | crate root | [`System`], [`Actor`], [`Handler`], [`Link`], [`Context`], errors |
//! | [`supervision`] | [`Seat`](supervision::Seat): an address whose incarnations a supervisor starts |
//! | [`remote`] | what a transport needs: exports, proxies, routes |
//! | [`host`] | clock, randomness, tasks, network and disk behind traits; on async-std, smol and tokio |
//! | [`sim`] | the same traits under one seed, in virtual time |

mod actor;
mod address;
mod any_cell;
mod attached;
mod bound;
mod cell;
mod connection;
mod context;
mod control;
mod dead_letters;
mod error;
mod exec;
mod ext;
mod frame;
mod function;
mod group;
mod here;
pub mod host;
mod identity;
mod inbox;
mod info;
mod keep;
mod life;
mod link;
mod mailbox;
#[cfg(feature = "metrics")]
pub mod metrics;
#[cfg(not(feature = "metrics"))]
#[path = "no_metrics.rs"]
mod metrics;
mod monitor;
mod name;
mod node;
mod pace;
mod payload;
mod pool;
mod prefetch;
mod process_groups;
mod recipient;
mod registry;
pub mod remote;
mod reply;
mod root;
mod roster;
mod router;
mod run;
mod scheduler;
mod shared;
pub mod sim;
mod span;
mod stuck;
pub mod supervision;
mod sync;
mod system;
mod task;
mod timer;
mod timers;

pub use actor::{Actor, Handler, Message};
pub use address::{Address, Destination};

#[cfg(feature = "macros")]
pub use actors_macros::{Actor, Message, actor};
pub use attached::Attached;
pub use connection::Exit;
pub use context::Context;
pub use dead_letters::{DeadLetter, DeadLetterCause};
pub use error::{CallError, ExitReason, NameError, SendError, StartError};
pub use function::{Become, FnActor};
pub use group::{GroupEpoch, GroupId};
pub use identity::{ActorId, SystemId};
pub use inbox::{Inbox, ReceiveError};
pub use info::{ActorInfo, Status};
pub use link::{Answer, AnyLink, Call, Link, WeakLink};
pub use monitor::{Down, MonitorRef};
pub use name::Name;
pub use process_groups::ProcessGroup;
pub use recipient::Recipient;
pub use reply::ReplyTo;
pub use root::Root;
pub use router::{Router, Routing};
pub use stuck::{Stuck, StuckPolicy};
pub use system::{System, SystemBuilder};
pub use timer::Timer;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
