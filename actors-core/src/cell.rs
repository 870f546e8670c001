//! The cell behind a link: mailbox, life, monitors. One lock guards it; nothing of the user's runs
//! under that lock.

use std::{
    any::{Any, TypeId},
    collections::VecDeque,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    task::{Context as TaskContext, Poll, Waker},
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    Actor, ActorId, CallError, DeadLetter, DeadLetterCause, Down, ExitReason, GroupEpoch, Handler,
    Message, MonitorRef, ReplyTo, SendError, System, SystemId,
    group::{Admission, admit},
    monitor::Watcher,
    remote::{self, Location, Parcel, Route},
    run::Envelope,
    supervision::{ChildExit, OnExit},
    system::current_epoch,
};

/// What is known of an actor from outside.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ActorInfo {
    /// Its identity.
    pub id: ActorId,
    /// The type of its state.
    pub type_name: &'static str,
    /// Its name in the registry.
    pub name: Option<String>,
    /// The system it runs in; with [`Status::Remote`] the other node's.
    pub system: SystemId,
    /// Whether it lives.
    pub status: Status,
    /// Messages waiting, as of now. Zero for a remote actor.
    pub mailbox_len: usize,
    /// Starts so far; 1 is the first life. Zero for a remote actor.
    pub incarnation: u32,
    /// Messages handled in all its lives.
    pub handled: u64,
    /// Why its last incarnation ended, if one did.
    pub last_error: Option<ExitReason>,
}

/// Whether an actor lives.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Status {
    /// It takes and handles messages.
    Running,
    /// Between two incarnations, or before the first: messages queue.
    Suspended,
    /// It is on another node.
    Remote,
    /// It is no more.
    Dead(ExitReason),
}

pub(crate) struct ActorCell<A: Actor> {
    id: ActorId,
    system: System,
    links: AtomicUsize,
    state: Mutex<State<A>>,
}

struct State<A: Actor> {
    life: Life<A>,
    location_version: u32,
    incarnation: u32,
    queue: VecDeque<Queued<A>>,
    /// Messages of a newer run of the group than ours: handled once we are restarted.
    ahead: VecDeque<Queued<A>>,
    ends: VecDeque<ExitReason>,
    urgent: VecDeque<Box<dyn Envelope<A>>>,
    waker: Option<Waker>,
    group: Option<GroupEpoch>,
    supervisor: Option<OnExit>,
    watchers: Vec<Watcher>,
    name: Option<String>,
    handled: u64,
    last_error: Option<ExitReason>,
}

pub(crate) enum Life<A> {
    Running,
    Suspended { last: Option<A> },
    Proxy { route: Arc<dyn Route>, node: SystemId },
    Dead(ExitReason),
}

pub(crate) enum Queued<A: Actor> {
    Message(Box<dyn Envelope<A>>, Option<GroupEpoch>),
    Stop(ExitReason),
    Down(MonitorRef, Down),
}

/// What the activation does next.
pub(crate) enum Next<A: Actor> {
    End(ExitReason),
    Message(Box<dyn Envelope<A>>, Option<GroupEpoch>),
    Down(MonitorRef, Down),
}

impl<A: Actor> ActorCell<A> {
    pub(crate) fn new(id: ActorId, system: System, life: Life<A>) -> Arc<Self> {
        Arc::new(Self {
            id,
            system,
            links: AtomicUsize::new(0),
            state: Mutex::new(State {
                life,
                location_version: 0,
                incarnation: 0,
                queue: VecDeque::new(),
                ahead: VecDeque::new(),
                ends: VecDeque::new(),
                urgent: VecDeque::new(),
                waker: None,
                group: None,
                supervisor: None,
                watchers: Vec::new(),
                name: None,
                handled: 0,
                last_error: None,
            }),
        })
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    /// Queues a message, or hands it to the route of a remote actor.
    pub(crate) fn push<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.push_tagged(message, reply, current_epoch())
    }

    pub(crate) fn push_tagged<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let state = self.state.lock();
        match &state.life {
            Life::Dead(_) => Err(SendError::Closed(message)),
            Life::Proxy { route, .. } => {
                let route = route.clone();
                drop(state);
                remote::forward::<A, M>(&self.system, &*route, self.id, message, reply, epoch)
            }
            Life::Running | Life::Suspended { .. } => {
                let envelope = Box::new(crate::run::Deliver::new(message, reply));
                self.enqueue(state, Queued::Message(envelope, epoch));
                Ok(())
            }
        }
    }

    /// Queues a message that is handled before all ordinary ones; ordinary itself when remote.
    pub(crate) fn push_urgent<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let mut state = self.state.lock();
        if matches!(state.life, Life::Running | Life::Suspended { .. }) {
            state.urgent.push_back(Box::new(crate::run::Deliver::new(message, None)));
            wake(state);
            return Ok(());
        }
        drop(state);
        self.push(message, None)
    }

    /// Queues an envelope that needs the state in this process.
    pub(crate) fn push_local(&self, envelope: Box<dyn Envelope<A>>) -> Result<(), CallError> {
        let state = self.state.lock();
        match state.life {
            Life::Dead(_) => Err(CallError::Closed),
            Life::Proxy { .. } => Err(CallError::NotLocal),
            _ => {
                self.enqueue(state, Queued::Message(envelope, current_epoch()));
                Ok(())
            }
        }
    }

    pub(crate) fn push_down(&self, monitor: MonitorRef, down: Down) {
        let state = self.state.lock();
        if matches!(state.life, Life::Running | Life::Suspended { .. }) {
            self.enqueue(state, Queued::Down(monitor, down));
        }
    }

    fn enqueue(&self, mut state: MutexGuard<'_, State<A>>, item: Queued<A>) {
        state.queue.push_back(item);
        wake(state);
    }

    /// The next thing to do, endings first. Only the activation calls this.
    pub(crate) fn poll_next(&self, task: &mut TaskContext<'_>) -> Poll<Next<A>> {
        loop {
            let mut state = self.state.lock();
            if let Some(reason) = state.ends.pop_front() {
                return Poll::Ready(Next::End(reason));
            }
            if let Some(envelope) = state.urgent.pop_front() {
                state.handled += 1;
                return Poll::Ready(Next::Message(envelope, None));
            }
            let Some(item) = state.queue.pop_front() else {
                register(&mut state, task);
                return Poll::Pending;
            };
            match item {
                Queued::Stop(reason) => return Poll::Ready(Next::End(reason)),
                Queued::Down(monitor, down) => return Poll::Ready(Next::Down(monitor, down)),
                Queued::Message(envelope, epoch) => match admit(state.group, epoch) {
                    Admission::Handle => {
                        state.handled += 1;
                        return Poll::Ready(Next::Message(envelope, epoch));
                    }
                    Admission::Ahead => state.ahead.push_back(Queued::Message(envelope, epoch)),
                    Admission::Fenced => {
                        drop(state);
                        self.bury(envelope, DeadLetterCause::Fenced, CallError::Fenced);
                    }
                },
            }
        }
    }

    /// The ending that a pending handler must give way to.
    pub(crate) fn poll_end(&self, task: &mut TaskContext<'_>) -> Option<ExitReason> {
        let mut state = self.state.lock();
        let end = state.ends.pop_front();
        if end.is_none() {
            register(&mut state, task);
        }
        end
    }

    pub(crate) fn bury(
        &self,
        envelope: Box<dyn Envelope<A>>,
        cause: DeadLetterCause,
        error: CallError,
    ) {
        let message = envelope.message_type();
        envelope.reject(error);
        self.system.dead_letters_hub().publish(DeadLetter { to: self.id, message, cause });
    }

    /// Takes the right to run the next incarnation, with the last state. The number of the
    /// incarnation is the next one here, or given by a home that has counted lives elsewhere.
    pub(crate) fn begin(
        &self,
        group: Option<GroupEpoch>,
        number: Option<u32>,
    ) -> Option<(u32, Option<A>)> {
        let mut state = self.state.lock();
        let Life::Suspended { last } = &mut state.life else { return None };
        let last = last.take();
        state.life = Life::Running;
        state.incarnation = number.unwrap_or(state.incarnation + 1);
        state.ends.clear();
        if group.is_some() {
            state.group = group;
            let ahead = std::mem::take(&mut state.ahead);
            prepend(&mut state.queue, ahead);
        }
        Some((state.incarnation, last))
    }

    /// The incarnation has ended: suspended if a supervisor has it, dead otherwise. The supervisor
    /// hears of it before the monitors do.
    pub(crate) fn end(&self, reason: ExitReason, last: Option<A>) {
        let mut state = self.state.lock();
        state.last_error = Some(reason.clone());
        let incarnation = state.incarnation;
        let watchers = std::mem::take(&mut state.watchers);
        let supervisor = state.supervisor.clone();
        let Some(on_exit) = supervisor else {
            drop(state);
            drop_guarded(last);
            return self.die(reason, watchers);
        };
        state.life = Life::Suspended { last };
        drop(state);
        on_exit(ChildExit { actor: self.id, incarnation, reason: reason.clone() });
        self.tell(watchers, incarnation, &reason);
    }

    /// Dead for good: the mailbox becomes dead letters, the name is free.
    fn die(&self, reason: ExitReason, mut watchers: Vec<Watcher>) {
        let mut state = self.state.lock();
        let life = std::mem::replace(&mut state.life, Life::Dead(reason.clone()));
        let mut left = std::mem::take(&mut state.queue);
        left.append(&mut state.ahead);
        let urgent = std::mem::take(&mut state.urgent);
        watchers.append(&mut state.watchers);
        let name = state.name.take();
        let incarnation = state.incarnation;
        drop(state);
        if let Some(name) = name {
            self.system.registry().remove(&name, self.id);
        }
        self.system.unpin(self.id);
        if let Life::Suspended { last } = life {
            drop_guarded(last);
        }
        for envelope in urgent {
            self.bury(envelope, DeadLetterCause::Died, CallError::Died(reason.clone()));
        }
        for item in left {
            if let Queued::Message(envelope, _) = item {
                self.bury(envelope, DeadLetterCause::Died, CallError::Died(reason.clone()));
            }
        }
        self.tell(watchers, incarnation, &reason);
    }

    fn tell(&self, watchers: Vec<Watcher>, incarnation: u32, reason: &ExitReason) {
        for watcher in watchers {
            let down = Down { actor: self.id, incarnation, reason: reason.clone() };
            match watcher {
                Watcher::Local(_, f) => f(down),
                Watcher::Node(node) => {
                    if let Some(route) = self.system.route(node) {
                        let _ = route.forward(self.id, Parcel::Down(down));
                    }
                }
            }
        }
    }

    /// A supervisor gives the actor up: dead for good, if no incarnation is running.
    pub(crate) fn retire(&self, reason: ExitReason) -> bool {
        let mut state = self.state.lock();
        state.supervisor = None;
        if !matches!(state.life, Life::Suspended { .. }) {
            return false;
        }
        drop(state);
        self.die(reason, Vec::new());
        true
    }

    pub(crate) fn set_supervisor(&self, on_exit: Option<OnExit>) {
        self.state.lock().supervisor = on_exit;
    }

    pub(crate) fn is_suspended(&self) -> bool {
        matches!(self.state.lock().life, Life::Suspended { .. })
    }

    /// A proxy whose actor comes to this node becomes its cell.
    pub(crate) fn settle(&self, version: u32) -> bool {
        let mut state = self.state.lock();
        if !matches!(state.life, Life::Proxy { .. }) {
            return false;
        }
        state.life = Life::Suspended { last: None };
        state.location_version = version;
        true
    }

    pub(crate) fn set_location_version(&self, version: u32) {
        self.state.lock().location_version = version;
    }

    pub(crate) fn is_supervised(&self) -> bool {
        self.state.lock().supervisor.is_some()
    }

    pub(crate) fn is_dead(&self) -> bool {
        matches!(self.state.lock().life, Life::Dead(_))
    }

    pub(crate) fn epoch(&self) -> Option<GroupEpoch> {
        self.state.lock().group
    }

    pub(crate) fn incarnation(&self) -> u32 {
        self.state.lock().incarnation
    }
}

/// What can be done to an actor without knowing its type.
pub(crate) trait AnyCell: Send + Sync {
    fn id(&self) -> ActorId;
    fn actor_type(&self) -> TypeId;
    fn info(&self) -> ActorInfo;
    /// In order with the messages.
    fn stop(&self, reason: ExitReason);
    /// Ahead of everything, dropping a pending handler.
    fn end_now(&self, reason: ExitReason);
    /// `Err` gives back the watcher when the actor is dead.
    fn watch(&self, watcher: Watcher) -> Result<(), (Watcher, Down)>;
    fn unwatch(&self, monitor: MonitorRef);
    fn unwatch_node(&self, node: SystemId);
    fn group(&self) -> Option<GroupEpoch>;
    fn set_group(&self, group: Option<GroupEpoch>);
    fn set_name(&self, name: Option<String>) -> bool;
    fn location(&self) -> Location;
    fn relocate(&self, location: Location, route: Arc<dyn Route>) -> bool;
    /// A proxy hears of the end of its actor, or of the connection to it.
    fn remote_down(&self, down: Down);
    fn add_link(&self);
    fn drop_link(&self);
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn system_of(&self) -> &System;
}

impl<A: Actor> AnyCell for ActorCell<A> {
    fn id(&self) -> ActorId {
        self.id
    }

    fn actor_type(&self) -> TypeId {
        TypeId::of::<A>()
    }

    fn info(&self) -> ActorInfo {
        let state = self.state.lock();
        let (status, system) = match &state.life {
            Life::Running => (Status::Running, self.system.id()),
            Life::Suspended { .. } => (Status::Suspended, self.system.id()),
            Life::Proxy { node, .. } => (Status::Remote, *node),
            Life::Dead(reason) => (Status::Dead(reason.clone()), self.system.id()),
        };
        ActorInfo {
            id: self.id,
            type_name: std::any::type_name::<A>(),
            name: state.name.clone(),
            system,
            status,
            mailbox_len: state.queue.len() + state.ahead.len() + state.urgent.len(),
            incarnation: state.incarnation,
            handled: state.handled,
            last_error: state.last_error.clone(),
        }
    }

    fn stop(&self, reason: ExitReason) {
        let state = self.state.lock();
        match &state.life {
            Life::Running => self.enqueue(state, Queued::Stop(reason)),
            Life::Proxy { route, .. } => {
                let route = route.clone();
                drop(state);
                let _ = route.forward(self.id, Parcel::Stop(reason));
            }
            Life::Suspended { .. } | Life::Dead(_) => {}
        }
    }

    fn end_now(&self, reason: ExitReason) {
        let mut state = self.state.lock();
        match &state.life {
            Life::Running => {
                state.ends.push_back(reason);
                wake(state);
            }
            Life::Proxy { route, .. } => {
                let route = route.clone();
                drop(state);
                let _ = route.forward(self.id, Parcel::End(reason));
            }
            Life::Suspended { .. } | Life::Dead(_) => {}
        }
    }

    fn watch(&self, watcher: Watcher) -> Result<(), (Watcher, Down)> {
        let mut state = self.state.lock();
        let gone = |incarnation, reason| Down { actor: self.id, incarnation, reason };
        match &state.life {
            Life::Running | Life::Suspended { .. } => {
                if let Watcher::Node(node) = watcher {
                    state.watchers.retain(|w| !matches!(w, Watcher::Node(n) if *n == node));
                }
                state.watchers.push(watcher);
                Ok(())
            }
            Life::Proxy { route, .. } => {
                let route = route.clone();
                state.watchers.push(watcher);
                drop(state);
                if route.forward(self.id, Parcel::Monitor).is_err() {
                    self.remote_down(gone(0, ExitReason::NoConnection));
                }
                Ok(())
            }
            Life::Dead(_) => Err((watcher, gone(state.incarnation, ExitReason::NoProc))),
        }
    }

    fn unwatch(&self, monitor: MonitorRef) {
        self.state.lock().watchers.retain(|w| !matches!(w, Watcher::Local(m, _) if *m == monitor));
    }

    fn unwatch_node(&self, node: SystemId) {
        self.state.lock().watchers.retain(|w| !matches!(w, Watcher::Node(n) if *n == node));
    }

    fn group(&self) -> Option<GroupEpoch> {
        self.epoch()
    }

    fn set_group(&self, group: Option<GroupEpoch>) {
        let mut state = self.state.lock();
        state.group = group;
        let ahead = std::mem::take(&mut state.ahead);
        prepend(&mut state.queue, ahead);
        wake(state);
    }

    fn set_name(&self, name: Option<String>) -> bool {
        let mut state = self.state.lock();
        if name.is_some() && matches!(state.life, Life::Dead(_)) {
            return false;
        }
        state.name = name;
        true
    }

    fn location(&self) -> Location {
        let state = self.state.lock();
        let node = match &state.life {
            Life::Proxy { node, .. } => *node,
            _ => self.system.id(),
        };
        Location { node, version: state.location_version }
    }

    fn relocate(&self, location: Location, route: Arc<dyn Route>) -> bool {
        let mut state = self.state.lock();
        if !matches!(state.life, Life::Proxy { .. }) || location.version <= state.location_version {
            return false;
        }
        state.life = Life::Proxy { route, node: location.node };
        state.location_version = location.version;
        true
    }

    fn remote_down(&self, down: Down) {
        let mut state = self.state.lock();
        if !matches!(state.life, Life::Proxy { .. }) {
            return;
        }
        state.last_error = Some(down.reason.clone());
        let watchers = std::mem::take(&mut state.watchers);
        drop(state);
        self.tell(watchers, down.incarnation, &down.reason);
    }

    fn add_link(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    fn drop_link(&self) {
        if self.links.fetch_sub(1, Ordering::AcqRel) > 1 || self.system.is_pinned(self.id) {
            return;
        }
        let state = self.state.lock();
        if matches!(state.life, Life::Running) && state.supervisor.is_none() {
            self.enqueue(state, Queued::Stop(ExitReason::Normal));
        }
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn system_of(&self) -> &System {
        &self.system
    }
}

impl<A: Actor> Drop for ActorCell<A> {
    fn drop(&mut self) {
        self.system.forget(self.id);
    }
}

/// A panic in the drop of a user's value stays here.
pub(crate) fn drop_guarded<T>(value: T) {
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(value)));
    if let Err(payload) = caught {
        drop_payload(payload);
    }
}

/// Panic payloads may panic when dropped, and so may that panic's payload: those are leaked.
pub(crate) fn drop_payload(payload: Box<dyn Any + Send>) {
    if let Err(nested) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(nested);
    }
}

fn wake<A: Actor>(mut state: MutexGuard<'_, State<A>>) {
    let waker = state.waker.take();
    drop(state);
    if let Some(waker) = waker {
        waker.wake();
    }
}

fn register<A: Actor>(state: &mut State<A>, task: &TaskContext<'_>) {
    if !state.waker.as_ref().is_some_and(|w| w.will_wake(task.waker())) {
        state.waker = Some(task.waker().clone());
    }
}

fn prepend<T>(queue: &mut VecDeque<T>, front: VecDeque<T>) {
    for item in front.into_iter().rev() {
        queue.push_front(item);
    }
}
