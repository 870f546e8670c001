//! Children of a supervisor here that run on other nodes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actors_core::{
    Actor, AnyLink, BoxFuture, ExitReason, Link, StartError, SystemId,
    remote::{self, Location},
    supervision::OnExit,
};
use actors_supervise::{Child, ChildSpec, HostFailures, Start, SupervisorBuilder};
use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    Node, NodeEvent,
    placement::{Placement, Wants},
    wire::Frame,
};

/// Where the children of one supervisor run, and on which nodes they are restarted.
///
/// A child stays on its node while that lives. When the node fails, all its children go to one node:
/// the next live spare, in list order, each used once; without one, the least-used live node.
///
/// | given | then |
/// |---|---|
/// | a spare is left | it takes over |
/// | the spare is dead | the next one |
/// | no spare, a live node that hosts no child | it takes over |
/// | no spare, all host children | the one with the fewest |
/// | no live node | [`StartError::NoNode`] |
/// | no live node has the child's [tags](RemoteAddress::require_tag) | [`StartError::NoNodeWith`] |
///
/// Where children are [spread](Self::spread_over), the nodes with the fewest children around them go first, among
/// the spares and among the others.
#[derive(Clone)]
pub struct Hosts(Arc<Inner>);

struct Inner {
    node: Node,
    placement: Mutex<Placement>,
}

impl Hosts {
    /// The nodes that `node` is connected to, with the names of the spares in order of use.
    pub fn new(node: &Node, spares: impl IntoIterator<Item = String>) -> Self {
        let placement = Mutex::new(Placement::new(spares.into_iter().collect()));
        Self(Arc::new(Inner { node: node.clone(), placement }))
    }

    /// The node of a child, by the child's id.
    pub fn host(&self, child: &str) -> Option<SystemId> {
        self.0.placement.lock().host(child)
    }

    /// Spreads children over the values of a [tag](crate::NodeBuilder::tag), racks say: where one is to be chosen,
    /// the node is preferred in whose rack there are the fewest children of this supervisor. A node without the
    /// tag is a rack of its own. Children of one failed node still go to one node.
    pub fn spread_over(self, tag: impl Into<String>) -> Self {
        self.0.placement.lock().spread_over(tag.into());
        self
    }

    /// As [`child`](Self::child), to run first on whatever node has the fewest children of this supervisor, and
    /// is no spare.
    pub fn child_anywhere<A: Actor>(&self, id: &str, export: &str) -> RemoteAddress<A> {
        self.address(id, export, None)
    }

    /// Makes the address of a child of an exported type, to run on the node named `on`. It has the
    /// address from now on, so that children can be given each other's links.
    pub fn child<A: Actor>(&self, id: &str, export: &str, on: &str) -> RemoteAddress<A> {
        self.address(id, export, Some(on.to_owned()))
    }

    fn address<A: Actor>(&self, id: &str, export: &str, on: Option<String>) -> RemoteAddress<A> {
        let system = self.0.node.system();
        let link = system.reserve_remote(Location::NOWHERE).expect("a node reaches its router");
        RemoteAddress {
            hosts: self.clone(),
            id: id.to_owned(),
            export: export.to_owned(),
            wants: Wants { on, ..Wants::default() },
            link,
        }
    }
}

impl fmt::Debug for Hosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Hosts").field(&*self.0.placement.lock()).finish()
    }
}

/// A supervisor that is to have children on other nodes.
pub trait SuperviseRemotely {
    /// Lets the supervisor hear, once per failed node, of the failures of the nodes that host its
    /// children.
    #[must_use]
    fn hosts(self, hosts: &Hosts) -> Self;
}

impl SuperviseRemotely for SupervisorBuilder {
    fn hosts(self, hosts: &Hosts) -> Self {
        let node = hosts.0.node.clone();
        self.host_failures(move |failures: HostFailures| {
            node.0.on_event(Box::new(move |event| match event {
                NodeEvent::Down { member, .. } => failures.failed(member.id, &member.name),
                _ => !failures.is_over(),
            }));
        })
    }
}

/// The address of a child on another node, before it has a spec.
pub struct RemoteAddress<A: Actor> {
    hosts: Hosts,
    id: String,
    export: String,
    wants: Wants,
    link: Link<A>,
}

impl<A: Actor> RemoteAddress<A> {
    /// The link, over all restarts and moves.
    pub fn link(&self) -> Link<A> {
        self.link.clone()
    }

    /// Lets it run only on nodes that have this [tag](crate::NodeBuilder::tag) with this value, spares included;
    /// several times, only on those that have all. Without one its start fails with
    /// [`StartError::NoNodeWith`].
    #[must_use]
    pub fn require_tag(mut self, tag: impl Into<String>, value: impl Into<String>) -> Self {
        self.wants.tags.insert(tag.into(), value.into());
        self
    }

    /// The spec of the child. `args` makes the constructor's arguments at every start: links in them
    /// are sent with where their actors are by then.
    pub fn spec<Args: Serialize>(
        self,
        mut args: impl FnMut(&Start) -> Result<Args, StartError> + Send + 'static,
    ) -> ChildSpec {
        let system = self.hosts.0.node.system().clone();
        let args =
            move |start: &Start| remote::encode(&system, &args(start)?).map_err(StartError::failed);
        let child = RemoteChild {
            hosts: self.hosts,
            id: self.id.clone(),
            export: self.export,
            wants: self.wants,
            link: self.link.erase(),
            args: Box::new(args),
            host: None,
            version: 0,
            incarnation: 0,
            reserved: Arc::default(),
        };
        ChildSpec::custom(self.id, child)
    }
}

impl<A: Actor> fmt::Debug for RemoteAddress<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteAddress({:?}, {:?})", self.id, self.wants)
    }
}

type Arguments = Box<dyn FnMut(&Start) -> Result<Vec<u8>, StartError> + Send>;

/// A child on another node: restarted there while the node lives, elsewhere when it does not.
pub struct RemoteChild {
    hosts: Hosts,
    id: String,
    export: String,
    wants: Wants,
    link: AnyLink,
    args: Arguments,
    host: Option<SystemId>,
    /// Of its location.
    version: u32,
    incarnation: u32,
    /// The address exists on `host`.
    reserved: Arc<AtomicBool>,
}

impl Child for RemoteChild {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        self.node().0.hosting.supervise(self.link.id(), on_exit);
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        Some(self.link.clone())
    }

    fn host(&self) -> Option<SystemId> {
        self.host
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        let node = self.node().clone();
        let live = node.members();
        let place = self.hosts.0.placement.lock().place(&self.id, &self.wants, &live);
        let Some(host) = place else {
            let error = self.wants.missing();
            return Box::pin(async { Err(error) });
        };
        if self.host == Some(host) && self.reserved.load(Ordering::Acquire) {
            return Box::pin(async { Ok(()) });
        }
        if self.host != Some(host) {
            self.host = Some(host);
            self.version += 1;
            self.reserved = Arc::default();
        }
        let (actor, version) = (self.link.id(), self.version);
        node.0.relocate(actor, Location { node: host, version });
        let (export, reserved) = (self.export.clone(), self.reserved.clone());
        Box::pin(async move {
            node.0.reserve(host, &export, actor, version).await?;
            reserved.store(true, Ordering::Release);
            Ok(())
        })
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let (node, actor) = (self.node().clone(), self.link.id());
        let Some(host) = self.host else { return Box::pin(async { Err(StartError::NoNode) }) };
        self.incarnation += 1;
        let incarnation = self.incarnation;
        let group = start.plan.as_ref().and_then(|plan| plan.group);
        match (self.args)(&start) {
            Ok(args) => {
                Box::pin(
                    async move { node.0.start_actor(host, actor, group, incarnation, args).await },
                )
            }
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn stop(&mut self, reason: ExitReason) {
        self.link.shutdown(reason);
    }

    fn kill(&mut self) {
        self.link.kill();
    }

    fn retire(&mut self, reason: ExitReason) {
        self.let_go(&Frame::Retire(self.link.id(), reason), false);
    }

    fn detach(&mut self) {
        self.let_go(&Frame::Release(self.link.id()), true);
    }
}

impl RemoteChild {
    fn node(&self) -> &Node {
        &self.hosts.0.node
    }

    fn let_go(&self, frame: &Frame, goes_on: bool) {
        self.hosts.0.placement.lock().removed(&self.id);
        self.node().0.hosting.unsupervise(self.link.id());
        if let Some(host) = self.host {
            self.node().0.send(host, frame);
        }
        self.node().0.let_go(&self.link, goes_on);
    }
}

impl fmt::Debug for RemoteChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteChild({:?} on {:?})", self.id, self.host)
    }
}
