use std::{fmt, marker::PhantomData, sync::Arc};

use serde::{Deserialize, Serialize};

use crate::{Actor, Context, Handler, Link, Message, NameError, System};

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

/// Take the behaviour that was exported under this name, from the next message on: how a
/// [`FnActor`] on another node is told to become another.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(bound = "")]
pub struct Become<M> {
    name: String,
    message: PhantomData<fn(M)>,
}

impl<M> Become<M> {
    /// The behaviour with this name on the actor's node.
    pub fn named(name: impl Into<String>) -> Self {
        Self { name: name.into(), message: PhantomData }
    }
}

impl<M: Message> Message for Become<M> {
    /// [`NameError::Unknown`] leaves the behaviour as it is.
    type Reply = Result<(), NameError>;
}

impl<M: Message> Handler<Become<M>> for FnActor<M> {
    async fn handle(
        &mut self,
        Become { name, .. }: Become<M>,
        cx: &mut Context<Self>,
    ) -> Result<(), NameError> {
        self.behaviour = cx.system().behaviour(&name)?;
        Ok(())
    }
}

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

type MakeBehaviour<M> = Box<dyn Fn() -> Behaviour<M> + Send + Sync>;

impl System {
    /// Gives a behaviour a name that other nodes can ask for: with [`Become`], and as the argument of
    /// [`export_behaviours`](Self::export_behaviours).
    pub fn export_fn<M, F>(&self, name: &str, behaviour: F)
    where
        M: Message,
        F: Fn(M) -> M::Reply + Clone + Send + Sync + 'static,
    {
        let make: MakeBehaviour<M> = Box::new(move || {
            let behaviour = behaviour.clone();
            Box::new(move |message, _cx| behaviour(message))
        });
        self.exports().add_function::<M>(name, Arc::new(make));
    }

    /// Lets closures that take `M` be spawned on this node by others, from the name of an
    /// [exported behaviour](Self::export_fn), and be told to become others.
    pub fn export_behaviours<M>(&self, name: &str)
    where
        M: Message<Reply: Serialize + serde::de::DeserializeOwned>
            + Serialize
            + serde::de::DeserializeOwned,
    {
        self.export::<FnActor<M>>(name)
            .message::<M>("message")
            .message::<Become<M>>("become")
            .constructor(|behaviour: String, birth| async move {
                let behaviour = birth.system.behaviour(&behaviour);
                let behaviour = behaviour.map_err(crate::StartError::failed)?;
                Ok(FnActor { behaviour, message: PhantomData })
            });
    }

    fn behaviour<M: Message>(&self, name: &str) -> Result<Behaviour<M>, NameError> {
        let make = self.exports().function::<M>(name);
        let make = make.and_then(|make| make.downcast::<MakeBehaviour<M>>().ok());
        make.map(|make| make()).ok_or_else(|| NameError::Unknown(name.into()))
    }

    /// Spawns a closure as an actor.
    pub fn spawn_fn<M: Message>(
        &self,
        behaviour: impl FnMut(M, &mut Context<FnActor<M>>) -> M::Reply + Send + 'static,
    ) -> Link<FnActor<M>> {
        self.spawn(FnActor::new(behaviour))
    }
}

impl<M: Message> fmt::Debug for FnActor<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "FnActor<{}>", std::any::type_name::<M>())
    }
}
