//! What a supervisor needs of a child, wherever it runs.

use std::any::{Any, TypeId};

use actors_core::{
    AnyLink, BoxFuture, ExitReason, ReplyTo, StartError, SystemId,
    supervision::{Failure, OnExit},
};

use crate::{Plan, StateSource};

/// How one child is placed, started and stopped. [`ChildSpec::new`](crate::ChildSpec::new) makes one
/// for an actor here; other crates make those of other places.
///
/// A supervisor calls [`prepare`](Self::prepare) and [`start`](Self::start) one at a time: never
/// while a future of either is pending, except after [`retire`](Self::retire). The futures run as
/// tasks beside the supervisor; one whose node is declared dead must end, with any error.
///
/// The end of an incarnation is told by the `on_exit` that [`attach`](Self::attach) gave. An exit
/// that comes along with a failed start is ignored: the error of the start is the event.
pub trait Child: Any + Send {
    /// It comes under a supervisor; called once, in the supervisor's own activation:
    /// [`System::current`](actors_core::System::current) is the supervisor's system.
    ///
    /// # Errors
    /// It cannot be supervised; the supervisor does not take it.
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError>;

    /// Its address, if it has one by now.
    fn link(&self) -> Option<AnyLink>;

    /// The system that hosts it, if that is another one. Read after each `prepare` and `start`.
    fn host(&self) -> Option<SystemId> {
        None
    }

    /// What it counts as.
    fn kind(&self) -> ChildKind {
        ChildKind::Worker
    }

    /// What its present life began with. Read after each start.
    fn source(&self) -> StateSource {
        StateSource::Unknown
    }

    /// Makes its address exist where it is going to run. All children of a round are prepared before
    /// the first is started, so that what the first sends to the last already queues. Called before
    /// every start, also when it is already in place.
    ///
    /// [`StartError::NoConnection`] here or in `start` is no failure of the child: the round is
    /// tried again without being counted.
    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>>;

    /// Starts the next incarnation and gives its number, which is higher than the last one's.
    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>>;

    /// A child that begins without waiting, here and from any activation: it is restarted by the very
    /// activation that ends, not by the supervisor's. It is neither prepared nor started then.
    fn in_place(&mut self) -> Option<&mut dyn InPlace> {
        None
    }

    /// Asks it to end, ahead of its messages. While a start is pending, the start is to fail or the
    /// child to end once it is started. The end comes as an exit.
    fn stop(&mut self, reason: ExitReason);

    /// Ends it without its consent; the end comes as an exit.
    fn kill(&mut self);

    /// It is never started again: what is queued for it becomes dead letters. One that still runs is
    /// on its own from now on.
    fn retire(&mut self, reason: ExitReason);

    /// It leaves the supervisor and runs on; its exits are no longer told.
    fn detach(&mut self);

    /// Whether it can go on as the child of another spec, when its supervisor is
    /// [changed](crate::SupervisorLink::change). Without more, one of the same type can.
    fn can_change_to(&self, spec: &dyn Child) -> bool {
        (spec as &dyn Any).type_id() == TypeId::of::<Self>()
    }

    /// From its next start on, it starts as this one would. What runs is not touched. Without more, its
    /// rules alone are changed.
    fn change_to(&mut self, spec: Box<dyn Child>) {
        drop(spec);
    }
}

/// A [`Child`] that needs no preparation and whose start waits for nothing.
pub trait InPlace {
    /// Begins the next incarnation; `started` is told its number, or why it failed. It must not block,
    /// and runs nothing of the user's.
    fn begin(&mut self, start: Start, started: ReplyTo<Result<u32, StartError>>);
}

/// What a child is told about the start in hand.
#[derive(Clone, Debug)]
pub struct Start {
    /// 1 for the first try after a failure, and for the first start.
    pub attempt: u32,
    /// How the last incarnation ended; `None` at the first start.
    pub failure: Option<Failure>,
    /// What the supervisor's [`Planner`](crate::Planner) said for the round, if it has one.
    pub plan: Option<Plan>,
}

/// What a child counts as.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum ChildKind {
    /// Does the work.
    #[default]
    Worker,
    /// Supervises others.
    Supervisor,
    /// A future that ends by itself.
    Task,
}

impl Child for Box<dyn Child> {
    fn attach(&mut self, on_exit: OnExit) -> Result<(), StartError> {
        (**self).attach(on_exit)
    }

    fn link(&self) -> Option<AnyLink> {
        (**self).link()
    }

    fn host(&self) -> Option<SystemId> {
        (**self).host()
    }

    fn kind(&self) -> ChildKind {
        (**self).kind()
    }

    fn source(&self) -> StateSource {
        (**self).source()
    }

    fn prepare(&mut self) -> BoxFuture<'static, Result<(), StartError>> {
        (**self).prepare()
    }

    fn start(&mut self, start: Start) -> BoxFuture<'static, Result<u32, StartError>> {
        (**self).start(start)
    }

    fn in_place(&mut self) -> Option<&mut dyn InPlace> {
        (**self).in_place()
    }

    fn stop(&mut self, reason: ExitReason) {
        (**self).stop(reason);
    }

    fn kill(&mut self) {
        (**self).kill();
    }

    fn retire(&mut self, reason: ExitReason) {
        (**self).retire(reason);
    }

    fn detach(&mut self) {
        (**self).detach();
    }

    fn can_change_to(&self, spec: &dyn Child) -> bool {
        (**self).can_change_to(spec)
    }

    fn change_to(&mut self, spec: Box<dyn Child>) {
        (**self).change_to(spec);
    }
}
