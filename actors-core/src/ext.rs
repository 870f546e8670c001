//! What few actors need and a cell has no room for: allocated with the first need of it.

use std::{
    any::Any,
    collections::{HashMap, VecDeque},
    sync::{
        Arc, Weak,
        atomic::{AtomicU64, Ordering},
    },
    task::Waker,
};

use parking_lot::{Mutex, MutexGuard};

use crate::{
    Actor, ActorId, Context, Down, ExitReason, GroupEpoch, MonitorRef, ReplyTo, StartError,
    SystemId,
    any_cell::AnyCell,
    bound::Bound,
    connection::Connections,
    host::Time,
    keep::{Again, SharedKeeping},
    monitor::{Watched, Watcher},
    node::Letter,
    remote::Route,
    run::{Step, Turn},
    supervision::OnExit,
    sync::OnceBox,
};

pub(crate) type DownAction<A> = Box<dyn FnOnce(&mut A, Down, &mut Context<A>) + Send>;
pub(crate) type AfterAction<A> = Box<dyn FnOnce(&mut A) + Send>;
/// Makes the state of the next incarnation, from the last one if there is one.
pub(crate) type MakeState<A> = Box<dyn FnOnce(&mut Turn<'_, A>, Option<A>) -> Step + Send>;

/// Nothing of the user's runs under its lock.
pub(crate) struct Ext<A: Actor> {
    id: ActorId,
    /// When a timer will wake the actor, in nanoseconds; zero if none will.
    alarm: AtomicU64,
    bound: OnceBox<Bound>,
    rare: Mutex<Rare<A>>,
}

pub(crate) struct Rare<A: Actor> {
    /// Starts so far.
    pub(crate) incarnation: u32,
    pub(crate) supervisor: Option<OnExit>,
    /// Who that is, if it is an actor here and has said so.
    pub(crate) supervisor_link: Option<Weak<dyn AnyCell>>,
    pub(crate) watchers: Vec<Watcher>,
    pub(crate) connections: Connections,
    /// In the registry, the oldest first.
    pub(crate) names: Vec<String>,
    pub(crate) last_error: Option<ExitReason>,
    pub(crate) location_version: u32,
    pub(crate) elsewhere: Option<Elsewhere>,
    pub(crate) group: Option<GroupEpoch>,
    /// Kills and shutdowns, before all else.
    pub(crate) ends: VecDeque<ExitReason>,
    /// Messages that go before the mailbox.
    pub(crate) urgent: VecDeque<Letter<A>>,
    /// What was held back and is now due, before the mailbox.
    pub(crate) front: VecDeque<Letter<A>>,
    /// Messages of a newer run of the group than ours: handled once we are restarted.
    pub(crate) ahead: VecDeque<Letter<A>>,
    /// Messages in the mailbox, when the actor was last asked.
    pub(crate) depth: usize,
    pub(crate) handled_wraps: u32,
    pub(crate) start: Option<Start<A>>,
    pub(crate) life: OfLife<A>,
    /// Where an activation is one task of the host: how to wake it.
    pub(crate) task: Option<Waker>,
    pub(crate) scheduled: bool,
    pub(crate) keeping: Option<SharedKeeping<A>>,
    /// What the last life did not get through, and the next one is to: before `front`.
    pub(crate) again: Option<Again<A>>,
    /// What a life leaves in the mailbox is not for the next one.
    pub(crate) flushes: bool,
}

/// How the next incarnation comes to its state, and who waits for it to be up.
pub(crate) struct Start<A: Actor> {
    pub(crate) make: Option<MakeState<A>>,
    pub(crate) started: ReplyTo<Result<u32, StartError>>,
}

/// What one incarnation leaves to its later turns; gone when it ends.
pub(crate) struct OfLife<A: Actor> {
    /// Why the incarnation ends, while its `term` waits.
    pub(crate) ending: Option<ExitReason>,
    /// It has stopped itself.
    pub(crate) stop: Option<ExitReason>,
    pub(crate) message_epoch: Option<GroupEpoch>,
    pub(crate) monitors: HashMap<MonitorRef, (Watched, Option<DownAction<A>>)>,
    pub(crate) after: Vec<AfterAction<A>>,
    /// Of the handler that waits.
    pub(crate) span: Option<tracing::Span>,
}

/// Where the actor of a proxy is.
pub(crate) struct Elsewhere {
    pub(crate) route: Arc<dyn Route>,
    pub(crate) node: SystemId,
}

impl<A: Actor> Ext<A> {
    pub(crate) fn new(id: ActorId, incarnation: u32) -> Self {
        let rare = Rare {
            incarnation,
            supervisor: None,
            supervisor_link: None,
            watchers: Vec::new(),
            connections: Connections::default(),
            names: Vec::new(),
            last_error: None,
            location_version: 0,
            elsewhere: None,
            group: None,
            ends: VecDeque::new(),
            urgent: VecDeque::new(),
            front: VecDeque::new(),
            ahead: VecDeque::new(),
            depth: 0,
            handled_wraps: 0,
            start: None,
            life: OfLife::default(),
            task: None,
            scheduled: false,
            keeping: None,
            again: None,
            flushes: false,
        };
        Self { id, alarm: AtomicU64::new(0), bound: OnceBox::new(), rare: Mutex::new(rare) }
    }

    pub(crate) const fn id(&self) -> ActorId {
        self.id
    }

    /// Of an actor whose mailbox is bounded.
    #[inline]
    pub(crate) fn bound(&self) -> &Bound {
        self.known_bound().expect("set before the flag that says so")
    }

    pub(crate) fn known_bound(&self) -> Option<&Bound> {
        self.bound.get()
    }

    pub(crate) fn set_bound(&self, bound: Bound) {
        let fresh = self.bound.set(Box::new(bound));
        debug_assert!(fresh.is_ok());
    }

    /// Whether a timer must be set so that the actor wakes at `deadline` or before. Its firing says so
    /// with [`alarm_fired`](Self::alarm_fired) before it wakes the actor.
    pub(crate) fn alarm(&self, deadline: Time) -> bool {
        let deadline = u64::try_from(deadline.since_start().as_nanos()).unwrap_or(u64::MAX).max(1);
        let set = self.alarm.load(Ordering::Acquire);
        let stands = set != 0 && set <= deadline;
        if !stands {
            self.alarm.store(deadline, Ordering::Release);
        }
        !stands
    }

    pub(crate) fn alarm_fired(&self) {
        self.alarm.store(0, Ordering::Release);
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, Rare<A>> {
        self.rare.lock()
    }
}

impl<A: Actor> Rare<A> {
    /// Whether there is anything that goes before the mailbox.
    pub(crate) fn overtakes(&self) -> bool {
        let none = self.ends.is_empty() && self.urgent.is_empty() && self.front.is_empty();
        !none || self.again.is_some()
    }

    /// What was held back is due.
    pub(crate) fn catch_up(&mut self) {
        self.front.append(&mut self.ahead);
    }

    /// Letters outside of the mailbox, in the order in which they would be handled.
    pub(crate) fn take_letters(&mut self) -> Vec<Letter<A>> {
        let all = self.urgent.drain(..).chain(self.front.drain(..)).chain(self.ahead.drain(..));
        all.collect()
    }

    pub(crate) fn held(&self) -> usize {
        let again = usize::from(self.again.is_some());
        self.urgent.len() + self.front.len() + self.ahead.len() + again
    }
}

impl<A: Actor> Default for OfLife<A> {
    fn default() -> Self {
        Self {
            ending: None,
            stop: None,
            message_epoch: None,
            monitors: HashMap::new(),
            after: Vec::new(),
            span: None,
        }
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

/// Drops of the user's values may panic: that stays here.
pub(crate) fn contained(f: impl FnOnce()) {
    if let Err(payload) = std::panic::catch_unwind(std::panic::AssertUnwindSafe(f)) {
        drop_payload(payload);
    }
}
