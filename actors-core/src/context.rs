use std::{collections::HashMap, fmt, sync::Arc, time::Duration};

use parking_lot::Mutex;

use crate::{
    Actor, ActorId, AnyLink, Down, ExitReason, GroupEpoch, Handler, Link, Message, MonitorRef,
    System, Timer,
    cell::{ActorCell, AnyCell},
    host::Time,
    monitor::Watcher,
};

type DownAction<A> = Box<dyn FnOnce(&mut A, Down, &mut Context<A>) + Send>;
type Monitored<A> = (AnyLink, Option<DownAction<A>>);
type AfterAction<A> = Box<dyn FnOnce(&mut A) + Send>;

/// What an actor can do beside changing its state; given to every handler and hook.
pub struct Context<A: Actor> {
    cell: Arc<ActorCell<A>>,
    stop: Option<ExitReason>,
    message_epoch: Option<GroupEpoch>,
    /// In a mutex, as are the ones after, though nobody else locks it: so that a `&Context` may cross an await.
    monitors: Mutex<HashMap<MonitorRef, Monitored<A>>>,
    after: Mutex<Vec<AfterAction<A>>>,
}

impl<A: Actor> Context<A> {
    pub(crate) fn new(cell: Arc<ActorCell<A>>) -> Self {
        Self {
            cell,
            stop: None,
            message_epoch: None,
            monitors: Mutex::default(),
            after: Mutex::default(),
        }
    }

    /// The actor's own identity.
    pub fn id(&self) -> ActorId {
        self.cell.id()
    }

    /// A link to the actor itself, to give to others. Kept in its own state it would keep the actor
    /// alive for ever.
    pub fn link(&self) -> Link<A> {
        Link::new(self.cell.clone())
    }

    /// The system it runs in.
    pub fn system(&self) -> &System {
        self.cell.system()
    }

    /// Which life this is; 1 is the first.
    pub fn incarnation(&self) -> u32 {
        self.cell.incarnation()
    }

    /// The actor's group and restart epoch.
    pub fn group(&self) -> Option<GroupEpoch> {
        self.cell.epoch()
    }

    /// The group and epoch of the activation that sent the message in hand.
    pub const fn message_group(&self) -> Option<GroupEpoch> {
        self.message_epoch
    }

    /// Now, on the system's clock.
    pub fn now(&self) -> Time {
        self.system().host().clock.now()
    }

    /// Ends the actor after the handler in hand, before the next message.
    pub fn stop(&mut self, reason: ExitReason) {
        self.stop.get_or_insert(reason);
    }

    /// Watches an actor: its end comes to [`Actor::on_down`], once, after all messages that it sent
    /// here before. A dead one answers at once with [`ExitReason::NoProc`].
    pub fn monitor(&mut self, actor: &AnyLink) -> MonitorRef {
        self.watch(actor, None)
    }

    /// As [`monitor`](Self::monitor), with an action of its own instead of `on_down`.
    pub fn monitor_with(
        &mut self,
        actor: &AnyLink,
        action: impl FnOnce(&mut A, Down, &mut Self) + Send + 'static,
    ) -> MonitorRef {
        self.watch(actor, Some(Box::new(action)))
    }

    fn watch(&mut self, actor: &AnyLink, action: Option<DownAction<A>>) -> MonitorRef {
        let monitor = self.system().next_monitor();
        self.monitors.get_mut().insert(monitor, (actor.clone(), action));
        let own = Arc::downgrade(&self.cell);
        let notify = Arc::new(move |down| {
            if let Some(cell) = own.upgrade() {
                cell.push_down(monitor, down);
            }
        });
        if let Err((_, down)) = actor.cell().watch(Watcher::Local(monitor, notify)) {
            self.cell.push_down(monitor, down);
        }
        monitor
    }

    /// Ends a monitor: no `Down` of it is handled any more, a queued one included.
    pub fn demonitor(&mut self, monitor: MonitorRef) {
        if let Some((actor, _)) = self.monitors.get_mut().remove(&monitor) {
            actor.cell().unwatch(monitor);
        }
    }

    /// The monitors that have not fired.
    pub fn monitors(&self) -> usize {
        self.monitors.lock().len()
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

    /// Runs `f` on the state after the handler in hand.
    pub fn after(&mut self, f: impl FnOnce(&mut A) + Send + 'static) {
        self.after.get_mut().push(Box::new(f));
    }

    pub(crate) const fn take_stop(&mut self) -> Option<ExitReason> {
        self.stop.take()
    }

    pub(crate) const fn set_message_epoch(&mut self, epoch: Option<GroupEpoch>) {
        self.message_epoch = epoch;
    }

    /// `None` if the monitor was ended; else its action, if it has one.
    pub(crate) fn take_monitor(&mut self, monitor: MonitorRef) -> Option<Option<DownAction<A>>> {
        self.monitors.get_mut().remove(&monitor).map(|(_, action)| action)
    }

    pub(crate) fn run_after(&mut self, actor: &mut A) {
        for f in self.after.get_mut().drain(..) {
            f(actor);
        }
    }
}

impl<A: Actor> Drop for Context<A> {
    fn drop(&mut self) {
        for (monitor, (actor, _)) in self.monitors.get_mut().drain() {
            actor.cell().unwatch(monitor);
        }
    }
}

impl<A: Actor> fmt::Debug for Context<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("id", &self.id()).finish_non_exhaustive()
    }
}
