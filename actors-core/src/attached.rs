//! Streams whose items come to an actor as messages.

use std::{
    fmt,
    panic::AssertUnwindSafe,
    pin::pin,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
};

use event_listener::Event;
use futures_lite::{FutureExt, Stream, StreamExt, future::or};

use crate::{
    Actor, CallError, Context, ExitReason, Handler, Message, ReplyTo, SendError,
    cell::{ActorCell, AnyCell, BOUNDED},
    ext::drop_payload,
    node::Payload,
    reply::one_shot,
    run::{Step, Turn, panic_message},
};

/// So many messages of a stream may wait in a mailbox that has no bound.
const AHEAD: usize = 16;

impl<A: Actor> Context<A> {
    /// Sends `message(item)` to this actor for each item of a stream, in order.
    ///
    /// The stream is polled beside the actor, as a task, and no faster than the actor handles what comes:
    /// into a bounded mailbox as long as there is room, into another one until 16 messages are not
    /// handled yet. It is dropped with the life it was attached in, when it is
    /// [detached](Attached::detach), and at its end; it does not keep the actor alive. A stream that
    /// panics ends the actor, after the items before.
    ///
    /// ```
    /// # use actors_core::{Actor, Context, Handler, Message, StartError, System};
    /// struct Sum(u64);
    /// struct Add(u64);
    /// # impl Message for Add { type Reply = (); }
    ///
    /// impl Actor for Sum {
    ///     async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
    ///         cx.attach_stream(futures_lite::stream::iter(1..=100), Add);
    ///         Ok(())
    ///     }
    /// }
    /// # impl Handler<Add> for Sum {
    /// #     async fn handle(&mut self, Add(n): Add, _cx: &mut Context<Self>) { self.0 += n; }
    /// # }
    ///
    /// # let system = System::new();
    /// # system.block_on(async {
    /// let sum = system.spawn(Sum(0));
    /// while sum.query(|sum| sum.0).await? < 5050 {}
    /// # Ok::<_, actors_core::CallError>(())
    /// # }).unwrap();
    /// ```
    pub fn attach_stream<S, M>(
        &mut self,
        stream: S,
        message: impl FnMut(S::Item) -> M + Send + 'static,
    ) -> Attached
    where
        S: Stream<Item: Send> + Send + 'static,
        M: Message,
        A: Handler<M>,
    {
        self.attach(stream, message, None::<M>)
    }

    /// [`attach_stream`](Self::attach_stream), with one message more when the stream has come to its end.
    pub fn attach_stream_to_end<S, M, E>(
        &mut self,
        stream: S,
        message: impl FnMut(S::Item) -> M + Send + 'static,
        end: E,
    ) -> Attached
    where
        S: Stream<Item: Send> + Send + 'static,
        M: Message,
        E: Message,
        A: Handler<M> + Handler<E>,
    {
        self.attach(stream, message, Some(end))
    }

    fn attach<S, M, E>(
        &mut self,
        stream: S,
        mut message: impl FnMut(S::Item) -> M + Send + 'static,
        end: Option<E>,
    ) -> Attached
    where
        S: Stream<Item: Send> + Send + 'static,
        M: Message,
        E: Message,
        A: Handler<M> + Handler<E>,
    {
        let attached = Attached::default();
        let detached = attached.clone().detached();
        let ended = self.link().down();
        let cell = Arc::downgrade(&self.cell().to_arc());
        let mut feed = Feed { cell: cell.clone(), ahead: 0 };
        let pump = async move {
            let mut stream = pin!(stream);
            while let Some(item) = stream.next().await {
                if feed.send(message(item)).await.is_none() {
                    return;
                }
            }
            if let Some(end) = end {
                let _ = feed.send(end).await;
            }
        };
        let over = or(detached, async { drop(ended.await) });
        self.spawn_task(async move {
            let Err(payload) = AssertUnwindSafe(or(over, pump)).catch_unwind().await else {
                return;
            };
            let message = panic_message(&*payload);
            drop_payload(payload);
            if let Some(cell) = cell.upgrade() {
                cell.stop(ExitReason::Panic { message, during: "an attached stream".into() });
            }
        });
        attached
    }
}

/// A stream that was attached to an actor. Dropping this lets it run.
#[derive(Clone, Default)]
pub struct Attached(Arc<Detach>);

#[derive(Default)]
struct Detach {
    done: AtomicBool,
    event: Event,
}

impl Attached {
    /// Drops the stream, soon. Messages that are in the mailbox already are handled.
    pub fn detach(&self) {
        self.0.done.store(true, Ordering::Release);
        self.0.event.notify(usize::MAX);
    }

    async fn detached(self) {
        loop {
            let event = self.0.event.listen();
            if self.0.done.load(Ordering::Acquire) {
                return;
            }
            event.await;
        }
    }
}

impl fmt::Debug for Attached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let detached = self.0.done.load(Ordering::Relaxed);
        f.debug_struct("Attached").field("detached", &detached).finish_non_exhaustive()
    }
}

/// Holds the cell, and counts for no link: it keeps no actor alive.
struct Feed<A: Actor> {
    cell: Weak<ActorCell<A>>,
    ahead: usize,
}

impl<A: Actor> Feed<A> {
    /// `None`: the actor takes no more.
    async fn send<M: Message>(&mut self, mut message: M) -> Option<()>
    where
        A: Handler<M>,
    {
        loop {
            let cell = self.cell.upgrade()?;
            let is_bounded = cell.has(BOUNDED);
            match cell.push(message, None) {
                Ok(()) => {
                    self.ahead += 1;
                    if is_bounded || self.ahead < AHEAD {
                        return Some(());
                    }
                    drop(cell);
                    return self.catch_up().await;
                }
                Err(SendError::Full(back)) => message = back,
                Err(_) => return None,
            }
            drop(cell);
            self.catch_up().await?;
        }
    }

    /// Waits until the actor has handled what is in its mailbox now.
    async fn catch_up(&mut self) -> Option<()> {
        let (reply, reached) = one_shot();
        self.cell.upgrade()?.push_local(Reached(reply)).ok()?;
        self.ahead = 0;
        reached.answer().await.ok()
    }
}

/// A mark in a mailbox; as a signal it passes every bound.
struct Reached(ReplyTo<()>);

impl<A: Actor> Payload<A> for Reached {
    const MESSAGE: bool = false;

    fn run(self, _turn: &mut Turn<'_, A>) -> Step {
        self.0.answer(());
        Step::Next
    }

    fn refuse(self, error: CallError) {
        self.0.refuse(error);
    }

    fn name() -> &'static str {
        "a mark of an attached stream"
    }
}
