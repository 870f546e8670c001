//! What is kept from before a message, in case that its actor does not get through it; and what a life
//! leaves in the mailbox.

use std::{
    any::{Any, TypeId},
    collections::{HashMap, VecDeque},
    panic::{AssertUnwindSafe, catch_unwind},
    ptr::NonNull,
    sync::Arc,
};

use parking_lot::Mutex;

use crate::{
    Actor, CallError, DeadLetterCause, ExitReason, GroupEpoch, Handler, Message,
    cell::{ActorCell, BOUNDED, KEEPS, OVERTAKEN},
    ext::drop_payload,
    mailbox::Cursor,
    node::{Letter, Node},
    observe::Watching,
    payload::{Tagged, Tell},
    supervision::Seat,
};

/// Only the consumer and the seat use it. Under its lock clones are made, which is the user's code; the
/// actor's other locks are free meanwhile.
pub(crate) struct Keeping<A: Actor> {
    redelivered: HashMap<TypeId, Redelivered<A>>,
    before: Option<Look<A>>,
    in_hand: Option<Kept<A>>,
    pub(crate) watching: Option<Watching<A>>,
}

/// Sees the state before each message.
type Look<A> = Box<dyn FnMut(&A) + Send>;

struct Redelivered<A: Actor> {
    copy: fn(&dyn Any, Option<GroupEpoch>) -> Option<Letter<A>>,
    times: u32,
}

/// A copy of the message in hand.
struct Kept<A: Actor> {
    letter: Letter<A>,
    deliveries: u32,
    times: u32,
}

/// A message that the last life did not get through.
pub(crate) struct Again<A: Actor> {
    pub(crate) letter: Letter<A>,
    /// So often it was delivered.
    pub(crate) deliveries: u32,
}

impl<A: Actor> Seat<A> {
    /// A message of type `M` whose handler was cut short, by a crash or a kill, is delivered once more, up
    /// to `times` times: it is the first that the next life handles. If that was in vain too it is a dead
    /// letter ([`DeadLetterCause::GivenUp`]) with the last reason. Each message of this type is cloned
    /// before it is handled; one whose clone panics is not delivered again.
    ///
    /// A question is answered with the first failure, and delivered again as a message that nobody waits
    /// for. Holds from the next message on.
    pub fn redeliver<M: Message + Clone>(&self, times: u32)
    where
        A: Handler<M>,
    {
        let copy = |message: &dyn Any, epoch| {
            let message = message.downcast_ref::<M>()?.clone();
            Some(match epoch {
                None => Letter::new(Tell(message)),
                Some(epoch) => {
                    Letter::new(Tagged { message, reply: None, origin: Some(epoch).into() })
                }
            })
        };
        let redelivered = Redelivered { copy, times };
        self.cell().keep_with(|keeping| {
            keeping.redelivered.insert(TypeId::of::<M>(), redelivered);
        });
    }

    /// Calls `look` with the state before each message, in the actor's own turn, from the next message on.
    /// It replaces what was set before; its panic stays there.
    pub fn before_each(&self, look: impl FnMut(&A) + Send + 'static) {
        self.cell().keep_with(|keeping| keeping.before = Some(Box::new(look)));
    }

    /// Whether the messages that a life leaves in the mailbox are there for the next one, which is the
    /// default, or become dead letters ([`DeadLetterCause::Flushed`]). Signals stay in either case, and so
    /// do messages of a newer run of the group.
    pub fn keep_queue(&self, keep: bool) {
        self.cell().ext().lock().flushes = !keep;
    }

    /// Takes back what [`redeliver`](Self::redeliver), [`before_each`](Self::before_each),
    /// [`observe`](Self::observe) and [`keep_queue`](Self::keep_queue) have set.
    pub fn keep_nothing(&self) {
        let keeping = {
            let mut rare = self.cell().ext().lock();
            rare.flushes = false;
            rare.keeping.clone()
        };
        if let Some(keeping) = keeping {
            let older = {
                let mut keeping = keeping.lock();
                keeping.redelivered.clear();
                (keeping.before.take(), keeping.watching.take())
            };
            drop(older);
        }
    }
}

impl<A: Actor> ActorCell<A> {
    pub(crate) fn keep_with(&self, set: impl FnOnce(&mut Keeping<A>)) {
        let keeping = self.ext().lock().keeping.get_or_insert_default().clone();
        set(&mut keeping.lock());
        self.flag(KEEPS, true);
    }

    /// Before a message is handled, or handled again.
    ///
    /// # Safety
    /// The caller has the right to run, and nothing borrows the state.
    #[cold]
    pub(crate) unsafe fn keep(
        &self,
        message: Option<&dyn Any>,
        epoch: Option<GroupEpoch>,
        deliveries: u32,
    ) {
        let Some(keeping) = self.ext().lock().keeping.clone() else { return };
        let mut keeping = keeping.lock();
        // SAFETY: as the caller says.
        let Some(actor) = (unsafe { self.state() }) else { return };
        let kept = catch_unwind(AssertUnwindSafe(|| {
            keeping.in_hand = None;
            if let Some(watching) = &mut keeping.watching {
                watching.look_before_message(actor);
            }
            if let Some(look) = &mut keeping.before {
                look(actor);
            }
            keeping.in_hand = keeping.copy(message?, epoch, deliveries);
            Some(())
        }));
        if let Err(payload) = kept {
            drop_payload(payload);
        }
    }

    /// The message in hand was not handled to its end.
    pub(crate) fn cut(&self, message: &'static str, reason: &ExitReason) {
        let kept = self.take_kept();
        let cause = match kept {
            None => DeadLetterCause::Crashed,
            Some(Kept { letter, deliveries, times }) if deliveries <= times => {
                self.ext().lock().again = Some(Again { letter, deliveries });
                return self.flag(OVERTAKEN, true);
            }
            Some(Kept { deliveries, .. }) => DeadLetterCause::GivenUp { deliveries },
        };
        self.publish(message, cause, Some(reason.clone()));
    }

    fn take_kept(&self) -> Option<Kept<A>> {
        if !self.has(KEEPS) {
            return None;
        }
        let keeping = self.ext().lock().keeping.clone()?;
        keeping.lock().in_hand.take()
    }

    /// There is nothing in hand.
    #[cold]
    pub(crate) fn forget_kept(&self) {
        let kept = self.take_kept();
        if let Err(payload) = catch_unwind(AssertUnwindSafe(|| drop(kept))) {
            drop_payload(payload);
        }
    }

    /// Makes dead letters of what is queued now; signals are for the next life.
    ///
    /// # Safety
    /// The caller has the right to consume, and `cursor` is where it is.
    pub(crate) unsafe fn flush(&self, cursor: &mut Cursor<Node<A>>, reason: &ExitReason) {
        let died = || CallError::Died(reason.clone());
        let mut signals = VecDeque::new();
        let (urgent, front) = {
            let mut rare = self.ext().lock();
            (std::mem::take(&mut rare.urgent), std::mem::take(&mut rare.front))
        };
        for letter in urgent.into_iter().chain(front) {
            if letter.ops().what.message {
                self.bury(letter, DeadLetterCause::Flushed, died());
            } else {
                signals.push_back(letter);
            }
        }
        // SAFETY: as the caller says.
        let queued = unsafe { self.mailbox.count(cursor, usize::MAX) };
        for _ in 0..queued {
            // SAFETY: as above.
            let Some(node) = (unsafe { self.mailbox.next(cursor) }) else { break };
            // SAFETY: the node is the consumer's and has its payload, which is taken once.
            unsafe { self.flush_node(node, died(), &mut signals) };
        }
        let mut rare = self.ext().lock();
        rare.front.append(&mut signals);
        self.flag(OVERTAKEN, rare.overtakes());
    }

    /// # Safety
    /// The node has its payload; from now on it has not.
    unsafe fn flush_node(
        &self,
        node: NonNull<Node<A>>,
        error: CallError,
        signals: &mut VecDeque<Letter<A>>,
    ) {
        // SAFETY: as the caller says.
        if !unsafe { node.as_ref() }.ops().what.message {
            // SAFETY: as the caller says.
            signals.push_back(unsafe { Node::detach(node) });
            return;
        }
        if self.has(BOUNDED) {
            self.ext().bound().leave();
        }
        // SAFETY: as the caller says.
        unsafe { self.bury_node(node, DeadLetterCause::Flushed, error) };
    }
}

impl<A: Actor> Keeping<A> {
    fn copy(
        &self,
        message: &dyn Any,
        epoch: Option<GroupEpoch>,
        deliveries: u32,
    ) -> Option<Kept<A>> {
        let Redelivered { copy, times } = self.redelivered.get(&message.type_id())?;
        let letter = copy(message, epoch)?;
        Some(Kept { letter, deliveries, times: *times })
    }
}

impl<A: Actor> Default for Keeping<A> {
    fn default() -> Self {
        Self { redelivered: HashMap::new(), before: None, in_hand: None, watching: None }
    }
}

/// As the extension has it.
pub(crate) type SharedKeeping<A> = Arc<Mutex<Keeping<A>>>;
