//! What a supervisor needs of an actor: an address whose incarnations it starts.

use std::{fmt, sync::Arc};

use crate::{
    Actor, ActorId, AnyLink, ExitReason, GroupEpoch, Link, ReplyTo, StartError,
    cell::{ActorCell, AnyCell, Life, start_with},
    reply::one_shot,
};

pub use crate::observe::Observer;

/// The end of one incarnation of a supervised actor. The actor is suspended: its address stands, its
/// messages queue, and only its [`Seat`] starts it again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildExit {
    /// Who.
    pub actor: ActorId,
    /// Which of its lives; one that was already replaced is stale.
    pub incarnation: u32,
    /// Why.
    pub reason: ExitReason,
}

/// Told of every exit. It must not block: it runs in the dying actor's activation. It may begin the next
/// incarnation there and then.
pub type OnExit = Arc<dyn Fn(ChildExit) + Send + Sync>;

/// The place of a supervised actor: the right to start, restart and retire the actor behind one
/// address. Got from [`System::reserve`](crate::System::reserve), or for an actor that runs with
/// [`adopt`](Self::adopt).
///
/// Between two incarnations the actor is suspended: what is sent to it queues, in order. There are
/// never two incarnations at once.
pub struct Seat<A: Actor>(Arc<ActorCell<A>>);

impl<A: Actor> Seat<A> {
    pub(crate) const fn new(cell: Arc<ActorCell<A>>) -> Self {
        Self(cell)
    }

    /// Takes an actor that runs, and that nobody supervises, under supervision: its current life goes on,
    /// and `on_exit` hears of its end. Waits for nothing and changes nothing else; messages, name,
    /// monitors and connections stay. As in `supervise` of Actors.jl; in Erlang a supervisor has to start
    /// what it supervises.
    ///
    /// # Errors
    /// [`StartError::AlreadySupervised`]; [`StartError::Exited`] with [`ExitReason::NoProc`] when the
    /// actor is dead, [`StartError::Address`] when it is on another node. Nothing has changed.
    pub fn adopt(link: &Link<A>, on_exit: OnExit) -> Result<Self, StartError> {
        link.cell().adopt(on_exit)?;
        Ok(Self(link.cell().clone()))
    }

    pub(crate) const fn cell(&self) -> &Arc<ActorCell<A>> {
        &self.0
    }

    /// The address.
    pub fn link(&self) -> Link<A> {
        Link::new(self.0.clone())
    }

    /// The address without its type.
    pub fn any_link(&self) -> AnyLink {
        AnyLink::new(self.0.clone())
    }

    /// Starts the next incarnation. `make` gets the last state, if there is one, and runs in the new
    /// activation: its panic is a failed start. With `group`, the actor is from now on a member in
    /// that restart epoch.
    ///
    /// The start goes on when the returned future is dropped. A failed start is told to the
    /// supervisor as a [`ChildExit`] too, and leaves the actor suspended: with the new state
    /// if `init` failed, without one if `make` did.
    ///
    /// # Errors
    /// [`StartError::AlreadyRunning`] while an incarnation runs or when the actor is dead; else what
    /// `make` or [`Actor::init`] failed with.
    pub fn start<F, Fut>(
        &self,
        group: Option<GroupEpoch>,
        make: F,
    ) -> impl Future<Output = Result<u32, StartError>> + Send + 'static + use<A, F, Fut>
    where
        F: FnOnce(Option<A>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        self.start_numbered(group, None, make)
    }

    /// As [`start`](Self::start); how it went is told in the new activation, once the incarnation is up
    /// or, after its [`ChildExit`], has failed.
    pub fn begin<F, Fut>(
        &self,
        group: Option<GroupEpoch>,
        make: F,
        started: ReplyTo<Result<u32, StartError>>,
    ) where
        F: FnOnce(Option<A>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        self.begin_numbered(group, None, make, started);
    }

    fn begin_numbered<F, Fut>(
        &self,
        group: Option<GroupEpoch>,
        number: Option<u32>,
        make: F,
        started: ReplyTo<Result<u32, StartError>>,
    ) where
        F: FnOnce(Option<A>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        if let Err(start) = self.0.begin(group, number, start_with(make, started)) {
            start.started.answer(Err(StartError::AlreadyRunning));
        }
    }

    pub(crate) fn start_numbered<F, Fut>(
        &self,
        group: Option<GroupEpoch>,
        number: Option<u32>,
        make: F,
    ) -> impl Future<Output = Result<u32, StartError>> + Send + 'static + use<A, F, Fut>
    where
        F: FnOnce(Option<A>) -> Fut + Send + 'static,
        Fut: Future<Output = Result<A, StartError>> + Send + 'static,
    {
        let (reply, waiting) = one_shot();
        self.begin_numbered(group, number, make, reply);
        async move {
            match waiting.answer().await {
                Ok(started) => started,
                Err(_) => Err(StartError::Exited(ExitReason::Killed)),
            }
        }
    }

    /// Gives the actor up: dead for good, its messages become dead letters. A running incarnation is
    /// from now on unsupervised and dies when it ends.
    pub fn retire(&self, reason: ExitReason) {
        self.0.retire(reason);
    }

    /// True between two incarnations.
    pub fn is_suspended(&self) -> bool {
        self.0.is_suspended()
    }

    /// Hands the exits to another supervisor, or to none.
    pub fn set_supervisor(&self, on_exit: Option<OnExit>) {
        self.0.set_supervisor(on_exit);
    }
}

impl<A: Actor> ActorCell<A> {
    /// An end that has not looked for a supervisor yet finds this one.
    fn adopt(&self, on_exit: OnExit) -> Result<(), StartError> {
        let mut rare = self.ext().lock();
        match self.settled_life() {
            Life::Running if rare.supervisor.is_none() => rare.supervisor = Some(on_exit),
            Life::Running | Life::Suspended => return Err(StartError::AlreadySupervised),
            Life::Proxy => return Err(StartError::Address("it is on another node".into())),
            Life::Dead => return Err(StartError::Exited(ExitReason::NoProc)),
        }
        Ok(())
    }
}

/// The failure that a restart answers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Why the last incarnation ended.
    pub reason: ExitReason,
    /// Which life it was.
    pub incarnation: u32,
}

/// Where the state of a restarted actor comes from.
///
/// It runs in the new activation, under `catch_unwind`; an error or a panic is a failed start.
pub trait RestartSource<A: Actor>: Send + 'static {
    /// The state to go on with. `last` is the state that the last incarnation left, if it left one
    /// on this node; it may be half changed by the handler that crashed. `attempt` is 1 for the
    /// first try after a failure.
    fn restore(
        &mut self,
        last: Option<A>,
        why: &Failure,
        attempt: u32,
    ) -> impl Future<Output = Result<A, StartError>> + Send;

    /// What it is called where restarts are told of; its type's name, if it has no better one.
    fn name(&self) -> &'static str {
        std::any::type_name::<Self>()
    }
}

impl<A: Actor> Clone for Seat<A> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<A: Actor> fmt::Debug for Seat<A> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Seat({})", self.0.id())
    }
}
