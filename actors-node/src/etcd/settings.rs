use std::{fmt, time::Duration};

/// Where etcd is, and how long a node may be silent to it, for [`NodeBuilder::etcd`](crate::NodeBuilder::etcd) and
/// [`EtcdSeeds`](crate::EtcdSeeds). All nodes of a cluster should have the same.
#[derive(Clone, PartialEq, Eq)]
pub struct Etcd {
    pub(super) endpoints: Vec<String>,
    pub(super) prefix: String,
    pub(super) lease: Duration,
    pub(super) user: Option<(String, String)>,
}

impl Etcd {
    /// The shortest lease: below it etcd takes another one.
    const SHORTEST: Duration = Duration::from_secs(2);

    /// The servers of one etcd cluster, as `host:port` or `http://host:port`; keys are below `/actors`, leases
    /// last 5 s.
    pub fn new<E: Into<String>>(endpoints: impl IntoIterator<Item = E>) -> Self {
        Self {
            endpoints: endpoints.into_iter().map(Into::into).collect(),
            prefix: "/actors".into(),
            lease: Duration::from_secs(5),
            user: None,
        }
    }

    /// Where the keys are: those of nodes below `<prefix>/<cluster>/nodes/`.
    pub fn prefix(mut self, prefix: impl Into<String>) -> Self {
        self.prefix = prefix.into();
        self
    }

    /// How long a node may be silent to etcd before it counts as dead: whole seconds, at least 2.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.lease = Duration::from_secs(lease.as_secs()).max(Self::SHORTEST);
        self
    }

    /// Who the nodes are to etcd.
    pub fn user(mut self, name: impl Into<String>, password: impl Into<String>) -> Self {
        self.user = Some((name.into(), password.into()));
        self
    }

    /// The directory of a cluster's keys of one kind.
    pub(super) fn directory(&self, cluster: &str, kind: &str) -> String {
        format!("{}/{}/{kind}/", self.prefix.trim_end_matches('/'), escaped(cluster))
    }
}

/// A name as one part of a key.
pub(super) fn escaped(name: &str) -> String {
    name.replace('%', "%25").replace('/', "%2F")
}

impl fmt::Debug for Etcd {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Etcd")
            .field("endpoints", &self.endpoints)
            .field("prefix", &self.prefix)
            .field("lease", &self.lease)
            .field("user", &self.user.as_ref().map(|(name, _)| name))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_one_cluster_are_not_those_of_another() {
        let etcd = Etcd::new(["localhost:2379"]).prefix("/x/");
        assert_eq!(etcd.directory("a", "nodes"), "/x/a/nodes/");
        assert_eq!(etcd.directory("a/nodes/b", "nodes"), "/x/a%2Fnodes%2Fb/nodes/");
        assert_ne!(escaped("a%2Fb"), escaped("a/b"));
    }

    #[test]
    fn a_password_is_not_shown() {
        let etcd = Etcd::new(["localhost:2379"]).user("node", "geheim");
        assert!(!format!("{etcd:?}").contains("geheim"));
    }
}
