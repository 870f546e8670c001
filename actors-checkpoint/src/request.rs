use std::{fmt, future::IntoFuture, time::Duration};

use actors_core::{BoxFuture, Call, CallError};

/// A request that was sent to a [`Checkpointing`](crate::Checkpointing) actor; await it for the
/// answer.
///
/// # Cancel safety
/// The request is sent when this is made. Dropping it abandons the answer, not the request.
#[must_use = "the answer comes when this is awaited"]
pub struct Request<T, E> {
    answer: Box<dyn FnOnce(Limit) -> BoxFuture<'static, Result<T, E>> + Send>,
    limit: Limit,
}

/// How long a request waits for each of its answers.
#[derive(Clone, Copy)]
pub(crate) enum Limit {
    /// That of [`Call`]: 5 s.
    Usual,
    Within(Duration),
    Forever,
}

impl<T: Send + 'static, E: Send + 'static> Request<T, E> {
    pub(crate) fn new<R: Send + 'static>(
        call: Call<Result<R, E>>,
        then: impl FnOnce(R) -> Result<T, E> + Send + 'static,
    ) -> Self
    where
        E: From<CallError>,
    {
        Self::of(move |limit| async move { limit.on(call).await.map_err(E::from)?.and_then(then) })
    }

    /// A request that may take several answers.
    pub(crate) fn of<Fut>(answer: impl FnOnce(Limit) -> Fut + Send + 'static) -> Self
    where
        Fut: Future<Output = Result<T, E>> + Send + 'static,
    {
        let answer = |limit| -> BoxFuture<'static, Result<T, E>> { Box::pin(answer(limit)) };
        Self { answer: Box::new(answer), limit: Limit::Usual }
    }

    /// A request that failed before it was sent.
    pub(crate) fn failed(error: E) -> Self {
        Self::of(|_| async { Err(error) })
    }
}

impl Limit {
    pub(crate) fn on<R: Send + 'static>(self, call: Call<R>) -> Call<R> {
        match self {
            Self::Usual => call,
            Self::Within(timeout) => call.within(timeout),
            Self::Forever => call.forever(),
        }
    }
}

impl<T, E> Request<T, E> {
    /// Waits that long instead of 5 s.
    pub fn within(self, timeout: Duration) -> Self {
        Self { limit: Limit::Within(timeout), ..self }
    }

    /// Waits until there is an answer or the actor dies.
    pub fn forever(self) -> Self {
        Self { limit: Limit::Forever, ..self }
    }
}

impl<T, E> IntoFuture for Request<T, E> {
    type Output = Result<T, E>;
    type IntoFuture = BoxFuture<'static, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        (self.answer)(self.limit)
    }
}

impl<T, E> fmt::Debug for Request<T, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Request")
    }
}
