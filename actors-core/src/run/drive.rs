//! Turns where the host has no workers: in a simulation.

use std::{
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
};

use super::Outcome;
use crate::{
    Actor,
    cell::{ActorCell, AnyCell},
    ext::drop_guarded,
    pace::Pace,
};

/// One incarnation as a task of the host.
pub(crate) struct Drive<A: Actor> {
    cell: Arc<ActorCell<A>>,
    over: bool,
}

impl<A: Actor> Drive<A> {
    pub(crate) const fn new(cell: Arc<ActorCell<A>>) -> Self {
        Self { cell, over: false }
    }
}

impl<A: Actor> Future for Drive<A> {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, task: &mut Context<'_>) -> Poll<()> {
        let cell = &self.cell;
        let mut rare = cell.ext().lock();
        if !rare.task.as_ref().is_some_and(|waker| waker.will_wake(task.waker())) {
            rare.task = Some(task.waker().clone());
        }
        let scheduled = std::mem::take(&mut rare.scheduled);
        drop(rare);
        // Handlers that wait hold the waker of this task: it is the one that `control` waits for.
        if !scheduled && !cell.control.wake() {
            return Poll::Pending;
        }
        // One node a poll, so that a seed may choose another order after each.
        // SAFETY: the right to run comes with `scheduled`, or from the handler that was woken.
        match unsafe { cell.run(Some(task.waker()), &Pace::of(1)) } {
            Outcome::Idle | Outcome::Wait => Poll::Pending,
            Outcome::Again => {
                cell.ext().lock().scheduled = true;
                task.waker().wake_by_ref();
                Poll::Pending
            }
            Outcome::Ended => {
                self.over = true;
                Poll::Ready(())
            }
        }
    }
}

impl<A: Actor> Drop for Drive<A> {
    /// The node was killed: the actor is gone and nobody hears of it.
    fn drop(&mut self) {
        if self.over {
            return;
        }
        // SAFETY: a task that is dropped is not being polled, and its cell is run by no other.
        let (frame, state) = unsafe { (self.cell.take_frame(), self.cell.state().take()) };
        let (life, start) = {
            let mut rare = self.cell.ext().lock();
            rare.task = None;
            (std::mem::take(&mut rare.life), rare.start.take())
        };
        drop_guarded(frame);
        drop_guarded(state);
        drop_guarded((life, start));
    }
}
