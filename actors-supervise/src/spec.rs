//! What a supervisor is told about a child.

use std::{
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
    time::Duration,
};

use actors_core::{
    Actor, BoxFuture, Handler, Link, Message, StartError,
    supervision::{Failure, Observer, RestartSource},
};

use crate::{
    AutoShutdown, Backoff, Child, ChildKind, RestartPolicy, Shutdown, SpecError, SupervisorBuilder,
    local::Local, place::Place, restart_source::RestartFn, task::TaskActor, tree::Subtree,
};

/// A child's id, how it is started, and the rules it is supervised by.
///
/// ```
/// # use actors_core::Actor;
/// # use actors_supervise::{ChildSpec, RestartPolicy, Shutdown};
/// # use std::time::Duration;
/// # #[derive(Default)] struct Worker; impl Actor for Worker {}
/// let spec = ChildSpec::new("worker", Worker::default)
///     .restart(RestartPolicy::Permanent)
///     .shutdown(Shutdown::Timeout(Duration::from_secs(1)));
/// ```
///
/// # Where the state of a restarted actor comes from
///
/// In this order: [`restart_with`](Self::restart_with) or [`restart_fn`](Self::restart_fn), the state
/// [from before](Self::from_state_before), the constructor of the spec, the last state. [`from_last_state`](Self::from_last_state) puts the last
/// state before the constructor. The last state is what the crashed handler left: half changed,
/// unless its changes are small enough to be whole.
pub struct ChildSpec<C = Box<dyn Child>> {
    pub(crate) id: String,
    pub(crate) rules: Rules,
    pub(crate) child: C,
    /// Of a supervisor that has not run yet.
    pub(crate) place: Option<Arc<Place>>,
    /// What was wrong when it was made, here or below it.
    pub(crate) invalid: Option<SpecError>,
}

/// The rules of one child.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) restart: RestartPolicy,
    pub(crate) shutdown: Shutdown,
    pub(crate) significant: bool,
    pub(crate) backoff: Backoff,
    pub(crate) kind: ChildKind,
    /// It is removed when it does not run any more.
    pub(crate) of_template: bool,
}

impl<C: Child> ChildSpec<C> {
    fn with(id: impl Into<String>, child: C) -> Self {
        let rules = Rules { kind: child.kind(), ..Rules::default() };
        Self { id: id.into(), rules, child, place: None, invalid: None }
    }

    /// When it is restarted; the default is [`RestartPolicy::Transient`], for supervisors
    /// [`RestartPolicy::Permanent`].
    pub const fn restart(mut self, policy: RestartPolicy) -> Self {
        self.rules.restart = policy;
        self
    }

    /// How it is stopped; the default is 5 s, for supervisors [`Shutdown::Infinity`].
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.rules.shutdown = shutdown;
        self
    }

    /// Whether its end by itself, without a restart, ends the supervisor: see [`AutoShutdown`].
    pub const fn significant(mut self, significant: bool) -> Self {
        self.rules.significant = significant;
        self
    }

    /// How long to wait before a restart.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.rules.backoff = backoff;
        self
    }

    /// Its id.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The spec without the type of its child.
    pub fn erase(self) -> ChildSpec {
        ChildSpec {
            id: self.id,
            rules: self.rules,
            child: Box::new(self.child),
            place: self.place,
            invalid: self.invalid,
        }
    }

    pub(crate) fn validate(&self, auto_shutdown: AutoShutdown) -> Result<(), SpecError> {
        let Rules { restart, significant, of_template, .. } = self.rules;
        if let Some(invalid) = &self.invalid {
            return Err(invalid.clone());
        }
        if self.id.is_empty() {
            return Err(SpecError::EmptyId);
        }
        if significant && restart == RestartPolicy::Permanent {
            return Err(SpecError::SignificantPermanent(self.id.clone()));
        }
        if significant && of_template {
            return Err(SpecError::SignificantTemplate(self.id.clone()));
        }
        if significant && auto_shutdown == AutoShutdown::Never {
            return Err(SpecError::SignificantNever(self.id.clone()));
        }
        Ok(())
    }
}

impl<A: Actor> ChildSpec<Local<A>> {
    /// An actor in this process, made by `init` at every start.
    pub fn new(id: impl Into<String>, mut init: impl FnMut() -> A + Send + 'static) -> Self {
        Self::fallible(id, move || {
            let made = init();
            async move { Ok(made) }
        })
    }

    /// As [`new`](Self::new), with a constructor that may wait and fail. It runs in the actor's own
    /// activation; its error or panic is a failed start. [`StartError::Ignore`] is no failure: the child
    /// does not run for now. Its spec is kept, unless it is temporary or was added to a running
    /// supervisor; it is tried again by hand and in the restart of a group. As `ignore` in Erlang's
    /// `supervisor`.
    pub fn fallible<Fut>(
        id: impl Into<String>,
        mut init: impl FnMut() -> Fut + Send + 'static,
    ) -> Self
    where
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        let init = move || -> BoxFuture<'static, _> { Box::pin(init()) };
        Self::with(id, Local::new(Box::new(init)))
    }

    /// An actor in this process that starts with `state` and is restarted from its last state.
    pub fn from_state(id: impl Into<String>, state: A) -> Self {
        Self::with(id, Local::from_state(state))
    }

    /// An actor that runs already and has no supervisor: it goes on as it is, as a child, and is
    /// restarted from its last state. See [`adopting`](Self::adopting).
    pub fn running(id: impl Into<String>, link: &Link<A>) -> Self {
        let spec = Self::with(id, Local::running(link.clone()));
        if spec.rules.kind == ChildKind::Supervisor {
            return spec.restart(RestartPolicy::Permanent).shutdown(Shutdown::Infinity);
        }
        spec
    }

    /// Its first life is the one that this actor is in, which is not started anew; restarts go by the
    /// spec. Its messages and its incarnation stay; a bound of its mailbox is its own. It keeps its name: a spec
    /// with a [`name`](Self::name) gives it that one if it has none, and is refused if it has another.
    ///
    /// Taking it fails with [`StartError::AlreadySupervised`] if it has a supervisor, with
    /// [`StartError::Exited`] if it is dead, with [`StartError::Address`] if it is on another node; with
    /// [`StartError::Cycle`] if it is the supervisor or one above it; it runs on then as before. The spec keeps
    /// it alive until then.
    pub fn adopting(mut self, link: &Link<A>) -> Self {
        self.child.set_running(link.clone());
        self
    }

    /// Restarts take their state from `source`. The first start does not.
    pub fn restart_with(mut self, source: impl RestartSource<A>) -> Self {
        self.child.set_source(source);
        self
    }

    /// Restarts take their state from `restart`, which gets the last state and why it is the last.
    pub fn restart_fn(
        self,
        restart: impl FnMut(Option<A>, &Failure) -> Result<A, StartError> + Send + 'static,
    ) -> Self {
        self.restart_with(RestartFn(restart))
    }

    /// Restarts go on with the last state, if there is one: it is lost when a start fails.
    pub fn from_last_state(mut self) -> Self {
        self.child.prefer_last_state();
        self
    }

    /// Restarts after a failure go on with a clone of the state from before the message that failed; with
    /// `every` above 1, from before one of the last `every` messages, for less work: the state is cloned
    /// before every so-manieth one. What was done since is lost. So is the last message of an actor
    /// that fails between two messages: by a kill, or with its node.
    ///
    /// Comes before the constructor, and after [`restart_with`](Self::restart_with), which gets the clone
    /// as the last state. Without a failure of its own (in the restart of a group, by hand) the actor
    /// goes on with its last state.
    pub fn from_state_before(mut self, every: u32) -> Self
    where
        A: Clone,
    {
        match NonZeroU32::new(every) {
            Some(every) => self.child.keep_before(every),
            None => self.invalid = Some(SpecError::ZeroEvery(self.id.clone())),
        }
        self
    }

    /// A message of type `M` during which the actor crashed or was killed is delivered again, up to `times`
    /// times: it is the first that the next life handles. If that was in vain too it is a dead letter
    /// ([`GivenUp`](actors_core::DeadLetterCause::GivenUp)) with the last reason. Without this, and
    /// for messages of other types, it is a dead letter at once.
    ///
    /// Each `M` is cloned before it is handled. What the cut handler has done outside of the actor is done
    /// again. A question is answered with its first failure; delivered again, nobody waits for it.
    pub fn redeliver<M: Message + Clone>(mut self, times: u32) -> Self
    where
        A: Handler<M>,
    {
        self.child.set_redelivered::<M>(times);
        self
    }

    /// Has the actor observed between its messages, over all its lives: see [`Observer`]. Automatic
    /// checkpoints are one.
    pub fn observe(mut self, observer: impl Observer<A>) -> Self {
        self.child.observe(observer);
        self
    }

    /// What a life leaves in the mailbox becomes dead letters
    /// ([`Flushed`](actors_core::DeadLetterCause::Flushed)). Without this the next life handles it, in order.
    pub fn drop_queue(mut self) -> Self {
        self.child.drop_queue();
        self
    }

    /// Registers the actor under this name for as long as it is a child. The name stays with it over
    /// restarts.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.child.set_name(name.into());
        self
    }

    /// At most so many messages wait in its mailbox, over all its restarts; without this there is no
    /// bound. What does not fit comes back to its sender, or waits, as with
    /// [`System::spawn_bounded`](actors_core::System::spawn_bounded). A capacity of zero is a wrong spec.
    pub fn mailbox_capacity(mut self, capacity: usize) -> Self {
        match NonZeroUsize::new(capacity) {
            Some(capacity) => self.child.set_capacity(capacity),
            None => self.invalid = Some(SpecError::ZeroCapacity(self.id.clone())),
        }
        self
    }
}

impl ChildSpec<Local<TaskActor>> {
    /// A future that is started, restarted when it panics, and removed when it is done.
    ///
    /// It runs beside the supervisor, which never waits for it; it ends at its next `.await` when it
    /// is stopped.
    pub fn task<Fut>(id: impl Into<String>, task: impl FnMut() -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::with(id, Local::task(TaskActor::new(task, None)))
    }

    /// A task that is ended with [`TimedOut`](actors_core::ExitReason::TimedOut), and removed, when it
    /// has not ended by itself after `timeout`.
    pub fn task_within<Fut>(
        id: impl Into<String>,
        timeout: Duration,
        task: impl FnMut() -> Fut + Send + 'static,
    ) -> Self
    where
        Fut: Future<Output = ()> + Send + 'static,
    {
        Self::with(id, Local::task(TaskActor::new(task, Some(timeout))))
    }
}

impl ChildSpec {
    /// A child of any kind.
    pub fn custom(id: impl Into<String>, child: impl Child) -> Self {
        ChildSpec::with(id, child).erase()
    }

    /// A supervisor as a child: permanent, and given all the time it needs to stop. When it is
    /// restarted its static children are started anew, at the same addresses; those that were added
    /// while it ran are gone.
    pub fn supervisor(id: impl Into<String>, supervisor: SupervisorBuilder) -> Self {
        let invalid = supervisor.validate().err();
        let place = Some(supervisor.events.place().clone());
        let spec = ChildSpec::with(id, Subtree::new(supervisor)).erase();
        Self { invalid, place, ..spec }
            .restart(RestartPolicy::Permanent)
            .shutdown(Shutdown::Infinity)
    }
}

impl<A: Actor> From<ChildSpec<Local<A>>> for ChildSpec {
    fn from(spec: ChildSpec<Local<A>>) -> Self {
        spec.erase()
    }
}

impl<C> fmt::Debug for ChildSpec<C> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ChildSpec")
            .field("id", &self.id)
            .field("rules", &self.rules)
            .finish_non_exhaustive()
    }
}
