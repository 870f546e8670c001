//! Everything that can stand in a mailbox.

use std::any::{Any, type_name};

use crate::{
    Actor, CallError, DeadLetterCause, Down, ExitReason, GroupEpoch, Handler, Message, MonitorRef,
    ReplyTo,
    cell::UNLINKED,
    node::Payload,
    run::{Step, Turn},
};

/// A message.
pub(crate) struct Tell<M>(pub(crate) M);

impl<A: Handler<M>, M: Message> Payload<A> for Tell<M> {
    const MESSAGE: bool = true;

    #[inline]
    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        if A::DEFERRED {
            return Ask(self.0, ReplyTo::to_function(drop)).run(turn);
        }
        turn.handle(move |actor, cx| actor.handle(self.0, cx))
    }

    fn refuse(self, _error: CallError) {}

    fn message(&self) -> Option<&dyn Any> {
        Some(&self.0)
    }

    fn name() -> &'static str {
        type_name::<M>()
    }
}

/// A question.
pub(crate) struct Ask<M: Message>(pub(crate) M, pub(crate) ReplyTo<M::Reply>);

impl<A: Handler<M>, M: Message> Payload<A> for Ask<M> {
    const MESSAGE: bool = true;

    #[inline]
    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        if self.1.is_late(|| turn.cell().system().host().clock.now()) {
            turn.cell().publish(type_name::<M>(), DeadLetterCause::Late, None);
            return Step::Next;
        }
        turn.handle(move |actor, cx| actor.handle_call(self.0, self.1, cx))
    }

    fn refuse(self, error: CallError) {
        self.1.finish(Err(error));
        drop(self.0);
    }

    fn message(&self) -> Option<&dyn Any> {
        Some(&self.0)
    }

    fn name() -> &'static str {
        type_name::<M>()
    }
}

/// A message or a question with what it was sent from: by a member of a group, within a trace.
pub(crate) struct Tagged<M: Message> {
    pub(crate) message: M,
    pub(crate) reply: Option<ReplyTo<M::Reply>>,
    pub(crate) origin: Origin,
}

/// Where a message comes from.
#[derive(Clone, Debug, Default)]
pub(crate) struct Origin {
    pub(crate) epoch: Option<GroupEpoch>,
    /// As the sender's [`Propagator`](crate::Propagator) has put it.
    pub(crate) trace: Option<Vec<u8>>,
}

impl From<Option<GroupEpoch>> for Origin {
    fn from(epoch: Option<GroupEpoch>) -> Self {
        Self { epoch, trace: None }
    }
}

impl Origin {
    pub(crate) const fn is_usual(&self) -> bool {
        self.epoch.is_none() && self.trace.is_none()
    }
}

impl<A: Handler<M>, M: Message> Payload<A> for Tagged<M> {
    const MESSAGE: bool = true;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        if let Some(epoch) = self.origin.epoch {
            turn.set_message_epoch(epoch);
        }
        if let Some(trace) = &self.origin.trace {
            turn.cell().system().continue_trace(trace);
        }
        match self.reply {
            Some(reply) => Ask(self.message, reply).run(turn),
            None => Tell(self.message).run(turn),
        }
    }

    fn refuse(self, error: CallError) {
        if let Some(reply) = self.reply {
            reply.finish(Err(error));
        }
        drop(self.message);
    }

    fn message(&self) -> Option<&dyn Any> {
        Some(&self.message)
    }

    fn epoch(&self) -> Option<GroupEpoch> {
        self.origin.epoch
    }

    fn name() -> &'static str {
        type_name::<M>()
    }
}

/// A function that runs in the actor, with its state.
pub(crate) struct Exec<F, R: Send + 'static> {
    pub(crate) function: F,
    pub(crate) reply: ReplyTo<R>,
    pub(crate) epoch: Option<GroupEpoch>,
}

impl<A, F, R> Payload<A> for Exec<F, R>
where
    A: Actor,
    F: FnOnce(&mut A) -> R + Send + 'static,
    R: Send + 'static,
{
    const MESSAGE: bool = true;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        let Self { function, reply, .. } = self;
        let result = function(turn.actor());
        reply.answer(result);
        Step::Next
    }

    fn refuse(self, error: CallError) {
        self.reply.finish(Err(error));
        drop(self.function);
    }

    fn epoch(&self) -> Option<GroupEpoch> {
        self.epoch
    }

    fn name() -> &'static str {
        type_name::<F>()
    }
}

/// Asks the actor to stop, in order with the messages.
pub(crate) struct StopSignal(pub(crate) ExitReason);

impl<A: Actor> Payload<A> for StopSignal {
    const MESSAGE: bool = false;

    fn run(self, _turn: &mut Turn<'_, A>) -> Step {
        Step::end(self.0)
    }

    fn refuse(self, _error: CallError) {}

    fn name() -> &'static str {
        "stop"
    }
}

/// The last link was dropped. There may be new ones since; and what was sent meanwhile is handled first.
pub(crate) struct AutoStop;

impl<A: Actor> Payload<A> for AutoStop {
    const MESSAGE: bool = false;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        let cell = turn.cell();
        // First, so that a link that is dropped from now on says so again.
        cell.flag(UNLINKED, false);
        if !cell.is_unreachable() {
            return Step::Next;
        }
        if turn.has_more() {
            turn.cell().stop_unlinked();
            return Step::Next;
        }
        Step::end(ExitReason::Normal)
    }

    fn refuse(self, _error: CallError) {}

    fn name() -> &'static str {
        "the last link was dropped"
    }
}

/// The end of something monitored.
pub(crate) struct DownSignal {
    pub(crate) monitor: MonitorRef,
    pub(crate) down: Down,
}

impl<A: Actor> Payload<A> for DownSignal {
    const MESSAGE: bool = false;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        let Some(action) = turn.take_monitor(self.monitor) else { return Step::Next };
        let down = self.down;
        turn.handle(move |actor, cx| async move {
            match action {
                Some(action) => action(actor, down, cx),
                None => actor.on_down(down, cx).await,
            }
        })
    }

    fn refuse(self, _error: CallError) {}

    fn name() -> &'static str {
        "on_down"
    }
}

/// Nothing: it only makes the actor run.
pub(crate) struct Nudge;

impl<A: Actor> Payload<A> for Nudge {
    const MESSAGE: bool = false;

    #[inline]
    fn run(self, _turn: &mut Turn<'_, A>) -> Step {
        Step::Next
    }

    fn refuse(self, _error: CallError) {}

    fn name() -> &'static str {
        "nothing"
    }
}
