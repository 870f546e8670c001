use std::{
    any::type_name,
    fmt,
    future::IntoFuture,
    hash::{Hash, Hasher},
    pin::Pin,
    sync::{Arc, Weak},
    task::{Context as TaskContext, Poll},
    time::Duration,
};

use crate::{
    Actor, ActorId, ActorInfo, BoxFuture, CallError, Down, ExitReason, GroupEpoch, Handler,
    Message, Recipient, ReplyTo, SendError, System, SystemId,
    cell::{ActorCell, AnyCell},
    here,
    host::{Clock, Time},
    monitor::Watcher,
    remote::Location,
    reply::{Waiting, one_shot},
    system::drives_this_thread,
};

/// How long a [`call`](Link::call) waits unless told otherwise, as `gen_server:call/2` does.
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
/// Timeouts above it are counted on the coarse clock.
const COARSE: Duration = Duration::from_secs(1);

/// The address of an actor: here or on another node, the same over all its restarts.
///
/// Links are equal when they name the same actor. An unsupervised, unnamed actor whose last link is
/// dropped stops after the messages it has. A link that an actor holds to itself keeps it alive: use
/// a [`WeakLink`].
pub struct Link<A: Actor>(Arc<ActorCell<A>>);

impl<A: Actor> Link<A> {
    pub(crate) fn new(cell: Arc<ActorCell<A>>) -> Self {
        cell.add_link();
        Self(cell)
    }

    /// The link that its spawning has counted.
    pub(crate) const fn counted(cell: Arc<ActorCell<A>>) -> Self {
        Self(cell)
    }

    pub(crate) const fn cell(&self) -> &Arc<ActorCell<A>> {
        &self.0
    }

    /// The identity of the actor.
    pub fn id(&self) -> ActorId {
        self.0.id()
    }

    /// Sends a message and does not wait. Messages of one sender arrive in order, at most once.
    ///
    /// # Errors
    /// The message comes back when the actor is dead, or on another node that cannot take it.
    #[inline]
    pub fn send<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.0.push(message, None)
    }

    /// Sends a message that is handled before all ordinary ones (after the one in hand). Supervision
    /// and clocks of the system use it; ordinary messages should not, as it breaks their order.
    /// A remote actor gets it in the ordinary order.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub fn send_urgent<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.0.push_urgent(message)
    }

    /// Asks and waits for the answer: 5 s, or as [`Call::within`] says.
    ///
    /// The question is sent at once; dropping the [`Call`] abandons the answer, not the question. An
    /// answer that comes late is dropped, it never reaches another call.
    ///
    /// ```
    /// # use actors_core::{Actor, Context, Handler, Message, System};
    /// # use std::time::Duration;
    /// # struct Echo; impl Actor for Echo {}
    /// # struct Say(u8); impl Message for Say { type Reply = u8; }
    /// # impl Handler<Say> for Echo { async fn handle(&mut self, m: Say, _: &mut Context<Self>) -> u8 { m.0 } }
    /// # let system = System::new();
    /// # let echo = system.spawn(Echo);
    /// # system.block_on(async {
    /// assert_eq!(echo.call(Say(7)).within(Duration::from_secs(1)).await, Ok(7));
    /// # });
    /// ```
    pub fn call<M: Message>(&self, message: M) -> Call<M::Reply>
    where
        A: Handler<M>,
    {
        let (reply, waiting) = one_shot();
        let sent = self.0.push(message, Some(reply));
        let sent = sent.map(|()| waiting).map_err(CallError::from);
        Call::new(sent, self.0.system())
    }

    /// As `call(message).within(timeout)`, and the deadline goes with the question, to another node too: if it has not
    /// been begun by then, it is not, but is a dead letter ([`DeadLetterCause::Late`](crate::DeadLetterCause::Late)). Without it
    /// that is so within a node only. The way to another node does not count: the time that is left when the question
    /// is sent counts from when it arrives.
    pub fn call_within<M: Message>(&self, message: M, timeout: Duration) -> Call<M::Reply>
    where
        A: Handler<M>,
    {
        let (reply, waiting) = one_shot();
        let system = self.0.system();
        let deadline = system.host().clock.now() + timeout;
        let sent = self.0.push(message, Some(reply.until(deadline)));
        Call::new(sent.map(|()| waiting).map_err(CallError::from), system).within(timeout)
    }

    /// [`call`](Self::call) for plain threads; the deadline goes with the question, as with
    /// [`call_within`](Self::call_within).
    ///
    /// # Errors
    /// As `call`, and [`CallError::WouldBlock`] on a thread that drives actors.
    pub fn call_blocking<M: Message>(
        &self,
        message: M,
        timeout: Duration,
    ) -> Result<M::Reply, CallError>
    where
        A: Handler<M>,
    {
        if drives_this_thread(self.0.system()) {
            return Err(CallError::WouldBlock);
        }
        let call = self.call_within(message, timeout);
        futures_lite::future::block_on(call.into_future())
    }

    /// Sends a question whose answer goes to `reply`.
    ///
    /// # Errors
    /// As [`send`](Self::send); `reply` is then dropped unanswered.
    pub fn ask<M: Message>(&self, message: M, reply: ReplyTo<M::Reply>) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.0.push(message, Some(reply))
    }

    /// The link without its type.
    pub fn erase(&self) -> AnyLink {
        AnyLink::new(self.0.clone())
    }

    /// The link by what the actor takes.
    pub fn recipient<M: Message>(&self) -> Recipient<M>
    where
        A: Handler<M>,
    {
        Recipient::new(self.0.clone())
    }

    /// A link that does not keep the actor alive.
    pub fn downgrade(&self) -> WeakLink<A> {
        WeakLink(Arc::downgrade(&self.0))
    }

    /// As [`AnyLink::stop`].
    pub fn stop(&self, reason: ExitReason) {
        self.0.stop(reason);
    }

    /// As [`AnyLink::kill`].
    pub fn kill(&self) {
        self.0.end_now(ExitReason::Killed);
    }

    /// As [`AnyLink::info`].
    pub fn info(&self) -> ActorInfo {
        self.0.info()
    }

    /// As [`AnyLink::down`].
    pub fn down(&self) -> BoxFuture<'static, Down> {
        self.erase().down()
    }
}

impl<A: Actor> Clone for Link<A> {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl<A: Actor> Drop for Link<A> {
    fn drop(&mut self) {
        self.0.drop_link();
    }
}

impl<A: Actor> PartialEq for Link<A> {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl<A: Actor> Eq for Link<A> {}

impl<A: Actor> Hash for Link<A> {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.id().hash(state);
    }
}

impl<A: Actor> fmt::Debug for Link<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Link<{}>({})", type_name::<A>(), self.id())
    }
}

/// A link that does not keep its actor alive.
pub struct WeakLink<A: Actor>(Weak<ActorCell<A>>);

impl<A: Actor> WeakLink<A> {
    /// The link, unless the actor is gone.
    pub fn upgrade(&self) -> Option<Link<A>> {
        self.0.upgrade().map(Link::new)
    }
}

impl<A: Actor> Clone for WeakLink<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for WeakLink<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "WeakLink<{}>", type_name::<A>())
    }
}

/// The address of an actor of any type: for those that stop, watch and supervise.
pub struct AnyLink(Arc<dyn AnyCell>);

impl AnyLink {
    pub(crate) fn new(cell: Arc<dyn AnyCell>) -> Self {
        cell.add_link();
        Self(cell)
    }

    pub(crate) const fn cell(&self) -> &Arc<dyn AnyCell> {
        &self.0
    }

    /// The identity of the actor.
    pub fn id(&self) -> ActorId {
        self.0.id()
    }

    /// The typed link, if it is an `A`.
    pub fn downcast<A: Actor>(&self) -> Option<Link<A>> {
        self.0.clone().into_any().downcast::<ActorCell<A>>().ok().map(Link::new)
    }

    /// Asks the actor to stop after the messages it has: the reason goes to `term` and to monitors.
    /// A dead actor is no error.
    pub fn stop(&self, reason: ExitReason) {
        self.0.stop(reason);
    }

    /// Ends the actor before its next message, dropping a handler that waits; `term` runs.
    pub fn kill(&self) {
        self.0.end_now(ExitReason::Killed);
    }

    /// As [`kill`](Self::kill), as a part of an orderly shutdown.
    pub fn shutdown(&self, reason: ExitReason) {
        self.0.end_now(reason);
    }

    /// What is known of it now.
    pub fn info(&self) -> ActorInfo {
        self.0.info()
    }

    /// Where it is, as known here.
    pub fn location(&self) -> Location {
        self.0.location()
    }

    /// Its supervisor, if that is an actor here and has [said so](Self::set_supervisor).
    pub fn supervisor(&self) -> Option<Self> {
        self.0.supervisor().map(Self::new)
    }

    /// Says who supervises it from now on, until its [`Seat`](crate::supervision::Seat) is retired. It does not
    /// keep the supervisor alive, and changes nothing else.
    pub fn set_supervisor(&self, supervisor: &Self) {
        self.0.set_supervisor_link(Arc::downgrade(&supervisor.0));
    }

    /// Puts the actor into a group, or into its next restart epoch: see [`GroupEpoch`].
    pub fn set_group(&self, group: Option<GroupEpoch>) {
        self.0.set_group(group);
    }

    /// Calls `f` once, when the current incarnation has ended; at once with
    /// [`ExitReason::NoProc`] when the actor is dead. `f` must not block.
    pub fn on_down(&self, f: impl FnOnce(Down) + Send + 'static) {
        let once = parking_lot::Mutex::new(Some(f));
        let call = move |down| {
            if let Some(f) = once.lock().take() {
                f(down);
            }
        };
        let monitor = self.0.system_of().next_monitor();
        if let Err((Watcher::Local(_, f), down)) =
            self.0.watch(Watcher::Local(monitor, Arc::new(call)))
        {
            f(down);
        }
    }

    /// Waits for the end of the current incarnation.
    pub fn down(&self) -> BoxFuture<'static, Down> {
        let (reply, waiting) = one_shot();
        self.on_down(move |down| reply.answer(down));
        let actor = self.id();
        Box::pin(async move {
            let lost = |_| Down { actor, incarnation: 0, reason: ExitReason::NoProc };
            waiting.answer().await.unwrap_or_else(lost)
        })
    }
}

impl Clone for AnyLink {
    fn clone(&self) -> Self {
        Self::new(self.0.clone())
    }
}

impl Drop for AnyLink {
    fn drop(&mut self) {
        self.0.drop_link();
    }
}

impl PartialEq for AnyLink {
    fn eq(&self, other: &Self) -> bool {
        self.id() == other.id()
    }
}

impl Eq for AnyLink {}

impl fmt::Debug for AnyLink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "AnyLink({})", self.id())
    }
}

/// A question that was sent; await it for the answer.
#[must_use = "the answer comes when this is awaited"]
pub struct Call<R> {
    waiting: Result<Waiting<R>, CallError>,
    clock: CallClock,
    timeout: Option<Duration>,
}

impl<R> Call<R> {
    /// A question that was sent, or was not.
    pub(crate) fn new(waiting: Result<Waiting<R>, CallError>, system: &System) -> Self {
        Self { waiting, clock: CallClock::of(system), timeout: Some(DEFAULT_TIMEOUT) }
    }

    /// Waits that long instead of 5 s.
    pub const fn within(mut self, timeout: Duration) -> Self {
        self.timeout = Some(timeout);
        self
    }

    /// Waits until there is an answer or the actor dies.
    pub const fn forever(mut self) -> Self {
        self.timeout = None;
        self
    }
}

impl<R: Send + 'static> IntoFuture for Call<R> {
    type Output = Result<R, CallError>;
    type IntoFuture = Answer<R>;

    fn into_future(self) -> Answer<R> {
        Answer { waiting: self.waiting, clock: self.clock, timeout: self.timeout, limit: None }
    }
}

/// The future of a [`Call`].
#[must_use = "the answer comes when this is awaited"]
pub struct Answer<R> {
    waiting: Result<Waiting<R>, CallError>,
    clock: CallClock,
    timeout: Option<Duration>,
    limit: Option<Limit>,
}

/// The clock that a question waits by.
enum CallClock {
    /// Of the system with this id, in which the asking actor runs. That saves most questions a count of
    /// the clock.
    Here(SystemId),
    Given(Arc<dyn Clock>),
}

impl CallClock {
    #[inline]
    fn of(system: &System) -> Self {
        match here::is_on_worker() {
            true => Self::Here(system.id()),
            false => Self::Given(system.host().clock.clone()),
        }
    }

    fn now(&self, coarse: bool) -> Time {
        let read = |clock: &dyn Clock| if coarse { clock.coarse_now() } else { clock.now() };
        match self {
            Self::Given(clock) => read(&**clock),
            Self::Here(system) => here::with_clock(*system, read),
        }
    }

    fn sleep(&self, duration: Duration) -> BoxFuture<'static, ()> {
        match self {
            Self::Given(clock) => clock.sleep(duration),
            Self::Here(system) => here::with_clock(*system, |clock| clock.sleep(duration)),
        }
    }
}

/// What ends the waiting; set at the first poll that has no answer.
enum Limit {
    /// The actor that asks is woken for it.
    Deadline(Time),
    Timer(BoxFuture<'static, ()>),
}

impl<R: Send + 'static> Future for Answer<R> {
    type Output = Result<R, CallError>;

    fn poll(mut self: Pin<&mut Self>, task: &mut TaskContext<'_>) -> Poll<Self::Output> {
        let this = &mut *self;
        let waiting = match &mut this.waiting {
            Ok(waiting) => waiting,
            Err(error) => return Poll::Ready(Err(error.clone())),
        };
        if let Poll::Ready(answer) = waiting.poll(task) {
            return Poll::Ready(answer);
        }
        let Some(timeout) = this.timeout else { return Poll::Pending };
        match &mut this.limit {
            None => {
                let deadline = || this.clock.now(timeout > COARSE) + timeout;
                if let Some(deadline) = here::wake_own(task.waker(), deadline) {
                    this.limit = Some(Limit::Deadline(deadline));
                    return Poll::Pending;
                }
                let timer = this.limit.insert(Limit::Timer(this.clock.sleep(timeout)));
                let Limit::Timer(timer) = timer else { unreachable!("as it was made") };
                timer.as_mut().poll(task).map(|()| waiting.expire())
            }
            Some(Limit::Deadline(deadline)) => {
                let deadline = *deadline;
                if this.clock.now(false) >= deadline {
                    return Poll::Ready(waiting.expire());
                }
                if here::wake_own(task.waker(), || deadline).is_none() {
                    let rest = deadline.since(this.clock.now(false));
                    this.limit = Some(Limit::Timer(this.clock.sleep(rest)));
                    task.waker().wake_by_ref();
                }
                Poll::Pending
            }
            Some(Limit::Timer(timer)) => timer.as_mut().poll(task).map(|()| waiting.expire()),
        }
    }
}

impl<R> fmt::Debug for Answer<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Answer").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}

impl<R> fmt::Debug for Call<R> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Call").field("timeout", &self.timeout).finish_non_exhaustive()
    }
}
