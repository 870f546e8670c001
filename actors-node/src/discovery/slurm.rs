use std::env;

use actors_core::{BoxFuture, host::Host};

use super::{Discovery, DiscoveryError, HostList};

const HOSTS: &str = "SLURM_JOB_NODELIST";

/// The hosts of the SLURM job that this process is part of, one node on each.
///
/// All of them start at about the same time: each tries all others until they are there.
#[derive(Clone, Debug)]
pub struct Slurm {
    hosts: HostList,
    port: u16,
}

impl Slurm {
    /// Those in `SLURM_JOB_NODELIST`, all on this port.
    ///
    /// # Errors
    /// [`DiscoveryError::NotSet`] outside a job, [`DiscoveryError::HostList`].
    pub fn of_this_job(port: u16) -> Result<Self, DiscoveryError> {
        let hosts = env::var(HOSTS).map_err(|_| DiscoveryError::NotSet(HOSTS))?;
        Ok(Self::of(hosts.parse()?, port))
    }

    /// Those in a list, all on this port.
    pub const fn of(hosts: HostList, port: u16) -> Self {
        Self { hosts, port }
    }
}

impl Discovery for Slurm {
    fn addresses(&self, host: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        let addresses: Vec<_> =
            self.hosts.names().iter().map(|name| format!("{name}:{}", self.port)).collect();
        addresses.addresses(host)
    }
}
