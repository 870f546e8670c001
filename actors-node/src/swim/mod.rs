//! Membership by gossip: SWIM (Das, Gupta, Motivala 2002) with suspicion, and the self-awareness of Lifeguard
//! (Dadgar, Phillips, Currey 2018).
//!
//! The [`Engine`] is pure: packets, time and facts come in, packets and verdicts go out. What runs it in a node
//! is in `drive`; `docs/semantics/node.md` says what it promises, and why it is not the crate `foca`.

#[cfg(any(test, feature = "simulation"))]
#[cfg_attr(not(test), expect(dead_code, reason = "some of it is for tests alone"))]
pub(crate) mod cluster;
mod drive;
mod engine;
#[cfg(feature = "simulation")]
pub(crate) mod figures;
mod health;
mod packet;
mod probing;
mod ring;
mod rumours;
mod settings;
mod suspicion;
#[cfg(test)]
mod tests;
mod updates;

pub use settings::{Membership, Swim};

pub(crate) use drive::{Gossip, drive};
pub(crate) use engine::{Effect, Engine, Fact};
pub(crate) use packet::Packet;
