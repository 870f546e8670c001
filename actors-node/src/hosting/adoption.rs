//! Actors whose supervisor is on the node that owns a role: when that is gone they wait for the next owner, which
//! takes them over as they are.

use std::{sync::Arc, time::Duration};

use actors_core::{ActorId, StartError, SystemId};

use super::{Hosted, end};
use crate::{peers::Peers, wire::Frame};

/// How long an actor waits for the next owner, until it ends.
const ADOPTION: Duration = Duration::from_secs(10);

/// By what right an owner supervises.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Charge {
    pub(crate) role: String,
    pub(crate) term: u64,
}

impl Peers {
    /// To a node that hosts or supervises, or to this one.
    pub(crate) fn tell_host(self: &Arc<Self>, to: SystemId, frame: Frame) -> bool {
        if to != self.member().id {
            return self.send(to, &frame);
        }
        match frame {
            Frame::Adopt { call, export, actor, version, role, term } => {
                self.host_adopt(to, call, &export, (actor, version), Charge { role, term });
            }
            Frame::Start { call, actor, group, incarnation, args } => {
                self.host_start(to, call, actor, group, incarnation, args);
            }
            Frame::Started { call, result } => self.calls.started(call, result),
            Frame::Retire(actor, reason) => self.hosting.retire(to, actor, reason),
            Frame::Release(actor) => self.hosting.release(to, actor),
            Frame::ChildExit { actor, incarnation, reason } => {
                self.hosting.child_exit(actor, incarnation, reason);
            }
            _ => return false,
        }
        true
    }

    /// The owner of a role wants to supervise an actor here.
    pub(crate) fn host_adopt(
        self: &Arc<Self>,
        owner: SystemId,
        call: u64,
        export: &str,
        location: (ActorId, u32),
        charge: Charge,
    ) {
        let actor = location.0;
        let result = match self.is_current(&charge) {
            Err(error) => Err(error),
            Ok(()) => match self.take_over(owner, actor, &charge) {
                Some(taken) => taken,
                None => self.reserve_here(owner, export, location, Some(charge)).map(|()| 0),
            },
        };
        let exit = match result {
            Ok(1..) => self.exit_of(actor),
            _ => None,
        };
        self.tell_host(owner, Frame::Started { call, result });
        // Told to the owner before perhaps, which has died of it, or just now: it ignores the second.
        if let Some((incarnation, reason)) = exit {
            self.tell_host(owner, Frame::ChildExit { actor, incarnation, reason });
        }
    }

    /// The life that it is in or was in last, 0 if there is none; `None` if it is not here.
    fn take_over(
        &self,
        owner: SystemId,
        actor: ActorId,
        charge: &Charge,
    ) -> Option<Result<u32, StartError>> {
        let mut all = self.hosting.hosted.lock();
        let hosted = all.get_mut(&actor)?;
        let Some(before) = hosted.charge.as_ref().filter(|before| before.role == charge.role)
        else {
            let error = format!("{actor} is supervised by no owner of {:?}", charge.role);
            return Some(Err(StartError::Address(error)));
        };
        if charge.term < before.term {
            return Some(Err(outdated(charge, before.term)));
        }
        hosted.owner = owner;
        hosted.charge = Some(charge.clone());
        hosted.orphaned = false;
        let is_between = hosted.seat.is_suspended() && hosted.exit.is_none();
        Some(Ok(if is_between { 0 } else { hosted.incarnation }))
    }

    fn exit_of(&self, actor: ActorId) -> Option<(u32, actors_core::ExitReason)> {
        self.hosting.hosted.lock().get(&actor)?.exit.clone()
    }

    /// Whether no later owner of the role was heard of here.
    fn is_current(&self, charge: &Charge) -> Result<(), StartError> {
        match self.offices.owner(&charge.role) {
            Some((term, _)) if charge.term < term => Err(outdated(charge, term)),
            _ => Ok(()),
        }
    }

    /// Whether the supervisor of an actor here may start it still.
    pub(super) fn check_charge(&self, owner: SystemId, actor: ActorId) -> Result<(), StartError> {
        match self.hosting.get(owner, actor).and_then(|hosted| hosted.charge) {
            Some(charge) => self.is_current(&charge),
            None => Ok(()),
        }
    }

    /// The node of a supervisor is gone. What it had as the owner of a role waits for the next one, all else ends.
    pub(crate) fn owner_failed(self: &Arc<Self>, owner: SystemId) {
        let mut all = self.hosting.hosted.lock();
        let of_owner = all.iter().filter(|(_, hosted)| hosted.owner == owner);
        let (wait, over): (Vec<_>, Vec<_>) = of_owner
            .map(|(id, hosted)| (*id, hosted.charge.clone()))
            .partition(|(_, c)| c.is_some());
        let over: Vec<Hosted> = over.iter().filter_map(|(id, _)| all.remove(id)).collect();
        drop(all);
        over.iter().for_each(end);
        for (actor, charge) in wait {
            charge.into_iter().for_each(|charge| self.orphan(actor, charge));
        }
    }

    /// A node does not own a role any more: what it had as its owner waits for the next one.
    pub(crate) fn owner_stood_down(self: &Arc<Self>, owner: SystemId, role: &str, term: u64) {
        let charge = Charge { role: role.to_owned(), term };
        let all = self.hosting.hosted.lock();
        let of_owner =
            all.iter().filter(|(_, h)| h.owner == owner && h.charge.as_ref() == Some(&charge));
        let orphans: Vec<ActorId> = of_owner.map(|(id, _)| *id).collect();
        drop(all);
        orphans.into_iter().for_each(|actor| self.orphan(actor, charge.clone()));
    }

    /// It waits for an owner of a later term, and not for ever.
    fn orphan(self: &Arc<Self>, actor: ActorId, charge: Charge) {
        if let Some(hosted) = self.hosting.hosted.lock().get_mut(&actor) {
            hosted.orphaned = true;
        }
        let (peers, clock) = (Arc::downgrade(self), self.system().host().clock.clone());
        self.system().spawn_task(async move {
            clock.sleep(ADOPTION).await;
            let Some(peers) = peers.upgrade() else { return };
            let mut all = peers.hosting.hosted.lock();
            let is_left = |h: &&mut Hosted| h.orphaned && h.charge.as_ref() == Some(&charge);
            let orphan = match all.get_mut(&actor).filter(is_left) {
                Some(_) => all.remove(&actor),
                None => None,
            };
            drop(all);
            if let Some(orphan) = orphan {
                tracing::warn!(%actor, ?charge, "no owner has adopted it in time");
                end(&orphan);
            }
        });
    }
}

fn outdated(Charge { role, term }: &Charge, newer: u64) -> StartError {
    StartError::Address(format!("{role:?} has had an owner of term {newer} since term {term}"))
}
