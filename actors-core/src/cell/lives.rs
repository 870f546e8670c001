//! How lives begin and end, and what a death leaves.

use std::{
    ptr::NonNull,
    sync::{Arc, Weak},
};

use super::{ActorCell, AnyCell, GROUPED, KNOWN, Life, OVERTAKEN, Phase};
use crate::{
    Actor, CallError, DeadLetter, DeadLetterCause, Down, Exit, ExitReason, GroupEpoch, ReplyTo,
    StartError,
    ext::{OfLife, Start, contained, drop_guarded},
    here,
    keep::Again,
    mailbox::{Cursor, Leave},
    monitor::Watcher,
    node::{Letter, Node},
    remote::Parcel,
    run::Turn,
    supervision::ChildExit,
};

impl<A: Actor> ActorCell<A> {
    /// Takes the right to run the next incarnation. Its number is the next one here, or given by a
    /// home that has counted lives elsewhere.
    ///
    /// # Errors
    /// Gives back `start` when an incarnation runs or the actor is no more.
    pub(crate) fn begin(
        self: &Arc<Self>,
        group: Option<GroupEpoch>,
        number: Option<u32>,
        start: Start<A>,
    ) -> Result<(), Start<A>> {
        let mut rare = self.ext().lock();
        if self.life() != Life::Suspended {
            return Err(start);
        }
        rare.incarnation = number.unwrap_or(rare.incarnation + 1);
        rare.start = Some(start);
        rare.ends.clear();
        if group.is_some() {
            rare.group = group;
            rare.catch_up();
            self.flag(GROUPED, true);
        }
        self.flag(OVERTAKEN, rare.overtakes());
        self.set_phase(Phase::Make);
        self.set_life(Life::Running);
        drop(rare);
        if !here::begins_own(&**self) {
            self.launch();
        }
        Ok(())
    }

    /// The incarnation has ended: suspended if a supervisor has it, dead otherwise. The supervisor
    /// hears of it before the monitors do, and the next life runs after. The right to consume is used up.
    pub(crate) fn end(&self, mut cursor: Cursor<Node<A>>, reason: ExitReason) {
        let is_bare = reason == ExitReason::Normal && self.ext.get().is_none();
        if is_bare && self.life.die_alone(&self.ext) {
            return self.perish(cursor);
        }
        self.take_notes();
        let mut rare = self.ext().lock();
        if rare.flushes && rare.supervisor.is_some() {
            drop(rare);
            // SAFETY: the right to consume is ours.
            unsafe { self.flush(&mut cursor, &reason) };
            rare = self.ext().lock();
        }
        let life = std::mem::take(&mut rare.life);
        rare.last_error = Some(reason.clone());
        let incarnation = rare.incarnation;
        let peers = rare.connections.take();
        let Some(on_exit) = rare.supervisor.clone() else {
            self.set_life(Life::Dead);
            drop(rare);
            forget_life(life);
            self.tell_peers(peers, &reason);
            return self.perish(cursor);
        };
        let watchers = std::mem::take(&mut rare.watchers);
        // SAFETY: the right is ours; it goes to whoever begins the next incarnation.
        unsafe { self.mailbox.pause(&cursor) };
        self.set_life(Life::Suspended);
        drop(rare);
        forget_life(life);
        let exit = |reason| ChildExit { actor: self.id(), incarnation, reason };
        if peers.is_empty() && watchers.is_empty() {
            on_exit(exit(reason));
        } else {
            on_exit(exit(reason.clone()));
            self.tell_peers(peers, &reason);
            self.tell(watchers, incarnation, &reason);
        }
        self.go_on_living();
    }

    /// Launches the next life, if it was begun here while the last one ended.
    pub(crate) fn go_on_living(&self) {
        if here::take_begun() {
            self.to_arc().launch();
        }
    }

    fn tell_peers(&self, peers: Vec<Weak<dyn AnyCell>>, reason: &ExitReason) {
        for peer in peers.iter().filter_map(Weak::upgrade) {
            peer.exit(Exit { actor: self.id(), reason: reason.clone() });
        }
    }

    /// The rest of a death: the state goes, the mailbox becomes dead letters, the names are free.
    fn perish(&self, cursor: Cursor<Node<A>>) {
        // SAFETY: the right to run is ours, and it is not given back: nobody runs it again.
        drop_guarded(unsafe { self.state() }.take());
        if let Some(ext) = self.ext.get() {
            let names = std::mem::take(&mut ext.lock().names);
            for name in &names {
                self.system.registry().remove(name, self.id());
            }
        }
        if self.has(KNOWN) {
            self.system.unpin(self.id());
        }
        self.drain(cursor);
        let Some(ext) = self.ext.get() else { return };
        if let Some(bound) = ext.known_bound() {
            bound.close();
        }
        let mut rare = ext.lock();
        let letters = rare.take_letters();
        let again = rare.again.take();
        let watchers = std::mem::take(&mut rare.watchers);
        let (incarnation, reason) = (rare.incarnation, rare.last_error.clone());
        drop(rare);
        let reason = reason.unwrap_or(ExitReason::Normal);
        if let Some(Again { letter, .. }) = again {
            self.publish(
                (letter.ops().what.name)(),
                DeadLetterCause::Crashed,
                Some(reason.clone()),
            );
            contained(|| drop(letter));
        }
        for letter in letters {
            self.bury(letter, DeadLetterCause::Died, CallError::Died(reason.clone()));
        }
        self.tell(watchers, incarnation, &reason);
    }

    /// Makes dead letters of what a dead actor's mailbox has.
    pub(super) fn drain(&self, mut cursor: Cursor<Node<A>>) {
        let reason = self.ext.get().and_then(|ext| ext.lock().last_error.clone());
        let reason = reason.unwrap_or(ExitReason::Normal);
        loop {
            // SAFETY: the right to consume is ours until we leave; each node is handled once.
            match unsafe { self.mailbox.next(&mut cursor) } {
                Some(node) => {
                    let error = CallError::Died(reason.clone());
                    // SAFETY: the node has its payload.
                    unsafe { self.bury_node(node, DeadLetterCause::Died, error) }
                }
                // SAFETY: as above.
                None => match unsafe { self.mailbox.leave(&cursor) } {
                    Leave::Idle => return,
                    // Rare and short: a sender is between two instructions.
                    Leave::Busy => std::thread::yield_now(),
                },
            }
        }
    }

    /// # Safety
    /// The node has its payload; from now on it has not.
    pub(crate) unsafe fn bury_node(
        &self,
        node: NonNull<Node<A>>,
        cause: DeadLetterCause,
        error: CallError,
    ) {
        // SAFETY: the node is the consumer's.
        let ops = unsafe { node.as_ref() }.ops();
        // SAFETY: as the caller says; a panic in the payload's drop does not put it back.
        contained(|| unsafe { Node::refuse(node, error) });
        if ops.what.message {
            self.publish((ops.what.name)(), cause, None);
        }
    }

    pub(crate) fn bury(&self, letter: Letter<A>, cause: DeadLetterCause, error: CallError) {
        let ops = letter.ops();
        contained(|| letter.refuse(error));
        if ops.what.message {
            self.publish((ops.what.name)(), cause, None);
        }
    }

    pub(crate) fn publish(
        &self,
        message: &'static str,
        cause: DeadLetterCause,
        reason: Option<ExitReason>,
    ) {
        self.system.dead_letters_hub().publish(DeadLetter {
            to: self.id(),
            message,
            cause,
            reason,
        });
    }

    pub(crate) fn tell(&self, watchers: Vec<Watcher>, incarnation: u32, reason: &ExitReason) {
        for watcher in watchers {
            let down = Down { actor: self.id(), incarnation, reason: reason.clone() };
            match watcher {
                Watcher::Local(_, f) => f(down),
                Watcher::Node(node) => {
                    if let Some(route) = self.system.route(node) {
                        let _ = route.forward(self.id(), Parcel::Down(down));
                    }
                }
            }
        }
    }

    /// A supervisor gives the actor up: dead for good, if no incarnation is running.
    pub(crate) fn retire(&self, reason: ExitReason) -> bool {
        let mut rare = self.ext().lock();
        rare.supervisor = None;
        rare.supervisor_link = None;
        if self.life() != Life::Suspended {
            return false;
        }
        self.set_life(Life::Dead);
        rare.last_error = Some(reason.clone());
        let peers = rare.connections.take();
        drop(rare);
        // SAFETY: suspended, the right to run was with the seat, and nobody can begin any more.
        let cursor = unsafe { self.mailbox.enter() };
        self.tell_peers(peers, &reason);
        self.perish(cursor);
        true
    }
}

/// Forgets what belonged to one incarnation alone.
fn forget_life<A: Actor>(life: OfLife<A>) {
    for (monitor, (watched, _)) in &life.monitors {
        watched.unwatch(*monitor);
    }
    drop_guarded(life);
}

/// Boxes what makes a state.
pub(crate) fn start_with<A, F, Fut>(make: F, started: ReplyTo<Result<u32, StartError>>) -> Start<A>
where
    A: Actor,
    F: FnOnce(Option<A>) -> Fut + Send + 'static,
    Fut: Future<Output = Result<A, StartError>> + Send + 'static,
{
    let make = Box::new(move |turn: &mut Turn<'_, A>, last| turn.make_with(make, last));
    Start { make: Some(make), started }
}
