//! The supervisor as an actor.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use actors_core::{Actor, Context, ExitReason, Handler, StartError};
use parking_lot::Mutex;

use crate::{Strategy, SupervisorBuilder, SupervisorError, engine::Engine, inbox::Wake};

/// An actor that starts, watches, restarts and stops others. Made by [`builder`](Self::builder),
/// used through a [`SupervisorLink`](crate::SupervisorLink).
///
/// However it ends, its children end before it: in reverse order, each in the way its spec says. A
/// second kill does not wait for them.
pub struct Supervisor {
    engine: Option<Engine>,
    depot: Weak<Depot>,
}

/// Where the engine waits while its supervisor is between two lives.
pub(crate) type Depot = Mutex<Option<Engine>>;

impl Supervisor {
    /// A supervisor with no children yet.
    pub fn builder(strategy: Strategy) -> SupervisorBuilder {
        SupervisorBuilder::new(strategy)
    }

    /// One that leaves in the slot why it did not start.
    pub(crate) fn observed(engine: Engine) -> (Self, Arc<Mutex<Option<SupervisorError>>>) {
        let outcome = engine.outcome.clone();
        (Self { engine: Some(engine), depot: Weak::new() }, outcome)
    }

    /// One whose engine goes back into the depot when it is dropped.
    pub(crate) fn from_depot(depot: &Arc<Depot>) -> Option<Self> {
        let engine = depot.lock().take()?;
        Some(Self { engine: Some(engine), depot: Arc::downgrade(depot) })
    }

    pub(crate) const fn engine(&mut self) -> &mut Engine {
        self.engine.as_mut().expect("taken on drop only")
    }

    /// Handles what has come from the children, and ends if that says so.
    pub(crate) fn settle(&mut self, cx: &mut Context<Self>) {
        if let Some(reason) = self.engine().drain() {
            cx.stop(reason);
        }
    }
}

impl Actor for Supervisor {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        let mut guard = KillOnDrop { engine: self.engine(), armed: true };
        let booted = guard.engine.boot(cx.link().downgrade(), cx.system()).await;
        guard.armed = false;
        booted
    }

    async fn term(&mut self, _reason: &ExitReason) {
        let mut guard = KillOnDrop { engine: self.engine(), armed: true };
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
    engine: &'a mut Engine,
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
        let Some(mut engine) = self.engine.take() else { return };
        if let Some(depot) = self.depot.upgrade() {
            engine.kill_all();
            *depot.lock() = Some(engine);
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supervisor")
    }
}
