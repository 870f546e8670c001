//! Names as addresses.

use std::{any::type_name, fmt, marker::PhantomData, sync::Arc, time::Duration};

use crate::{
    Actor, ActorInfo, BoxFuture, Call, CallError, Down, ExitReason, Handler, Link, Message,
    NameError, ReplyTo, SendError, System,
};

/// A name as an address: whoever has it when it is used gets what is sent.
///
/// It holds no actor, and need not be taken yet. What works on a [`Link`] works here, and fails with a
/// [`NameError`] when nobody has the name, or somebody of another type; messages come back in the error.
/// Where a link itself is wanted, as for [`Context::monitor`](crate::Context::monitor) and
/// [`Context::connect`](crate::Context::connect), [`resolve`](Self::resolve) gives it.
///
/// ```
/// # use actors_core::{Message, NameError, SendError, System};
/// # struct Double(u32);
/// # impl Message for Double { type Reply = u32; }
/// # use actors_core::FnActor;
/// # let system = System::new();
/// let doubler = system.named::<FnActor<Double>>("doubler");
/// let Err(SendError::Name { message, error }) = doubler.send(Double(1)) else { panic!() };
/// assert_eq!((message.0, error), (1, NameError::Unknown("doubler".into())));
///
/// let actor = system.spawn_fn(|Double(n): Double, _cx| 2 * n);
/// system.register("doubler", &actor.erase())?;
/// # system.block_on(async {
/// assert_eq!(doubler.call(Double(4)).await, Ok(8));
/// # });
/// # Ok::<_, NameError>(())
/// ```
pub struct Name<A: Actor> {
    system: System,
    name: Arc<str>,
    actor: PhantomData<fn(A)>,
}

impl System {
    /// The actor that has this name at each use.
    pub fn named<A: Actor>(&self, name: &str) -> Name<A> {
        Name { system: self.clone(), name: name.into(), actor: PhantomData }
    }
}

impl<A: Actor> Name<A> {
    /// The name itself.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The link of the actor that has it now.
    ///
    /// # Errors
    /// [`NameError::Unknown`], [`NameError::WrongType`].
    pub fn resolve(&self) -> Result<Link<A>, NameError> {
        self.system.whereis(&self.name)
    }

    /// As [`Link::send`].
    ///
    /// # Errors
    /// [`SendError::Name`]; else as `Link::send`.
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        match self.resolve() {
            Ok(link) => link.send(message),
            Err(error) => Err(SendError::Name { message, error }),
        }
    }

    /// As [`Link::send_wait`]. It waits for the actor that has the name when it begins.
    ///
    /// # Errors
    /// [`SendError::Name`]; else as `Link::send_wait`.
    pub async fn send_wait<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        match self.resolve() {
            Ok(link) => link.send_wait(message, timeout).await,
            Err(error) => Err(SendError::Name { message, error }),
        }
    }

    /// As [`Link::send_blocking`].
    ///
    /// # Errors
    /// [`SendError::Name`]; else as `Link::send_blocking`.
    pub fn send_blocking<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        match self.resolve() {
            Ok(link) => link.send_blocking(message, timeout),
            Err(error) => Err(SendError::Name { message, error }),
        }
    }

    /// As [`Link::call`]; [`CallError::Name`] when nobody has the name.
    pub fn call<M: Message>(&self, message: M) -> Call<M::Reply>
    where
        A: Handler<M>,
    {
        self.ask_there(|link| link.call(message))
    }

    /// As [`Link::call_blocking`].
    ///
    /// # Errors
    /// [`CallError::Name`]; else as `Link::call_blocking`.
    pub fn call_blocking<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<M::Reply, CallError>
    where
        A: Handler<M>,
    {
        self.resolve()?.call_blocking(message, timeout)
    }

    /// As [`Link::ask`].
    ///
    /// # Errors
    /// [`SendError::Name`]; else as `Link::ask`.
    pub fn ask<M: Message>(&self, message: M, reply: ReplyTo<M::Reply>) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        match self.resolve() {
            Ok(link) => link.ask(message, reply),
            Err(error) => Err(SendError::Name { message, error }),
        }
    }

    /// As [`Link::exec`]; [`CallError::Name`] when nobody has the name.
    pub fn exec<R, F>(&self, function: F) -> Call<R>
    where
        R: Send + 'static,
        F: FnOnce(&mut A) -> R + Send + 'static,
    {
        self.ask_there(|link| link.exec(function))
    }

    /// As [`Link::query`]; [`CallError::Name`] when nobody has the name.
    pub fn query<R, F>(&self, function: F) -> Call<R>
    where
        R: Send + 'static,
        F: FnOnce(&A) -> R + Send + 'static,
    {
        self.ask_there(|link| link.query(function))
    }

    /// As [`Link::update_state`].
    ///
    /// # Errors
    /// [`CallError::Name`]; else as `Link::update_state`.
    pub fn update_state<F>(&self, function: F) -> Result<(), CallError>
    where
        F: FnOnce(&mut A) + Send + 'static,
    {
        self.resolve()?.update_state(function)
    }

    /// As [`Link::stop`].
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn stop(&self, reason: ExitReason) -> Result<(), NameError> {
        self.resolve().map(|link| link.stop(reason))
    }

    /// As [`Link::kill`].
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn kill(&self) -> Result<(), NameError> {
        self.resolve().map(|link| link.kill())
    }

    /// As [`Link::info`].
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn info(&self) -> Result<ActorInfo, NameError> {
        self.resolve().map(|link| link.info())
    }

    /// As [`Link::down`], of the actor that has the name now.
    ///
    /// # Errors
    /// As [`resolve`](Self::resolve).
    pub fn down(&self) -> Result<BoxFuture<'static, Down>, NameError> {
        self.resolve().map(|link| link.down())
    }

    fn ask_there<R>(&self, ask: impl FnOnce(Link<A>) -> Call<R>) -> Call<R> {
        match self.resolve() {
            Ok(link) => ask(link),
            Err(error) => Call::new(Err(error.into()), &self.system),
        }
    }
}

impl<A: Actor> Clone for Name<A> {
    fn clone(&self) -> Self {
        Self { system: self.system.clone(), name: self.name.clone(), actor: PhantomData }
    }
}

impl<A: Actor> fmt::Debug for Name<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name<{}>({:?})", type_name::<A>(), self.name)
    }
}
