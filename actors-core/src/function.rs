use std::marker::PhantomData;

use crate::{Actor, Context, Handler, Link, Message, System};

type Behaviour<M> = Box<dyn FnMut(M, &mut Context<FnActor<M>>) -> <M as Message>::Reply + Send>;

/// A closure as an actor: what it captures is its state.
///
/// ```
/// # use actors_core::{Message, System};
/// struct Double(u32);
/// impl Message for Double {
///     type Reply = u32;
/// }
///
/// let system = System::new();
/// let actor = system.spawn_fn(|Double(n): Double, _cx| 2 * n);
/// assert_eq!(system.block_on(async { actor.call(Double(4)).await }), Ok(8));
/// ```
pub struct FnActor<M: Message> {
    behaviour: Behaviour<M>,
    message: PhantomData<fn(M)>,
}

impl<M: Message> FnActor<M> {
    /// An actor that handles each message by calling `behaviour`.
    pub fn new(behaviour: impl FnMut(M, &mut Context<Self>) -> M::Reply + Send + 'static) -> Self {
        Self { behaviour: Box::new(behaviour), message: PhantomData }
    }

    /// Other behaviour from the next message on.
    pub fn become_fn(
        &mut self,
        behaviour: impl FnMut(M, &mut Context<Self>) -> M::Reply + Send + 'static,
    ) {
        self.behaviour = Box::new(behaviour);
    }
}

impl<M: Message> Actor for FnActor<M> {}

impl<M: Message> Handler<M> for FnActor<M> {
    async fn handle(&mut self, message: M, cx: &mut Context<Self>) -> M::Reply {
        (self.behaviour)(message, cx)
    }
}

impl<M: Message> Context<FnActor<M>> {
    /// Other behaviour from the next message on; the message in hand is not touched.
    pub fn become_fn(&mut self, behaviour: impl FnMut(M, &mut Self) -> M::Reply + Send + 'static) {
        self.after(move |actor| actor.become_fn(behaviour));
    }
}

impl System {
    /// Spawns a closure as an actor.
    pub fn spawn_fn<M: Message>(
        &self,
        behaviour: impl FnMut(M, &mut Context<FnActor<M>>) -> M::Reply + Send + 'static,
    ) -> Link<FnActor<M>> {
        self.spawn(FnActor::new(behaviour))
    }
}

impl<M: Message> std::fmt::Debug for FnActor<M> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "FnActor<{}>", std::any::type_name::<M>())
    }
}
