use std::{
    collections::{BTreeMap, HashMap},
    fmt,
    sync::{
        Arc, OnceLock, Weak,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use parking_lot::{Mutex, RwLock};

use crate::{
    Actor, ActorId, ActorInfo, Address, AnyLink, DeadLetter, Link, MonitorRef, NameError,
    Propagator, SystemId,
    cell::{ActorCell, AnyCell},
    clocks,
    dead_letters::DeadLetters,
    here,
    host::Host,
    metrics::Metrics,
    process_groups::ProcessGroups,
    registry::Registry,
    remote::{Exports, Route, Router},
    root::RootHold,
    roster::Roster,
    scheduler::Scheduler,
    stuck::{Reports, Stuck, StuckPolicy, Watch},
    supervision::{OnExit, Seat},
    timers::Timers,
    trace::Propagates,
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
    dispatch: Dispatch,
    timers: Timers,
    roster: Roster,
    /// Ordered, so that a walk over it is the same in every replay.
    known: Mutex<BTreeMap<ActorId, Weak<dyn AnyCell>>>,
    /// Local actors that other nodes know: kept until they die.
    pins: Mutex<HashMap<ActorId, Arc<dyn AnyCell>>>,
    registry: Registry,
    groups: ProcessGroups,
    root: RootHold,
    dead_letters: DeadLetters,
    metrics: Metrics,
    exports: Exports,
    router: RwLock<Option<Arc<dyn Router>>>,
    propagates: Propagates,
    serial: AtomicU64,
    monitor: AtomicU64,
}

/// Options of a new [`System`].
#[derive(Debug)]
pub struct SystemBuilder {
    name: String,
    host: Option<Host>,
    watch: Watch,
    propagates: Propagates,
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

    /// When a handler that neither returns nor awaits counts as [`Stuck`] (500 ms unless set), and what
    /// comes of it. Simulated hosts do not watch.
    pub fn stuck(mut self, after: Duration, policy: StuckPolicy) -> Self {
        self.watch = Watch { after, policy };
        self
    }

    /// Carries traces to other nodes, with the messages, and on from there. None unless set: then each message
    /// to another node costs what it takes to make the trace, and its bytes.
    pub fn propagator(mut self, propagator: impl Propagator) -> Self {
        self.propagates = Propagates(Some(Arc::new(propagator)));
        self
    }

    /// The system.
    pub fn build(self) -> System {
        let host = self.host.unwrap_or_else(Host::real);
        let metrics = Metrics::of(&self.name);
        let id = SystemId(host.random.next());
        let dispatch = Dispatch::of(&host, self.watch, metrics.clone());
        if matches!(dispatch, Dispatch::Workers(_)) {
            clocks::add(id, host.clock.clone());
        }
        System(Arc::new(Inner {
            id,
            name: self.name,
            dispatch,
            timers: Timers::new(&host),
            host,
            roster: Roster::default(),
            known: Mutex::default(),
            pins: Mutex::default(),
            registry: Registry::default(),
            groups: ProcessGroups::default(),
            root: RootHold::default(),
            dead_letters: DeadLetters::new(metrics.clone()),
            metrics,
            exports: Exports::default(),
            router: RwLock::default(),
            propagates: self.propagates,
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
        SystemBuilder {
            name: "system".into(),
            host: None,
            watch: Watch::default(),
            propagates: Propagates::default(),
        }
    }

    /// The system of the actor this runs in; outside any, the one default system of the process.
    pub fn current() -> Self {
        static DEFAULT: OnceLock<System> = OnceLock::new();
        here::system().unwrap_or_else(|| DEFAULT.get_or_init(Self::new).clone())
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
        Link::counted(ActorCell::spawn(self.next_id(), self.clone(), actor, |_| {}))
    }

    /// Makes the address of a supervised actor, which has no life yet. `on_exit` hears of every end.
    pub fn reserve<A: Actor>(&self, on_exit: OnExit) -> Seat<A> {
        let cell = ActorCell::suspended(self.next_id(), self.clone());
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

    /// Gives an actor a name. It may have several.
    ///
    /// # Errors
    /// [`NameError::Taken`], [`NameError::Dead`]; by another name, [`NameError::Unknown`] too.
    pub fn register(&self, name: &str, actor: &impl Address) -> Result<(), NameError> {
        self.0.registry.insert(name, &actor.any_link()?)
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

    /// Handlers that do not return, from now on: found within a second. Nothing comes on a simulated host.
    pub fn stuck(&self) -> crossbeam_channel::Receiver<Stuck> {
        match self.dispatch() {
            Dispatch::Workers(scheduler) => scheduler.stuck().subscribe(),
            Dispatch::Tasks => crossbeam_channel::never(),
        }
    }

    /// All actors that this system knows, those on other nodes included, and the dead that somebody still
    /// has a link to; ordered by identity. Each is looked at by itself: the whole is of no one moment. It
    /// takes time and memory for each actor, and stops none.
    ///
    /// ```
    /// # use actors_core::{Actor, System};
    /// # struct Worker; impl Actor for Worker {}
    /// # let system = System::new();
    /// let worker = system.spawn(Worker);
    /// for actor in system.snapshot() {
    ///     println!("{} {:?}: {} waiting", actor.type_name, actor.status, actor.mailbox_len);
    /// }
    /// # drop(worker);
    /// ```
    pub fn snapshot(&self) -> Vec<ActorInfo> {
        let mut infos: Vec<_> = self.0.roster.cells().iter().map(|cell| cell.info()).collect();
        infos.sort_unstable_by_key(|info| info.id);
        infos
    }

    /// Makes this system a node: messages to other nodes go through `router`.
    pub fn set_router(&self, router: Arc<dyn Router>) {
        *self.0.router.write() = Some(router);
    }

    pub(crate) fn route(&self, node: SystemId) -> Option<Arc<dyn Route>> {
        self.0.router.read().as_ref().map(|router| router.route(node))
    }

    pub(crate) fn propagates(&self) -> &Propagates {
        &self.0.propagates
    }

    pub(crate) fn exports(&self) -> &Exports {
        &self.0.exports
    }

    pub(crate) fn registry(&self) -> &Registry {
        &self.0.registry
    }

    pub(crate) fn root_hold(&self) -> &RootHold {
        &self.0.root
    }

    pub(crate) fn groups(&self) -> &ProcessGroups {
        &self.0.groups
    }

    pub(crate) fn dead_letters_hub(&self) -> &DeadLetters {
        &self.0.dead_letters
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn next_monitor(&self) -> MonitorRef {
        MonitorRef(self.0.monitor.fetch_add(1, Ordering::Relaxed))
    }

    pub(crate) fn next_id(&self) -> ActorId {
        let serial = match self.dispatch() {
            Dispatch::Workers(scheduler) => scheduler.next_serial(&self.0.serial),
            Dispatch::Tasks => None,
        };
        let serial = serial.unwrap_or_else(|| self.0.serial.fetch_add(1, Ordering::Relaxed));
        ActorId { home: self.id(), serial }
    }

    pub(crate) fn downgrade(&self) -> WeakSystem {
        WeakSystem(Arc::downgrade(&self.0))
    }

    pub(crate) fn dispatch(&self) -> &Dispatch {
        &self.0.dispatch
    }

    pub(crate) fn timers(&self) -> &Timers {
        &self.0.timers
    }

    pub(crate) fn roster(&self) -> &Roster {
        &self.0.roster
    }

    /// The cell that other nodes know by this identity, or the one that `make` makes, with no other in
    /// between.
    pub(crate) fn cell_or_insert(
        &self,
        id: ActorId,
        make: impl FnOnce() -> Arc<dyn AnyCell>,
    ) -> Arc<dyn AnyCell> {
        let mut known = self.0.known.lock();
        if let Some(cell) = known.get(&id).and_then(Weak::upgrade) {
            return cell;
        }
        let cell = make();
        cell.set_known();
        known.insert(id, Arc::downgrade(&cell));
        cell
    }

    /// The cell that other nodes know by this identity.
    pub(crate) fn cell(&self, id: ActorId) -> Option<Arc<dyn AnyCell>> {
        self.0.known.lock().get(&id).and_then(Weak::upgrade)
    }

    /// All cells that other nodes know, and all proxies.
    pub(crate) fn known_cells(&self) -> Vec<Arc<dyn AnyCell>> {
        self.0.known.lock().values().filter_map(Weak::upgrade).collect()
    }

    pub(crate) fn forget(&self, id: ActorId) {
        let mut known = self.0.known.lock();
        if known.get(&id).is_some_and(|cell| cell.strong_count() == 0) {
            known.remove(&id);
        }
    }

    /// Other nodes know of it: it is kept until it dies.
    pub(crate) fn pin(&self, cell: Arc<dyn AnyCell>) {
        cell.set_known();
        self.0.known.lock().insert(cell.id(), Arc::downgrade(&cell));
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

/// A system that is not kept.
pub(crate) struct WeakSystem(Weak<Inner>);

impl WeakSystem {
    pub(crate) fn upgrade(&self) -> Option<System> {
        self.0.upgrade().map(System)
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let Dispatch::Workers(scheduler) = &self.dispatch {
            scheduler.close();
            clocks::remove(self.id);
        }
    }
}

/// How actors come to run.
pub(crate) enum Dispatch {
    /// On workers of our own, hosted by the executor.
    Workers(Arc<Scheduler>),
    /// Each incarnation is a task of the executor.
    Tasks,
}

impl Dispatch {
    fn of(host: &Host, watch: Watch, metrics: Metrics) -> Self {
        let Some(threads) = host.executor.threads() else { return Self::Tasks };
        Self::Workers(Scheduler::start(threads, host, watch, Reports::new(metrics)))
    }
}

impl fmt::Debug for System {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "System({:?}, {})", self.name(), self.id())
    }
}

pub(crate) fn drives_this_thread(system: &System) -> bool {
    here::is_activation() || system.host().executor.drives_this_thread()
}
