use std::{
    cell::RefCell,
    collections::{BTreeMap, HashMap},
    fmt,
    pin::Pin,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context as TaskContext, Poll},
};

use parking_lot::{Mutex, RwLock};

use crate::{
    Actor, ActorId, ActorInfo, AnyLink, DeadLetter, GroupEpoch, Link, MonitorRef, NameError,
    SystemId,
    cell::{ActorCell, AnyCell, Life},
    dead_letters::DeadLetters,
    host::Host,
    registry::Registry,
    remote::{Exports, Route, Router},
    reply::one_shot,
    run,
    supervision::{OnExit, Seat},
};

/// A world of actors: what they are run by, their names, their dead letters. Cheap to clone.
///
/// There is no other global state: a process may have many systems, and a simulation has one per
/// node. Dropping it ends nothing; actors end by themselves, by their links or their supervisors.
#[derive(Clone)]
pub struct System(Arc<Inner>);

struct Inner {
    id: SystemId,
    name: String,
    host: Host,
    /// Ordered, so that a walk over it is the same in every replay.
    cells: Mutex<BTreeMap<ActorId, Weak<dyn AnyCell>>>,
    /// Cells that other nodes know: kept until they die.
    pins: Mutex<HashMap<ActorId, Arc<dyn AnyCell>>>,
    registry: Registry,
    dead_letters: DeadLetters,
    exports: Exports,
    router: RwLock<Option<Arc<dyn Router>>>,
    serial: AtomicU64,
    monitor: AtomicU64,
}

/// Options of a new [`System`].
#[derive(Debug)]
pub struct SystemBuilder {
    name: String,
    host: Option<Host>,
}

impl SystemBuilder {
    /// The name in logs; the node's name once it is a node.
    pub fn name(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// What it runs on; the default is [`Host::real`].
    pub fn host(mut self, host: Host) -> Self {
        self.host = Some(host);
        self
    }

    /// The system.
    pub fn build(self) -> System {
        let host = self.host.unwrap_or_else(Host::real);
        System(Arc::new(Inner {
            id: SystemId(host.random.next()),
            name: self.name,
            host,
            cells: Mutex::default(),
            pins: Mutex::default(),
            registry: Registry::default(),
            dead_letters: DeadLetters::default(),
            exports: Exports::default(),
            router: RwLock::default(),
            serial: AtomicU64::new(1),
            monitor: AtomicU64::new(1),
        }))
    }
}

impl System {
    /// A system on the default host.
    #[allow(clippy::new_without_default, reason = "`default` would hide that it makes a new world")]
    pub fn new() -> Self {
        Self::builder().build()
    }

    /// Options first.
    pub fn builder() -> SystemBuilder {
        SystemBuilder { name: "system".into(), host: None }
    }

    /// The system of the actor this runs in; outside any, the one default system of the process.
    pub fn current() -> Self {
        static DEFAULT: OnceLock<System> = OnceLock::new();
        CURRENT
            .with_borrow(|current| current.as_ref().map(|c| c.system.clone()))
            .unwrap_or_else(|| DEFAULT.get_or_init(Self::new).clone())
    }

    /// This life of this system.
    pub fn id(&self) -> SystemId {
        self.0.id
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.0.name
    }

    /// Its clock, randomness, tasks, network and disk.
    pub fn host(&self) -> &Host {
        &self.0.host
    }

    /// Starts an unsupervised actor. Its [`init`](Actor::init) runs in its own activation; what is
    /// sent to it meanwhile waits.
    pub fn spawn<A: Actor>(&self, actor: A) -> Link<A> {
        let cell = self.new_cell(self.next_id(), Life::Suspended { last: Some(actor) });
        let link = Link::new(cell.clone());
        let (incarnation, last) = cell.begin(None, None).expect("a new cell is suspended");
        let actor = last.expect("it was made with a state");
        run::spawn(cell, incarnation, move || async move { Ok(actor) }, one_shot().0);
        link
    }

    /// Makes the address of a supervised actor, which has no life yet. `on_exit` hears of every end.
    pub fn reserve<A: Actor>(&self, on_exit: OnExit) -> Seat<A> {
        let cell = self.new_cell(self.next_id(), Life::Suspended { last: None });
        cell.set_supervisor(Some(on_exit));
        Seat::new(cell)
    }

    /// Runs a future to its end on this thread, which must not be one that drives actors.
    ///
    /// # Panics
    /// On a thread that drives actors or runtime tasks: it would deadlock.
    pub fn block_on<T>(&self, future: impl Future<Output = T>) -> T {
        assert!(!drives_this_thread(self), "block_on on a thread that drives actors");
        futures_lite::future::block_on(future)
    }

    /// Runs a future as a task.
    pub fn spawn_task(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.0.host.executor.spawn(Box::pin(task));
    }

    /// Gives an actor a name.
    ///
    /// # Errors
    /// [`NameError::Taken`], [`NameError::Dead`].
    pub fn register(&self, name: &str, actor: &AnyLink) -> Result<(), NameError> {
        self.0.registry.insert(name, actor)
    }

    /// The actor with a name.
    ///
    /// # Errors
    /// [`NameError::Unknown`], [`NameError::WrongType`].
    pub fn whereis<A: Actor>(&self, name: &str) -> Result<Link<A>, NameError> {
        self.0.registry.find_typed(name)
    }

    /// As [`whereis`](Self::whereis), for any type.
    ///
    /// # Errors
    /// [`NameError::Unknown`].
    pub fn whereis_any(&self, name: &str) -> Result<AnyLink, NameError> {
        self.0.registry.find(name)
    }

    /// Frees a name. The actor lives on, if anything else holds it.
    ///
    /// # Errors
    /// [`NameError::Unknown`].
    pub fn unregister(&self, name: &str) -> Result<(), NameError> {
        self.0.registry.release(name)
    }

    /// Messages that nobody handled, from now on. A subscriber that falls 4096 behind loses the
    /// newest.
    pub fn dead_letters(&self) -> crossbeam_channel::Receiver<DeadLetter> {
        self.0.dead_letters.subscribe()
    }

    /// All actors that this system knows, those on other nodes included.
    pub fn snapshot(&self) -> Vec<ActorInfo> {
        self.cells().iter().map(|cell| cell.info()).collect()
    }

    /// Makes this system a node: messages to other nodes go through `router`.
    pub fn set_router(&self, router: Arc<dyn Router>) {
        *self.0.router.write() = Some(router);
    }

    pub(crate) fn route(&self, node: SystemId) -> Option<Arc<dyn Route>> {
        self.0.router.read().as_ref().map(|router| router.route(node))
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.0.exports
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn dead_letters_hub(&self) -> &DeadLetters {
        &self.0.dead_letters
    }

    pub(crate) fn next_monitor(&self) -> MonitorRef {
        MonitorRef(self.0.monitor.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn next_id(&self) -> ActorId {
        ActorId { home: self.id(), serial: self.0.serial.fetch_add(1, Ordering::Relaxed) }
    }

    pub(crate) fn new_cell<A: Actor>(&self, id: ActorId, life: Life<A>) -> Arc<ActorCell<A>> {
        let cell = ActorCell::new(id, self.clone(), life);
        let any: Arc<dyn AnyCell> = cell.clone();
        self.0.cells.lock().insert(id, Arc::downgrade(&any));
        cell
    }

    /// The cell with an identity, or the one that `make` makes, with no other in between.
    pub(crate) fn cell_or_insert(
        &self,
        id: ActorId,
        make: impl FnOnce() -> Arc<dyn AnyCell>,
    ) -> Arc<dyn AnyCell> {
        let mut cells = self.0.cells.lock();
        if let Some(cell) = cells.get(&id).and_then(Weak::upgrade) {
            return cell;
        }
        let cell = make();
        cells.insert(id, Arc::downgrade(&cell));
        cell
    }

    pub(crate) fn cell(&self, id: ActorId) -> Option<Arc<dyn AnyCell>> {
        self.0.cells.lock().get(&id).and_then(Weak::upgrade)
    }

    pub(crate) fn cells(&self) -> Vec<Arc<dyn AnyCell>> {
        self.0.cells.lock().values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn forget(&self, id: ActorId) {
        let mut cells = self.0.cells.lock();
        if cells.get(&id).is_some_and(|cell| cell.strong_count() == 0) {
            cells.remove(&id);
        }
    }

    pub(crate) fn pin(&self, cell: Arc<dyn AnyCell>) {
        self.0.pins.lock().insert(cell.id(), cell);
    }

    pub(crate) fn is_pinned(&self, id: ActorId) -> bool {
        self.0.pins.lock().contains_key(&id)
    }

    pub(crate) fn unpin(&self, id: ActorId) {
        let pinned = self.0.pins.lock().remove(&id);
        drop(pinned);
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({:?}, {})", self.name(), self.id())
    }
}

thread_local! {
    static CURRENT: RefCell<Option<Current>> = const { RefCell::new(None) };
}

struct Current {
    system: System,
    epoch: Option<GroupEpoch>,
}

/// The group epoch of the activation that runs on this thread.
pub(crate) fn current_epoch() -> Option<GroupEpoch> {
    CURRENT.with_borrow(|current| current.as_ref().and_then(|c| c.epoch))
}

pub(crate) fn drives_this_thread(system: &System) -> bool {
    CURRENT.with_borrow(Option::is_some) || system.host().executor.drives_this_thread()
}

/// The task of one incarnation: while it is polled, the thread knows whose activation it runs.
pub(crate) struct Activation<F> {
    cell: Arc<dyn AnyCell>,
    run: Pin<Box<F>>,
}

impl<F: Future<Output = ()>> Activation<F> {
    pub(crate) fn new<A: Actor>(cell: Arc<ActorCell<A>>, run: F) -> Self {
        Self { cell, run: Box::pin(run) }
    }
}

impl<F: Future<Output = ()>> Future for Activation<F> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<()> {
        let current = Current { system: self.cell.system_of().clone(), epoch: self.cell.group() };
        let _restore = Restore(CURRENT.replace(Some(current)));
        self.run.as_mut().poll(task)
    }
}

struct Restore(Option<Current>);

impl Drop for Restore {
    fn drop(&mut self) {
        CURRENT.set(self.0.take());
    }
}
