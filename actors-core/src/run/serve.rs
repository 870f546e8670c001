//! Message after message, until there is none, or others have their turn.

use std::ptr::NonNull;

use super::{Outcome, Step, Turn};
use crate::{
    Actor, CallError, DeadLetterCause, ExitReason,
    cell::{AFTER, BOUNDED, COUNT, EPOCH, GROUPED, KEEPS, OVERTAKEN, STOPPED},
    group::{Admission, admit},
    mailbox::Leave,
    node::{Letter, Node},
    pace::Pace,
};

/// Rounds that a consumer waits for a sender between its two steps.
const SPINS: usize = 64;
/// How far a mailbox is counted for [`crate::ActorInfo`].
const MOST_COUNTED: usize = 1 << 20;

impl<A: Actor> Turn<'_, A> {
    #[inline]
    pub(super) fn serve(&mut self, pace: &Pace) -> Step {
        let cell = self.cell;
        loop {
            if cell.has_notes()
                && let Some(reason) = self.read_notes()
            {
                return Step::end(reason);
            }
            if pace.is_spent() {
                return self.come_again();
            }
            let flags = cell.flags();
            if flags & (OVERTAKEN | COUNT) != 0 {
                match self.look_up(flags, pace) {
                    Some(Step::Next) => continue,
                    Some(step) => return step,
                    None => {}
                }
            }
            // SAFETY: the right to consume is ours.
            let Some(node) = (unsafe { cell.mailbox.next(&mut self.cursor) }) else {
                match self.run_dry() {
                    Some(outcome) => return Step::Leave(outcome),
                    None => continue,
                }
            };
            // SAFETY: the node is the consumer's.
            let ops = unsafe { node.as_ref() }.ops();
            pace.spend(&ops.what);
            if ops.what.message {
                if flags & BOUNDED != 0 {
                    cell.ext().bound().leave();
                }
                if flags & GROUPED != 0 && !self.admits(node) {
                    continue;
                }
                if flags & KEEPS != 0 {
                    // SAFETY: the right to run is ours, no handler borrows the state, and the node has
                    // its payload.
                    unsafe { cell.keep(Node::message(node), Node::epoch(node), 1) };
                }
                cell.count_handled();
            }
            self.during = &ops.what;
            // SAFETY: its payload is there.
            match self.within_span(|turn| unsafe { Node::run(node, turn) }) {
                Step::Next => {}
                step => return step,
            }
        }
    }

    /// The mailbox has no more: `None` if it has after all.
    #[inline]
    fn run_dry(&mut self) -> Option<Outcome> {
        self.count();
        self.let_in();
        if self.cell.has(KEEPS) {
            self.cell.forget_kept();
            // SAFETY: the right to run is ours, and no handler borrows the state.
            unsafe { self.cell.observe_idle() };
        }
        for _ in 0..SPINS {
            // SAFETY: the right to consume is ours, and after `Idle` nothing is touched any more.
            match unsafe { self.cell.mailbox.leave(&self.cursor) } {
                Leave::Idle => return Some(Outcome::Idle),
                // SAFETY: the right to consume is ours.
                Leave::Busy if unsafe { self.cell.mailbox.has_next(&self.cursor) } => return None,
                Leave::Busy => std::hint::spin_loop(),
            }
        }
        // SAFETY: as above.
        unsafe { self.cell.mailbox.pause(&self.cursor) };
        Some(Outcome::Again)
    }

    fn come_again(&mut self) -> Step {
        self.count();
        self.let_in();
        // SAFETY: the right to consume is ours, and passed on with the outcome.
        unsafe { self.cell.mailbox.pause(&self.cursor) };
        Step::Leave(Outcome::Again)
    }

    /// Whoever waits for room in the mailbox may look again.
    #[inline]
    pub(super) fn let_in(&self) {
        if self.cell.has(BOUNDED) {
            self.cell.ext().bound().admit();
        }
    }

    /// What the handler before has left to do. `Some`: the actor has stopped itself.
    #[cold]
    fn read_notes(&mut self) -> Option<ExitReason> {
        let notes = self.cell.take_notes();
        let ext = self.cell.ext();
        if notes & EPOCH != 0 {
            ext.lock().life.message_epoch = None;
        }
        if notes & AFTER != 0 {
            self.handled = true;
            let after = std::mem::take(&mut ext.lock().life.after);
            for f in after {
                f(self.actor());
            }
            self.handled = false;
        }
        if notes & STOPPED != 0 { ext.lock().life.stop.take() } else { None }
    }

    /// What goes before the mailbox, if anything does.
    #[cold]
    fn look_up(&mut self, flags: u8, pace: &Pace) -> Option<Step> {
        let mut rare = self.cell.ext().lock();
        if flags & COUNT != 0 {
            self.cell.flag(COUNT, false);
            // SAFETY: the right to consume is ours.
            rare.depth = unsafe { self.cell.mailbox.count(&self.cursor, MOST_COUNTED) };
        }
        if let Some(reason) = rare.ends.pop_front() {
            self.cell.flag(OVERTAKEN, rare.overtakes());
            return Some(Step::end(reason));
        }
        let urgent = rare.urgent.pop_front();
        let is_urgent = urgent.is_some();
        let mut deliveries = 1;
        let letter = urgent.or_else(|| match rare.again.take() {
            Some(again) => {
                deliveries += again.deliveries;
                Some(again.letter)
            }
            None => rare.front.pop_front(),
        });
        self.cell.flag(OVERTAKEN, rare.overtakes());
        drop(rare);
        let letter = letter?;
        pace.spend(&letter.ops().what);
        if !is_urgent {
            let epoch = letter.epoch();
            match admit(self.cell.epoch(), epoch) {
                Admission::Handle => {}
                Admission::Ahead => {
                    self.cell.ext().lock().ahead.push_back(letter);
                    return Some(Step::Next);
                }
                Admission::Fenced => {
                    self.cell.bury(letter, DeadLetterCause::Fenced, CallError::Fenced);
                    return Some(Step::Next);
                }
            }
        }
        if letter.ops().what.message {
            if flags & KEEPS != 0 {
                // SAFETY: the right to run is ours, and no handler borrows the state.
                unsafe { self.cell.keep(letter.message(), letter.epoch(), deliveries) };
            }
            self.cell.count_handled();
        }
        self.during = &letter.ops().what;
        Some(self.within_span(|turn| letter.run(turn)))
    }

    /// Whether the member of a group handles the message; if not, it was put away.
    #[cold]
    fn admits(&self, node: NonNull<Node<A>>) -> bool {
        // SAFETY: the node is the consumer's and has its payload.
        let epoch = unsafe { Node::epoch(node) };
        match admit(self.cell.epoch(), epoch) {
            Admission::Handle => return true,
            Admission::Ahead => {
                // SAFETY: as above; it is taken here only.
                let letter: Letter<A> = unsafe { Node::detach(node) };
                self.cell.ext().lock().ahead.push_back(letter);
            }
            Admission::Fenced => {
                // SAFETY: as above; it is taken here only.
                unsafe { self.cell.bury_node(node, DeadLetterCause::Fenced, CallError::Fenced) };
            }
        }
        false
    }
}
