use std::{collections::BTreeMap, fmt, net::SocketAddr, sync::Arc, time::Duration};

use actors_core::{Actor, Link, StartError, System, SystemId, remote};
use crossbeam_channel::{Receiver, unbounded};
use serde::Serialize;

use crate::{
    Detection, Member, Membership, NodeError, NodeEvent, Secret,
    etcd::Etcd,
    hand_shake::{Offer, Us},
    peers::Peers,
    redial,
    tls::Tls,
    wire::{Frame, Refusal},
};

/// Bytes that a message may have, whatever is asked for.
const LONGEST: usize = 1 << 30;

/// This process as a node of a cluster. Cheap to clone.
///
/// A node that has joined through any other is made known to all. Nodes are connected each to each, or where
/// they use it: see [`Membership`].
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Peers>);

/// Options of a new [`Node`].
#[derive(Debug)]
pub struct NodeBuilder {
    system: System,
    listen: String,
    advertise: Option<String>,
    cluster: String,
    detection: Detection,
    membership: Membership,
    etcd: Option<Etcd>,
    secret: Option<Secret>,
    tls: Option<Tls>,
    open_to_all: bool,
    tags: BTreeMap<String, String>,
    longest: usize,
    bound: usize,
}

impl NodeBuilder {
    /// Where to take connections; default `127.0.0.1:0`, a free port of the loopback interface.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Where others are to connect to, if that is not the address listened on: a name, or the address
    /// that a translation of addresses has outside.
    pub fn advertise(mut self, address: impl Into<String>) -> Self {
        self.advertise = Some(address.into());
        self
    }

    /// Only nodes with the same secret join each other; both sides prove that they know it before
    /// anything else is said. See [`Secret`] for what it does not do.
    pub fn secret(mut self, secret: Secret) -> Self {
        self.secret = Some(secret);
        self
    }

    /// Encrypts all connections. Only nodes with a certificate of the same authority join each other,
    /// each under a name that its certificate has. A [secret](Self::secret) may be needed beside.
    #[cfg(feature = "tls")]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets a node without secret and certificates listen off the loopback interface. Whoever reaches
    /// it can join, start every exported actor and send every exported message.
    pub const fn insecurely_open_to_all(mut self) -> Self {
        self.open_to_all = true;
        self
    }

    /// The longest message, answer or argument of a start that this node exchanges with others, in bytes
    /// as encoded; at most 1 GiB, default 512 MiB. Of two nodes the smaller one holds; what is longer is
    /// given back to who sends it ([`SendError::TooLong`](actors_core::SendError::TooLong)).
    pub const fn longest_message(mut self, bytes: usize) -> Self {
        self.longest = if bytes < LONGEST { bytes } else { LONGEST };
        self
    }

    /// How much may wait for another node, or not be known to have arrived there, in bytes as encoded;
    /// default 1 GiB. While more does, messages are given back ([`SendError::Full`](actors_core::SendError::Full)), and
    /// [`Link::send_wait`](actors_core::Link::send_wait) waits. All else passes the bound: answers,
    /// starts, exits. A node that leaves twice as much and a longest message unread is declared dead.
    pub const fn outbox_bound(mut self, bytes: usize) -> Self {
        self.bound = bytes;
        self
    }

    /// Nodes of different clusters refuse each other; default `"default"`. It keeps clusters apart,
    /// it is no secret.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// Says something of this node that others can go by where they place children: its rack, what hardware it
    /// has. All nodes know it ([`Member::tags`]), and it stays for the node's life. At most
    /// [`Member::MOST_TAGS`], each up to [`Member::LONGEST_TAG`] bytes, and so the value.
    pub fn tag(mut self, tag: impl Into<String>, value: impl Into<String>) -> Self {
        self.tags.insert(tag.into(), value.into());
        self
    }

    /// How failures are detected where each node is connected to each.
    pub const fn detection(mut self, detection: Detection) -> Self {
        self.detection = detection;
        self
    }

    /// How members are known; default [`Membership::Each`]. All nodes of a cluster have the same.
    pub const fn membership(mut self, membership: Membership) -> Self {
        self.membership = membership;
        self
    }

    /// Who is a member, and who is dead, is what etcd says: each node has an entry there under a lease that it
    /// keeps, and knows the others by theirs, without [`Node::join`]. Takes the place of
    /// [`membership`](Self::membership): nodes are connected each to each. Only on hosts that are this machine; the
    /// node has a thread with a runtime of its own for it. All nodes of a cluster have it, or none.
    #[cfg(feature = "etcd")]
    pub fn etcd(mut self, etcd: Etcd) -> Self {
        self.etcd = Some(etcd);
        self
    }

    /// Opens the node to connections, under the name of its system.
    ///
    /// # Errors
    /// [`NodeError::Exposed`] for an address off the loopback interface without
    /// [secret](Self::secret) and certificates; [`NodeError::Certificate`] when they are not for its
    /// name; [`NodeError::NoAddress`] for all interfaces without
    /// [`advertise`](Self::advertise); [`NodeError::TooManyTags`] and [`NodeError::LongTag`];
    /// [`NodeError::TooLong`] when name, cluster and address do not fit
    /// into a hand-shake; [`NodeError::Listen`] when the address cannot be had; [`NodeError::Registry`] when etcd
    /// is to know the node, and was not reached for 10 s.
    pub async fn start(self) -> Result<Node, NodeError> {
        self.check(&self.listen)?;
        let listening = self.system.host().net.listen(&self.listen).await;
        let listener = listening.map_err(|error| NodeError::Listen {
            address: self.listen.clone(),
            error: error.to_string(),
        })?;
        // A name may stand for any address: what counts is what it was bound to.
        self.check(&listener.address())?;
        let membership = if self.etcd.is_some() { Membership::Each } else { self.membership };
        let us = Us {
            member: Member {
                id: self.system.id(),
                name: self.system.name().to_owned(),
                address: self.advertise.unwrap_or_else(|| listener.address()),
                tags: self.tags,
            },
            cluster: self.cluster,
            longest: self.longest as u64,
            secret: self.secret.unwrap_or_else(Secret::none),
            tls: self.tls,
            offer: Offer::ours(membership, self.etcd.is_some()),
            random: self.system.host().random.clone(),
        };
        us.member.check_tags()?;
        us.check()?;
        let peers = Peers::start(
            self.system,
            us,
            self.detection,
            membership,
            self.etcd,
            self.bound,
            listener,
        );
        match peers.registered().await {
            Ok(()) => Ok(Node(peers)),
            Err(error) => {
                peers.leave();
                Err(error)
            }
        }
    }

    /// Whether the address may be listened on.
    fn check(&self, address: &str) -> Result<(), NodeError> {
        // The simulation has no addresses but names.
        let Ok(ip) = address.parse::<SocketAddr>().map(|address| address.ip()) else {
            return Ok(());
        };
        let address = || address.to_owned();
        let open = self.secret.is_none() && self.tls.is_none();
        if !ip.is_loopback() && open && !self.open_to_all {
            return Err(NodeError::Exposed { address: address() });
        }
        if ip.is_unspecified() && self.advertise.is_none() {
            return Err(NodeError::NoAddress { address: address() });
        }
        Ok(())
    }
}

impl Node {
    /// Makes a system a node.
    pub fn builder(system: &System) -> NodeBuilder {
        NodeBuilder {
            system: system.clone(),
            listen: "127.0.0.1:0".into(),
            advertise: None,
            cluster: "default".into(),
            detection: Detection::default(),
            membership: Membership::default(),
            etcd: None,
            secret: None,
            tls: None,
            open_to_all: false,
            tags: BTreeMap::new(),
            longest: LONGEST / 2,
            bound: 1 << 30,
        }
    }

    /// The system that is this node.
    pub fn system(&self) -> &System {
        self.0.system()
    }

    /// This node as others know it.
    pub fn member(&self) -> &Member {
        self.0.member()
    }

    /// The other live nodes, as known here, by identity.
    pub fn members(&self) -> Vec<Member> {
        self.0.members()
    }

    /// How many connections to other nodes stand now.
    pub fn connections(&self) -> usize {
        self.0.sessions().iter().filter(|session| session.current() != 0).count()
    }

    /// Joins the cluster of the node at `address`, trying until `timeout`. Cancel safe: a join that
    /// is dropped may still succeed.
    ///
    /// Joining a node again that is connected changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Refused`] and [`NodeError::HandShake`] at once, [`NodeError::Unreachable`] after
    /// `timeout`.
    pub async fn join(&self, address: &str, timeout: Duration) -> Result<Member, NodeError> {
        let clock = self.system().host().clock.clone();
        let deadline = clock.now() + timeout;
        let mut pause = Duration::from_millis(5);
        loop {
            let rest = deadline.since(clock.now());
            let error = match redial::join(&self.0, address, rest).await {
                Ok(member) => return Ok(member),
                // Another connection to it is just being made.
                Err(error @ NodeError::Refused { refusal: Refusal::Duplicate, .. }) => error,
                Err(error @ NodeError::Unreachable { .. }) => error,
                Err(error) => return Err(error),
            };
            let rest = deadline.since(clock.now());
            clock.sleep(pause.min(rest)).await;
            if rest <= pause {
                return Err(error);
            }
            pause = (2 * pause).min(Duration::from_millis(200));
        }
    }

    /// What happens to the cluster from now on, as seen from here, each once per incarnation of a
    /// node.
    pub fn events(&self) -> Receiver<NodeEvent> {
        let (tx, rx) = unbounded();
        self.0.on_event(Box::new(move |event| tx.send(event.clone()).is_ok()));
        rx
    }

    /// Calls `f` with each event. It must not block.
    pub fn on_event(&self, f: impl Fn(&NodeEvent) + Send + Sync + 'static) {
        self.0.on_event(Box::new(move |event| {
            f(event);
            true
        }));
    }

    /// Waits until a member of that name is up.
    ///
    /// # Errors
    /// [`NodeError::Unreachable`] after `timeout`.
    pub async fn wait_for(&self, name: &str, timeout: Duration) -> Result<Member, NodeError> {
        let clock = self.system().host().clock.clone();
        let deadline = clock.now() + timeout;
        loop {
            let changed = self.0.changed();
            if let Some(member) = self.0.connected(name) {
                return Ok(member);
            }
            let rest = deadline - clock.now();
            if rest.is_zero() {
                let error = "it did not join in time".into();
                return Err(NodeError::Unreachable { address: name.into(), error });
            }
            futures_lite::future::or(changed, clock.sleep(rest)).await;
        }
    }

    /// Starts an unsupervised actor on another node, from arguments. The type was exported under
    /// `export` there with a constructor, and here with its messages.
    ///
    /// # Errors
    /// [`StartError::NoConnection`] when the node is not connected or is lost meanwhile (the actor
    /// may then have started), [`StartError::NotExported`], or what its constructor or `init` said.
    pub async fn spawn<A: Actor>(
        &self,
        on: SystemId,
        export: &str,
        args: &impl Serialize,
    ) -> Result<Link<A>, StartError> {
        let location = remote::Location { node: on, version: 1 };
        let link = self.system().reserve_remote::<A>(location)?;
        let args = remote::encode(self.system(), args).map_err(StartError::failed)?;
        self.0.reserve(on, export, link.id(), location.version).await?;
        self.0.start_actor(on, link.id(), None, 1, args).await?;
        self.0.send(on, &Frame::Release(link.id()));
        Ok(link)
    }

    /// Leaves the cluster: the others hear that this node left, and its connections end.
    pub fn leave(&self) {
        self.0.withdraw_all();
        self.0.leave();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.member())
    }
}
