//! A child that is an actor in this process.

use std::{fmt, num::NonZeroUsize};

use actors_core::{
    Actor, AnyLink, BoxFuture, ExitReason, ReplyTo, StartError, System,
    supervision::{Failure, OnExit, RestartSource, Seat},
};

use crate::{
    Child, ChildKind, InPlace, Start,
    restart_source::{AnySource, Lease, Lent},
    task::TaskActor,
};

/// An actor in this process as a [`Child`].
pub struct Local<A: Actor> {
    seat: Option<Seat<A>>,
    name: Option<String>,
    capacity: Option<NonZeroUsize>,
    kind: ChildKind,
    sources: Lent<Sources<A>>,
}

type Init<A> = Box<dyn FnMut() -> BoxFuture<'static, Result<A, StartError>> + Send>;

/// What its states come from.
struct Sources<A: Actor> {
    first: Option<A>,
    init: Option<Init<A>>,
    restart: Option<Box<dyn AnySource<A>>>,
    last_first: bool,
}

impl<A: Actor> Local<A> {
    pub(crate) fn new(init: Init<A>) -> Self {
        Self::with(None, Some(init))
    }

    pub(crate) fn from_state(state: A) -> Self {
        Self::with(Some(state), None)
    }

    fn with(first: Option<A>, init: Option<Init<A>>) -> Self {
        let sources = Sources { first, init, restart: None, last_first: false };
        let sources = Lent::new(sources);
        Self { seat: None, name: None, capacity: None, kind: ChildKind::Worker, sources }
    }

    pub(crate) fn set_source(&mut self, source: impl RestartSource<A>) {
        self.configure(|sources| sources.restart = Some(Box::new(source)));
    }

    pub(crate) fn prefer_last_state(&mut self) {
        self.configure(|sources| sources.last_first = true);
    }

    pub(crate) fn set_name(&mut self, name: String) {
        self.name = Some(name);
    }

    pub(crate) fn set_capacity(&mut self, capacity: NonZeroUsize) {
        self.capacity = Some(capacity);
    }

    fn configure(&self, set: impl FnOnce(&mut Sources<A>)) {
        if let Some(mut sources) = self.sources.lease() {
            set(sources.get());
        }
    }
}

impl Local<TaskActor> {
    pub(crate) fn task(task: TaskActor) -> Self {
        let init: Init<TaskActor> = Box::new(move || {
            let task = task.clone();
            Box::pin(async { Ok(task) })
        });
        Self { kind: ChildKind::Task, ..Self::new(init) }
    }
}

impl<A: Actor> Sources<A> {
    /// The state of the next incarnation.
    async fn next(
        mut sources: Lease<Self>,
        last: Option<A>,
        failure: Option<Failure>,
        attempt: u32,
    ) -> Result<A, StartError> {
        let from = sources.get();
        if let (Some(why), Some(restart)) = (&failure, &mut from.restart) {
            return restart.restore(last, why, attempt).await;
        }
        if let Some(first) = from.first.take() {
            return Ok(first);
        }
        match (last, &mut from.init) {
            (Some(last), init) if from.last_first || init.is_none() => Ok(last),
            (_, Some(init)) => init().await,
            (_, None) => Err(StartError::NoState),
        }
    }
}

impl<A: Actor> Child for Local<A> {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        let system = System::current();
        let seat: Seat<A> = match self.capacity {
            None => system.reserve(on_exit),
            Some(capacity) => system.reserve_bounded(capacity.get(), on_exit),
        };
        if let Some(name) = &self.name {
            system.register(name, &seat.any_link()).map_err(StartError::failed)?;
        }
        self.seat = Some(seat);
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        self.seat.as_ref().map(Seat::any_link)
    }

    fn kind(&self) -> ChildKind {
        self.kind
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let (started, waiting) = ReplyTo::channel();
        self.begin(start, started);
        Box::pin(async { waiting.await.unwrap_or(Err(StartError::Exited(ExitReason::Killed))) })
    }

    fn in_place(&mut self) -> Option<&mut dyn InPlace> {
        Some(self)
    }

    fn stop(&mut self, reason: ExitReason) {
        if let Some(link) = self.link() {
            link.shutdown(reason);
        }
    }

    fn kill(&mut self) {
        if let Some(link) = self.link() {
            link.kill();
        }
    }

    fn retire(&mut self, reason: ExitReason) {
        if let Some(seat) = &self.seat {
            seat.retire(reason);
        }
    }

    fn detach(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.set_supervisor(None);
        }
    }
}

impl<A: Actor> InPlace for Local<A> {
    fn begin(&mut self, start: Start, started: ReplyTo<Result<u32, StartError>>) {
        let (Some(seat), Some(sources)) = (&self.seat, self.sources.lease()) else {
            return started.answer(Err(StartError::AlreadyRunning));
        };
        let group = start.plan.and_then(|plan| plan.group);
        let make = move |last| Sources::next(sources, last, start.failure, start.attempt);
        seat.begin(group, make, started);
    }
}

impl<A: Actor> fmt::Debug for Local<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Local<{}>({:?})", std::any::type_name::<A>(), self.seat)
    }
}
