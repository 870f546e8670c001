//! The supervisor as an actor.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use actors_core::{Actor, Context, ExitReason, Handler, StartError};
use parking_lot::{Mutex, MutexGuard};

use crate::{
    Strategy, SupervisorBuilder, SupervisorError,
    engine::{Engine, SharedEngine},
    inbox::Wake,
};

/// An actor that starts, watches, restarts and stops others. Made by [`builder`](Self::builder),
/// used through a [`SupervisorLink`](crate::SupervisorLink).
///
/// However it ends, its children end before it: in reverse order, each in the way its spec says. A
/// second kill does not wait for them.
pub struct Supervisor {
    engine: Option<SharedEngine>,
    depot: Weak<Depot>,
}

/// Where the engine waits while its supervisor is between two lives.
pub(crate) type Depot = Mutex<Option<SharedEngine>>;

impl Supervisor {
    /// A supervisor with no children yet.
    pub fn builder(strategy: Strategy) -> SupervisorBuilder {
        SupervisorBuilder::new(strategy)
    }

    /// One that leaves in the slot why it did not start.
    pub(crate) fn observed(engine: SharedEngine) -> (Self, Arc<Mutex<Option<SupervisorError>>>) {
        let outcome = engine.outcome();
        (Self { engine: Some(engine), depot: Weak::new() }, outcome)
    }

    /// One whose engine goes back into the depot when it is dropped.
    pub(crate) fn from_depot(depot: &Arc<Depot>) -> Option<Self> {
        let engine = depot.lock().take()?;
        Some(Self { engine: Some(engine), depot: Arc::downgrade(depot) })
    }

    pub(crate) fn engine(&self) -> MutexGuard<'_, Engine> {
        self.shared().lock()
    }

    const fn shared(&self) -> &SharedEngine {
        self.engine.as_ref().expect("taken on drop only")
    }

    /// Handles what has come from the children, and ends if that says so.
    pub(crate) fn settle(&self, cx: &mut Context<Self>) {
        let reason = self.engine().drain();
        if let Some(reason) = reason {
            cx.stop(reason);
        }
    }
}

impl Actor for Supervisor {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        let mut guard = KillOnDrop { engine: self.shared(), armed: true };
        let booted = guard.engine.boot(cx.link().downgrade(), cx.system()).await;
        guard.armed = false;
        booted
    }

    async fn term(&mut self, _reason: &ExitReason) {
        let mut guard = KillOnDrop { engine: self.shared(), armed: true };
        guard.engine.end().await;
        guard.armed = false;
    }
}

impl Handler<Wake> for Supervisor {
    async fn handle(&mut self, _: Wake, cx: &mut Context<Self>) {
        self.settle(cx);
    }
}

/// Interrupted while it waits for its children: they are killed.
struct KillOnDrop<'a> {
    engine: &'a SharedEngine,
    armed: bool,
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.engine.kill_all();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Some(engine) = self.engine.take() else { return };
        match self.depot.upgrade() {
            Some(depot) => {
                engine.kill_all();
                *depot.lock() = Some(engine);
            }
            None => engine.close(),
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supervisor")
    }
}
