use std::{any::type_name, fmt, sync::Arc};

use crate::{
    ActorId, AnyLink, Call, CallError, Handler, Link, Message, ReplyTo, SendError,
    cell::{ActorCell, AnyCell},
    reply::one_shot,
};

/// The address of any actor that takes `M`. Recipients are equal when they name the same actor.
pub struct Recipient<M: Message>(Arc<dyn Receives<M>>);

impl<M: Message> Recipient<M> {
    pub(crate) fn new<A: Handler<M>>(cell: Arc<ActorCell<A>>) -> Self {
        cell.add_link();
        Self(cell)
    }

    pub(crate) fn cell(&self) -> Arc<dyn AnyCell> {
        self.0.clone()
    }

    /// As [`Link::send`].
    ///
    /// # Errors
    /// As [`Link::send`].
    pub fn send(&self, message: M) -> Result<(), SendError<M>> {
        self.0.receive(message, None)
    }

    /// As [`Link::call`].
    pub fn call(&self, message: M) -> Call<M::Reply> {
        let (reply, waiting) = one_shot();
        let sent = self.0.receive(message, Some(reply));
        let sent = sent.map(|()| waiting).map_err(CallError::from);
        Call::new(sent, self.0.system_of())
    }

    /// The identity of the actor.
    pub fn id(&self) -> ActorId {
        self.0.id()
    }

    /// The link to the actor, whatever it takes.
    pub fn erase(&self) -> AnyLink {
        AnyLink::new(self.0.clone())
    }
}

impl<M: Message, A: Handler<M>> From<Link<A>> for Recipient<M> {
    fn from(link: Link<A>) -> Self {
        link.recipient()
    }
}

impl<M: Message, A: Handler<M>> From<&Link<A>> for Recipient<M> {
    fn from(link: &Link<A>) -> Self {
        link.recipient()
    }
}

impl<M: Message> Clone for Recipient<M> {
    fn clone(&self) -> Self {
        self.0.add_link();
        Self(self.0.clone())
    }
}

impl<M: Message> Drop for Recipient<M> {
    fn drop(&mut self) {
        self.0.drop_link();
    }
}

impl<M: Message> PartialEq for Recipient<M> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<M: Message> Eq for Recipient<M> {}

impl<M: Message> fmt::Debug for Recipient<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Recipient<{}>({})", type_name::<M>(), self.id())
    }
}

trait Receives<M: Message>: AnyCell {
    fn receive(&self, message: M, reply: Option<ReplyTo<M::Reply>>) -> Result<(), SendError<M>>;
}

impl<M: Message, A: Handler<M>> Receives<M> for ActorCell<A> {
    fn receive(&self, message: M, reply: Option<ReplyTo<M::Reply>>) -> Result<(), SendError<M>> {
        self.push(message, reply)
    }
}
