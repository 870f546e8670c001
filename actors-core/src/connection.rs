//! Connections: actors that end together.

use std::{collections::VecDeque, sync::Weak};

use crate::{
    Actor, ActorId, Address, CallError, Context, ExitReason,
    cell::{ActorCell, AnyCell, Life},
    node::{Letter, Payload},
    run::{Step, Turn},
};

/// The end of a connected actor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exit {
    /// Who.
    pub actor: ActorId,
    /// Why: the reason of the first that failed, however many actors it went through.
    pub reason: ExitReason,
}

/// So many exits are remembered by an actor that traps them.
const REMEMBERED: usize = 10;

/// The connections of one actor.
#[derive(Default)]
pub(crate) struct Connections {
    peers: Vec<(ActorId, Weak<dyn AnyCell>)>,
    pub(crate) sticky: bool,
    caught: VecDeque<Exit>,
}

impl Connections {
    /// False if it was there already.
    fn add(&mut self, peer: ActorId, cell: Weak<dyn AnyCell>) -> bool {
        if self.has(peer) {
            return false;
        }
        self.peers.push((peer, cell));
        true
    }

    fn has(&self, peer: ActorId) -> bool {
        self.peers.iter().any(|(id, _)| *id == peer)
    }

    fn remove(&mut self, peer: ActorId) -> bool {
        let before = self.peers.len();
        self.peers.retain(|(id, _)| *id != peer);
        self.peers.len() < before
    }

    /// Those to be told of the end of a life; the next begins without them.
    pub(crate) fn take(&mut self) -> Vec<Weak<dyn AnyCell>> {
        std::mem::take(&mut self.peers).into_iter().map(|(_, cell)| cell).collect()
    }

    fn remember(&mut self, exit: Exit) {
        if self.caught.len() == REMEMBERED {
            self.caught.pop_front();
        }
        self.caught.push_back(exit);
    }
}

impl<A: Actor> Context<A> {
    /// Connects this actor with another, in both directions: when one ends, other than with
    /// [`ExitReason::Normal`], the other ends for the same reason, after the messages that it had from
    /// it; unless it is [sticky](Self::set_sticky). A dead peer counts as one that ends with
    /// [`ExitReason::NoProc`]. Connecting twice, or with itself, changes nothing. Connections are for
    /// one life, and keep nobody alive (`link/1` in Erlang).
    ///
    /// # Errors
    /// [`CallError::NotLocal`] when the peer is on another node, [`CallError::Name`] when nobody has the
    /// name.
    pub fn connect(&mut self, peer: &impl Address) -> Result<(), CallError> {
        let peer = peer.any_link()?;
        let own = self.cell();
        if peer.id() == own.id() {
            return Ok(());
        }
        let weak: Weak<dyn AnyCell> = std::sync::Arc::downgrade(peer.cell());
        let is_new = own.ext().lock().connections.add(peer.id(), weak);
        if !is_new {
            return Ok(());
        }
        let this: Weak<dyn AnyCell> = std::sync::Arc::downgrade(&own.to_arc()) as Weak<dyn AnyCell>;
        match peer.cell().attach(own.id(), this) {
            Ok(()) => Ok(()),
            Err(CallError::Closed) => {
                own.exit(Exit { actor: peer.id(), reason: ExitReason::NoProc });
                Ok(())
            }
            Err(error) => {
                own.ext().lock().connections.remove(peer.id());
                Err(error)
            }
        }
    }

    /// Ends a connection, on both sides; monitors and supervision stay. An exit of the peer that has not
    /// been handled yet is ignored. A name that nobody has is harmless.
    pub fn disconnect(&mut self, peer: &impl Address) {
        let Ok(peer) = peer.any_link() else { return };
        if self.cell().ext().lock().connections.remove(peer.id()) {
            peer.cell().detach(self.id());
        }
    }

    /// The actors that this one is connected with.
    pub fn connections(&self) -> Vec<ActorId> {
        let Some(ext) = self.cell().known_ext() else { return Vec::new() };
        ext.lock().connections.peers.iter().map(|(id, _)| *id).collect()
    }

    /// A sticky actor does not end with its connections: their exits come to [`Actor::on_exit`], the
    /// connection is dropped, and those behind it are shielded (`trap_exit` in Erlang). It stays so over
    /// restarts.
    pub fn set_sticky(&mut self, sticky: bool) {
        self.cell().ext().lock().connections.sticky = sticky;
    }

    /// The last ten exits that this actor, being sticky, has survived; the newest last.
    pub fn caught_exits(&self) -> Vec<Exit> {
        let Some(ext) = self.cell().known_ext() else { return Vec::new() };
        ext.lock().connections.caught.iter().cloned().collect()
    }
}

impl<A: Actor> ActorCell<A> {
    /// The other side of [`Context::connect`].
    pub(crate) fn add_peer(&self, id: ActorId, peer: Weak<dyn AnyCell>) -> Result<(), CallError> {
        let mut rare = self.ext().lock();
        match self.settled_life() {
            Life::Running | Life::Suspended => {
                rare.connections.add(id, peer);
                Ok(())
            }
            Life::Proxy => Err(CallError::NotLocal),
            Life::Dead => Err(CallError::Closed),
        }
    }

    pub(crate) fn remove_peer(&self, id: ActorId) {
        if let Some(ext) = self.known_ext() {
            ext.lock().connections.remove(id);
        }
    }

    /// Tells of the end of a peer, in order with its messages.
    pub(crate) fn push_exit(&self, exit: Exit) {
        if matches!(self.life(), Life::Running | Life::Suspended) {
            self.enqueue(Letter::new(ExitSignal(exit)));
        }
    }
}

/// The end of a connected actor.
struct ExitSignal(Exit);

impl<A: Actor> Payload<A> for ExitSignal {
    const MESSAGE: bool = false;

    fn run(self, turn: &mut Turn<'_, A>) -> Step {
        let exit = self.0;
        {
            let mut rare = turn.cell().ext().lock();
            if !rare.connections.remove(exit.actor) {
                return Step::Next;
            }
            if rare.connections.sticky {
                rare.connections.remember(exit.clone());
            } else if exit.reason == ExitReason::Normal {
                return Step::Next;
            } else {
                drop(rare);
                return Step::end(exit.reason);
            }
        }
        turn.handle(move |actor, cx| actor.on_exit(exit, cx))
    }

    fn refuse(self, _error: CallError) {}

    fn name() -> &'static str {
        "on_exit"
    }
}
