//! Roles as programs use them.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{ReplyTo, SystemId};
use event_listener::Event;

use super::{Candidate, Quorum, table::Tables};
use crate::{Node, connection::or_left, hosting::Charge, peers::Peers};

/// A role that this node is about to stand for: see [`Node::role`].
#[derive(Debug)]
pub struct RoleBuilder {
    node: Node,
    name: String,
    candidate: Candidate,
}

/// A role that this node stands for. Dropped, it goes on standing for it.
#[derive(Clone, Debug)]
pub struct Role {
    node: Node,
    name: String,
}

impl Node {
    /// A role of which there is one owner in the cluster, at most: the node of a top supervisor, say. When the
    /// owner is gone another node that [runs](RoleBuilder::run) the role becomes it.
    ///
    /// `founders` are names of nodes; all that stand for the role give the same. When they are all there for the
    /// first time, they begin: so name those that the cluster starts with.
    ///
    /// ```
    /// # use actors_core::System;
    /// # use actors_node::Node;
    /// # fn main() -> Result<(), Box<dyn std::error::Error>> {
    /// # let system = System::builder().name("a").build();
    /// # system.block_on(async {
    /// let node = Node::builder(&system).start().await?;
    /// let (tx, elected) = crossbeam_channel::unbounded();
    /// node.role("head", ["a"]).run(move |tenure| {
    ///     let tx = tx.clone();
    ///     async move {
    ///         if tenure.confirm().await.is_ok() {
    ///             tx.send(tenure.term()).unwrap();
    ///         }
    ///         // Here it would start its supervisors, and keep them.
    ///         tenure.ended().await;
    ///     }
    /// })?;
    /// # let wait = move || elected.recv();
    /// # let term = std::thread::spawn(wait).join().unwrap()?;
    /// # assert_eq!(term, 1);
    /// # node.leave();
    /// # Ok(())
    /// # })
    /// # }
    /// ```
    pub fn role<N: Into<String>>(
        &self,
        name: impl Into<String>,
        founders: impl IntoIterator<Item = N>,
    ) -> RoleBuilder {
        let founders = founders.into_iter().map(Into::into).collect();
        let (quorum, lease) = (Quorum::default(), RoleBuilder::LEASE);
        let candidate = Candidate { founders, quorum, lease };
        RoleBuilder { node: self.clone(), name: name.into(), candidate }
    }
}

impl RoleBuilder {
    /// The longest name of a role, in bytes.
    pub const LONGEST: usize = 255;
    /// The default of [`lease`](Self::lease).
    pub const LEASE: Duration = Duration::from_secs(3);
    /// The shortest that is taken.
    pub const SHORTEST_LEASE: Duration = Duration::from_millis(100);

    /// Who votes; the same on all nodes.
    pub fn quorum(mut self, quorum: Quorum) -> Self {
        self.candidate.quorum = quorum;
        self
    }

    /// How long nobody else is elected after an owner was last heard of by a quorum; default 3 s. The owner renews it
    /// every sixth of that, counts on it for six tenths, and has stood down after eight. The clocks of two nodes
    /// must not run so differently that the rest does not cover it.
    pub fn lease(mut self, lease: Duration) -> Self {
        self.candidate.lease = lease;
        self
    }

    /// Stands for the role. Whenever this node becomes the owner, `duty` is called, and its future is run until it
    /// ends or the tenure does: then it is dropped. When it ends by itself, or panics, this node gives the role up and
    /// does not stand for it any more.
    ///
    /// # Errors
    /// [`RoleError`], at once.
    pub fn run<F, Fut>(self, duty: F) -> Result<Role, RoleError>
    where
        F: Fn(Tenure) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = ()> + Send + 'static,
    {
        let Self { node, name, candidate } = self;
        if name.len() > Self::LONGEST {
            return Err(RoleError::TooLong { bytes: name.len(), limit: Self::LONGEST });
        }
        if candidate.founders.is_empty() {
            return Err(RoleError::NoFounders(name));
        }
        if candidate.lease < Self::SHORTEST_LEASE {
            let (lease, shortest) = (candidate.lease, Self::SHORTEST_LEASE);
            return Err(RoleError::ShortLease { lease, shortest });
        }
        node.0.stand(&name, candidate, Arc::new(move |tenure| Box::pin(duty(tenure))))?;
        Ok(Role { node, name })
    }
}

impl Role {
    /// Who is the owner and in which term, as far as it was heard here. It may be over.
    pub fn owner(&self) -> Option<(u64, SystemId)> {
        self.node.0.offices.owner(&self.name)
    }

    /// Does not stand for the role any more. If this node is the owner, its tenure ends, and another node is
    /// elected without waiting for its lease.
    pub fn withdraw(&self) {
        self.node.0.withdraw(&self.name);
    }
}

/// The time in which this node owns a role. Cheap to clone.
#[derive(Clone)]
pub struct Tenure(Arc<Inner>);

struct Inner {
    peers: Arc<Peers>,
    role: String,
    term: u64,
    tables: Tables,
    over: AtomicBool,
    ended: Event,
}

impl Tenure {
    pub(crate) fn new(peers: &Arc<Peers>, role: &str, term: u64, table: &[u8]) -> Self {
        Self(Arc::new(Inner {
            peers: peers.clone(),
            role: role.to_owned(),
            term,
            tables: Tables::restored(table),
            over: AtomicBool::new(false),
            ended: Event::new(),
        }))
    }

    pub(crate) fn end(&self) {
        self.0.over.store(true, Ordering::Release);
        self.0.ended.notify(usize::MAX);
    }

    /// The role.
    pub fn role(&self) -> &str {
        &self.0.role
    }

    /// Higher than those of all owners before; no two owners have the same. Who takes orders from owners can
    /// refuse those of a lower term than it has seen.
    pub fn term(&self) -> u64 {
        self.0.term
    }

    /// What [`keep`](Self::keep) has kept last, in this tenure or in one before; empty if there was nothing.
    pub fn kept(&self) -> Vec<u8> {
        self.0.tables.note()
    }

    /// Has this kept for the next owner, in the place of what was. After `Ok` no owner will come that does not have
    /// it. It travels to all voters each time: it should be short. Cancel safe: when it is dropped, it may still be kept.
    ///
    /// # Errors
    /// [`NoQuorum`]: this node is not the owner any more. It may have been kept all the same.
    pub async fn keep(&self, bytes: impl Into<Vec<u8>>) -> Result<(), NoQuorum> {
        self.0.tables.set_note(bytes.into());
        self.keep_tables().await
    }

    pub(crate) fn tables(&self) -> &Tables {
        &self.0.tables
    }

    pub(crate) fn charge(&self) -> Charge {
        Charge { role: self.0.role.clone(), term: self.0.term }
    }

    /// The tables as they are now.
    pub(crate) async fn keep_tables(&self) -> Result<(), NoQuorum> {
        let table = self.0.tables.to_bytes();
        self.ask(Some(table)).await.map(drop)
    }

    /// Asks the others whether this node is still the owner; to be called before something is done that two must not
    /// do, a commit say. When it returns `Ok` nobody else is owner, nor is before the owner's part of the lease
    /// has passed: more than two tenths of [the lease](RoleBuilder::lease). It waits until a quorum has answered, or this
    /// node stands down. Cancel safe.
    ///
    /// # Errors
    /// [`NoQuorum`]: it is not, or cannot know.
    pub async fn confirm(&self) -> Result<(), NoQuorum> {
        let clock = self.0.peers.system().host().clock.clone();
        while !self.is_over() {
            let until = self.ask(None).await?;
            // Else this node stood still before it came to read the answer.
            if clock.now() < until {
                return Ok(());
            }
        }
        Err(self.no_quorum())
    }

    async fn ask(&self, table: Option<Vec<u8>>) -> Result<actors_core::host::Time, NoQuorum> {
        let Inner { peers, role, term, .. } = &*self.0;
        let asked = async {
            let (reply, waiting) = ReplyTo::channel();
            peers.ask_office(role, *term, table, reply);
            waiting.await.ok().flatten()
        };
        or_left(peers, asked).await.flatten().ok_or_else(|| self.no_quorum())
    }

    fn no_quorum(&self) -> NoQuorum {
        NoQuorum { role: self.0.role.clone(), term: self.0.term }
    }

    /// Whether this node has stood down, as far as it knows: [`confirm`](Self::confirm) asks the others.
    pub fn is_over(&self) -> bool {
        self.0.over.load(Ordering::Acquire)
    }

    /// Done when this node is not the owner any more.
    pub async fn ended(&self) {
        loop {
            let ended = self.0.ended.listen();
            if self.is_over() {
                return;
            }
            ended.await;
        }
    }
}

impl fmt::Debug for Tenure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Tenure({:?}, term {})", self.0.role, self.0.term)
    }
}

/// This node does not own the role any more, or cannot know whether it does.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not the owner of {role:?} any more, which this node was in term {term}")]
pub struct NoQuorum {
    /// The role.
    pub role: String,
    /// Of the tenure.
    pub term: u64,
}

/// Why a node cannot stand for a role.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RoleError {
    /// It does already.
    #[error("this node stands for the role {0:?} already")]
    Running(String),
    /// Without founders there is no first owner.
    #[error("the role {0:?} has no founders")]
    NoFounders(String),
    /// The name.
    #[error("a role's name of {bytes} bytes; at most {limit} are taken")]
    TooLong {
        /// Bytes that it has.
        bytes: usize,
        /// Bytes that it may have.
        limit: usize,
    },
    /// Too short to be renewed in time.
    #[error("a lease of {lease:?}; at least {shortest:?} is taken")]
    ShortLease {
        /// What was asked for.
        lease: Duration,
        /// The shortest that is taken.
        shortest: Duration,
    },
    /// The node knows too many roles.
    #[error("this node knows {most} roles already")]
    TooMany {
        /// How many it may know.
        most: usize,
    },
}
