use std::{fmt, ptr::NonNull, sync::Arc, time::Duration};

use crate::{
    Actor, ActorId, Address, Down, ExitReason, GroupEpoch, Handler, Link, Message, MonitorRef,
    System, Timer,
    cell::{AFTER, ActorCell, AnyCell, STOPPED},
    ext::{DownAction, Ext},
    host::Time,
    monitor::{Watched, Watcher},
    shared::Shared,
};

/// What an actor can do beside changing its state; given to every handler and hook.
// It may go and be used anywhere: it is a reference to a cell, which is `Sync`, and what changes the
// actor's turn takes `&mut self`.
pub struct Context<A: Actor>(Shared<ActorCell<A>>);

impl<A: Actor> Context<A> {
    pub(crate) const fn new(cell: NonNull<ActorCell<A>>) -> Self {
        Self(Shared::new(cell))
    }

    pub(crate) const fn cell(&self) -> &ActorCell<A> {
        // SAFETY: a context lives as long as a handler or hook is in hand, and so long the right to run
        // the actor keeps the cell.
        unsafe { self.0.get().as_ref() }
    }

    fn ext(&self) -> &Ext<A> {
        self.cell().ext()
    }

    /// The actor's own identity.
    pub fn id(&self) -> ActorId {
        self.cell().id()
    }

    /// A link to the actor itself, to give to others. Kept in its own state it would keep the actor
    /// alive for ever.
    pub fn link(&self) -> Link<A> {
        Link::new(self.cell().to_arc())
    }

    /// The system it runs in.
    pub fn system(&self) -> &System {
        self.cell().system()
    }

    /// Which life this is; 1 is the first.
    pub fn incarnation(&self) -> u32 {
        self.cell().incarnation()
    }

    /// The actor's group and restart epoch.
    pub fn group(&self) -> Option<GroupEpoch> {
        self.cell().epoch()
    }

    /// The group and epoch of the activation that sent the message in hand.
    pub fn message_group(&self) -> Option<GroupEpoch> {
        self.cell().known_ext().and_then(|ext| ext.lock().life.message_epoch)
    }

    /// Now, on the system's clock.
    pub fn now(&self) -> Time {
        self.system().host().clock.now()
    }

    /// Ends the actor after the handler in hand, before the next message.
    pub fn stop(&mut self, reason: ExitReason) {
        self.ext().lock().life.stop.get_or_insert(reason);
        self.cell().note(STOPPED);
    }

    /// Watches an actor: its end comes to [`Actor::on_down`], once, after all messages that it sent
    /// here before. A dead one answers at once with [`ExitReason::NoProc`], and so does a name that
    /// nobody has, or somebody of another type. A monitor keeps nobody alive.
    pub fn monitor(&mut self, actor: &impl Address) -> MonitorRef {
        self.watch(actor, None)
    }

    /// As [`monitor`](Self::monitor), with an action of its own instead of `on_down`.
    pub fn monitor_with(
        &mut self,
        actor: &impl Address,
        action: impl FnOnce(&mut A, Down, &mut Self) + Send + 'static,
    ) -> MonitorRef {
        self.watch(actor, Some(Box::new(action)))
    }

    fn watch(&mut self, actor: &impl Address, action: Option<DownAction<A>>) -> MonitorRef {
        let monitor = self.system().next_monitor();
        let actor = actor.any_link();
        let watched = actor.as_ref().map_or(Watched::Nobody, Watched::actor);
        self.ext().lock().life.monitors.insert(monitor, (watched, action));
        let Ok(actor) = actor else {
            let (actor, reason) = (self.system().next_id(), ExitReason::NoProc);
            self.cell().push_down(monitor, Down { actor, incarnation: 0, reason });
            return monitor;
        };
        let own = Arc::downgrade(&self.cell().to_arc());
        let notify = Arc::new(move |down| {
            if let Some(cell) = own.upgrade() {
                cell.push_down(monitor, down);
            }
        });
        if let Err((_, down)) = actor.cell().watch(Watcher::Local(monitor, notify)) {
            self.cell().push_down(monitor, down);
        }
        monitor
    }

    /// Ends a monitor: no `Down` of it is handled any more, a queued one included.
    pub fn demonitor(&mut self, monitor: MonitorRef) {
        let removed = self.ext().lock().life.monitors.remove(&monitor);
        if let Some((watched, _)) = removed {
            watched.unwatch(monitor);
        }
    }

    /// The monitors that have not fired.
    pub fn monitors(&self) -> usize {
        self.cell().known_ext().map_or(0, |ext| ext.lock().life.monitors.len())
    }

    /// Sends `message` to this actor once, after `delay`.
    pub fn send_after<M: Message>(&self, delay: Duration, message: M) -> Timer
    where
        A: Handler<M>,
    {
        self.system().send_after(&self.link(), delay, message)
    }

    /// Sends `message()` to this actor every `period`, first after one period.
    pub fn send_interval<M: Message>(
        &self,
        period: Duration,
        message: impl Fn() -> M + Send + 'static,
    ) -> Timer
    where
        A: Handler<M>,
    {
        self.system().send_interval(&self.link(), period, message)
    }

    /// Runs a future beside the actor, as a task of the system. It does not end with the actor.
    pub fn spawn_task(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.system().spawn_task(task);
    }

    /// Runs code that blocks or computes for long, on the threads that the host has for that, and waits
    /// for its result. The actor handles nothing else meanwhile, and holds up no other. A simulated host
    /// runs it as a task, on its one thread.
    ///
    /// What `work` sends is sent outside of the activation: it carries no group epoch. Blocking calls
    /// work in it, except in a simulation.
    ///
    /// Dropped, as by a kill of the actor, it gives up the result; `work` runs on to its end, or not at all
    /// if it has not begun and the runtime is shut down.
    ///
    /// ```
    /// # use actors_core::{Actor, Context, Handler, Message, System};
    /// # struct Files; impl Actor for Files {}
    /// struct Size(std::path::PathBuf);
    /// # impl Message for Size { type Reply = std::io::Result<u64>; }
    ///
    /// impl Handler<Size> for Files {
    ///     async fn handle(&mut self, Size(path): Size, cx: &mut Context<Self>) -> std::io::Result<u64> {
    ///         cx.blocking(move || Ok(std::fs::metadata(path)?.len())).await
    ///     }
    /// }
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let files = system.spawn(Files);
    /// assert!(files.call(Size("no/such/file".into())).await?.is_err());
    /// # Ok::<_, actors_core::CallError>(())
    /// # }).unwrap();
    /// ```
    ///
    /// # Panics
    /// As `work` does, with the same payload: the handler crashes. And when the host's runtime was shut
    /// down.
    pub fn blocking<T, F>(&self, work: F) -> impl Future<Output = T> + Send + 'static + use<A, T, F>
    where
        T: Send + 'static,
        F: FnOnce() -> T + Send + 'static,
    {
        let host = self.system().host().clone();
        async move { host.blocking(work).await }
    }

    /// Runs `f` on the state after the handler in hand.
    pub fn after(&mut self, f: impl FnOnce(&mut A) + Send + 'static) {
        self.ext().lock().life.after.push(Box::new(f));
        self.cell().note(AFTER);
    }
}

impl<A: Actor> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id()).finish_non_exhaustive()
    }
}
