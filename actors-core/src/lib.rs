#![doc = include_str!("guide.md")]

mod actor;
mod address;
mod any_cell;
mod attached;
mod bound;
mod cell;
mod clocks;
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
mod observe;
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
mod trace;

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
pub use smol_str::SmolStr;
pub use stuck::{Stuck, StuckPolicy};
pub use system::{System, SystemBuilder};
pub use timer::Timer;
pub use trace::Propagator;

/// A boxed future that may move between threads.
pub type BoxFuture<'a, T> = std::pin::Pin<Box<dyn Future<Output = T> + Send + 'a>>;
