//! What this thread is doing: whose activation it runs, on which worker.

use std::{
    cell::{Cell, RefCell},
    ptr::NonNull,
    task::Waker,
};

use crate::{
    ActorId, CallError, ExitReason, GroupEpoch, System, SystemId,
    cell::AnyCell,
    clocks,
    host::{Clock, Time},
    scheduler::Worker,
};

thread_local! {
    static HERE: Here = const {
        Here {
            cell: Cell::new(None),
            grouped: Cell::new(false),
            worker: Cell::new(None),
            gathering: Cell::new(false),
            orphaned: Cell::new(false),
            begun: Cell::new(false),
        }
    };
    static ORPHANS: RefCell<Vec<Orphan>> = const { RefCell::new(Vec::new()) };
}

struct Here {
    cell: Cell<Option<NonNull<dyn AnyCell>>>,
    /// The actor is in a group: what it sends carries its epoch.
    grouped: Cell<bool>,
    worker: Cell<Option<NonNull<Worker>>>,
    gathering: Cell<bool>,
    /// A panic has left questions: their reason comes with the crash, if it is one.
    orphaned: Cell<bool>,
    /// The actor that ends has begun its next life.
    begun: Cell<bool>,
}

/// A question whose `ReplyTo` went down with a handler.
type Orphan = Box<dyn FnOnce(CallError)>;

/// Runs an activation of `cell`.
#[inline]
pub(crate) fn activation<T>(cell: &dyn AnyCell, grouped: bool, run: impl FnOnce() -> T) -> T {
    struct Restore(Option<NonNull<dyn AnyCell>>, bool);
    impl Drop for Restore {
        #[inline]
        fn drop(&mut self) {
            let orphaned = HERE.with(|here| {
                here.cell.set(self.0);
                here.grouped.set(self.1);
                here.orphaned.get()
            });
            if orphaned {
                // By a panic that the user's own code has caught.
                answer_orphans(&CallError::NoReply);
            }
        }
    }
    // SAFETY: the lifetime is cut off here; `Restore` takes the pointer away before `cell` ends.
    let cell: NonNull<dyn AnyCell> = unsafe { std::mem::transmute(NonNull::from(cell)) };
    let _restore =
        HERE.with(|here| Restore(here.cell.replace(Some(cell)), here.grouped.replace(grouped)));
    run()
}

/// The system of the actor that runs on this thread.
pub(crate) fn system() -> Option<System> {
    with_cell(|cell| cell.system_of().clone())
}

/// The actor that runs on this thread.
pub(crate) fn actor() -> Option<ActorId> {
    with_cell(|cell| cell.id())
}

/// With the clock of the actor that runs on this thread; outside any, with that of `system`.
pub(crate) fn with_clock<T>(system: SystemId, f: impl FnOnce(&dyn Clock) -> T) -> T {
    match HERE.with(|here| here.cell.get()) {
        // SAFETY: as in `with_cell`.
        Some(cell) => f(&*unsafe { cell.as_ref() }.system_of().host().clock),
        None => f(&*clocks::of(system)),
    }
}

/// A worker of ours drives this thread, and an actor runs on it.
#[inline]
pub(crate) fn is_on_worker() -> bool {
    HERE.with(|here| here.cell.get().is_some() && here.worker.get().is_some())
}

/// The group epoch of the actor that runs on this thread.
#[inline]
pub(crate) fn epoch() -> Option<GroupEpoch> {
    if !HERE.with(|here| here.grouped.get()) {
        return None;
    }
    with_cell(|cell| cell.group()).flatten()
}

/// The running actor has changed its group.
pub(crate) fn regroup(cell: &dyn AnyCell, grouped: bool) {
    if with_cell(|own| own.id() == cell.id()) == Some(true) {
        HERE.with(|here| here.grouped.set(grouped));
    }
}

/// A life begins. True if it is the next one of the actor that runs, and just ends: it is launched when
/// that is done.
pub(crate) fn begins_own(cell: &dyn AnyCell) -> bool {
    let own = with_cell(|own| std::ptr::addr_eq(own, cell)) == Some(true);
    if own {
        HERE.with(|here| here.begun.set(true));
    }
    own
}

/// Whether the actor that ends has begun its next life.
pub(crate) fn take_begun() -> bool {
    HERE.with(|here| here.begun.take())
}

/// Sees to it that the running actor is woken at `deadline`, if `waker` is its own.
pub(crate) fn wake_own(waker: &Waker, deadline: impl FnOnce() -> Time) -> Option<Time> {
    with_cell(|cell| {
        cell.is_own_waker(waker).then(|| {
            let deadline = deadline();
            cell.wake_at(deadline, waker);
            deadline
        })
    })
    .flatten()
}

pub(crate) fn is_activation() -> bool {
    HERE.with(|here| here.cell.get().is_some())
}

fn with_cell<T>(f: impl FnOnce(&dyn AnyCell) -> T) -> Option<T> {
    let cell = HERE.with(|here| here.cell.get())?;
    // SAFETY: set for as long as the activation has the cell borrowed.
    Some(f(unsafe { cell.as_ref() }))
}

/// While `run` runs, this thread drives `worker`.
pub(crate) fn driving<T>(worker: &Worker, run: impl FnOnce() -> T) -> T {
    struct Restore(Option<NonNull<Worker>>);
    impl Drop for Restore {
        fn drop(&mut self) {
            HERE.with(|here| here.worker.set(self.0));
        }
    }
    let _restore = Restore(HERE.with(|here| here.worker.replace(Some(worker.into()))));
    run()
}

#[inline]
pub(crate) fn with_worker<T>(f: impl FnOnce(Option<&Worker>) -> T) -> T {
    let worker = HERE.with(|here| here.worker.get());
    // SAFETY: set for as long as `driving` has the worker borrowed.
    f(worker.map(|worker| unsafe { worker.as_ref() }))
}

/// Keeps a question whose `ReplyTo` is dropped by a crash, until its reason is known. False: there is
/// no crash.
pub(crate) fn keep_orphan(orphan: impl FnOnce() -> Orphan) -> bool {
    let crashing = std::thread::panicking() && is_activation();
    let keep = crashing || HERE.try_with(|here| here.gathering.get()).unwrap_or(false);
    keep && HERE.try_with(|here| here.orphaned.set(true)).is_ok()
        && ORPHANS.try_with(|orphans| orphans.borrow_mut().push(orphan())).is_ok()
}

/// Runs `f`, which drops what a handler held; the questions in it get `reason` for an answer, and so
/// do those that a panic before has left.
pub(crate) fn orphaning(reason: &ExitReason, f: impl FnOnce()) {
    let before = HERE.with(|here| here.gathering.replace(true));
    f();
    HERE.with(|here| here.gathering.set(before));
    answer_orphans(&CallError::Died(reason.clone()));
}

#[cold]
fn answer_orphans(error: &CallError) {
    HERE.with(|here| here.orphaned.set(false));
    while let Some(orphan) = ORPHANS.with(|orphans| orphans.borrow_mut().pop()) {
        orphan(error.clone());
    }
}
