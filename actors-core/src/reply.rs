//! The answer to one question.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use self::slot::{Answerer, Asker};
use crate::{BoxFuture, CallError, here, host::Time};

#[cfg(all(test, actors_loom))]
mod model;
mod slot;

type Answer<R> = Result<R, CallError>;

/// The right to answer one question, once. When it is dropped unanswered, the asker gets an error
/// at once: [`CallError::Died`] if its actor crashed with it in hand, else [`CallError::NoReply`].
pub struct ReplyTo<R: Send + 'static>(Option<Sink<R>>);

enum Sink<R> {
    Slot(Answerer<R>),
    Function(Box<dyn Respond<R>>),
}

/// A way for an answer that is not a slot.
trait Respond<R>: Send {
    fn put(self: Box<Self>, answer: Answer<R>);
    /// After which nobody waits any more.
    fn deadline(&self) -> Option<Time> {
        None
    }
}

impl<R, F: FnOnce(Answer<R>) + Send> Respond<R> for F {
    fn put(self: Box<Self>, answer: Answer<R>) {
        self(answer);
    }
}

/// Somebody who waits until then.
struct Until<R: Send + 'static> {
    reply: ReplyTo<R>,
    deadline: Time,
}

impl<R: Send + 'static> Respond<R> for Until<R> {
    fn put(self: Box<Self>, answer: Answer<R>) {
        self.reply.finish(answer);
    }

    fn deadline(&self) -> Option<Time> {
        Some(self.deadline)
    }
}

impl<R: Send + 'static> ReplyTo<R> {
    /// Answers. An asker that no longer waits is harmless.
    pub fn answer(self, reply: R) {
        self.finish(Ok(reply));
    }

    /// Lets the asker know why there is no answer.
    pub fn refuse(self, error: CallError) {
        self.finish(Err(error));
    }

    /// A sink that hands the answer to a function, which must not block.
    pub fn to_function(f: impl FnOnce(Result<R, CallError>) + Send + 'static) -> Self {
        Self(Some(Sink::Function(Box::new(f))))
    }

    /// A question with a future for its answer, for code that is no actor.
    pub fn channel() -> (Self, BoxFuture<'static, Result<R, CallError>>) {
        let (reply, waiting) = one_shot();
        (reply, Box::pin(waiting.answer()))
    }

    /// The same, for an asker who waits until then: what has not begun by that time is not begun.
    #[must_use]
    pub fn until(self, deadline: Time) -> Self {
        Self(Some(Sink::Function(Box::new(Until { reply: self, deadline }))))
    }

    /// A reply of another type that becomes this one, with the same deadline.
    pub(crate) fn convert<T: Send + 'static>(
        self,
        convert: impl FnOnce(T) -> Answer<R> + Send + 'static,
    ) -> ReplyTo<T> {
        let deadline = self.deadline();
        let reply = ReplyTo::to_function(move |answer: Answer<T>| {
            self.finish(answer.and_then(convert));
        });
        match deadline {
            Some(deadline) => reply.until(deadline),
            None => reply,
        }
    }

    /// When the asker ceases to wait, if that was said with the question.
    pub fn deadline(&self) -> Option<Time> {
        match &self.0 {
            Some(Sink::Function(sink)) => sink.deadline(),
            _ => None,
        }
    }

    /// The asker does not wait any more, for its time is over.
    #[inline]
    pub(crate) fn is_late(&self, now: impl FnOnce() -> Time) -> bool {
        match &self.0 {
            Some(Sink::Slot(slot)) => slot.is_late(),
            Some(Sink::Function(sink)) => sink.deadline().is_some_and(|deadline| now() >= deadline),
            None => false,
        }
    }

    pub(crate) fn finish(mut self, answer: Answer<R>) {
        if let Some(sink) = self.0.take() {
            sink.put(answer);
        }
    }
}

impl<R: Send + 'static> Drop for ReplyTo<R> {
    fn drop(&mut self) {
        let Some(sink) = self.0.take() else { return };
        let mut sink = Some(sink);
        let kept = here::keep_orphan(|| {
            let sink = sink.take().expect("kept once");
            Box::new(move |error| sink.put(Err(error)))
        });
        if let (false, Some(sink)) = (kept, sink) {
            sink.put(Err(CallError::NoReply));
        }
    }
}

impl<R> Sink<R> {
    fn put(self, answer: Answer<R>) {
        match self {
            Self::Slot(slot) => slot.put(answer),
            Self::Function(sink) => sink.put(answer),
        }
    }
}

/// The asker's side.
pub(crate) struct Waiting<R>(Asker<R>);

impl<R> Waiting<R> {
    pub(crate) async fn answer(mut self) -> Answer<R> {
        poll_fn(move |task| self.poll(task)).await
    }

    /// Gives up, for the time is over: a question that has not begun by then does not.
    pub(crate) fn expire<T>(&mut self) -> Result<T, CallError> {
        self.0.expire();
        Err(CallError::Timeout)
    }

    #[inline]
    pub(crate) fn poll(&mut self, task: &mut Context<'_>) -> Poll<Answer<R>> {
        self.0.poll(task)
    }
}

pub(crate) fn one_shot<R: Send + 'static>() -> (ReplyTo<R>, Waiting<R>) {
    let (answerer, asker) = slot::pair();
    (ReplyTo(Some(Sink::Slot(answerer))), Waiting(asker))
}

impl<R: Send + 'static> fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ReplyTo<{}>", std::any::type_name::<R>())
    }
}
