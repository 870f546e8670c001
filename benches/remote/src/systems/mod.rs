//! The systems, one file each: the same workloads in the same order by the same names.

use std::{any::Any, time::Duration};

use actors_core::host::Host;
use clap::ValueEnum;

use crate::{measure::Sample, workload::Workload};

mod actors;
mod raw;
mod tokio;

/// Whoever has not heard of a failure by then never will, is said.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Name {
    /// Ours, on async-std.
    Actors,
    /// Ours, on Tokio.
    ActorsTokio,
    /// Blocking sockets and threads.
    Raw,
    /// Tokio's sockets and tasks.
    Tokio,
}

impl Name {
    /// Whether it has an answer to the workload.
    pub(crate) fn can(self, workload: Workload) -> bool {
        match self {
            Self::Raw => workload.fault().is_none() && workload != Workload::Callers,
            Self::Tokio => workload.fault().is_none(),
            _ => true,
        }
    }
}

/// What serves until it is dropped, and where.
pub(crate) type Server = (Box<dyn Any>, String);

pub(crate) fn serve(system: Name) -> anyhow::Result<Server> {
    match system {
        Name::Actors => actors::serve(Host::async_std()),
        Name::ActorsTokio => actors::serve(Host::tokio()),
        Name::Raw => raw::serve(),
        Name::Tokio => tokio::serve(),
    }
}

pub(crate) fn work(
    system: Name,
    workload: Workload,
    address: &str,
    n: u64,
) -> anyhow::Result<Sample> {
    match system {
        Name::Actors => actors::work(Host::async_std(), workload, address, n),
        Name::ActorsTokio => actors::work(Host::tokio(), workload, address, n),
        Name::Raw => raw::work(workload, address, n),
        Name::Tokio => tokio::work(workload, address, n),
    }
}
