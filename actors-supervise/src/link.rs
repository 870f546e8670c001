//! The handle to a running supervisor.

use std::{any::type_name, fmt, sync::Arc};

use actors_core::{Actor, AnyLink, CallError, Down, ExitReason, Handler, Link, Message};
use crossbeam_channel::Receiver;

use crate::{
    ChildError, ChildInfo, ChildSpec, Counts, Event, HostFailures, Limit, Strategy, Supervisor,
    SupervisorBuilder,
    commands::{
        Add, Change, Find, Hello, Remove, Restart, SetLimit, SetMaxNodeFailures, SetStrategy, Stop,
        Unsupervise, Which, WhichCounts,
    },
    event::Hub,
    local::Local,
};

/// A supervisor that runs. Cheap to clone.
///
/// A supervisor that is not itself supervised, and has no name, ends with its last link, and its
/// children with it. No call here has a time limit of its own: starting and stopping take as long as
/// the children need. Dropping a future abandons the answer, not what was asked.
#[derive(Clone)]
pub struct SupervisorLink {
    link: Link<Supervisor>,
    events: Arc<Hub>,
    failures: HostFailures,
}

impl SupervisorLink {
    /// The handle of a supervisor by its address.
    ///
    /// # Errors
    /// The supervisor is dead, or on another node.
    pub async fn of(link: Link<Supervisor>) -> Result<Self, CallError> {
        let (events, failures) = link.call(Hello).forever().await?;
        Ok(Self { link, events, failures })
    }

    /// Its address.
    pub const fn link(&self) -> &Link<Supervisor> {
        &self.link
    }

    /// Adds a child and starts it.
    ///
    /// # Errors
    /// [`ChildError::AlreadyStarted`], [`ChildError::AlreadyPresent`], [`ChildError::Spec`],
    /// [`ChildError::Start`].
    pub async fn start_child(&self, spec: impl Into<ChildSpec>) -> Result<ChildInfo, ChildError> {
        self.ask(Add(spec.into())).await?
    }

    /// As [`start_child`](Self::start_child), for an actor here: gives its link.
    ///
    /// # Errors
    /// As `start_child`.
    pub async fn start_actor<A: Actor>(
        &self,
        spec: ChildSpec<Local<A>>,
    ) -> Result<Link<A>, ChildError> {
        let id = spec.id.clone();
        let info = self.start_child(spec).await?;
        typed(id, info.link.as_ref())
    }

    /// Takes an actor that runs here, and that has no supervisor, under supervision: it goes on as it is,
    /// and is restarted from its last state when it fails. Another spec for it: [`ChildSpec::adopting`].
    /// After `supervise` of Actors.jl.
    ///
    /// ```
    /// # use actors_core::{Actor, Context, Handler, Message, System};
    /// # use actors_supervise::{Strategy, Supervisor};
    /// # struct Worker; impl Actor for Worker {}
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let supervisor = Supervisor::builder(Strategy::OneForOne).start(&system).await?;
    /// let worker = system.spawn(Worker);
    /// supervisor.supervise("worker", &worker).await?;
    /// supervisor.unsupervise("worker").await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// As [`start_child`](Self::start_child); [`ChildError::Start`] if the actor is supervised, dead or on
    /// another node, or is this supervisor or one above it. It runs on as before then.
    pub async fn supervise<A: Actor>(
        &self,
        id: impl Into<String>,
        link: &Link<A>,
    ) -> Result<ChildInfo, ChildError> {
        self.start_child(ChildSpec::running(id, link)).await
    }

    /// Stops a child and removes it. One that is not there is no error.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn terminate_child(&self, id: impl Into<String>) -> Result<(), ChildError> {
        match self.ask(Remove(id.into(), true)).await? {
            Err(ChildError::NotFound(_)) => Ok(()),
            done => done,
        }
    }

    /// Stops a child and keeps its spec: [`restart_child`](Self::restart_child) starts it again, and
    /// so does a restart of its group. Stopping one that does not run is no error.
    ///
    /// # Errors
    /// [`ChildError::NotFound`].
    pub async fn stop_child(&self, id: impl Into<String>) -> Result<(), ChildError> {
        self.ask(Stop(id.into())).await?
    }

    /// Starts a child that is present and does not run.
    ///
    /// # Errors
    /// [`ChildError::NotFound`], [`ChildError::Running`], [`ChildError::Restarting`],
    /// [`ChildError::Start`].
    pub async fn restart_child(&self, id: impl Into<String>) -> Result<ChildInfo, ChildError> {
        self.ask(Restart(id.into())).await?
    }

    /// Removes a child that does not run; what is queued for it becomes dead letters.
    ///
    /// # Errors
    /// [`ChildError::NotFound`], [`ChildError::Running`], [`ChildError::Restarting`].
    pub async fn delete_child(&self, id: impl Into<String>) -> Result<(), ChildError> {
        self.ask(Remove(id.into(), false)).await?
    }

    /// Lets a running child go: it runs on, on its own. The link keeps it alive.
    ///
    /// # Errors
    /// [`ChildError::NotFound`], [`ChildError::Restarting`], [`ChildError::NotRunning`].
    pub async fn unsupervise(&self, id: impl Into<String>) -> Result<Option<AnyLink>, ChildError> {
        self.ask(Unsupervise(id.into())).await?
    }

    /// The link of a child. It stays valid over restarts: ask once.
    ///
    /// # Errors
    /// [`ChildError::NotFound`], [`ChildError::WrongType`].
    pub async fn child<A: Actor>(&self, id: impl Into<String>) -> Result<Link<A>, ChildError> {
        let id = id.into();
        let link = self.ask(Find(id.clone())).await??;
        typed(id, link.as_ref())
    }

    /// The handle of a child that is a supervisor.
    ///
    /// # Errors
    /// As [`child`](Self::child).
    pub async fn supervisor(&self, id: impl Into<String>) -> Result<Self, ChildError> {
        let link = self.child::<Supervisor>(id).await?;
        Ok(Self::of(link).await?)
    }

    /// All children, in the order of their start.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn which_children(&self) -> Result<Vec<ChildInfo>, ChildError> {
        self.ask(Which).await
    }

    /// How many children there are.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn count_children(&self) -> Result<Counts, ChildError> {
        self.ask(WhichCounts).await
    }

    /// Another declaration, as `code_change` of Erlang's `supervisor`: all of it, or nothing. What runs
    /// goes on.
    ///
    /// | a child | from now on |
    /// |---|---|
    /// | in both | runs on under the rules of the new spec, and starts by it the next time |
    /// | new | present and stopped: [`restart_child`](Self::restart_child) starts it, and so does a restart of its group |
    /// | no longer declared | runs on until it ends, and is then removed; at once if it does not run |
    /// | added by [`start_child`](Self::start_child) | as before; one that is declared now is static |
    ///
    /// The order of the declaration is the order of start from now on; those no longer declared come after
    /// it. Strategy, limits and auto-shutdown are those of the declaration; failures of the past count. Its
    /// planner and what else it says of nodes are not looked at. Of a child elsewhere or a supervisor below,
    /// the rules alone are changed: a supervisor below has a `change` of its own.
    ///
    /// ```
    /// # use actors_core::{Actor, System};
    /// # use actors_supervise::{ChildSpec, RestartPolicy, Strategy, Supervisor};
    /// # struct Worker; impl Actor for Worker {}
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let spec = |id: &str| ChildSpec::new(id, || Worker);
    /// let first = Supervisor::builder(Strategy::OneForOne).child(spec("a"));
    /// let supervisor = first.start(&system).await?;
    /// let second = Supervisor::builder(Strategy::RestForOne)
    ///     .child(spec("b"))
    ///     .child(spec("a").restart(RestartPolicy::Permanent));
    /// supervisor.change(second).await?;
    /// supervisor.restart_child("b").await?;
    /// # Ok::<_, Box<dyn std::error::Error>>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Errors
    /// [`ChildError::Spec`], with [`SpecError::Fixed`](crate::SpecError::Fixed) for a child that is there
    /// and cannot go on by its new spec: another type, another name or another bound of its mailbox;
    /// [`ChildError::Restarting`] and [`ChildError::Stopping`] while that is done with a child of either
    /// declaration. Nothing has changed then.
    pub async fn change(&self, to: SupervisorBuilder) -> Result<(), ChildError> {
        self.ask(Change(to)).await?
    }

    /// Another strategy from the next failure on.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn set_strategy(&self, strategy: Strategy) -> Result<(), ChildError> {
        self.ask(SetStrategy(strategy)).await
    }

    /// Another restart limit; restarts of the past count in it.
    ///
    /// # Errors
    /// [`ChildError::Spec`].
    pub async fn set_limit(&self, limit: Limit) -> Result<(), ChildError> {
        self.ask(SetLimit(limit)).await?
    }

    /// How many nodes may fail in the life of the supervisor, apart from the restart limit. Without
    /// it there is no limit.
    ///
    /// # Errors
    /// [`ChildError::Supervisor`].
    pub async fn set_max_node_failures(&self, max: u32) -> Result<(), ChildError> {
        self.ask(SetMaxNodeFailures(max)).await
    }

    /// Where the supervisor is told of failed nodes.
    pub fn host_failures(&self) -> HostFailures {
        self.failures.clone()
    }

    /// Ends the supervisor, its children first, in reverse order.
    pub async fn shutdown(&self, reason: ExitReason) -> Down {
        let down = self.link.down();
        self.link.erase().shutdown(reason);
        down.await
    }

    /// What happens from now on. A subscriber that falls 4096 events behind loses the newest.
    pub fn subscribe(&self) -> Receiver<Event> {
        self.events.subscribe()
    }

    async fn ask<M: Message>(&self, message: M) -> Result<M::Reply, ChildError>
    where
        Supervisor: Handler<M>,
    {
        Ok(self.link.call(message).forever().await?)
    }
}

fn typed<A: Actor>(id: String, link: Option<&AnyLink>) -> Result<Link<A>, ChildError> {
    link.and_then(AnyLink::downcast).ok_or(ChildError::WrongType { id, wanted: type_name::<A>() })
}

impl fmt::Debug for SupervisorLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SupervisorLink({})", self.link.id())
    }
}
