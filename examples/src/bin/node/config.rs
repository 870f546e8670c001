//! What a node is told by its file.

use std::{
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use actors_core::System;
use actors_node::{Discovery, Dns, Node, NodeBuilder, Secret, Slurm, Tls};
use anyhow::{Context, bail};
use serde::Deserialize;

/// A file like this; all but the name may be left out:
///
/// ```toml
/// name = "worker-1"
/// cluster = "demo"
/// listen = "10.0.0.1:4000"
/// advertise = "worker-1.example.org:4000"
/// secret = "cluster.secret"
///
/// [tls]
/// authorities = "authority.pem"
/// certificate = "worker-1.pem"
/// key = "worker-1.key"
///
/// [join]
/// seeds = ["10.0.0.2:4000"]    # or: dns = "nodes.example.org:4000", or: slurm = 4000
/// seconds = 30
/// ```
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Config {
    pub(crate) name: Option<String>,
    cluster: Option<String>,
    listen: Option<String>,
    pub(crate) advertise: Option<String>,
    /// A file.
    secret: Option<PathBuf>,
    tls: Option<TlsFiles>,
    join: Option<Join>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct TlsFiles {
    authorities: PathBuf,
    certificate: PathBuf,
    key: PathBuf,
}

/// One of the three ways.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Join {
    seeds: Option<Vec<String>>,
    /// A name and a port.
    dns: Option<String>,
    /// The port that all nodes of the job listen on.
    slurm: Option<u16>,
    /// How long others are looked for.
    #[serde(default = "half_a_minute")]
    seconds: u64,
}

const fn half_a_minute() -> u64 {
    30
}

impl Config {
    pub(crate) fn read(file: &Path) -> anyhow::Result<Self> {
        let text = fs::read_to_string(file).with_context(|| file.display().to_string())?;
        toml::from_str(&text).with_context(|| file.display().to_string())
    }

    /// In one of these ways, instead of that in the file.
    pub(crate) fn find_others(&mut self, dns: Option<String>, slurm: Option<u16>) {
        if dns.is_some() || slurm.is_some() {
            let seconds = self.join.as_ref().map_or_else(half_a_minute, |join| join.seconds);
            self.join = Some(Join { seeds: None, dns, slurm, seconds });
        }
    }

    pub(crate) fn node(&self, system: &System) -> anyhow::Result<NodeBuilder> {
        let mut node = Node::builder(system);
        if let Some(cluster) = &self.cluster {
            node = node.cluster(cluster);
        }
        if let Some(listen) = &self.listen {
            node = node.listen(listen);
        }
        if let Some(advertise) = &self.advertise {
            node = node.advertise(advertise);
        }
        if let Some(secret) = &self.secret {
            node = node.secret(Secret::from_file(secret)?);
        }
        if let Some(TlsFiles { authorities, certificate, key }) = &self.tls {
            node = node.tls(Tls::from_pem_files(authorities, certificate, key)?);
        }
        Ok(node)
    }

    /// How others are found, and for how long they are looked for.
    pub(crate) fn discovery(&self) -> anyhow::Result<(Box<dyn Discovery>, Duration)> {
        let Some(Join { seeds, dns, slurm, seconds }) = &self.join else {
            return Ok((Box::new(Vec::<String>::new()), Duration::ZERO));
        };
        let discovery: Box<dyn Discovery> = match (seeds, dns, slurm) {
            (Some(seeds), None, None) => Box::new(seeds.clone()),
            (None, Some(name), None) => {
                let (name, port) =
                    name.rsplit_once(':').context("`dns` wants a name and a port")?;
                Box::new(Dns::new(name, port.parse().context("the port in `dns`")?))
            }
            (None, None, Some(port)) => Box::new(Slurm::of_this_job(*port)?),
            _ => bail!("`join` wants one of `seeds`, `dns` and `slurm`"),
        };
        Ok((discovery, Duration::from_secs(*seconds)))
    }
}
