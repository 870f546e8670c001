//! Many equal children.

use std::{
    any::type_name,
    fmt,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
};

use actors_core::Actor;

use crate::{Backoff, ChildSpec, RestartPolicy, Shutdown, local::Local, spec::Rules};

/// What many equal children have in common: how they are made from an argument, and the rules they are
/// supervised by. As the one spec of `simple_one_for_one` in Erlang's `supervisor`, but beside other
/// children, and as many templates as one likes. Cheap to clone.
///
/// ```
/// # use actors_core::{Actor, System};
/// # use actors_supervise::{RestartPolicy, Strategy, Supervisor, Template};
/// # struct Connection(u16); impl Actor for Connection {}
/// # let system = System::new();
/// # system.block_on(async {
/// let connections = Template::new("connection", Connection).restart(RestartPolicy::Temporary);
/// let supervisor = Supervisor::builder(Strategy::OneForOne).start(&system).await?;
/// for port in 8000..8100 {
///     supervisor.start_actor(connections.child(port)).await?;
/// }
/// assert_eq!(supervisor.count_children().await?.active, 100);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # }).unwrap();
/// ```
///
/// A child of a template is there as long as it runs or is being restarted: one that ends without a
/// restart, or is stopped by hand, is removed. It cannot be significant.
pub struct Template<T, A: Actor> {
    name: String,
    make: Arc<dyn Fn(T) -> A + Send + Sync>,
    rules: Rules,
    next: Arc<AtomicU64>,
}

impl<T: Clone + Send + 'static, A: Actor> Template<T, A> {
    /// Children that `make` makes from an argument, at each start from a clone of it.
    pub fn new(name: impl Into<String>, make: impl Fn(T) -> A + Send + Sync + 'static) -> Self {
        let rules = Rules { of_template: true, ..Rules::default() };
        Self { name: name.into(), make: Arc::new(make), rules, next: Arc::new(AtomicU64::new(1)) }
    }

    /// When a child is restarted; the default is [`RestartPolicy::Transient`].
    pub const fn restart(mut self, policy: RestartPolicy) -> Self {
        self.rules.restart = policy;
        self
    }

    /// How a child is stopped; the default is 5 s.
    pub const fn shutdown(mut self, shutdown: Shutdown) -> Self {
        self.rules.shutdown = shutdown;
        self
    }

    /// How long to wait before a restart.
    pub const fn backoff(mut self, backoff: Backoff) -> Self {
        self.rules.backoff = backoff;
        self
    }

    /// The next child, with the template's name and a number for its id: the first is `name/1`. All clones
    /// of a template count together.
    pub fn child(&self, argument: T) -> ChildSpec<Local<A>> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let make = self.make.clone();
        let spec =
            ChildSpec::new(format!("{}/{number}", self.name), move || make(argument.clone()));
        ChildSpec { rules: self.rules, ..spec }
    }
}

impl<T, A: Actor> Clone for Template<T, A> {
    fn clone(&self) -> Self {
        Self {
            name: self.name.clone(),
            make: self.make.clone(),
            rules: self.rules,
            next: self.next.clone(),
        }
    }
}

impl<T, A: Actor> fmt::Debug for Template<T, A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Template<{}>({:?})", type_name::<A>(), self.name)
    }
}
