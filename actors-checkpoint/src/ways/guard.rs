use std::fmt;

use actors_core::{Actor, Call, Context, Link, StartError};

use crate::{AutoCheckpoint, Checkpoint, Checkpointing, Key, RestartFrom};

/// An actor around a variable, which is checkpointed after each use that has changed it. As the guards of
/// Guards.jl.
///
/// ```
/// use actors_checkpoint::{Checkpointing, CheckpointingConfig, Guard, GuardLink};
/// use actors_core::System;
/// use actors_supervise::{ChildSpec, Strategy, Supervisor};
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
/// let prices = Guard::restart_from(&level1, "prices").or_init({
///     let level1 = level1.clone();
///     move || Guard::new(vec![0_u32; 3], &level1, "prices")
/// });
/// system.block_on(async {
///     let supervisor = Supervisor::builder(Strategy::OneForOne)
///         .child(ChildSpec::fallible("prices", prices.first()).restart_with(prices))
///         .start(&system)
///         .await?;
///     let prices = supervisor.child::<Guard<Vec<u32>>>("prices").await?;
///     prices.write(|prices| prices[1] = 7).await?;
///     assert!(prices.write(|prices| prices[3] = 7).await.is_err()); // out of bounds
///     assert_eq!(prices.read(|prices| prices.clone()).await?, [0, 7, 0]);
///     Ok(())
/// })
/// # }
/// ```
pub struct Guard<T> {
    value: T,
    store: Link<Checkpointing>,
    key: Key,
}

impl<T: Checkpoint> Guard<T> {
    /// A guard to spawn, around this value. Its checkpoints have this key, at level 1.
    pub fn new(value: T, store: &Link<Checkpointing>, key: impl Into<Key>) -> Self {
        Self { value, store: store.clone(), key: key.into() }
    }

    /// Restarts a guard from its newest checkpoint.
    pub fn restart_from(store: &Link<Checkpointing>, key: impl Into<Key>) -> RestartFrom<Self> {
        let (store, key) = (store.clone(), key.into());
        let (own, own_key) = (store.clone(), key.clone());
        RestartFrom::with(&store, key, move |blob| {
            Ok(Self::new(T::restore(blob)?, &own, own_key.clone()))
        })
    }
}

impl<T: Checkpoint> Actor for Guard<T> {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        let capture = |guard: &Self, into: &mut _| guard.value.capture(into);
        cx.observe(AutoCheckpoint::of(&self.store, &self.key, capture).every_messages(1));
        Ok(())
    }
}

/// What can be done with the value of a [`Guard`].
pub trait GuardLink<T> {
    /// Changes the value where it is: nobody else sees it meanwhile. A panic of `change` is the actor's.
    fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Call<R>;

    /// Looks at the value.
    fn read<R: Send + 'static>(&self, look: impl FnOnce(&T) -> R + Send + 'static) -> Call<R>;
}

impl<T: Checkpoint> GuardLink<T> for Link<Guard<T>> {
    fn write<R: Send + 'static>(
        &self,
        change: impl FnOnce(&mut T) -> R + Send + 'static,
    ) -> Call<R> {
        self.exec(|guard| change(&mut guard.value))
    }

    fn read<R: Send + 'static>(&self, look: impl FnOnce(&T) -> R + Send + 'static) -> Call<R> {
        self.query(|guard| look(&guard.value))
    }
}

impl<T: fmt::Debug> fmt::Debug for Guard<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Guard").field("key", &self.key).field("value", &self.value).finish()
    }
}
