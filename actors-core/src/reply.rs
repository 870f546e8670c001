//! The answer to one question: a one-shot slot, or a sink that sends it to another node.

use std::{
    future::poll_fn,
    sync::Arc,
    task::{Poll, Waker},
};

use parking_lot::Mutex;

use crate::CallError;

type Answer<R> = Result<R, CallError>;

/// The right to answer one question, once. When it is dropped unanswered, the asker gets an error
/// at once: [`CallError::Died`] if its actor crashed with it in hand, else [`CallError::NoReply`].
pub struct ReplyTo<R>(Arc<Question<R>>);

struct Question<R>(Mutex<Option<Sink<R>>>);

enum Sink<R> {
    Slot(Arc<Slot<R>>),
    Function(Box<dyn FnOnce(Answer<R>) + Send>),
}

impl<R> ReplyTo<R> {
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
        Self::new(Sink::Function(Box::new(f)))
    }

    /// The same question once more: the first answer counts.
    pub(crate) fn share(&self) -> Self {
        Self(self.0.clone())
    }

    pub(crate) fn finish(self, answer: Answer<R>) {
        self.0.finish(answer);
    }

    fn new(sink: Sink<R>) -> Self {
        Self(Arc::new(Question(Mutex::new(Some(sink)))))
    }
}

impl<R> Question<R> {
    fn finish(&self, answer: Answer<R>) {
        let sink = self.0.lock().take();
        if let Some(sink) = sink {
            sink.put(answer);
        }
    }
}

impl<R> Drop for Question<R> {
    fn drop(&mut self) {
        self.finish(Err(CallError::NoReply));
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

struct Slot<R>(Mutex<(Option<Answer<R>>, Option<Waker>)>);

impl<R> Slot<R> {
    fn put(&self, answer: Answer<R>) {
        let waker = {
            let mut slot = self.0.lock();
            slot.0 = Some(answer);
            slot.1.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The asker's side.
pub(crate) struct Waiting<R>(Arc<Slot<R>>);

impl<R> Waiting<R> {
    pub(crate) async fn answer(self) -> Answer<R> {
        poll_fn(|cx| {
            let mut slot = self.0.0.lock();
            match slot.0.take() {
                Some(answer) => Poll::Ready(answer),
                None => {
                    slot.1 = Some(cx.waker().clone());
                    Poll::Pending
                }
            }
        })
        .await
    }
}

pub(crate) fn one_shot<R>() -> (ReplyTo<R>, Waiting<R>) {
    let slot = Arc::new(Slot(Mutex::new((None, None))));
    (ReplyTo::new(Sink::Slot(slot.clone())), Waiting(slot))
}

impl<R> std::fmt::Debug for ReplyTo<R> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "ReplyTo<{}>", std::any::type_name::<R>())
    }
}

impl<R: Send + 'static> ReplyTo<R> {
    /// A question with a future for its answer, for code that is no actor.
    pub fn channel() -> (Self, crate::BoxFuture<'static, Result<R, CallError>>) {
        let (reply, waiting) = one_shot();
        (reply, Box::pin(waiting.answer()))
    }
}
