use std::net::ToSocketAddrs;

use actors_core::{BoxFuture, host::Host};

use super::{Discovery, DiscoveryError};

/// All addresses of a name, as the resolver of the system knows them: in Kubernetes the pods behind a headless
/// service (one with `clusterIP: None`; let it publish addresses that are not ready, or the first nodes never
/// find each other).
///
/// It asks the real resolver, on any host: it has no place in a simulation.
///
/// ```
/// # use actors_core::System;
/// # use actors_node::{Discovery, Dns};
/// # let system = System::new();
/// # system.block_on(async {
/// let known = Dns::new("localhost", 7000).addresses(system.host()).await?;
/// assert!(known.contains(&"127.0.0.1:7000".to_owned()) || known.contains(&"[::1]:7000".to_owned()));
/// # Ok::<(), actors_node::DiscoveryError>(())
/// # }).unwrap();
/// ```
#[derive(Clone, Debug)]
pub struct Dns {
    name: String,
    port: u16,
}

impl Dns {
    /// Nodes at the addresses of `name`, all on this port.
    pub fn new(name: impl Into<String>, port: u16) -> Self {
        Self { name: name.into(), port }
    }
}

impl Discovery for Dns {
    fn addresses(&self, host: &Host) -> BoxFuture<'static, Result<Vec<String>, DiscoveryError>> {
        let (host, Self { name, port }) = (host.clone(), self.clone());
        Box::pin(async move {
            let asked = name.clone();
            let found = host.blocking(move || {
                let found = (asked.as_str(), port).to_socket_addrs()?;
                Ok::<Vec<_>, std::io::Error>(found.map(|address| address.to_string()).collect())
            });
            let resolve = |error: std::io::Error| {
                let error = error.to_string();
                DiscoveryError::Resolve { name, error }
            };
            found.await.map_err(resolve)
        })
    }
}
