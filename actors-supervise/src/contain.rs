//! Panics of children's own code stay out of the supervisor.

use std::{
    any::Any,
    panic::{AssertUnwindSafe, catch_unwind},
};

use actors_core::{BoxFuture, ExitReason, SmolStr, StartError};
use futures_lite::FutureExt;

type Outcome<T> = Result<T, StartError>;

/// Calls what makes a future; a panic of it, then or later, is its error.
pub(crate) fn contained<T: Send + 'static>(
    during: &'static str,
    make: impl FnOnce() -> BoxFuture<'static, Outcome<T>>,
) -> BoxFuture<'static, Outcome<T>> {
    let future = match catch_unwind(AssertUnwindSafe(make)) {
        Ok(future) => future,
        Err(payload) => {
            let error = panicked(payload, during);
            return Box::pin(async { Err(error) });
        }
    };
    Box::pin(async move {
        match AssertUnwindSafe(future).catch_unwind().await {
            Ok(outcome) => outcome,
            Err(payload) => Err(panicked(payload, during)),
        }
    })
}

fn panicked(payload: Box<dyn Any + Send>, during: &'static str) -> StartError {
    let text = payload.downcast_ref::<&str>().copied().map(SmolStr::new_static);
    let text = text.or_else(|| payload.downcast_ref::<String>().map(SmolStr::new));
    let message = text.unwrap_or(SmolStr::new_static("a payload that is no text"));
    if let Err(nested) = catch_unwind(AssertUnwindSafe(|| drop(payload))) {
        std::mem::forget(nested);
    }
    StartError::Exited(ExitReason::Panic { message, during: SmolStr::new_static(during) })
}
