use std::{fmt, sync::Arc};

use actors_core::{
    Actor, BoxFuture, Link, StartError,
    remote::Birth,
    supervision::{Failure, RestartSource},
};

use crate::{
    Blob, Checkpoint, Checkpointing, Key, RestoreError, Restored, Version,
    link::readable,
    message::{Entry, Get},
    request::Limit,
};

/// Restarts an actor from its checkpoints.
///
/// ```
/// use actors_checkpoint::{AutoCheckpoint, Checkpoint, Checkpointing, RestartFrom};
/// use actors_core::{Actor, Link};
/// use actors_supervise::ChildSpec;
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize, Checkpoint)]
/// struct Counter {
///     count: u64,
/// }
///
/// impl Actor for Counter {}
///
/// fn counter(level1: &Link<Checkpointing>) -> ChildSpec {
///     let from = RestartFrom::checkpoint(level1, "counter").or_init(Counter::default);
///     ChildSpec::fallible("counter", from.first())
///         .restart_with(from)
///         .observe(AutoCheckpoint::new(level1, "counter").every_messages(100))
///         .erase()
/// }
/// ```
///
/// What is restored:
///
/// - The newest version at the level it was given, 1 unless told otherwise. A version that cannot be read is
///   passed over for an older one of that level; when there is none, the next level is asked.
/// - When the actor fails again without a newer checkpoint since the last restart, the next level is asked,
///   for a version older than the one that was tried, if it has one. So repeated failures go up to the
///   highest level, and back in time there. It is the limit of the supervisor that ends this.
/// - After a newer checkpoint it begins at its own level again.
/// - Without any checkpoint: what [`or_init`](Self::or_init) or [`or_last`](Self::or_last) say, else the
///   start has failed.
///
/// A level that gives no answer is a failed start, to be tried again: it is not taken for empty.
pub struct RestartFrom<A: Actor> {
    store: Link<Checkpointing>,
    key: Key,
    level: u8,
    read: ReadFn<A>,
    init: Option<Arc<dyn Fn() -> A + Send + Sync>>,
    or_last: bool,
    tried: Option<Tried>,
}

type ReadFn<A> = Arc<dyn Fn(&Blob) -> Result<A, RestoreError> + Send + Sync>;

/// Where the last restart came from.
#[derive(Clone, Copy)]
struct Tried {
    /// The newest version of its own level then.
    newest: Option<Version>,
    version: Version,
    level: u8,
}

impl<A: Actor + Checkpoint> RestartFrom<A> {
    /// From the checkpoints of the whole actor under this key.
    pub fn checkpoint(store: &Link<Checkpointing>, key: impl Into<Key>) -> Self {
        Self::with(store, key, A::restore)
    }
}

impl<A: Actor> RestartFrom<A> {
    /// From checkpoints of what `read` makes the actor of.
    pub fn with(
        store: &Link<Checkpointing>,
        key: impl Into<Key>,
        read: impl Fn(&Blob) -> Result<A, RestoreError> + Send + Sync + 'static,
    ) -> Self {
        Self {
            store: store.clone(),
            key: key.into(),
            level: 1,
            read: Arc::new(read),
            init: None,
            or_last: false,
            tried: None,
        }
    }

    /// The level that is asked first; 1 unless told otherwise.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }

    /// Without any checkpoint, the actor begins anew.
    #[must_use]
    pub fn or_init(mut self, init: impl Fn() -> A + Send + Sync + 'static) -> Self {
        self.init = Some(Arc::new(init));
        self
    }

    /// Without any checkpoint, the actor goes on with its last state, if there is one. Comes before
    /// [`or_init`](Self::or_init).
    #[must_use]
    pub const fn or_last(mut self) -> Self {
        self.or_last = true;
        self
    }

    /// A constructor for the spec: an actor that starts, in this process for the first time, or with its
    /// group, goes on from the newest checkpoint too.
    pub fn first(
        &self,
    ) -> impl FnMut() -> BoxFuture<'static, Result<A, StartError>> + Send + use<A> {
        let own = self.again();
        move || {
            let mut own = own.again();
            Box::pin(async move { own.state(None).await })
        }
    }

    /// A constructor for an [exported](actors_core::System::export) type: children of supervisors on other nodes
    /// restart from checkpoints as those here do. `from` is called at every start; it may have the actor
    /// [observed](Birth::observe) too.
    ///
    /// What was tried before is known on the node. Where a child comes to after the loss of its node it
    /// begins at its own level again.
    ///
    /// ```
    /// use actors_checkpoint::{AutoCheckpoint, Checkpoint, Checkpointing, RestartFrom};
    /// use actors_core::{Actor, Link, System, remote::Birth};
    /// use serde::{Deserialize, Serialize};
    ///
    /// #[derive(Default, Serialize, Deserialize, Checkpoint)]
    /// struct Counter {
    ///     count: u64,
    /// }
    ///
    /// impl Actor for Counter {}
    ///
    /// # fn export(system: &System) {
    /// system.export::<Counter>("counter").constructor(RestartFrom::constructor(
    ///     |level1: &Link<Checkpointing>, birth: &Birth<Counter>| {
    ///         birth.observe(AutoCheckpoint::new(level1, "counter").every_messages(100));
    ///         Ok(RestartFrom::checkpoint(level1, "counter").or_init(Counter::default))
    ///     },
    /// ));
    /// # }
    /// ```
    pub fn constructor<Args>(
        from: impl Fn(&Args, &Birth<A>) -> Result<Self, StartError> + Send + Sync + 'static,
    ) -> impl Fn(Args, Birth<A>) -> BoxFuture<'static, Result<A, StartError>> + Send + Sync + 'static
    {
        move |args, birth| {
            let from = from(&args, &birth);
            Box::pin(async move {
                let (mut from, tried) = (from?, birth.memory::<Option<Tried>>());
                // The first start is no restart.
                if birth.incarnation > 1 {
                    from.tried = *tried.lock();
                }
                let state = from.state(birth.last).await;
                if birth.incarnation > 1 {
                    *tried.lock() = from.tried;
                }
                state
            })
        }
    }

    fn again(&self) -> Self {
        Self {
            store: self.store.clone(),
            key: self.key.clone(),
            level: self.level,
            read: self.read.clone(),
            init: self.init.clone(),
            or_last: self.or_last,
            tried: None,
        }
    }

    async fn state(&mut self, last: Option<A>) -> Result<A, StartError> {
        let found = self.find().await.map_err(StartError::failed)?;
        if let Some(Restored { state, version, level, passed_over }) = found {
            tracing::info!(key = %self.key, version, level, ?passed_over, "restored");
            return Ok(state);
        }
        let last = last.filter(|_| self.or_last);
        last.or_else(|| self.init.as_ref().map(|init| init())).ok_or(StartError::NoState)
    }

    /// `None` without any version at any level.
    async fn find(&mut self) -> Result<Option<Restored<A>>, RestoreError> {
        let own = self.ask(self.level, None).await?;
        let newest = own.entry.as_ref().map(|entry| entry.version);
        let (mut asked, mut answer) = match self.tried.filter(|tried| newest <= tried.newest) {
            Some(tried) => {
                let above = tried.level.saturating_add(1);
                (above, self.older(above, tried.version).await.unwrap_or(own))
            }
            None => (self.level, own),
        };
        let mut unreadable = None;
        loop {
            if let Some(entry) = answer.entry {
                let get = Get::newest(&self.key, asked);
                match readable(&self.store, get, entry, &*self.read, Limit::Usual).await {
                    Ok(found) => {
                        let Restored { version, level, .. } = found;
                        self.tried = Some(Tried { newest, version, level });
                        return Ok(Some(found));
                    }
                    Err(error @ (RestoreError::Call(_) | RestoreError::ParentLost { .. })) => {
                        return Err(error);
                    }
                    Err(error) => unreadable = unreadable.or(Some(error)),
                }
            }
            let above = answer.level.checked_add(1).filter(|_| answer.level >= asked);
            let Some(above) = above else { break };
            asked = above;
            answer = self.ask(asked, None).await?;
            if answer.level < asked {
                // The highest level answers for all above it, and was asked.
                break;
            }
        }
        unreadable.map_or(Ok(None), Err)
    }

    /// What a level has below this version; if nothing, what it has.
    async fn older(&self, level: u8, below: Version) -> Result<Answer, RestoreError> {
        let older = self.ask(level, Some(below)).await?;
        if older.entry.is_some() {
            return Ok(older);
        }
        self.ask(level, None).await
    }

    async fn ask(&self, level: u8, below: Option<Version>) -> Result<Answer, RestoreError> {
        match self.store.call(Get { below, ..Get::newest(&self.key, level) }).await? {
            Ok(entry) => Ok(Answer { level: entry.level, entry: Some(entry) }),
            Err(RestoreError::Missing { level, .. }) => Ok(Answer { level, entry: None }),
            Err(error) => Err(error),
        }
    }
}

/// Which level has answered, and what it has.
struct Answer {
    level: u8,
    entry: Option<Entry>,
}

impl<A: Actor> RestartSource<A> for RestartFrom<A> {
    async fn restore(
        &mut self,
        last: Option<A>,
        _why: &Failure,
        _attempt: u32,
    ) -> Result<A, StartError> {
        self.state(last).await
    }

    fn name(&self) -> &'static str {
        "checkpoint"
    }
}

impl<A: Actor> fmt::Debug for RestartFrom<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RestartFrom")
            .field("key", &self.key)
            .field("level", &self.level)
            .finish_non_exhaustive()
    }
}
