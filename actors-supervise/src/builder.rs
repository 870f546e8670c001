//! A supervisor before it runs.

use std::{collections::HashSet, fmt, sync::Arc};

use actors_core::{Link, System};
use crossbeam_channel::Receiver;

use crate::{
    AutoShutdown, ChildSpec, Event, HostFailures, Limit, Planner, SpecError, Strategy, Supervisor,
    SupervisorError, SupervisorLink, engine::SharedEngine, event::Hub,
};

/// A supervisor that is being described. [`Supervisor::builder`] makes one;
/// [`ChildSpec::supervisor`] puts it into a tree.
pub struct SupervisorBuilder {
    pub(crate) settings: Settings,
    pub(crate) children: Vec<ChildSpec>,
    pub(crate) planner: Option<Box<dyn Planner>>,
    pub(crate) events: Arc<Hub>,
    pub(crate) host_failures: Vec<Box<dyn FnOnce(HostFailures) + Send>>,
}

/// What holds for all children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    pub(crate) strategy: Strategy,
    pub(crate) limit: Limit,
    pub(crate) max_node_failures: Option<u32>,
    pub(crate) auto_shutdown: AutoShutdown,
    pub(crate) max_parallel_starts: usize,
}

impl Settings {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Self {
            strategy,
            limit: Limit::default(),
            max_node_failures: None,
            auto_shutdown: AutoShutdown::default(),
            max_parallel_starts: MAX_PARALLEL_STARTS,
        }
    }
}

impl SupervisorBuilder {
    pub(crate) fn new(strategy: Strategy) -> Self {
        Self {
            settings: Settings::new(strategy),
            children: Vec::new(),
            planner: None,
            events: Arc::default(),
            host_failures: Vec::new(),
        }
    }

    /// What it is called in logs and in a printed [`Tree`](crate::Tree) as long as it is nobody's child; then it has
    /// the id of its spec. `supervisor` if nothing is said.
    pub fn id(self, id: impl Into<String>) -> Self {
        self.events.place().set_id(id);
        self
    }

    /// Adds a static child. Children start in the order in which they are added.
    pub fn child(mut self, spec: impl Into<ChildSpec>) -> Self {
        self.children.push(spec.into());
        self
    }

    /// The restart limit; the default is 3 restarts in 5 s.
    pub const fn limit(mut self, limit: Limit) -> Self {
        self.settings.limit = limit;
        self
    }

    /// How many nodes may fail in the life of the supervisor, apart from the restart limit. Without
    /// it there is no limit.
    pub const fn max_node_failures(mut self, max: u32) -> Self {
        self.settings.max_node_failures = Some(max);
        self
    }

    /// At most so many restarts are under way at a time; the default is 64, and 0 is wrong. When a
    /// dependency or a node takes many children along, the others wait their turn, in the order of their
    /// failures, after the wait of their [`Backoff`](crate::Backoff). One that had to wait, and whose backoff
    /// is at work, starts later by its jitter.
    ///
    /// A restart is under way until its start is answered. Children that are restarted together, by the
    /// strategy or after the failure of their node, are one restart: they start one after the other. A start
    /// that waits for a sibling keeps its place, so siblings that fail together must not wait for each other
    /// without a time limit.
    pub const fn max_parallel_starts(mut self, max: usize) -> Self {
        self.settings.max_parallel_starts = max;
        self
    }

    /// Whether the end of significant children ends the supervisor.
    pub const fn auto_shutdown(mut self, auto_shutdown: AutoShutdown) -> Self {
        self.settings.auto_shutdown = auto_shutdown;
        self
    }

    /// Who decides once per round what its children start from.
    pub fn planner(mut self, planner: impl Planner) -> Self {
        self.planner = Some(Box::new(planner));
        self
    }

    /// Gives `f`, before the first child starts, what the failures of nodes are told to: for those
    /// that watch the nodes of its children.
    pub fn host_failures(mut self, f: impl FnOnce(HostFailures) + Send + 'static) -> Self {
        self.host_failures.push(Box::new(f));
        self
    }

    /// What happens, from the first start on.
    pub fn subscribe(&self) -> Receiver<Event> {
        self.events.subscribe()
    }

    /// Starts the supervisor and its children, and waits until all run. When the future is dropped
    /// the supervisor ends.
    ///
    /// # Errors
    /// A wrong spec; or a child that did not start: those before it were stopped, last first.
    pub async fn start(self, system: &System) -> Result<SupervisorLink, SupervisorError> {
        self.validate()?;
        let (supervisor, outcome) = Supervisor::observed(SharedEngine::new(self));
        let mut starting = Starting(Some(system.spawn(supervisor)));
        let link = starting.0.clone().expect("just spawned");
        let started = SupervisorLink::of(link).await;
        starting.0 = None;
        match started {
            Ok(link) => Ok(link),
            Err(ended) => Err(outcome.lock().take().unwrap_or(SupervisorError::Ended(ended))),
        }
    }

    pub(crate) fn validate(&self) -> Result<(), SpecError> {
        validate_limit(self.settings.limit)?;
        if self.settings.max_parallel_starts == 0 {
            return Err(SpecError::ZeroStarts);
        }
        let mut ids = HashSet::new();
        for spec in &self.children {
            spec.validate(self.settings.auto_shutdown)?;
            if !ids.insert(spec.id()) {
                return Err(SpecError::DuplicateId(spec.id.clone()));
            }
        }
        Ok(())
    }
}

/// Nobody waits for the start any more: it is given up, however long it would take.
struct Starting(Option<Link<Supervisor>>);

impl Drop for Starting {
    fn drop(&mut self) {
        if let Some(link) = &self.0 {
            link.kill();
        }
    }
}

pub(crate) const fn validate_limit(limit: Limit) -> Result<(), SpecError> {
    if limit.period.is_zero() { Err(SpecError::ZeroPeriod) } else { Ok(()) }
}

impl fmt::Debug for SupervisorBuilder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SupervisorBuilder")
            .field("settings", &self.settings)
            .field("children", &self.children)
            .finish_non_exhaustive()
    }
}

const MAX_PARALLEL_STARTS: usize = 64;
