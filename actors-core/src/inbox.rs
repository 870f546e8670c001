//! Messages to code that is no actor.

use std::{collections::VecDeque, fmt, sync::Arc, time::Duration};

use crossbeam_channel::{Receiver, Sender, TryRecvError, unbounded};
use event_listener::Event;

use crate::{
    Actor, AnyLink, Context, ExitReason, Handler, Link, Message, Recipient, System,
    system::drives_this_thread,
};

/// Where code that is no actor gets messages: a plain thread, `main`, a test.
///
/// Actors send to its [`recipient`](Self::recipient). The messages of one sender arrive in order; they
/// wait until they are received, without a bound. When the inbox is dropped, what has not been received
/// is dropped too, and further sends are refused.
///
/// ```
/// # use std::time::Duration;
/// # use actors_core::{Message, Recipient, System};
/// struct Square(u64, Recipient<Squared>);
/// struct Squared(u64);
/// # impl Message for Square { type Reply = (); }
/// # impl Message for Squared { type Reply = (); }
///
/// let system = System::new();
/// let mut inbox = system.inbox::<Squared>();
/// let actor = system.spawn_fn(|Square(n, to): Square, _cx| {
///     let _ = to.send(Squared(n * n));
/// });
/// actor.send(Square(12, inbox.recipient())).unwrap();
/// let Squared(n) = inbox.receive_blocking(Duration::from_secs(5)).unwrap();
/// assert_eq!(n, 144);
/// ```
pub struct Inbox<M: Message<Reply = ()>> {
    address: Link<Porter<M>>,
    arrived: Receiver<M>,
    /// What a selective receive has passed over, in order of arrival.
    kept: VecDeque<M>,
    bell: Arc<Event>,
}

impl<M: Message<Reply = ()>> Inbox<M> {
    /// The address to give to actors.
    pub fn recipient(&self) -> Recipient<M> {
        self.address.recipient()
    }

    /// The address without its type: for a [name](System::register), and for monitors.
    pub fn erase(&self) -> AnyLink {
        self.address.erase()
    }

    /// The messages as a channel, for `crossbeam_channel::select!`. What a
    /// [selective receive](Self::receive_match) has passed over is no longer in it.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use actors_core::{Message, System};
    /// # struct Tick(u64);
    /// # impl Message for Tick { type Reply = (); }
    /// # let system = System::new();
    /// let inbox = system.inbox::<Tick>();
    /// inbox.recipient().send(Tick(7)).unwrap();
    /// crossbeam_channel::select! {
    ///     recv(inbox.receiver()) -> tick => assert_eq!(tick.unwrap().0, 7),
    ///     default(Duration::from_secs(5)) => panic!("nothing has come"),
    /// }
    /// ```
    pub const fn receiver(&self) -> &Receiver<M> {
        &self.arrived
    }

    /// The next message, up to `timeout`. With zero it takes what was sent before, and does not wait
    /// for more. Cancel safe: dropped, it has taken nothing.
    ///
    /// # Errors
    /// [`ReceiveError::Timeout`], [`ReceiveError::Closed`].
    pub async fn receive(&mut self, timeout: Duration) -> Result<M, ReceiveError> {
        self.receive_match(|_| true, timeout).await
    }

    /// The first message that `wanted` says yes to, up to `timeout`; it is asked once about each. The
    /// others keep their order, for later. Nothing is lost: not when the time is over, nor when this is
    /// dropped, nor when `wanted` panics.
    ///
    /// # Errors
    /// As [`receive`](Self::receive).
    pub async fn receive_match(
        &mut self,
        mut wanted: impl FnMut(&M) -> bool + Send,
        timeout: Duration,
    ) -> Result<M, ReceiveError> {
        let clock = self.address.cell().system().host().clock.clone();
        let until = clock.now() + timeout;
        let mut seen = 0;
        loop {
            let arrival = self.bell.listen();
            match self.scan(&mut seen, &mut wanted) {
                Ok(message) => return Ok(message),
                Err(TryRecvError::Disconnected) => return Err(ReceiveError::Closed),
                Err(TryRecvError::Empty) => {}
            }
            let rest = until.since(clock.now());
            if rest.is_zero() {
                break;
            }
            futures_lite::future::or(arrival, clock.sleep(rest)).await;
        }
        // What was sent in time may still be on its way through the actor.
        let _ = self.address.exec(|_| ()).forever().await;
        self.scan(&mut seen, &mut wanted).map_err(|_| ReceiveError::Timeout)
    }

    /// [`receive`](Self::receive) for plain threads.
    ///
    /// # Errors
    /// As `receive`, and [`ReceiveError::WouldBlock`] on a thread that drives actors.
    pub fn receive_blocking(&mut self, timeout: Duration) -> Result<M, ReceiveError> {
        self.receive_match_blocking(|_| true, timeout)
    }

    /// [`receive_match`](Self::receive_match) for plain threads.
    ///
    /// # Errors
    /// As `receive_match`, and [`ReceiveError::WouldBlock`] on a thread that drives actors.
    pub fn receive_match_blocking(
        &mut self,
        wanted: impl FnMut(&M) -> bool + Send,
        timeout: Duration,
    ) -> Result<M, ReceiveError> {
        if drives_this_thread(self.address.cell().system()) {
            return Err(ReceiveError::WouldBlock);
        }
        futures_lite::future::block_on(self.receive_match(wanted, timeout))
    }

    /// Looks at the messages from the `seen`th on. Each is kept before anybody is asked about it.
    fn scan(
        &mut self,
        seen: &mut usize,
        wanted: &mut impl FnMut(&M) -> bool,
    ) -> Result<M, TryRecvError> {
        loop {
            while let Some(message) = self.kept.get(*seen) {
                if wanted(message) {
                    return Ok(self.kept.remove(*seen).expect("it was just looked at"));
                }
                *seen += 1;
            }
            self.kept.push_back(self.arrived.try_recv()?);
        }
    }
}

impl<M: Message<Reply = ()>> Drop for Inbox<M> {
    fn drop(&mut self) {
        self.address.erase().shutdown(ExitReason::Normal);
    }
}

impl<M: Message<Reply = ()>> fmt::Debug for Inbox<M> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let waiting = self.kept.len() + self.arrived.len();
        f.debug_struct("Inbox")
            .field("id", &self.address.id())
            .field("waiting", &waiting)
            .finish_non_exhaustive()
    }
}

/// Why nothing was received. Nothing is lost.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ReceiveError {
    /// Nothing that was wanted has come in time.
    #[error("no message in time")]
    Timeout,
    /// The inbox was stopped through its [address](Inbox::erase): nothing comes any more.
    #[error("the inbox is closed")]
    Closed,
    /// A blocking receive on a thread that drives actors: it would deadlock.
    #[error("a blocking receive on a thread that drives actors")]
    WouldBlock,
}

impl System {
    /// An inbox for code that is no actor.
    pub fn inbox<M: Message<Reply = ()>>(&self) -> Inbox<M> {
        let (queue, arrived) = unbounded();
        let bell = Arc::new(Event::new());
        let address = self.spawn(Porter { queue: Some(queue), bell: bell.clone() });
        Inbox { address, arrived, kept: VecDeque::new(), bell }
    }
}

/// The actor behind the address: it carries each message over.
struct Porter<M> {
    queue: Option<Sender<M>>,
    bell: Arc<Event>,
}

impl<M: Send + 'static> Actor for Porter<M> {}

impl<M: Message<Reply = ()>> Handler<M> for Porter<M> {
    async fn handle(&mut self, message: M, _cx: &mut Context<Self>) {
        if let Some(queue) = &self.queue {
            let _ = queue.send(message);
        }
        self.bell.notify(1);
    }
}

impl<M> Drop for Porter<M> {
    fn drop(&mut self) {
        self.queue = None;
        self.bell.notify(usize::MAX);
    }
}
