//! A supervisor as a child of another.

use std::sync::Arc;

use actors_core::{
    AnyLink, BoxFuture, ExitReason, StartError, System,
    supervision::{OnExit, Seat},
};
use parking_lot::Mutex;

use crate::{
    Child, ChildKind, Start, Supervisor, SupervisorBuilder, engine::Engine, supervisor::Depot,
};

/// A supervisor as a [`Child`]. Its children keep their addresses over its restarts, since its engine
/// outlives each life of it.
pub(crate) struct Subtree {
    depot: Arc<Depot>,
    seat: Option<Seat<Supervisor>>,
}

impl Subtree {
    pub(crate) fn new(builder: SupervisorBuilder) -> Self {
        Self { depot: Arc::new(Mutex::new(Some(Engine::new(builder)))), seat: None }
    }
}

impl Child for Subtree {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        self.seat = Some(System::current().reserve(on_exit));
        Ok(())
    }

    fn link(&self) -> Option<AnyLink> {
        self.seat.as_ref().map(Seat::any_link)
    }

    fn kind(&self) -> ChildKind {
        ChildKind::Supervisor
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }

    fn start(&mut self, _start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let Some(seat) = &self.seat else {
            return Box::pin(async { Err(StartError::NoState) });
        };
        let depot = self.depot.clone();
        Box::pin(seat.start(None, move |last| {
            // The last life gives the engine back.
            drop(last);
            async move { Supervisor::from_depot(&depot).ok_or(StartError::NoState) }
        }))
    }

    fn stop(&mut self, reason: ExitReason) {
        if let Some(link) = self.link() {
            link.shutdown(reason);
        }
    }

    fn kill(&mut self) {
        if let Some(link) = self.link() {
            link.kill();
        }
    }

    fn retire(&mut self, reason: ExitReason) {
        if let Some(seat) = &self.seat {
            seat.retire(reason);
        }
        drop(self.depot.lock().take());
    }

    fn detach(&mut self) {
        if let Some(seat) = self.seat.take() {
            seat.set_supervisor(None);
        }
    }
}
