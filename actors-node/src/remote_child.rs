//! Children of a supervisor here that run on other nodes.

use std::{
    fmt,
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU32, Ordering},
    },
};

use actors_core::{
    Actor, AnyLink, BoxFuture, ExitReason, Link, StartError, SystemId,
    remote::{self, Location},
    supervision::{ChildExit, OnExit},
};
use actors_supervise::{Child, ChildSpec, HostFailures, Start, SupervisorBuilder};
use parking_lot::Mutex;
use serde::Serialize;

use crate::{
    Node, NodeEvent, Tenure,
    office::Kept,
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
    /// Of the role that the supervisor is for.
    tenure: Option<Tenure>,
    placement: Mutex<Placement>,
}

impl Hosts {
    /// The nodes that `node` is connected to, with the names of the spares in order of use.
    pub fn new(node: &Node, spares: impl IntoIterator<Item = String>) -> Self {
        Self::of(node, None, spares)
    }

    /// The nodes for children of the owner of a role: they outlive it. The next owner, which makes hosts and
    /// children with the same ids, finds them where they are: those that run it adopts as they are, with their
    /// mailboxes and states, and those that have ended, or whose nodes have, it starts under their old addresses. Who is not
    /// adopted within ten seconds ends.
    ///
    /// Before a child is placed or started, that is agreed on by a quorum ([`Tenure`]); without one its start fails.
    /// When the tenure is over, children are left to the next owner, and count as ended here.
    pub fn in_tenure(
        node: &Node,
        tenure: &Tenure,
        spares: impl IntoIterator<Item = String>,
    ) -> Self {
        Self::of(node, Some(tenure.clone()), spares)
    }

    fn of(node: &Node, tenure: Option<Tenure>, spares: impl IntoIterator<Item = String>) -> Self {
        let placement = Mutex::new(Placement::new(spares.into_iter().collect()));
        Self(Arc::new(Inner { node: node.clone(), tenure, placement }))
    }

    /// What the owner before knew of the child, and its link.
    fn inherited<A: Actor>(&self, id: &str, export: &str) -> Option<(Kept, Link<A>)> {
        let kept = self.0.tenure.as_ref()?.tables().child(id)?;
        if kept.export != export {
            return None;
        }
        let link = self.0.node.system().link_to(export, kept.actor, kept.location);
        let link = link.ok()?.downcast::<A>()?;
        self.0.placement.lock().restore(id, kept.location.node);
        Some((kept, link))
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
        let new = || system.reserve_remote(Location::NOWHERE).expect("a node reaches its router");
        let (kept, link) = match self.inherited(id, export) {
            Some((kept, link)) => (Some(kept), link),
            None => (None, new()),
        };
        RemoteAddress {
            hosts: self.clone(),
            id: id.to_owned(),
            export: export.to_owned(),
            wants: Wants { on, ..Wants::default() },
            kept,
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
    /// By an owner before.
    kept: Option<Kept>,
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
            host: self.kept.as_ref().map(|kept| kept.location.node),
            version: self.kept.as_ref().map_or(0, |kept| kept.location.version),
            incarnation: self.kept.as_ref().map_or(0, |kept| kept.incarnation),
            life: 0,
            reserved: Arc::default(),
            adopted: Arc::default(),
            held: Arc::default(),
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
    /// That the supervisor knows of.
    life: u32,
    /// The address exists on `host`.
    reserved: Arc<AtomicBool>,
    /// The life that it was found in there, until that is said to be started.
    adopted: Arc<AtomicU32>,
    held: Arc<Mutex<Held>>,
}

/// The exit of an adopted child, until the supervisor knows that it has it.
#[derive(Default)]
struct Held {
    holds: bool,
    exit: Option<ChildExit>,
}

impl Held {
    const fn hold(&mut self) {
        self.holds = true;
    }

    fn pass(&mut self, exit: ChildExit) -> Option<ChildExit> {
        if !self.holds {
            return Some(exit);
        }
        self.exit = Some(exit);
        None
    }

    const fn release(&mut self) -> Option<ChildExit> {
        self.holds = false;
        self.exit.take()
    }
}

impl Child for RemoteChild {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        let (held, told) = (self.held.clone(), on_exit.clone());
        let on_exit: OnExit = Arc::new(move |exit| {
            if let Some(exit) = held.lock().pass(exit) {
                told(exit);
            }
        });
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
        let mut live = node.members();
        // It may have been here when another node was the owner.
        if self.host == Some(node.member().id) {
            live.push(node.member().clone());
        }
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
            (self.reserved, self.adopted) = (Arc::default(), Arc::default());
        }
        let (actor, location) = (self.link.id(), Location { node: host, version: self.version });
        let (export, reserved) = (self.export.clone(), self.reserved.clone());
        let Some(tenure) = self.hosts.0.tenure.clone() else {
            node.0.relocate(actor, location);
            return Box::pin(async move {
                node.0.reserve(host, &export, actor, location.version).await?;
                reserved.store(true, Ordering::Release);
                Ok(())
            });
        };
        self.keep(&tenure);
        let adopted = self.adopted.clone();
        self.held.lock().hold();
        Box::pin(async move {
            tenure.keep_tables().await.map_err(StartError::failed)?;
            node.0.relocate(actor, location);
            let charge = tenure.charge();
            let life = node.0.adopt(host, &export, (actor, location.version), charge).await?;
            adopted.store(life, Ordering::Release);
            reserved.store(true, Ordering::Release);
            node.0.name_again(actor);
            Ok(())
        })
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let (node, actor) = (self.node().clone(), self.link.id());
        let Some(host) = self.host else { return Box::pin(async { Err(StartError::NoNode) }) };
        let adopted = self.adopted.swap(0, Ordering::AcqRel);
        if adopted > 0 {
            self.incarnation = self.incarnation.max(adopted);
            self.life = adopted;
            let held = self.held.clone();
            return Box::pin(async move {
                // Now the supervisor waits for it: it may have ended before it was adopted, or since.
                let exit = held.lock().release();
                if let Some(ChildExit { actor, incarnation, reason }) = exit {
                    node.0.hosting.child_exit(actor, incarnation, reason);
                }
                Ok(adopted)
            });
        }
        drop(self.held.lock().release());
        self.incarnation += 1;
        let tenure = self.hosts.0.tenure.clone();
        tenure.iter().for_each(|tenure| self.keep(tenure));
        let incarnation = self.incarnation;
        self.life = incarnation;
        let group = start.plan.as_ref().and_then(|plan| plan.group);
        match (self.args)(&start) {
            Ok(args) => Box::pin(async move {
                if let Some(tenure) = tenure {
                    tenure.keep_tables().await.map_err(StartError::failed)?;
                }
                node.0.start_actor(host, actor, group, incarnation, args).await
            }),
            Err(error) => Box::pin(async { Err(error) }),
        }
    }

    fn stop(&mut self, reason: ExitReason) {
        if !self.is_left(&reason) {
            self.link.shutdown(reason);
        }
    }

    fn kill(&mut self) {
        if !self.is_left(&ExitReason::Killed) {
            self.link.kill();
        }
    }

    fn retire(&mut self, reason: ExitReason) {
        self.let_go(Frame::Retire(self.link.id(), reason), false);
    }

    fn detach(&mut self) {
        self.let_go(Frame::Release(self.link.id()), true);
    }
}

impl RemoteChild {
    fn node(&self) -> &Node {
        &self.hosts.0.node
    }

    /// Writes it down for the next owner.
    fn keep(&self, tenure: &Tenure) {
        let Some(node) = self.host else { return };
        let kept = Kept {
            export: self.export.clone(),
            actor: self.link.id(),
            location: Location { node, version: self.version },
            incarnation: self.incarnation,
        };
        tenure.tables().set_child(&self.id, kept);
    }

    /// Whether this node has nothing to say about it any more: it counts as ended here, and is the next owner's.
    fn is_left(&self, reason: &ExitReason) -> bool {
        let is_over = self.hosts.0.tenure.as_ref().is_some_and(Tenure::is_over);
        if is_over {
            let hosting = &self.node().0.hosting;
            hosting.child_exit(self.link.id(), self.life, reason.clone());
        }
        is_over
    }

    fn let_go(&self, frame: Frame, goes_on: bool) {
        self.hosts.0.placement.lock().removed(&self.id);
        self.node().0.hosting.unsupervise(self.link.id());
        if let Some(tenure) = self.hosts.0.tenure.clone() {
            if tenure.is_over() {
                return;
            }
            tenure.tables().forget_child(&self.id);
            self.node().system().spawn_task(async move {
                // The next owner finds one too many, that is not there.
                drop(tenure.keep_tables().await);
            });
        }
        if let Some(host) = self.host {
            self.node().0.tell_host(host, frame);
        }
        self.node().0.let_go(&self.link, goes_on);
    }
}

impl fmt::Debug for RemoteChild {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "RemoteChild({:?} on {:?})", self.id, self.host)
    }
}
