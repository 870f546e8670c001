//! How messages and signals come into a mailbox, and how that makes an actor run.

use std::sync::Arc;

use super::{ActorCell, AnyCell, BOUNDED, Life, OVERTAKEN};
use crate::{
    Actor, CallError, Down, Handler, Message, MonitorRef, ReplyTo, SendError, here,
    node::{Letter, Payload},
    payload::{Ask, DownSignal, Nudge, Origin, Tagged, Tell},
    remote,
    run::Drive,
    scheduler::Runnable,
    system::Dispatch,
};

impl<A: Actor> ActorCell<A> {
    /// Queues a message, or hands it to the route of a remote actor.
    #[inline]
    pub(crate) fn push<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        self.push_tagged(message, reply, here::epoch().into())
    }

    #[inline]
    pub(crate) fn push_tagged<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        origin: Origin,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        if !matches!(self.life(), Life::Running | Life::Suspended) {
            return self.push_away(message, reply, origin);
        }
        if self.has(BOUNDED) && !self.ext().bound().enter() {
            return Err(SendError::Full(message));
        }
        self.enqueue(match reply {
            reply if !origin.is_usual() => tagged(message, reply, origin),
            None => Letter::new(Tell(message)),
            Some(reply) => Letter::new(Ask(message, reply)),
        });
        Ok(())
    }

    #[cold]
    fn push_away<M: Message>(
        &self,
        message: M,
        reply: Option<ReplyTo<M::Reply>>,
        origin: Origin,
    ) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let rare = self.ext().lock();
        match (self.life(), &rare.elsewhere) {
            (Life::Dead, _) => Err(SendError::Closed(message)),
            (Life::Proxy, Some(elsewhere)) => {
                let route = elsewhere.route.clone();
                drop(rare);
                remote::forward::<A, M>(&self.system, &*route, self.id(), message, reply, origin)
            }
            _ => {
                drop(rare);
                self.push_tagged(message, reply, origin)
            }
        }
    }

    /// Queues a message that is handled before all ordinary ones; ordinary itself when remote.
    pub(crate) fn push_urgent<M: Message>(&self, message: M) -> Result<(), SendError<M>>
    where
        A: Handler<M>,
    {
        let mut rare = self.ext().lock();
        if matches!(self.settled_life(), Life::Running | Life::Suspended) {
            rare.urgent.push_back(Letter::new(Tell(message)));
            self.flag(OVERTAKEN, true);
            drop(rare);
            self.nudge();
            return Ok(());
        }
        drop(rare);
        self.push(message, None)
    }

    /// Queues what needs the state in this process.
    pub(crate) fn push_local<P: Payload<A>>(&self, payload: P) -> Result<(), CallError> {
        match self.life() {
            Life::Dead => Err(CallError::Closed),
            Life::Proxy => Err(CallError::NotLocal),
            Life::Running | Life::Suspended => {
                if P::MESSAGE && self.has(BOUNDED) && !self.ext().bound().enter() {
                    return Err(CallError::Full);
                }
                self.enqueue(Letter::new(payload));
                Ok(())
            }
        }
    }

    pub(crate) fn push_down(&self, monitor: MonitorRef, down: Down) {
        let _ = self.push_local(DownSignal { monitor, down });
    }

    #[inline]
    pub(crate) fn enqueue(&self, letter: Letter<A>) {
        // SAFETY: the letter's node is in no queue, and is given to the mailbox.
        let woken = unsafe { self.mailbox.push(letter.into_node()) };
        if woken {
            self.awake();
        }
    }

    /// The mailbox was idle, and the right to run is the caller's.
    #[inline]
    fn awake(&self) {
        if self.life() == Life::Dead {
            return self.drain_late();
        }
        self.schedule();
    }

    /// It died after the sender had looked.
    #[cold]
    fn drain_late(&self) {
        // SAFETY: the right to consume is the caller's, and the mailbox has a node.
        self.drain(unsafe { self.mailbox.enter() });
    }

    /// Passes the right to run to the scheduler.
    #[inline]
    pub(crate) fn schedule(&self) {
        match self.system.dispatch() {
            Dispatch::Workers(scheduler) => scheduler.schedule(self.runnable()),
            Dispatch::Tasks => self.schedule_task(),
        }
    }

    #[cold]
    fn schedule_task(&self) {
        let mut rare = self.ext().lock();
        rare.scheduled = true;
        let task = rare.task.clone();
        drop(rare);
        if let Some(task) = task {
            task.wake();
        }
    }

    /// Makes the actor look at what overtakes its mailbox.
    pub(crate) fn nudge(&self) {
        self.enqueue(Letter::new(Nudge));
        if self.control.wake() {
            self.schedule();
        }
    }

    /// Runs the incarnation: the right to run goes to the scheduler, with a count of the cell.
    pub(super) fn launch(self: &Arc<Self>) {
        match self.system.dispatch() {
            Dispatch::Workers(scheduler) => {
                std::mem::forget(self.clone());
                scheduler.schedule(self.runnable());
            }
            Dispatch::Tasks => {
                let mut rare = self.ext().lock();
                rare.scheduled = true;
                rare.task = None;
                drop(rare);
                self.system.host().executor.spawn(Box::pin(Drive::new(self.clone())));
            }
        }
    }

    #[inline]
    fn runnable(&self) -> Runnable {
        // From the exposed address, so that it may also stand for the `Arc`.
        Runnable::new(std::ptr::with_exposed_provenance::<Self>((&raw const *self).addr()))
    }
}

#[cold]
fn tagged<A: Handler<M>, M: Message>(
    message: M,
    reply: Option<ReplyTo<M::Reply>>,
    origin: Origin,
) -> Letter<A> {
    Letter::new(Tagged { message, reply, origin })
}
