use std::{any::type_name, fmt, future::IntoFuture, sync::Arc, time::Duration};

use crate::{
    ActorId, AnyLink, BoxFuture, Call, CallError, GroupEpoch, Handler, Link, Message, ReplyTo,
    SendError,
    bound::{Bound, block_for_room, wait_for_room},
    cell::{ActorCell, AnyCell, Life},
    here,
    reply::one_shot,
    system::drives_this_thread,
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
        self.0.receive(message, None, here::epoch())
    }

    pub(crate) fn send_tagged(
        &self,
        message: M,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>> {
        self.0.receive(message, None, epoch)
    }

    /// As [`Link::send_wait`].
    ///
    /// # Errors
    /// As `Link::send_wait`.
    pub async fn send_wait(&self, message: M, timeout: Duration) -> Result<(), SendError<M>> {
        wait_for_room(&*self.0, message, timeout).await
    }

    /// As [`Link::send_blocking`].
    ///
    /// # Errors
    /// As `Link::send_blocking`.
    pub fn send_blocking(&self, message: M, timeout: Duration) -> Result<(), SendError<M>> {
        block_for_room(&*self.0, message, timeout)
    }

    /// As [`Link::call`].
    pub fn call(&self, message: M) -> Call<M::Reply> {
        let (reply, waiting) = one_shot();
        let sent = self.ask(message, reply).map(|()| waiting).map_err(CallError::from);
        Call::new(sent, self.0.system_of())
    }

    /// As [`Link::call_blocking`].
    ///
    /// # Errors
    /// As `Link::call_blocking`.
    pub fn call_blocking(&self, message: M, timeout: Duration) -> Result<M::Reply, CallError> {
        if drives_this_thread(self.0.system_of()) {
            return Err(CallError::WouldBlock);
        }
        futures_lite::future::block_on(self.call(message).within(timeout).into_future())
    }

    /// As [`Link::ask`].
    ///
    /// # Errors
    /// As `Link::ask`.
    pub fn ask(&self, message: M, reply: ReplyTo<M::Reply>) -> Result<(), SendError<M>> {
        self.0.receive(message, Some(reply), here::epoch())
    }

    /// The identity of the actor.
    pub fn id(&self) -> ActorId {
        self.0.id()
    }

    /// The link to the actor, whatever it takes.
    pub fn erase(&self) -> AnyLink {
        AnyLink::new(self.0.clone())
    }

    /// The recipient again, unless the actor is gone.
    pub(crate) fn downgrade(&self) -> impl Fn() -> Option<Self> + Send + use<M> {
        let weak = Arc::downgrade(&self.0);
        move || {
            let cell = weak.upgrade()?;
            cell.add_link();
            Some(Self(cell))
        }
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

pub(crate) trait Receives<M: Message>: AnyCell {
    fn receive(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>>;

    /// Of an actor on this node whose mailbox is bounded.
    fn bound(&self) -> Option<&Bound>;

    /// Done when there may be room for what was given back as [`SendError::Full`].
    fn room(&self) -> BoxFuture<'static, ()>;
}

impl<M: Message, A: Handler<M>> Receives<M> for ActorCell<A> {
    fn receive(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        epoch: Option<GroupEpoch>,
    ) -> Result<(), SendError<M>> {
        self.push_tagged(message, reply, epoch.into())
    }

    fn bound(&self) -> Option<&Bound> {
        self.ext().known_bound()
    }

    fn room(&self) -> BoxFuture<'static, ()> {
        if self.life() == Life::Proxy {
            let route = self.ext().lock().elsewhere.as_ref().map(|at| at.route.clone());
            return route.map_or_else(|| Box::pin(std::future::pending()) as _, |at| at.room());
        }
        match self.bound() {
            Some(bound) => Box::pin(bound.room()),
            None => Box::pin(std::future::pending()),
        }
    }
}
