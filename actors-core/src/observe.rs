//! Observers: who sees an actor's state between its messages.

use std::{
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
};

use crate::{
    Actor, Context, System, WeakLink, cell::ActorCell, ext::drop_payload, keep::Keeping,
    supervision::Seat,
};

/// Sees the state of an actor between its messages, without code in its handlers. This is what automatic
/// checkpoints are made of.
///
/// It is called in the actor's own turn: what it takes is taken from the actor. A panic of it stays there.
pub trait Observer<A: Actor>: Send + 'static {
    /// It is the observer of this actor from now on.
    fn attached(&mut self, _actor: WeakLink<A>, _system: &System) {}

    /// The state as it is after `handled` messages, counted since the observer was attached, over all
    /// lives: before each message, and when the mailbox has become empty. Never while a handler waits.
    fn observe(&mut self, actor: &A, handled: u64);
}

/// An observer, and what it has seen.
pub(crate) struct Watching<A: Actor> {
    observer: Box<dyn Observer<A>>,
    handled: u64,
}

impl<A: Actor> Watching<A> {
    pub(crate) fn look(&mut self, actor: &A) {
        self.observer.observe(actor, self.handled);
    }

    /// The next message counts, whatever becomes of the look before it.
    pub(crate) fn look_before_message(&mut self, actor: &A) {
        let handled = self.handled;
        self.handled += 1;
        self.observer.observe(actor, handled);
    }
}

impl<A: Actor> Seat<A> {
    /// Has the actor observed, over all its lives, from the next message on. Another observer is replaced.
    pub fn observe(&self, observer: impl Observer<A>) {
        self.cell().observe(observer, self.link().downgrade());
    }
}

impl<A: Actor> Context<A> {
    /// Has this actor observed, from the next message on. Another observer is replaced.
    pub fn observe(&self, observer: impl Observer<A>) {
        let link = self.link();
        link.cell().observe(observer, link.downgrade());
    }
}

impl<A: Actor> ActorCell<A> {
    fn observe(&self, mut observer: impl Observer<A>, own: WeakLink<A>) {
        observer.attached(own, self.system());
        let watching = Watching { observer: Box::new(observer), handled: 0 };
        self.keep_with(|keeping| keeping.watching = Some(watching));
    }

    /// The mailbox is empty.
    ///
    /// # Safety
    /// The caller has the right to run, and nothing borrows the state.
    pub(crate) unsafe fn observe_idle(&self) {
        let Some(keeping) = self.ext().lock().keeping.clone() else { return };
        let Keeping { watching, .. } = &mut *keeping.lock();
        // SAFETY: as the caller says.
        if let (Some(watching), Some(actor)) = (watching, unsafe { self.state() })
            && let Err(payload) = catch_unwind(AssertUnwindSafe(|| watching.look(actor)))
        {
            drop_payload(payload);
        }
    }
}

impl<A: Actor> fmt::Debug for Watching<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Watching(after {} messages)", self.handled)
    }
}
