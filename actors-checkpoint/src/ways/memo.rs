use std::{collections::HashMap, fmt, hash::Hash, marker::PhantomData};

use actors_core::{Actor, Context, Handler, Link, Message};

use crate::{Checkpoint, CheckpointLink, Checkpointing, Key};

/// A function whose results are kept: in the actor, and each as a checkpoint of its own. What was computed
/// in an earlier life, or by another actor with the same function and levels, is not computed again.
///
/// ```
/// use actors_checkpoint::{CheckpointLink, Checkpointing, CheckpointingConfig, Compute, Memo, chkey};
/// use actors_core::System;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
/// let squares = system.spawn(Memo::new("square", |n: &u64| vec![n * n], &level1));
/// system.block_on(async {
///     assert_eq!(squares.call(Compute::new(12)).await?, [144]);
///     squares.kill();
///     let again = system.spawn(Memo::new("square", |_: &u64| -> Vec<u64> { panic!() }, &level1));
///     assert_eq!(again.call(Compute::new(12)).await?, [144]);
///     Ok(())
/// })
/// # }
/// ```
///
/// The function is called in the actor, one argument after the other. Its name, with the argument as `Debug`
/// writes it, is the key. Its result must depend on nothing but the argument, and its meaning must not
/// change without its name: an old result is taken for a new one.
pub struct Memo<K, V> {
    name: String,
    function: Box<dyn FnMut(&K) -> V + Send>,
    known: HashMap<K, V>,
    store: Link<Checkpointing>,
    level: u8,
}

impl<K, V> Memo<K, V> {
    /// An actor to spawn. Its results go to level 1.
    pub fn new(
        name: impl Into<String>,
        function: impl FnMut(&K) -> V + Send + 'static,
        store: &Link<Checkpointing>,
    ) -> Self {
        let (name, store) = (name.into(), store.clone());
        Self { name, function: Box::new(function), known: HashMap::new(), store, level: 1 }
    }

    /// Results go up to this level, and are looked for up to the highest.
    #[must_use]
    pub const fn level(mut self, level: u8) -> Self {
        self.level = level;
        self
    }
}

/// The result of a [`Memo`] for an argument is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compute<K, V> {
    argument: K,
    result: PhantomData<fn() -> V>,
}

impl<K, V> Compute<K, V> {
    /// For this argument.
    pub const fn new(argument: K) -> Self {
        Self { argument, result: PhantomData }
    }
}

impl<K: Send + 'static, V: Send + 'static> Message for Compute<K, V> {
    type Reply = V;
}

impl<K, V> Actor for Memo<K, V>
where
    K: Send + 'static,
    V: Send + 'static,
{
}

impl<K, V> Handler<Compute<K, V>> for Memo<K, V>
where
    K: fmt::Debug + Hash + Eq + Send + Sync + 'static,
    V: Checkpoint + Clone,
{
    async fn handle(
        &mut self,
        Compute { argument, .. }: Compute<K, V>,
        _cx: &mut Context<Self>,
    ) -> V {
        if let Some(known) = self.known.get(&argument) {
            return known.clone();
        }
        let key = Key::of_call(&self.name, &[&argument]);
        // Levels that have nothing, or are not there, only make it compute.
        let found = self.store.restore_best(&key).await.ok();
        let result = match found.and_then(|found| V::restore(&found.blob).ok()) {
            Some(result) => result,
            None => {
                let result = (self.function)(&argument);
                drop(self.store.checkpoint_state(key, 1, &result, self.level));
                result
            }
        };
        self.known.insert(argument, result.clone());
        result
    }
}

impl<K, V> fmt::Debug for Memo<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Memo").field("name", &self.name).field("known", &self.known.len()).finish()
    }
}
