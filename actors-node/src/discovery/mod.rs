//! Finding the first others: a list, DNS, or the hosts of a SLURM job.

mod dns;
mod host_list;
mod join;
mod slurm;

use actors_core::{BoxFuture, host::Host};

pub use self::{dns::Dns, host_list::HostList, slurm::Slurm};

/// Where nodes of a cluster may be found, for [`Node::join_by`](crate::Node::join_by).
///
/// Only a first one must be found: it tells of all others. A list of addresses is the simplest way; what
/// an orchestrator knows is another.
///
/// ```
/// use actors_core::{BoxFuture, host::Host};
/// use actors_node::{Discovery, DiscoveryError};
///
/// /// One address a line.
/// struct InFile(&'static str);
///
/// impl Discovery for InFile {
///     fn addresses(&self, host: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
///         let (host, file) = (host.clone(), self.0);
///         Box::pin(async move {
///             let text = host.blocking(move || std::fs::read_to_string(file)).await;
///             let text = text.map_err(|error| DiscoveryError::other(file, error))?;
///             Ok(text.lines().map(str::to_owned).collect())
///         })
///     }
/// }
/// ```
pub trait Discovery: Send + Sync {
    /// Addresses as [`Node::join`](crate::Node::join) takes them: of nodes that run or that may run
    /// later. That of the asking node may be among them. Asked again and again until one was joined; the
    /// future is dropped when the time for that is over.
    ///
    /// # Errors
    /// Why it cannot be said now.
    fn addresses(&self, host: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>>;
}

/// A list that was given.
impl<S: Into<String> + Clone + Send + Sync> Discovery for Vec<S> {
    fn addresses(&self, _: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        let addresses = self.iter().cloned().map(Into::into).collect();
        Box::pin(async { Ok(addresses) })
    }
}

/// Why no addresses are known.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum DiscoveryError {
    /// A host list that cannot be read. A retry cannot succeed.
    #[error("host list {list:?}, at byte {at}: {why}")]
    HostList {
        /// The list.
        list: String,
        /// Where in it.
        at: usize,
        /// What is wrong there.
        why: &'static str,
    },
    /// A variable of the environment that is not set: this process is not part of such a job.
    #[error("the variable {0} is not set")]
    NotSet(&'static str),
    /// A name that stands for no address now. A retry may succeed.
    #[error("cannot resolve {name}: {error}")]
    Resolve {
        /// The name.
        name: String,
        /// What the system said.
        error: String,
    },
    /// Who was asked did not answer until the search was over. A retry may succeed.
    #[error("no answer in time to where others are")]
    TimedOut,
    /// Another way has failed.
    #[error("cannot ask {what}: {error}")]
    Other {
        /// Whom or what it asks.
        what: String,
        /// What is wrong.
        error: String,
    },
}

impl DiscoveryError {
    /// Of a way of one's own.
    pub fn other(what: impl Into<String>, error: impl ToString) -> Self {
        Self::Other { what: what.into(), error: error.to_string() }
    }
}
