//! The engine as its supervisor has it: shared with the activations of the children.

use std::{future::poll_fn, sync::Arc, task::Poll};

use actors_core::{CallError, ExitReason, StartError, System, WeakLink};
use parking_lot::{Mutex, MutexGuard};

use super::{Engine, Slot};
use crate::{
    HostFailures, Supervisor, SupervisorBuilder, SupervisorError, inbox::Mail, machine::Input,
};

/// The engine of one supervisor. Its supervisor waits for the lock; children only ever
/// [try it](super::report::Reporter).
pub(crate) struct SharedEngine(Arc<Mutex<Engine>>);

impl SharedEngine {
    pub(crate) fn new(builder: SupervisorBuilder) -> Self {
        Self(Arc::new_cyclic(|this| Mutex::new(Engine::new(builder, this.clone()))))
    }

    /// The engine, with nothing left undone.
    pub(crate) fn lock(&self) -> MutexGuard<'_, Engine> {
        let mut engine = self.0.lock();
        engine.go_on();
        engine
    }

    /// Where it is left why the supervisor did not start, for who starts it.
    pub(crate) fn outcome(&self) -> Arc<Mutex<Option<SupervisorError>>> {
        self.0.lock().outcome.clone()
    }

    /// Starts all static children, in the supervisor's own activation. What an earlier life of the
    /// supervisor left is stopped first.
    pub(crate) async fn boot(
        &self,
        owner: WeakLink<Supervisor>,
        system: &System,
    ) -> Result<(), StartError> {
        if self.0.lock().move_in(owner, system) {
            self.end().await;
            self.0.lock().begin_anew();
        }
        let booted = self.start_all().await;
        match &booted {
            Ok(()) => self.0.lock().serves = true,
            Err(error) => {
                self.end().await;
                *self.outcome().lock() = Some(error.clone());
            }
        }
        booted.map_err(StartError::failed)
    }

    async fn start_all(&self) -> Result<(), SupervisorError> {
        self.0.lock().begin_all()?;
        self.open_until(|engine| {
            if let Some(reason) = engine.exit.take() {
                return Some(Err(SupervisorError::Ended(CallError::Died(reason))));
            }
            engine.booted.clone()
        })
        .await
    }

    /// Stops all children, and waits for their deaths.
    pub(crate) async fn end(&self) {
        self.lock().shut_down();
        self.open_until(|engine| engine.machine.is_over().then_some(())).await;
    }

    /// Opens what comes, until `done` gives something.
    async fn open_until<T>(&self, mut done: impl FnMut(&mut Engine) -> Option<T>) -> T {
        poll_fn(|task| {
            let mut engine = self.0.lock();
            loop {
                if let Some(done) = done(&mut engine) {
                    return Poll::Ready(done);
                }
                let Some(mail) = engine.inbox.next(task.waker()) else { return Poll::Pending };
                engine.open(mail);
            }
        })
        .await
    }

    /// Ends everything that still runs, without waiting for it.
    pub(crate) fn kill_all(&self) {
        self.0.lock().kill_all();
    }

    /// As [`kill_all`](Self::kill_all); nothing is started again.
    pub(crate) fn close(&self) {
        let mut engine = self.0.lock();
        engine.serves = false;
        engine.kill_all();
        let slots = std::mem::take(&mut engine.slots);
        drop(engine);
        retire_all(slots.into_values());
    }
}

impl Engine {
    /// Before the supervisor starts. True if it has lived before.
    fn move_in(&mut self, owner: WeakLink<Supervisor>, system: &System) -> bool {
        let lived_before = self.system.replace(system.clone()).is_some();
        self.inbox.set_owner(owner);
        for tell in self.host_failures.drain(..) {
            tell(HostFailures::new(&self.inbox));
        }
        lived_before
    }

    /// All children of the life before are dead.
    fn begin_anew(&mut self) {
        self.machine.revive();
        self.forget_dynamic();
        self.booted = None;
        self.exit = None;
        self.killed = false;
    }

    fn begin_all(&mut self) -> Result<(), SupervisorError> {
        let keys: Vec<_> = self.machine.keys().collect();
        for key in keys {
            if let Err(error) = self.attach(key) {
                self.not_attached(key, &error);
                return Err(self.start_error(Some(key), error));
            }
        }
        self.handle(Input::Boot);
        Ok(())
    }

    fn shut_down(&mut self) {
        self.serves = false;
        self.handle(Input::ShutDown);
    }

    /// Handles all that has come; the reason to end, if there is one now.
    pub(crate) fn drain(&mut self) -> Option<ExitReason> {
        for mail in self.inbox.take() {
            self.open(mail);
        }
        self.exit.take()
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Input(input) => self.handle(input),
            Mail::Alarm(at) => {
                let Some(system) = self.system.clone() else { return };
                for token in self.alarms.due(at, &system, &self.inbox) {
                    self.handle(Input::Timer { token });
                }
            }
        }
    }
}

/// Those that are never started again.
pub(super) fn retire_all(slots: impl IntoIterator<Item = Slot>) {
    for mut slot in slots {
        slot.child.retire(ExitReason::Shutdown);
    }
}
