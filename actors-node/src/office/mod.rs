//! Roles: of all nodes one at most is the owner, and when it is gone another one is.
//!
//! A role is one replicated register, without a log (CASPaxos; Rystsov, 2018): who owns it in which term, who
//! votes, and what the owner leaves to the next one. The owner has leases from a quorum of the voters, and nobody
//! else is elected while they hold. The engine is pure; `drive` is its way to the world.

mod acceptor;
mod campaign;
mod drive;
mod engine;
mod reign;
mod role;
mod say;
mod table;
#[cfg(test)]
mod tests;
mod value;

use self::engine::{Candidate, Effect, Office};
#[cfg(test)]
pub(crate) use self::value::Ballot;
pub(crate) use self::{
    drive::{Offices, drive},
    say::Say,
    table::Kept,
};

pub use self::role::{NoQuorum, Role, RoleBuilder, RoleError, Tenure};

/// Who votes on a role.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Quorum {
    /// All members that the last owner knew and that were agreed on: of these more than half, or half with the
    /// lowest identity. So nodes may fail one after the other, down to one. New members vote too.
    #[default]
    LastAgreed,
    /// The founders alone, more than half of them, whoever else is there, or half with the lowest identity.
    /// A founder that has failed counts on, until a new life comes under its name and takes its place.
    Founders,
}
