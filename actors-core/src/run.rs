//! One incarnation of an actor, from its start to its end, as one task.

use std::{
    any::type_name,
    future::poll_fn,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::pin,
    sync::Arc,
    task::{Context as TaskContext, Poll},
};

use crate::{
    Actor, BoxFuture, CallError, Context, DeadLetterCause, ExitReason, Handler, Message, ReplyTo,
    StartError,
    cell::{ActorCell, Next, drop_guarded, drop_payload},
    system::Activation,
};

/// A message on its way to an `A`, with the question's reply if it is one.
///
/// The activation keeps the envelope while the handler runs, so that a crash can answer the asker.
pub(crate) trait Envelope<A: Actor>: Send {
    fn handle<'a>(&'a mut self, actor: &'a mut A, cx: &'a mut Context<A>) -> BoxFuture<'a, ()>;
    fn reject(self: Box<Self>, error: CallError);
    fn message_type(&self) -> &'static str;
}

pub(crate) struct Deliver<M: Message> {
    message: Option<M>,
    reply: Option<ReplyTo<M::Reply>>,
}

impl<M: Message> Deliver<M> {
    pub(crate) const fn new(message: M, reply: Option<ReplyTo<M::Reply>>) -> Self {
        Self { message: Some(message), reply }
    }
}

impl<A: Handler<M>, M: Message> Envelope<A> for Deliver<M> {
    fn handle<'a>(&'a mut self, actor: &'a mut A, cx: &'a mut Context<A>) -> BoxFuture<'a, ()> {
        let message = self.message.take().expect("an envelope is handled once");
        Box::pin(async move {
            match &self.reply {
                Some(reply) => actor.handle_call(message, reply.share(), cx).await,
                None => drop(actor.handle(message, cx).await),
            }
        })
    }

    fn reject(self: Box<Self>, error: CallError) {
        if let Some(reply) = self.reply {
            reply.finish(Err(error));
        }
        drop_guarded(self.message);
    }

    fn message_type(&self) -> &'static str {
        type_name::<M>()
    }
}

/// A function that runs in the actor, with its state.
pub(crate) struct Exec<F, R> {
    function: Option<F>,
    reply: Option<ReplyTo<R>>,
}

impl<F, R> Exec<F, R> {
    pub(crate) const fn new(function: F, reply: ReplyTo<R>) -> Self {
        Self { function: Some(function), reply: Some(reply) }
    }
}

impl<A, F, R> Envelope<A> for Exec<F, R>
where
    A: Actor,
    F: FnOnce(&mut A) -> R + Send,
    R: Send,
{
    fn handle<'a>(&'a mut self, actor: &'a mut A, _cx: &'a mut Context<A>) -> BoxFuture<'a, ()> {
        let function = self.function.take().expect("an envelope is handled once");
        Box::pin(async move {
            let result = function(actor);
            if let Some(to) = self.reply.take() {
                to.answer(result);
            }
        })
    }

    fn reject(self: Box<Self>, error: CallError) {
        if let Some(reply) = self.reply {
            reply.finish(Err(error));
        }
        drop_guarded(self.function);
    }

    fn message_type(&self) -> &'static str {
        type_name::<F>()
    }
}

/// Runs the incarnation that [`ActorCell::begin`] gave out, with its exits and downs.
pub(crate) fn spawn<A, F, Fut>(
    cell: Arc<ActorCell<A>>,
    incarnation: u32,
    make: F,
    started: ReplyTo<Result<u32, StartError>>,
) where
    A: Actor,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<A, StartError>> + Send + 'static,
{
    let executor = cell.system().host().executor.clone();
    let run = incarnate(cell.clone(), incarnation, make, started);
    executor.spawn(Box::pin(Activation::new(cell, run)));
}

async fn incarnate<A, F, Fut>(
    cell: Arc<ActorCell<A>>,
    incarnation: u32,
    make: F,
    started: ReplyTo<Result<u32, StartError>>,
) where
    A: Actor,
    F: FnOnce() -> Fut + Send + 'static,
    Fut: Future<Output = Result<A, StartError>> + Send + 'static,
{
    let mut cx = Context::new(cell.clone());
    let made = guarded(&cell, "start", Box::pin(async move { make().await })).await;
    let mut actor = match made {
        Ok(Ok(actor)) => actor,
        Ok(Err(error)) => {
            cell.end(ExitReason::Error(error.to_string()), None);
            return started.answer(Err(error));
        }
        Err(reason) => {
            cell.end(reason.clone(), None);
            return started.answer(Err(StartError::Exited(reason)));
        }
    };
    let init = guarded(&cell, "init", Box::pin(actor.init(&mut cx))).await;
    match init {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            cell.end(ExitReason::Error(error.to_string()), Some(actor));
            return started.answer(Err(error));
        }
        Err(reason) => {
            cell.end(reason.clone(), Some(actor));
            return started.answer(Err(StartError::Exited(reason)));
        }
    }
    started.answer(Ok(incarnation));
    let reason = serve(&cell, &mut actor, &mut cx).await;
    tracing::debug!(actor = %cx.id(), incarnation, %reason, "actor ended");
    // A kill interrupts `term`, a panic in it is contained: the exit goes out in any case.
    let _ = guarded(&cell, "term", Box::pin(actor.term(&reason))).await;
    drop(cx);
    cell.end(reason, Some(actor));
}

async fn serve<A: Actor>(
    cell: &Arc<ActorCell<A>>,
    actor: &mut A,
    cx: &mut Context<A>,
) -> ExitReason {
    loop {
        if let Some(reason) = cx.take_stop() {
            return reason;
        }
        match poll_fn(|task| cell.poll_next(task)).await {
            Next::End(reason) => return reason,
            Next::Down(monitor, down) => {
                let Some(action) = cx.take_monitor(monitor) else { continue };
                let handled = match action {
                    None => guarded(cell, "on_down", Box::pin(actor.on_down(down, cx))).await,
                    Some(action) => {
                        guarded(cell, "on_down", Box::pin(async { action(actor, down, cx) })).await
                    }
                };
                if let Err(reason) = handled {
                    return reason;
                }
            }
            Next::Message(mut envelope, epoch) => {
                cx.set_message_epoch(epoch);
                let name = envelope.message_type();
                let handled = guarded(cell, name, envelope.handle(actor, cx)).await;
                if let Err(reason) = handled {
                    let error = CallError::Died(reason.clone());
                    cell.bury(envelope, DeadLetterCause::Crashed, error);
                    return reason;
                }
                let after = Box::pin(async { cx.run_after(actor) });
                if let Err(reason) = guarded(cell, name, after).await {
                    return reason;
                }
            }
        }
    }
}

/// Polls the user's future until it is done, panics, or must give way to a kill or shutdown: those
/// are seen at its awaits, before it is polled again.
async fn guarded<A: Actor, T>(
    cell: &Arc<ActorCell<A>>,
    during: &str,
    future: BoxFuture<'_, T>,
) -> Result<T, ExitReason> {
    let mut future = Some(future);
    let mut waited = false;
    let outcome = poll_fn(|task: &mut TaskContext<'_>| {
        if let Some(reason) = waited.then(|| cell.poll_end(task)).flatten() {
            return Poll::Ready(Err(reason));
        }
        waited = true;
        let polled = future.as_mut().expect("polled until it is ready").as_mut();
        let mut polled = pin!(polled);
        match catch_unwind(AssertUnwindSafe(|| polled.as_mut().poll(task))) {
            Ok(Poll::Ready(value)) => Poll::Ready(Ok(value)),
            Ok(Poll::Pending) => match cell.poll_end(task) {
                Some(reason) => Poll::Ready(Err(reason)),
                None => Poll::Pending,
            },
            Err(payload) => {
                let message = panic_message(&*payload);
                drop_payload(payload);
                Poll::Ready(Err(ExitReason::Panic { message, during: during.to_owned() }))
            }
        }
    })
    .await;
    drop_guarded(future.take());
    outcome
}

fn panic_message(payload: &(dyn std::any::Any + Send)) -> String {
    payload
        .downcast_ref::<&str>()
        .map(|s| (*s).to_owned())
        .or_else(|| payload.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a payload that is no text".to_owned())
}
