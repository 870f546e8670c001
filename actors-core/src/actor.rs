use crate::{Context, Down, Exit, ExitReason, ReplyTo, StartError};

/// State with behaviour: it handles one message after the other, alone with its state.
///
/// All hooks have defaults; `impl Actor for Worker {}` is enough.
pub trait Actor: Sized + Send + 'static {
    /// Runs in the actor's own activation before its first message, at every start and restart.
    ///
    /// # Errors
    /// An error is a failed start: an unsupervised actor ends with it, a supervisor counts it.
    fn init(
        &mut self,
        _cx: &mut Context<Self>,
    ) -> impl Future<Output = Result<(), StartError>> + Send {
        async { Ok(()) }
    }

    /// Runs once when an incarnation that was up ends, on every way out: after a panic and a kill
    /// too, not after a failed start. A panic here is contained; exits and downs go out all the same.
    fn term(&mut self, _reason: &ExitReason) -> impl Future<Output = ()> + Send {
        async {}
    }

    /// A [connected](Context::connect) actor has ended, and this one is
    /// [sticky](Context::set_sticky). The default logs it.
    fn on_exit(&mut self, exit: Exit, _cx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        tracing::info!(actor = %exit.actor, reason = %exit.reason, "connected actor has ended");
        async {}
    }

    /// Something monitored with [`Context::monitor`] has ended. The default logs it.
    fn on_down(&mut self, down: Down, _cx: &mut Context<Self>) -> impl Future<Output = ()> + Send {
        tracing::info!(actor = %down.actor, reason = %down.reason, "monitored actor is down");
        async {}
    }
}

/// A type that can be sent.
pub trait Message: Send + 'static {
    /// What a [`call`](crate::Link::call) with it answers; `()` for those that are only sent.
    type Reply: Send + 'static;
}

/// An actor that takes messages of type `M`.
pub trait Handler<M: Message>: Actor {
    /// Whether [`handle_call`](Self::handle_call) answers by itself, sooner or later: then a message that
    /// nobody waits for comes there too, with a [`ReplyTo`] that leads nowhere, and
    /// [`handle`](Self::handle) is never called.
    const DEFERRED: bool = false;

    /// Handles one message. While it awaits, the actor handles nothing else; a kill drops the future
    /// at its `.await`, so what is between two awaits runs whole.
    fn handle(
        &mut self,
        message: M,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = M::Reply> + Send;

    /// Handles a message that somebody waits for. The default answers with what
    /// [`handle`](Self::handle) returns; override it to answer later, from elsewhere, or to hand the
    /// question on with [`Link::ask`](crate::Link::ask).
    fn handle_call(
        &mut self,
        message: M,
        reply: ReplyTo<M::Reply>,
        cx: &mut Context<Self>,
    ) -> impl Future<Output = ()> + Send {
        async move { reply.answer(self.handle(message, cx).await) }
    }
}
