use std::{fmt, net::SocketAddr, sync::Arc, time::Duration};

use actors_core::{Actor, Link, StartError, System, SystemId, remote};
use crossbeam_channel::{Receiver, unbounded};
use serde::Serialize;

use crate::{
    Detection, Member, NodeError, NodeEvent,
    connection::dial,
    peers::Peers,
    wire::{Frame, Refusal},
};

/// This process as a node of a cluster. Cheap to clone.
///
/// Nodes are connected each to each. A node that has joined through any other is made known to all.
#[derive(Clone)]
pub struct Node(pub(crate) Arc<Peers>);

/// Options of a new [`Node`].
#[derive(Debug)]
pub struct NodeBuilder {
    system: System,
    listen: String,
    cluster: String,
    detection: Detection,
}

impl NodeBuilder {
    /// Where to take connections; default `127.0.0.1:0`, a free port of the loopback interface.
    pub fn listen(mut self, address: impl Into<String>) -> Self {
        self.listen = address.into();
        self
    }

    /// Nodes of different clusters refuse each other; default `"default"`. It keeps clusters apart,
    /// it is no secret.
    pub fn cluster(mut self, name: impl Into<String>) -> Self {
        self.cluster = name.into();
        self
    }

    /// How failures are detected.
    pub const fn detection(mut self, detection: Detection) -> Self {
        self.detection = detection;
        self
    }

    /// Opens the node to connections, under the name of its system.
    ///
    /// # Errors
    /// [`NodeError::Exposed`] for an address off the loopback interface: connections are not
    /// encrypted and not authenticated yet. [`NodeError::Listen`] when the address cannot be had.
    pub async fn start(self) -> Result<Node, NodeError> {
        let exposed = |address: &str| {
            address.parse::<SocketAddr>().is_ok_and(|address| !address.ip().is_loopback())
        };
        if exposed(&self.listen) {
            return Err(NodeError::Exposed { address: self.listen });
        }
        let listening = self.system.host().net.listen(&self.listen).await;
        let listener = listening.map_err(|error| NodeError::Listen {
            address: self.listen,
            error: error.to_string(),
        })?;
        // A name may stand for any address: what counts is what it was bound to.
        if exposed(&listener.address()) {
            return Err(NodeError::Exposed { address: listener.address() });
        }
        let member = Member {
            id: self.system.id(),
            name: self.system.name().to_owned(),
            address: listener.address(),
        };
        let peers = Peers::start(self.system, member, self.cluster, self.detection, listener);
        Ok(Node(peers))
    }
}

impl Node {
    /// Makes a system a node.
    pub fn builder(system: &System) -> NodeBuilder {
        NodeBuilder {
            system: system.clone(),
            listen: "127.0.0.1:0".into(),
            cluster: "default".into(),
            detection: Detection::default(),
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

    /// Joins the cluster of the node at `address`, trying until `timeout`. Cancel safe: a join that
    /// is dropped may still succeed.
    ///
    /// Joining a node again that is connected changes nothing.
    ///
    /// # Errors
    /// [`NodeError::Refused`] at once, [`NodeError::Unreachable`] after `timeout`.
    pub async fn join(&self, address: &str, timeout: Duration) -> Result<Member, NodeError> {
        let clock = self.system().host().clock.clone();
        let deadline = clock.now() + timeout;
        let mut pause = Duration::from_millis(5);
        loop {
            let error = match dial(&self.0, address).await {
                Ok(member) => return Ok(member),
                Err(error @ NodeError::Refused { refusal: Refusal::Duplicate, .. }) => {
                    return self.0.connected_at(address).ok_or(error);
                }
                Err(error @ NodeError::Refused { .. }) => return Err(error),
                Err(error) => error,
            };
            if clock.now() >= deadline {
                return Err(error);
            }
            clock.sleep(pause).await;
            pause = (2 * pause).min(Duration::from_millis(200));
        }
    }

    /// What happens to the cluster from now on, as seen from here, each once per incarnation of a
    /// node.
    pub fn events(&self) -> Receiver<NodeEvent> {
        let (tx, rx) = unbounded();
        self.on_event(move |event| drop(tx.send(event.clone())));
        rx
    }

    /// Calls `f` with each event. It must not block.
    pub fn on_event(&self, f: impl Fn(&NodeEvent) + Send + Sync + 'static) {
        self.0.on_event(Box::new(f));
    }

    /// Waits until a member of that name is connected.
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
        self.0.leave();
    }
}

impl fmt::Debug for Node {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Node({})", self.member())
    }
}
