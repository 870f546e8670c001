//! Restart sources behind one object type, and lent to one start at a time.

use std::sync::Arc;

use actors_core::{
    Actor, BoxFuture, StartError,
    supervision::{Failure, RestartSource},
};
use parking_lot::Mutex;

/// A closure as a [`RestartSource`].
pub(crate) struct RestartFn<F>(pub(crate) F);

impl<A, F> RestartSource<A> for RestartFn<F>
where
    A: Actor,
    F: FnMut(Option<A>, &Failure) -> Result<A, StartError> + Send + 'static,
{
    async fn restore(
        &mut self,
        last: Option<A>,
        why: &Failure,
        _attempt: u32,
    ) -> Result<A, StartError> {
        (self.0)(last, why)
    }

    fn name(&self) -> &'static str {
        "restart_fn"
    }
}

/// A [`RestartSource`] of any type.
pub(crate) trait AnySource<A: Actor>: Send {
    fn restore<'a>(
        &'a mut self,
        last: Option<A>,
        why: &'a Failure,
        attempt: u32,
    ) -> BoxFuture<'a, Result<A, StartError>>;

    fn name(&self) -> &'static str;
}

impl<A: Actor, S: RestartSource<A>> AnySource<A> for S {
    fn restore<'a>(
        &'a mut self,
        last: Option<A>,
        why: &'a Failure,
        attempt: u32,
    ) -> BoxFuture<'a, Result<A, StartError>> {
        Box::pin(RestartSource::restore(self, last, why, attempt))
    }

    fn name(&self) -> &'static str {
        RestartSource::name(self)
    }
}

/// Something that one start at a time borrows; it comes back when that start ends in any way.
pub(crate) struct Lent<T>(Arc<Mutex<Option<T>>>);

pub(crate) struct Lease<T> {
    value: Option<T>,
    home: Arc<Mutex<Option<T>>>,
}

impl<T> Lent<T> {
    pub(crate) fn new(value: T) -> Self {
        Self(Arc::new(Mutex::new(Some(value))))
    }

    /// Looks at it, if it is at home.
    pub(crate) fn peek<R>(&self, look: impl FnOnce(&T) -> R) -> Option<R> {
        self.0.lock().as_ref().map(look)
    }

    pub(crate) fn lease(&self) -> Option<Lease<T>> {
        let value = self.0.lock().take()?;
        Some(Lease { value: Some(value), home: self.0.clone() })
    }
}

impl<T> Lease<T> {
    pub(crate) const fn get(&mut self) -> &mut T {
        self.value.as_mut().expect("it is given back on drop only")
    }
}

impl<T> Drop for Lease<T> {
    fn drop(&mut self) {
        *self.home.lock() = self.value.take();
    }
}
