//! A supervisor as a child of another.

use std::sync::Arc;

use actors_core::{
    AnyLink, BoxFuture, ExitReason, ReplyTo, StartError, System,
    supervision::{OnExit, Seat},
};
use parking_lot::Mutex;

use crate::{
    Child, ChildKind, InPlace, Start, StateSource, Supervisor, SupervisorBuilder,
    engine::SharedEngine, local::let_go, supervisor::Depot,
};

/// A supervisor as a [`Child`]. Its children keep their addresses over its restarts, since its engine
/// outlives each life of it.
pub(crate) struct Subtree {
    depot: Arc<Depot>,
    seat: Option<Seat<Supervisor>>,
}

impl Subtree {
    pub(crate) fn new(builder: SupervisorBuilder) -> Self {
        Self { depot: Arc::new(Mutex::new(Some(SharedEngine::new(builder)))), seat: None }
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

    fn source(&self) -> StateSource {
        StateSource::Spec
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        Box::pin(async { Ok(()) })
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        let (started, waiting) = ReplyTo::channel();
        self.begin(start, started);
        Box::pin(async { waiting.await.unwrap_or(Err(StartError::Exited(ExitReason::Killed))) })
    }

    fn in_place(&mut self) -> Option<&mut dyn InPlace> {
        Some(self)
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
            let_go(&seat);
        }
    }
}

impl InPlace for Subtree {
    fn begin(&mut self, _start: Start, started: ReplyTo<Result<u32, StartError>>) {
        let Some(seat) = &self.seat else {
            return started.answer(Err(StartError::NoState));
        };
        let depot = self.depot.clone();
        let make = move |last| {
            // The last life gives the engine back.
            drop(last);
            async move { Supervisor::from_depot(&depot).ok_or(StartError::NoState) }
        };
        seat.begin(None, make, started);
    }
}
