//! Membership by leases in etcd: who is a member is what etcd says.
//!
//! What a node makes of that is decided by [`Standing`], which is pure; `client` asks etcd, on a thread of its
//! own; `drive` carries out. `docs/semantics/node.md` says what it promises.

mod client;
mod drive;
mod entry;
mod seeds;
mod settings;
mod standing;

pub use self::{seeds::EtcdSeeds, settings::Etcd};

pub(crate) use self::drive::Registry;
