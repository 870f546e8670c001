use std::fmt;

use actors_core::{Actor, Context, Handler, Link, Message, StartError};

use crate::{AutoCheckpoint, Checkpoint, Checkpointing, Key, RestartFrom};

/// Sequential code that answers requests and knows nothing of actors, checkpoints or failures. As the
/// callback module of Erlang's `gen_server`.
pub trait Serve: Checkpoint {
    /// What is asked.
    type Request: Send + 'static;
    /// What is answered.
    type Reply: Send + 'static;

    /// Answers one request.
    fn serve(&mut self, request: Self::Request) -> Self::Reply;
}

/// The generic part: an actor around a [`Serve`], checkpointed after each request that has changed it, and
/// restarted from there.
///
/// ```
/// use actors_checkpoint::{
///     Ask, Checkpoint, Checkpointing, CheckpointingConfig, Serve, Server,
/// };
/// use actors_core::System;
/// use actors_supervise::{ChildSpec, Strategy, Supervisor};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Default, Serialize, Deserialize, Checkpoint)]
/// struct Divisions {
///     made: u64,
/// }
///
/// impl Serve for Divisions {
///     type Request = (u64, u64);
///     type Reply = (u64, u64);
///
///     fn serve(&mut self, (a, b): (u64, u64)) -> (u64, u64) {
///         self.made += 1;
///         (a / b, self.made)
///     }
/// }
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let level1 = system.spawn(Checkpointing::new(CheckpointingConfig::level(1)));
/// let server = Server::restart_from(&level1, "divisions", Divisions::default);
/// system.block_on(async {
///     let supervisor = Supervisor::builder(Strategy::OneForOne)
///         .child(ChildSpec::fallible("divisions", server.first()).restart_with(server))
///         .start(&system)
///         .await?;
///     let divisions = supervisor.child::<Server<Divisions>>("divisions").await?;
///     assert_eq!(divisions.call(Ask((6, 3))).await?, (2, 1));
///     assert!(divisions.call(Ask((6, 0))).await.is_err());
///     assert_eq!(divisions.call(Ask((8, 2))).await?, (4, 2));
///     Ok(())
/// })
/// # }
/// ```
pub struct Server<S> {
    state: S,
    store: Link<Checkpointing>,
    key: Key,
}

/// A request to a [`Server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ask<S: Serve>(pub S::Request);

impl<S: Serve> Message for Ask<S> {
    type Reply = S::Reply;
}

impl<S: Serve> Server<S> {
    /// A server to spawn. Its checkpoints have this key, at level 1.
    pub fn new(state: S, store: &Link<Checkpointing>, key: impl Into<Key>) -> Self {
        Self { state, store: store.clone(), key: key.into() }
    }

    /// Starts a server from its newest checkpoint, and without one from `init`.
    pub fn restart_from(
        store: &Link<Checkpointing>,
        key: impl Into<Key>,
        init: impl Fn() -> S + Send + Sync + 'static,
    ) -> RestartFrom<Self> {
        let key = key.into();
        let again = {
            let (store, key) = (store.clone(), key.clone());
            move |state| Self::new(state, &store, key.clone())
        };
        let anew = again.clone();
        RestartFrom::with(store, key, move |blob| Ok(again(S::restore(blob)?)))
            .or_init(move || anew(init()))
    }
}

impl<S: Serve> Actor for Server<S> {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        let capture = |server: &Self, into: &mut _| server.state.capture(into);
        cx.observe(AutoCheckpoint::of(&self.store, &self.key, capture).every_messages(1));
        Ok(())
    }
}

impl<S: Serve> Handler<Ask<S>> for Server<S> {
    async fn handle(&mut self, Ask(request): Ask<S>, _cx: &mut Context<Self>) -> S::Reply {
        self.state.serve(request)
    }
}

impl<S: fmt::Debug> fmt::Debug for Server<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Server").field("key", &self.key).field("state", &self.state).finish()
    }
}
