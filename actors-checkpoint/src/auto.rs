//! Checkpoints without code in the actor.

use std::{
    fmt,
    num::NonZeroU64,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use actors_core::{Actor, CallError, Link, System, WeakLink, supervision::Observer};
use parking_lot::Mutex;

use crate::{
    Blob, Capture, Checkpoint, Checkpointing, Interval, Key, PutError, StoreError, Version,
    message::Put,
};

/// Versions that a level keeps by default, the one that is compared with, and the next one.
const BUFFERS: usize = 4;

/// Checkpoints an actor every so many messages, or every so often, between two messages: there is no code
/// for it in the actor.
///
/// It goes with the spec of a supervised actor, as its observer, or with any actor, from `init` on:
///
/// ```
/// use actors_checkpoint::{AutoCheckpoint, Checkpoint, CheckpointLink, Checkpointing};
/// # use actors_checkpoint::CheckpointingConfig;
/// use actors_core::{Actor, Context, Handler, Link, Message, StartError, System};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Checkpoint)]
/// struct Counter {
///     count: u64,
///     #[serde(skip)]
///     level1: Option<Link<Checkpointing>>,
/// }
///
/// impl Actor for Counter {
///     async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
///         if let Some(level1) = &self.level1 {
///             cx.observe(AutoCheckpoint::new(level1, "counter").every_messages(10));
///         }
///         Ok(())
///     }
/// }
/// # #[derive(Clone)]
/// # struct Add;
/// # impl Message for Add { type Reply = u64; }
/// # impl Handler<Add> for Counter {
/// #     async fn handle(&mut self, _: Add, _: &mut Context<Self>) -> u64 { self.count += 1; self.count }
/// # }
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// # let system = System::new();
/// # let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
/// # system.block_on(async {
/// let counter = system.spawn(Counter { count: 0, level1: Some(level1.clone()) });
/// for _ in 0..25 {
///     counter.call(Add).await?;
/// }
/// let saved = level1.restore_state::<Counter>("counter", 1).await?;
/// assert!(saved.state.count >= 10);
/// # Ok::<_, Box<dyn std::error::Error>>(())
/// # })?;
/// # Ok(())
/// # }
/// ```
///
/// What is promised:
///
/// - A state that is as it was at the last checkpoint is not stored again. Without a message since then it
///   is not even captured. `exec` and `update_state` count as messages.
/// - One checkpoint is under way at a time. One that is due meanwhile is taken when it is done.
/// - The actor captures, and does not wait for the answer. One that was refused, or lost, or whose capture
///   has failed or panicked, is logged, and taken anew when the next one is due.
/// - Versions are counted on from what the levels have, unless [`version_by`](Self::version_by) says them.
pub struct AutoCheckpoint<A: Actor>(Arc<Mutex<Auto<A>>>);

struct Auto<A: Actor> {
    store: Link<Checkpointing>,
    key: Key,
    level: u8,
    capture: CaptureFn<A>,
    version_of: Option<VersionFn<A>>,
    every: Option<NonZeroU64>,
    period: Option<Duration>,
    buffers: Capture,
    actor: Option<(WeakLink<A>, System)>,
    /// The last one that was taken.
    version: Version,
    last: Option<Blob>,
    /// Messages handled, without those of its own; and at the last checkpoint.
    handled: u64,
    taken_at: u64,
    own_messages: u64,
    is_storing: bool,
    is_due: bool,
}

type VersionFn<A> = Box<dyn Fn(&A) -> Version + Send>;
type CaptureFn<A> = Box<dyn FnMut(&A, &mut Capture) -> Result<Blob, PutError> + Send>;

impl<A: Actor + Checkpoint> AutoCheckpoint<A> {
    /// Checkpoints the whole actor under this key, at level 1. It has to be said when.
    pub fn new(store: &Link<Checkpointing>, key: impl Into<Key>) -> Self {
        Self::of(store, key, A::capture)
    }
}

impl<A: Actor> AutoCheckpoint<A> {
    /// As [`new`](Self::new), with what `capture` takes of the actor.
    pub fn of(
        store: &Link<Checkpointing>,
        key: impl Into<Key>,
        capture: impl FnMut(&A, &mut Capture) -> Result<Blob, PutError> + Send + 'static,
    ) -> Self {
        Self(Arc::new(Mutex::new(Auto {
            store: store.clone(),
            key: key.into(),
            level: 1,
            capture: Box::new(capture),
            version_of: None,
            every: None,
            period: None,
            buffers: Capture::new(BUFFERS),
            actor: None,
            version: 0,
            last: None,
            handled: 0,
            taken_at: 0,
            own_messages: 0,
            is_storing: false,
            is_due: false,
        })))
    }

    /// Takes one after each `messages` messages, over all lives of the actor. Zero is never.
    #[must_use]
    pub fn every_messages(self, messages: u64) -> Self {
        self.0.lock().every = NonZeroU64::new(messages);
        self
    }

    /// Takes one every `period`, [`Interval::MINIMUM`] at least, if the actor has handled a message since the last one.
    #[must_use]
    pub fn every(self, period: Duration) -> Self {
        self.0.lock().period = Some(period.max(Interval::MINIMUM));
        self
    }

    /// They go up to this level; 1 unless told otherwise.
    #[must_use]
    pub fn level(self, level: u8) -> Self {
        self.0.lock().level = level;
        self
    }

    /// The version is what `version` says of the state: a step, an epoch. While it says the same the
    /// state counts as unchanged, and is not captured.
    #[must_use]
    pub fn version_by(self, version: impl Fn(&A) -> Version + Send + 'static) -> Self {
        self.0.lock().version_of = Some(Box::new(version));
        self
    }
}

impl<A: Actor> Observer<A> for AutoCheckpoint<A> {
    fn attached(&mut self, actor: WeakLink<A>, system: &System) {
        let mut auto = self.0.lock();
        auto.actor = Some((actor.clone(), system.clone()));
        let Some(period) = auto.period else { return };
        // It ends with the observer, which another one may replace, and with the actor.
        let (own, clock) = (Arc::downgrade(&self.0), system.host().clock.clone());
        system.spawn_task(async move {
            loop {
                clock.sleep(period).await;
                let (Some(own), Some(actor)) = (own.upgrade(), actor.upgrade()) else { return };
                // Between two lives it waits for the next one.
                let own = Self(own);
                let asked = actor.update_state(move |actor| own.tick(actor));
                if matches!(asked, Err(CallError::Closed)) {
                    return;
                }
            }
        });
    }

    fn observe(&mut self, actor: &A, handled: u64) {
        let mut auto = self.0.lock();
        auto.handled = handled - auto.own_messages;
        let is_due = auto.every.is_some_and(|every| auto.handled - auto.taken_at >= every.get());
        if is_due {
            self.take(&mut auto, actor);
        }
    }
}

impl<A: Actor> AutoCheckpoint<A> {
    /// In a message of its own to the actor.
    fn tick(&self, actor: &A) {
        let mut auto = self.0.lock();
        auto.own_messages += 1;
        if auto.handled != auto.taken_at || auto.is_due {
            self.take(&mut auto, actor);
        }
    }

    fn take(&self, auto: &mut Auto<A>, actor: &A) {
        if auto.is_storing {
            auto.is_due = true;
            return;
        }
        auto.is_due = false;
        auto.taken_at = auto.handled;
        let Some((blob, version)) = auto.changed(actor) else { return };
        auto.version = version;
        auto.last = Some(blob.clone());
        let Some((_, system)) = &auto.actor else { return };
        auto.is_storing = true;
        let put = Put {
            key: auto.key.clone(),
            version,
            blob,
            level: auto.level,
            only_newer: auto.version_of.is_none(),
        };
        let stored = auto.store.call(put);
        let own = Self(self.0.clone());
        system.spawn_task(async move {
            own.stored(stored.await.unwrap_or_else(|error| Err(error.into())).err());
        });
    }

    /// A checkpoint is done.
    fn stored(self, failed: Option<PutError>) {
        let mut auto = self.0.lock();
        auto.is_storing = false;
        match failed {
            Some(PutError::Refused { why: StoreError::Outdated { newest, .. }, .. })
                if auto.version_of.is_none() =>
            {
                auto.version = auto.version.max(newest);
                auto.last = None;
                auto.is_due = true;
            }
            Some(error) => {
                tracing::warn!(key = %auto.key, version = auto.version, %error, "no checkpoint");
                auto.last = None;
            }
            None => {}
        }
        let actor = auto.actor.as_ref().and_then(|(actor, _)| actor.upgrade());
        if let (true, Some(actor)) = (auto.is_due, actor) {
            drop(auto);
            // One that is dead needs none.
            let _ = actor.update_state(move |actor| self.tick(actor));
        }
    }
}

impl<A: Actor> Auto<A> {
    /// The state, unless it is the one that was taken last.
    fn changed(&mut self, actor: &A) -> Option<(Blob, Version)> {
        let version = self.version_of.as_ref().map(|version_of| version_of(actor));
        if version == Some(self.version) && self.last.is_some() {
            return None;
        }
        let capture = AssertUnwindSafe(|| (self.capture)(actor, &mut self.buffers));
        let why = match catch_unwind(capture) {
            Ok(Ok(blob)) => return self.unless_same(blob, version),
            Ok(Err(error)) => error.to_string(),
            Err(_) => "the capture has panicked".into(),
        };
        tracing::warn!(key = %self.key, why, "no checkpoint");
        None
    }

    fn unless_same(&self, blob: Blob, version: Option<Version>) -> Option<(Blob, Version)> {
        let is_same = self.last.as_ref() == Some(&blob);
        (!is_same || version.is_some()).then(|| (blob, version.unwrap_or(self.version + 1)))
    }
}

impl<A: Actor> fmt::Debug for AutoCheckpoint<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let auto = self.0.lock();
        f.debug_struct("AutoCheckpoint")
            .field("key", &auto.key)
            .field("level", &auto.level)
            .field("every", &auto.every)
            .field("period", &auto.period)
            .finish_non_exhaustive()
    }
}
