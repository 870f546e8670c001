//! Nodes for [`actors_core`]: remote links and spawn, names and groups that all know, failure detection, supervision
//! across nodes.
//!
//! A *node* is a process with a name; each of its lives has an identity of its own. Nodes that have
//! joined know each other, and are connected where they use it or
//! each to each: see [`Membership`]. A [`Link`](actors_core::Link) to an actor on another node is
//! used like any other; what is [exported](actors_core::System::export) may cross.
//!
//! ```
//! # use actors_core::{Actor, Context, Handler, Message, System};
//! # use serde::{Serialize, Deserialize};
//! # use std::time::Duration;
//! use actors_node::Node;
//! # struct Counter(u64);
//! # impl Actor for Counter {}
//! # #[derive(Serialize, Deserialize)]
//! # struct Add(u64);
//! # impl Message for Add { type Reply = u64; }
//! # impl Handler<Add> for Counter {
//! #     async fn handle(&mut self, m: Add, _: &mut Context<Self>) -> u64 { self.0 += m.0; self.0 }
//! # }
//!
//! fn export(system: &System) {
//!     system
//!         .export::<Counter>("counter")
//!         .message::<Add>("add")
//!         .constructor(|start: u64, _birth| async move { Ok(Counter(start)) });
//! }
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! // Two nodes in one process here; the same across processes.
//! let (a, b) = (System::builder().name("a").build(), System::builder().name("b").build());
//! export(&a);
//! export(&b);
//! a.block_on(async {
//!     let node_a = Node::builder(&a).start().await?;
//!     let node_b = Node::builder(&b).start().await?;
//!     node_b.join(&node_a.member().address, Duration::from_secs(5)).await?;
//!     let on_b = node_a.wait_for("b", Duration::from_secs(5)).await?.id;
//!     let counter = node_a.spawn::<Counter>(on_b, "counter", &40_u64).await?;
//!     assert_eq!(counter.call(Add(2)).await?, 42);
//!     # node_a.leave(); node_b.leave();
//!     Ok(())
//! })
//! # }
//! ```
//!
//! What is promised under which fault is on one page: `docs/semantics/node.md` in the repository.

mod backoff;
mod beat;
mod calls;
mod connection;
mod detector;
mod directory;
mod discovery;
mod dispatch;
mod door;
mod encoded;
#[cfg_attr(not(feature = "etcd"), path = "no_etcd.rs")]
mod etcd;
mod event;
#[cfg(fuzzing)]
#[doc(hidden)]
pub mod fuzzing;
mod groups;
mod hand_shake;
mod hosting;
mod incoming;
mod lanes;
mod listeners;
mod member;
mod names;
mod node;
mod office;
mod outbox;
mod peers;
mod pieces;
mod placement;
mod redial;
mod remote_child;
mod route;
mod secret;
mod serve;
mod session;
mod swim;
#[cfg_attr(not(feature = "tls"), path = "no_tls.rs")]
mod tls;
mod unacknowledged;
#[cfg(test)]
mod vectors;
mod wire;

/// The membership of many nodes in simulated time: what comes of it, in figures. Its interface may change.
#[cfg(feature = "simulation")]
pub mod simulation {
    pub use crate::swim::figures::{Figures, Run};
}

pub use detector::Detection;
pub use discovery::{Discovery, DiscoveryError, Dns, HostList, Slurm};
#[cfg(feature = "etcd")]
pub use etcd::{Etcd, EtcdSeeds};
pub use event::{DownCause, NodeError, NodeEvent};
pub use groups::{GroupEvent, Groups};
pub use hand_shake::{CertificateFault, HandShakeError, Versions};
pub use member::Member;
pub use names::{NameEvent, Names, RegisterError};
pub use node::{Node, NodeBuilder};
pub use office::{NoQuorum, Quorum, Role, RoleBuilder, RoleError, Tenure};
pub use remote_child::{Hosts, RemoteAddress, RemoteChild, SuperviseRemotely};
pub use secret::{Secret, SecretError};
pub use swim::{Membership, Swim};
#[cfg(feature = "test-authority")]
pub use tls::{CertificateFiles, TestAuthority};
#[cfg(feature = "tls")]
pub use tls::{Tls, TlsError};
pub use wire::Refusal;
