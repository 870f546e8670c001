//! What the workspace tests share: a harness of node processes, actors to put on them, workloads.
//!
//! | module | what it holds |
//! |---|---|
//! | [`process`] | node processes: start, wait until ready, kill, stop, continue, collect the log |
//! | [`calculator`] | a small exported actor |
//! | [`bank`] | a group of accounts that transfer money in rounds and must end as if nothing failed |
//! | [`breaking`] | what goes over connections that break, and what nodes say of it |
//! | [`cluster`] | nodes of one simulation, or of one process |
//! | [`peer`] | node processes that are told what to do, and tell what they see |
//! | [`network`] | a network namespace for each of several processes, with lines that are cut and lose packets |
//! | [`proxy`] | a line between two nodes that can be broken |
//! | [`saves`] | a process that saves and is killed at random moments |
//! | [`soak`] | a random tree of supervisors under random failures |
//! | [`stalls`] | for how long the process of a test was not let run |
//! | [`stress`] | all that the core promises, under load |

pub mod bank;
pub mod breaking;
pub mod calculator;
pub mod cluster;
#[cfg(target_os = "linux")]
pub mod network;
pub mod peer;
pub mod process;
pub mod proxy;
pub mod saves;
pub mod soak;
pub mod stalls;
pub mod stress;

use actors_core::System;

/// Lets all of this crate's actors cross. Every node of a test calls it.
pub fn export(system: &System) {
    calculator::export(system);
    bank::export(system);
    peer::export(system);
    breaking::export(system);
}

/// The examples of the readmes compile and run.
#[cfg(doctest)]
mod readmes {
    #[doc = include_str!("../../README.md")]
    struct Workspace;
    #[doc = include_str!("../../actors-core/README.md")]
    struct Core;
}
