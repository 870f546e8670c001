//! What can be done to an actor without knowing its type.

use std::{
    any::{Any, TypeId},
    sync::{Arc, Weak, atomic::Ordering},
    task::Waker,
};

use crate::{
    Actor, ActorId, ActorInfo, CallError, Down, Exit, ExitReason, GroupEpoch, MonitorRef, Status,
    System, SystemId,
    cell::{ActorCell, BOUNDED, COUNT, GROUPED, KNOWN, Life, OVERTAKEN, UNLINKED},
    ext::Elsewhere,
    here,
    host::Time,
    monitor::Watcher,
    node::Letter,
    pace::Pace,
    payload::{AutoStop, StopSignal},
    remote::{Location, Parcel, Route},
    run::Outcome,
    timers::Action,
};

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
    /// The other side of a connection.
    fn attach(&self, id: ActorId, peer: Weak<dyn AnyCell>) -> Result<(), CallError>;
    fn detach(&self, id: ActorId);
    /// A connected actor has ended.
    fn exit(&self, exit: Exit);
    fn unwatch_node(&self, node: SystemId);
    fn supervisor(&self) -> Option<Arc<dyn AnyCell>>;
    fn set_supervisor_link(&self, supervisor: Weak<dyn AnyCell>);
    fn group(&self) -> Option<GroupEpoch>;
    fn set_group(&self, group: Option<GroupEpoch>);
    /// False if it is dead.
    fn add_name(&self, name: &str) -> bool;
    fn remove_name(&self, name: &str);
    fn location(&self) -> Location;
    fn relocate(&self, location: Location, route: Arc<dyn Route>) -> bool;
    /// A proxy hears of the end of its actor, or of the connection to it.
    fn remote_down(&self, down: Down);
    fn add_link(&self);
    fn drop_link(&self);
    /// Other nodes know of it from now on.
    fn set_known(&self);
    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync>;
    fn system_of(&self) -> &System;
    /// Whether the waker wakes this cell and nothing else.
    fn is_own_waker(&self, waker: &Waker) -> bool;
    /// The running handler waits for something until then at most.
    fn wake_at(&self, deadline: Time, waker: &Waker);
    /// Runs a turn of the actor.
    ///
    /// # Safety
    /// The caller has the right to run it. After [`Outcome::Idle`] and [`Outcome::Wait`] it is no
    /// longer the caller's, and the cell may be gone.
    unsafe fn run(&self, waker: Option<&Waker>, pace: &Pace) -> Outcome;
}

impl<A: Actor> AnyCell for ActorCell<A> {
    fn id(&self) -> ActorId {
        self.identity()
    }

    fn actor_type(&self) -> TypeId {
        TypeId::of::<A>()
    }

    fn info(&self) -> ActorInfo {
        let info = ActorInfo {
            id: self.id(),
            type_name: std::any::type_name::<A>(),
            name: None,
            system: self.system().id(),
            status: Status::Running,
            mailbox_len: 0,
            incarnation: 1,
            handled: self.handled(None),
            last_error: None,
        };
        let Some(ext) = self.known_ext().or_else(|| {
            // One that is busy gets an extension, to say there how much it has to do.
            (self.life() == Life::Running && !self.mailbox.is_idle()).then(|| self.ext())
        }) else {
            let is_dead = self.life() == Life::Dead;
            let status = if is_dead { Status::Dead(ExitReason::Normal) } else { Status::Running };
            return ActorInfo { status, ..info };
        };
        let rare = ext.lock();
        let reason = || rare.last_error.clone().unwrap_or(ExitReason::Normal);
        let (status, queued) = match self.life() {
            Life::Running if self.mailbox.is_idle() => (Status::Running, 0),
            Life::Running if self.has(BOUNDED) => (Status::Running, ext.bound().len()),
            Life::Running => {
                self.flag(COUNT, true);
                (Status::Running, rare.depth)
            }
            // SAFETY: the right to consume is with nobody, and nobody takes it without this lock.
            Life::Suspended => (Status::Suspended, unsafe {
                self.mailbox.count(&self.mailbox.enter(), usize::MAX)
            }),
            Life::Proxy => (Status::Remote, 0),
            Life::Dead => (Status::Dead(reason()), 0),
        };
        ActorInfo {
            name: rare.names.first().cloned(),
            system: rare.elsewhere.as_ref().map_or(info.system, |elsewhere| elsewhere.node),
            status,
            mailbox_len: queued + rare.held(),
            incarnation: rare.incarnation,
            handled: self.handled(Some(&rare)),
            last_error: rare.last_error.clone(),
            ..info
        }
    }

    fn supervisor(&self) -> Option<Arc<dyn AnyCell>> {
        let supervisor = self.known_ext()?.lock().supervisor_link.clone();
        supervisor?.upgrade()
    }

    fn set_supervisor_link(&self, supervisor: Weak<dyn AnyCell>) {
        self.ext().lock().supervisor_link = Some(supervisor);
    }

    fn stop(&self, reason: ExitReason) {
        match self.life() {
            Life::Running => self.enqueue(Letter::new(StopSignal(reason))),
            Life::Proxy => self.forward(Parcel::Stop(reason)),
            Life::Suspended | Life::Dead => {}
        }
    }

    fn end_now(&self, reason: ExitReason) {
        match self.life() {
            Life::Running => {
                let mut rare = self.ext().lock();
                if self.life() != Life::Running {
                    return;
                }
                rare.ends.push_back(reason);
                self.flag(OVERTAKEN, true);
                drop(rare);
                self.nudge();
            }
            Life::Proxy => self.forward(Parcel::End(reason)),
            Life::Suspended | Life::Dead => {}
        }
    }

    fn watch(&self, watcher: Watcher) -> Result<(), (Watcher, Down)> {
        let gone = |incarnation, reason| Down { actor: self.id(), incarnation, reason };
        if self.life() == Life::Dead && self.known_ext().is_none() {
            return Err((watcher, gone(1, ExitReason::NoProc)));
        }
        let mut rare = self.ext().lock();
        match self.settled_life() {
            Life::Running | Life::Suspended => {
                if let Watcher::Node(node) = watcher {
                    rare.watchers.retain(|w| !matches!(w, Watcher::Node(n) if *n == node));
                }
                rare.watchers.push(watcher);
                Ok(())
            }
            Life::Proxy => {
                let route = rare.elsewhere.as_ref().map(|elsewhere| elsewhere.route.clone());
                rare.watchers.push(watcher);
                drop(rare);
                if route.is_none_or(|route| route.forward(self.id(), Parcel::Monitor).is_err()) {
                    self.remote_down(gone(0, ExitReason::NoConnection));
                }
                Ok(())
            }
            Life::Dead => Err((watcher, gone(rare.incarnation, ExitReason::NoProc))),
        }
    }

    fn unwatch(&self, monitor: MonitorRef) {
        if let Some(ext) = self.known_ext() {
            let mut rare = ext.lock();
            rare.watchers.retain(|w| !matches!(w, Watcher::Local(m, _) if *m == monitor));
        }
    }

    fn attach(&self, id: ActorId, peer: Weak<dyn AnyCell>) -> Result<(), CallError> {
        self.add_peer(id, peer)
    }

    fn detach(&self, id: ActorId) {
        self.remove_peer(id);
    }

    fn exit(&self, exit: Exit) {
        self.push_exit(exit);
    }

    fn unwatch_node(&self, node: SystemId) {
        if let Some(ext) = self.known_ext() {
            let mut rare = ext.lock();
            rare.watchers.retain(|w| !matches!(w, Watcher::Node(n) if *n == node));
        }
    }

    fn group(&self) -> Option<GroupEpoch> {
        self.epoch()
    }

    fn set_group(&self, group: Option<GroupEpoch>) {
        let mut rare = self.ext().lock();
        rare.group = group;
        rare.catch_up();
        self.flag(GROUPED, group.is_some());
        let overtakes = rare.overtakes();
        if overtakes {
            self.flag(OVERTAKEN, true);
        }
        drop(rare);
        here::regroup(self, group.is_some());
        if overtakes && matches!(self.life(), Life::Running | Life::Suspended) {
            self.nudge();
        }
    }

    fn add_name(&self, name: &str) -> bool {
        let mut rare = self.ext().lock();
        if self.settled_life() == Life::Dead {
            return false;
        }
        rare.names.push(name.into());
        true
    }

    fn remove_name(&self, name: &str) {
        if let Some(ext) = self.known_ext() {
            ext.lock().names.retain(|own| own != name);
        }
    }

    fn location(&self) -> Location {
        let here = self.system().id();
        let Some(ext) = self.known_ext() else { return Location { node: here, version: 0 } };
        let rare = ext.lock();
        let node = rare.elsewhere.as_ref().map_or(here, |elsewhere| elsewhere.node);
        Location { node, version: rare.location_version }
    }

    fn relocate(&self, location: Location, route: Arc<dyn Route>) -> bool {
        let mut rare = self.ext().lock();
        if self.life() != Life::Proxy || location.version <= rare.location_version {
            return false;
        }
        rare.elsewhere = Some(Elsewhere { route, node: location.node });
        rare.location_version = location.version;
        true
    }

    fn remote_down(&self, down: Down) {
        let mut rare = self.ext().lock();
        if self.life() != Life::Proxy {
            return;
        }
        rare.last_error = Some(down.reason.clone());
        let watchers = std::mem::take(&mut rare.watchers);
        drop(rare);
        self.tell(watchers, down.incarnation, &down.reason);
    }

    fn add_link(&self) {
        self.links.fetch_add(1, Ordering::Relaxed);
    }

    fn drop_link(&self) {
        if self.links.fetch_sub(1, Ordering::AcqRel) == 1 && self.life() == Life::Running {
            self.stop_unlinked();
        }
    }

    fn set_known(&self) {
        self.flag(KNOWN, true);
    }

    fn into_any(self: Arc<Self>) -> Arc<dyn Any + Send + Sync> {
        self
    }

    fn system_of(&self) -> &System {
        self.system()
    }

    fn is_own_waker(&self, waker: &Waker) -> bool {
        std::ptr::eq(waker.data(), (&raw const *self).cast())
    }

    fn wake_at(&self, deadline: Time, waker: &Waker) {
        let ext = self.ext();
        // One timer at a time: an earlier one finds the deadline that is still to come.
        if ext.alarm(deadline) {
            let (cell, waker) = (Arc::downgrade(&self.to_arc()), waker.clone());
            let wake = move || {
                if let Some(cell) = cell.upgrade() {
                    cell.ext().alarm_fired();
                    waker.wake_by_ref();
                }
                None
            };
            self.system().timers().set_at(deadline, Action(Box::new(wake)));
        }
    }

    #[inline]
    unsafe fn run(&self, waker: Option<&Waker>, pace: &Pace) -> Outcome {
        // SAFETY: as the caller says.
        here::activation(self, self.has(GROUPED), || unsafe { self.activate(waker, pace) })
    }
}

impl<A: Actor> ActorCell<A> {
    fn forward(&self, parcel: Parcel) {
        let route = self.ext().lock().elsewhere.as_ref().map(|elsewhere| elsewhere.route.clone());
        if let Some(route) = route {
            let _ = route.forward(self.id(), parcel);
        }
    }

    /// Sees to it that the actor stops after what it has, unless there is a link again.
    pub(crate) fn stop_unlinked(&self) {
        if self.raise(UNLINKED) {
            self.enqueue(Letter::new(AutoStop));
        }
    }

    /// Nobody can reach it any more.
    pub(crate) fn is_unreachable(&self) -> bool {
        self.links.load(Ordering::Acquire) == 0
            && !self.is_supervised()
            && !(self.has(KNOWN) && self.system().is_pinned(self.id()))
    }
}
