//! A child that is an actor in this process.

use std::{
    any::{Any, TypeId},
    fmt,
    num::{NonZeroU32, NonZeroUsize},
    sync::Arc,
};

use actors_core::{
    Actor, AnyLink, BoxFuture, ExitReason, Handler, Link, Message, ReplyTo, StartError, System,
    supervision::{ChildExit, Failure, Observer, OnExit, RestartSource, Seat},
};
use parking_lot::Mutex;

use crate::{
    Child, ChildKind, InPlace, Start, StateSource, Supervisor,
    restart_source::{AnySource, Lease, Lent},
    task::TaskActor,
};

/// An actor in this process as a [`Child`].
pub struct Local<A: Actor> {
    seat: Option<Seat<A>>,
    adopts: Option<Adopts<A>>,
    name: Option<String>,
    capacity: Option<NonZeroUsize>,
    kind: ChildKind,
    sources: Lent<Sources<A>>,
    /// For its seat, before its first start.
    settings: Vec<Setting<A>>,
}

type Setting<A> = Box<dyn FnOnce(&Seat<A>) + Send>;

/// An actor that runs already, on its way to be a child.
enum Adopts<A: Actor> {
    /// Before it is one.
    Link(Link<A>),
    /// Supervised, and not yet told to be started.
    Taken(OnExit),
}

type Init<A> = Box<dyn FnMut() -> BoxFuture<'static, Result<A, StartError>> + Send>;

/// What its states come from.
struct Sources<A: Actor> {
    first: Option<A>,
    init: Option<Init<A>>,
    restart: Option<Box<dyn AnySource<A>>>,
    last_first: bool,
    before: Option<Before<A>>,
    /// What the last life came from.
    used: StateSource,
}

/// A clone of the state from before a message.
type Before<A> = Box<dyn FnMut() -> Option<A> + Send>;

impl<A: Actor> Local<A> {
    pub(crate) fn new(init: Init<A>) -> Self {
        Self::with(None, Some(init))
    }

    pub(crate) fn from_state(state: A) -> Self {
        Self::with(Some(state), None)
    }

    fn with(first: Option<A>, init: Option<Init<A>>) -> Self {
        let used = StateSource::Spec;
        let sources = Sources { first, init, restart: None, last_first: false, before: None, used };
        let sources = Lent::new(sources);
        let is_supervisor = TypeId::of::<A>() == TypeId::of::<Supervisor>();
        let kind = if is_supervisor { ChildKind::Supervisor } else { ChildKind::Worker };
        let settings = Vec::new();
        Self { seat: None, adopts: None, name: None, capacity: None, kind, sources, settings }
    }

    /// One that runs.
    pub(crate) fn running(link: Link<A>) -> Self {
        Self { adopts: Some(Adopts::Link(link)), ..Self::with(None, None) }
    }

    pub(crate) fn set_running(&mut self, link: Link<A>) {
        self.adopts = Some(Adopts::Link(link));
    }

    pub(crate) fn set_source(&mut self, source: impl RestartSource<A>) {
        self.configure(|sources| sources.restart = Some(Box::new(source)));
    }

    pub(crate) fn prefer_last_state(&mut self) {
        self.configure(|sources| sources.last_first = true);
    }

    pub(crate) fn set_redelivered<M: Message + Clone>(&mut self, times: u32)
    where
        A: Handler<M>,
    {
        self.settings.push(Box::new(move |seat| seat.redeliver::<M>(times)));
    }

    pub(crate) fn drop_queue(&mut self) {
        self.settings.push(Box::new(|seat| seat.keep_queue(false)));
    }

    pub(crate) fn keep_before(&mut self, every: NonZeroU32)
    where
        A: Clone,
    {
        let clone = Arc::new(Mutex::new(None));
        let (kept, mut messages) = (clone.clone(), 0);
        let keep = move |actor: &A| {
            if messages % every == 0 {
                // Cloned, and the older one dropped, without the lock.
                let clone = actor.clone();
                let older = kept.lock().replace(clone);
                drop(older);
            }
            messages = (messages + 1) % every;
        };
        self.settings.push(Box::new(|seat| seat.before_each(keep)));
        let before: Before<A> = Box::new(move || clone.lock().clone());
        self.configure(|sources| sources.before = Some(before));
    }

    pub(crate) fn observe(&mut self, observer: impl Observer<A>) {
        self.settings.push(Box::new(|seat| seat.observe(observer)));
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
        let before = match (&failure, &mut from.before) {
            (Some(why), Some(before)) if why.reason.is_abnormal() => before(),
            _ => None,
        };
        // Before the first message there is none, and nothing has changed the last one.
        let (last, its_source) = match before {
            Some(before) => (Some(before), StateSource::StateBefore),
            None => (last, StateSource::LastState),
        };
        if let (Some(why), Some(restart)) = (&failure, &mut from.restart) {
            from.used = StateSource::RestartSource(restart.name());
            return restart.restore(last, why, attempt).await;
        }
        from.used = StateSource::Spec;
        if let Some(first) = from.first.take() {
            return Ok(first);
        }
        match (last, &mut from.init) {
            (Some(last), init) if from.last_first || from.before.is_some() || init.is_none() => {
                from.used = its_source;
                Ok(last)
            }
            (_, Some(init)) => init().await,
            (_, None) => Err(StartError::NoState),
        }
    }
}

impl<A: Actor> Child for Local<A> {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        let system = System::current();
        let seat: Seat<A> = match (&self.adopts, self.capacity) {
            (Some(Adopts::Link(link)), _) => Seat::adopt(link, on_exit.clone())?,
            (_, None) => system.reserve(on_exit.clone()),
            (_, Some(capacity)) => system.reserve_bounded(capacity.get(), on_exit.clone()),
        };
        if let Some(name) = &self.name
            && let Err(error) = register(&system, name, &seat.any_link())
        {
            let_go(&seat);
            return Err(error);
        }
        self.settings.drain(..).for_each(|set| set(&seat));
        self.seat = Some(seat);
        if self.adopts.is_some() {
            self.adopts = Some(Adopts::Taken(on_exit));
        }
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        match (&self.seat, &self.adopts) {
            (Some(seat), _) => Some(seat.any_link()),
            (None, Some(Adopts::Link(link))) => Some(link.erase()),
            (None, _) => None,
        }
    }

    fn kind(&self) -> ChildKind {
        self.kind
    }

    fn source(&self) -> StateSource {
        self.sources.peek(|sources| sources.used).unwrap_or(StateSource::Unknown)
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
            // One that runs on, and that nobody can reach, stops when this link is dropped.
            let _link = seat.any_link();
            seat.retire(reason);
        }
    }

    fn detach(&mut self) {
        if let Some(seat) = self.seat.take() {
            let_go(&seat);
        }
    }

    fn can_change_to(&self, spec: &dyn Child) -> bool {
        let Some(spec) = (spec as &dyn Any).downcast_ref::<Self>() else { return false };
        let is_same = match &spec.adopts {
            Some(Adopts::Link(link)) => self.link() == Some(link.erase()),
            Some(Adopts::Taken(_)) => false,
            None => true,
        };
        let is_new = self.seat.is_none();
        is_new || is_same && (&self.name, self.capacity) == (&spec.name, spec.capacity)
    }

    fn change_to(&mut self, spec: Box<dyn Child>) {
        let Ok(spec) = (spec as Box<dyn Any>).downcast::<Self>() else { return };
        let mut spec = *spec;
        let Some(seat) = &self.seat else {
            *self = spec;
            return;
        };
        if seat.any_link().info().incarnation > 0 {
            // It has had its first state.
            spec.configure(|sources| sources.first = None);
        }
        seat.keep_nothing();
        spec.settings.drain(..).for_each(|set| set(seat));
        self.sources = spec.sources;
    }
}

/// It runs on, on its own; if its end is under way to its supervisor, that was its last one.
pub(crate) fn let_go<A: Actor>(seat: &Seat<A>) {
    let ended = seat.any_link().info().last_error;
    seat.retire(ended.unwrap_or(ExitReason::Normal));
}

/// A name that it has already is no error.
fn register(system: &System, name: &str, link: &AnyLink) -> Result<(), StartError> {
    if system.whereis_any(name).is_ok_and(|known| known == *link) {
        return Ok(());
    }
    match link.info().name {
        Some(known) => Err(StartError::failed(format!("it has the name {known:?}"))),
        None => system.register(name, link).map_err(StartError::failed),
    }
}

/// The life that an actor is in when it is adopted counts as its first start.
fn go_on<A: Actor>(
    seat: &Seat<A>,
    on_exit: &OnExit,
    start: &Start,
    started: ReplyTo<Result<u32, StartError>>,
) {
    let link = seat.any_link();
    if let Some(group) = start.plan.as_ref().and_then(|plan| plan.group) {
        link.set_group(Some(group));
    }
    let incarnation = link.info().incarnation;
    started.answer(Ok(incarnation));
    // Its exit may have come before its start, when it meant nothing. Told twice, it counts once.
    if seat.is_suspended() {
        let reason = link.info().last_error.unwrap_or(ExitReason::Normal);
        on_exit(ChildExit { actor: link.id(), incarnation, reason });
    }
}

impl<A: Actor> InPlace for Local<A> {
    fn begin(&mut self, start: Start, started: ReplyTo<Result<u32, StartError>>) {
        if let (Some(seat), Some(Adopts::Taken(on_exit))) = (&self.seat, self.adopts.take()) {
            self.configure(|sources| sources.used = StateSource::Adopted);
            return go_on(seat, &on_exit, &start, started);
        }
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
