//! Actors here whose supervisor is on another node, and actors elsewhere whose supervisor is here.

mod adoption;

use std::{collections::BTreeMap, sync::Arc};

use actors_core::{
    ActorId, ExitReason, GroupEpoch, StartError, SystemId,
    remote::AnySeat,
    supervision::{ChildExit, OnExit},
};
use parking_lot::Mutex;

use crate::{peers::Peers, wire::Frame};

pub(crate) use adoption::Charge;

#[derive(Default)]
pub(crate) struct Hosting {
    /// Here, with the node that supervises it.
    hosted: Mutex<BTreeMap<ActorId, Hosted>>,
    /// Elsewhere, with the supervisor here.
    children: Mutex<BTreeMap<ActorId, OnExit>>,
}

#[derive(Clone)]
struct Hosted {
    owner: SystemId,
    seat: Arc<dyn AnySeat>,
    /// By what right it is supervised, if it is by that of a role: then it outlives its supervisor's node.
    charge: Option<Charge>,
    /// Its supervisor is gone, and another one is waited for.
    orphaned: bool,
    /// Of its life that was begun last; 0 before the first.
    incarnation: u32,
    /// How a life has ended that no other has followed.
    exit: Option<(u32, ExitReason)>,
}

impl Hosting {
    pub(crate) fn supervise(&self, actor: ActorId, on_exit: OnExit) {
        self.children.lock().insert(actor, on_exit);
    }

    pub(crate) fn unsupervise(&self, actor: ActorId) {
        self.children.lock().remove(&actor);
    }

    /// Whether it has a supervisor here, and is elsewhere.
    pub(crate) fn supervises(&self, actor: ActorId) -> bool {
        self.children.lock().contains_key(&actor)
    }

    pub(crate) fn child_exit(&self, actor: ActorId, incarnation: u32, reason: ExitReason) {
        let on_exit = self.children.lock().get(&actor).cloned();
        if let Some(on_exit) = on_exit {
            on_exit(ChildExit { actor, incarnation, reason });
        }
    }

    pub(crate) fn retire(&self, owner: SystemId, actor: ActorId, reason: ExitReason) {
        if let Some(hosted) = self.take(owner, actor) {
            hosted.seat.retire(reason);
        }
    }

    /// The owner lets go: the actor lives on, unsupervised.
    pub(crate) fn release(&self, owner: SystemId, actor: ActorId) {
        if let Some(hosted) = self.take(owner, actor) {
            hosted.seat.set_supervisor(None);
        }
    }

    fn take(&self, owner: SystemId, actor: ActorId) -> Option<Hosted> {
        let mut hosted = self.hosted.lock();
        if hosted.get(&actor)?.owner != owner {
            return None;
        }
        hosted.remove(&actor)
    }

    fn get(&self, owner: SystemId, actor: ActorId) -> Option<Hosted> {
        self.hosted.lock().get(&actor).filter(|hosted| hosted.owner == owner).cloned()
    }

    /// A life begins. `None` if its supervisor is another one by now.
    fn begins(&self, owner: SystemId, actor: ActorId, incarnation: u32) -> Option<Hosted> {
        let mut all = self.hosted.lock();
        let hosted = all.get_mut(&actor).filter(|hosted| hosted.owner == owner)?;
        (hosted.incarnation, hosted.exit) = (incarnation, None);
        Some(hosted.clone())
    }

    /// Who is to hear of the end of a life.
    fn ended(&self, exit: &ChildExit) -> Option<SystemId> {
        let mut all = self.hosted.lock();
        let hosted = all.get_mut(&exit.actor)?;
        hosted.exit = Some((exit.incarnation, exit.reason.clone()));
        Some(hosted.owner)
    }
}

/// Kills an actor whose supervisor cannot any more.
fn end(orphan: &Hosted) {
    orphan.seat.link().kill();
    orphan.seat.retire(ExitReason::NoConnection);
}

impl Peers {
    pub(crate) fn host_reserve(
        self: &Arc<Self>,
        owner: SystemId,
        call: u64,
        export: &str,
        actor: ActorId,
        version: u32,
    ) {
        let result = match self.hosting.get(owner, actor) {
            Some(_) => Ok(0),
            None => self.reserve_here(owner, export, (actor, version), None).map(|()| 0),
        };
        self.tell_host(owner, Frame::Started { call, result });
    }

    /// Makes the address of an actor that `owner` supervises.
    fn reserve_here(
        self: &Arc<Self>,
        owner: SystemId,
        export: &str,
        location: (ActorId, u32),
        charge: Option<Charge>,
    ) -> Result<(), StartError> {
        let peers = Arc::downgrade(self);
        let on_exit: OnExit = Arc::new(move |exit: ChildExit| {
            if let Some(peers) = peers.upgrade()
                && let Some(owner) = peers.hosting.ended(&exit)
            {
                let ChildExit { actor, incarnation, reason } = exit;
                peers.tell_host(owner, Frame::ChildExit { actor, incarnation, reason });
            }
        });
        let seat = self.system().reserve_export(export, location, on_exit)?.into();
        let hosted = Hosted { owner, seat, charge, orphaned: false, incarnation: 0, exit: None };
        self.hosting.hosted.lock().insert(location.0, hosted);
        Ok(())
    }

    pub(crate) fn host_start(
        self: &Arc<Self>,
        owner: SystemId,
        call: u64,
        actor: ActorId,
        group: Option<GroupEpoch>,
        incarnation: u32,
        args: Vec<u8>,
    ) {
        let may = self.check_charge(owner, actor);
        let hosted = may.and_then(|()| {
            let address = || StartError::Address(format!("{actor} was not reserved here"));
            self.hosting.begins(owner, actor, incarnation).ok_or_else(address)
        });
        let hosted = match hosted {
            Ok(hosted) => hosted,
            Err(error) => {
                self.tell_host(owner, Frame::Started { call, result: Err(error) });
                return;
            }
        };
        let started = hosted.seat.start(group, incarnation, args);
        let peers = self.clone();
        self.system().spawn_task(async move {
            let result = started.await;
            peers.tell_host(owner, Frame::Started { call, result });
        });
    }
}
