//! The supervisor as an actor.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use actors_core::{Actor, Context, ExitReason, Handler, StartError};
use parking_lot::Mutex;

use crate::{Strategy, SupervisorBuilder, SupervisorError, core::Core, inbox::Wake};

/// An actor that starts, watches, restarts and stops others. Made by [`builder`](Self::builder),
/// used through a [`SupervisorLink`](crate::SupervisorLink).
///
/// However it ends, its children end before it: in reverse order, each in the way its spec says. A
/// second kill does not wait for them.
pub struct Supervisor {
    core: Option<Core>,
    depot: Weak<Depot>,
}

/// Where the core waits while its supervisor is between two lives.
pub(crate) type Depot = Mutex<Option<Core>>;

impl Supervisor {
    /// A supervisor with no children yet.
    pub fn builder(strategy: Strategy) -> SupervisorBuilder {
        SupervisorBuilder::new(strategy)
    }

    /// One that leaves in the slot why it did not start.
    pub(crate) fn observed(core: Core) -> (Self, Arc<Mutex<Option<SupervisorError>>>) {
        let outcome = core.outcome.clone();
        (Self { core: Some(core), depot: Weak::new() }, outcome)
    }

    /// One whose core goes back into the depot when it is dropped.
    pub(crate) fn from_depot(depot: &Arc<Depot>) -> Option<Self> {
        let core = depot.lock().take()?;
        Some(Self { core: Some(core), depot: Arc::downgrade(depot) })
    }

    pub(crate) const fn core(&mut self) -> &mut Core {
        self.core.as_mut().expect("taken on drop only")
    }

    /// Handles what has come from the children, and ends if that says so.
    pub(crate) fn settle(&mut self, cx: &mut Context<Self>) {
        if let Some(reason) = self.core().drain() {
            cx.stop(reason);
        }
    }
}

impl Actor for Supervisor {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        let mut guard = KillOnDrop { core: self.core(), armed: true };
        let booted = guard.core.boot(cx.link().downgrade(), cx.system()).await;
        guard.armed = false;
        booted
    }

    async fn term(&mut self, _reason: &ExitReason) {
        let mut guard = KillOnDrop { core: self.core(), armed: true };
        guard.core.end().await;
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
    core: &'a mut Core,
    armed: bool,
}

impl Drop for KillOnDrop<'_> {
    fn drop(&mut self) {
        if self.armed {
            self.core.kill_all();
        }
    }
}

impl Drop for Supervisor {
    fn drop(&mut self) {
        let Some(mut core) = self.core.take() else { return };
        if let Some(depot) = self.depot.upgrade() {
            core.kill_all();
            *depot.lock() = Some(core);
        }
    }
}

impl fmt::Debug for Supervisor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Supervisor")
    }
}
