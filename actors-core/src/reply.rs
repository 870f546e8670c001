//! The answer to one question.

use std::{
    fmt,
    future::poll_fn,
    task::{Context, Poll},
};

use self::slot::{Answerer, Asker};
use crate::{BoxFuture, CallError, here};

#[cfg(all(test, actors_loom))]
mod model;
mod slot;

type Answer<R> = Result<R, CallError>;

/// The right to answer one question, once. When it is dropped unanswered, the asker gets an error
/// at once: [`CallError::Died`] if its actor crashed with it in hand, else [`CallError::NoReply`].
pub struct ReplyTo<R: Send + 'static>(Option<Sink<R>>);

enum Sink<R> {
    Slot(Answerer<R>),
    Function(Box<dyn FnOnce(Answer<R>) + Send>),
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
            Self::Function(f) => f(answer),
        }
    }
}

/// The asker's side.
pub(crate) struct Waiting<R>(Asker<R>);

impl<R> Waiting<R> {
    pub(crate) async fn answer(mut self) -> Answer<R> {
        poll_fn(move |task| self.poll(task)).await
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
