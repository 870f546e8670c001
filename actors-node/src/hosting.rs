//! Actors here whose supervisor is on another node, and actors elsewhere whose supervisor is here.

use std::{collections::BTreeMap, sync::Arc};

use actors_core::{
    ActorId, ExitReason, GroupEpoch, StartError, SystemId,
    remote::AnySeat,
    supervision::{ChildExit, OnExit},
};
use parking_lot::Mutex;

use crate::{peers::Peers, wire::Frame};

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

    /// Orphans end: their supervisor cannot any more.
    pub(crate) fn owner_failed(&self, owner: SystemId) {
        let mut hosted = self.hosted.lock();
        let orphans: Vec<ActorId> =
            hosted.iter().filter(|(_, h)| h.owner == owner).map(|(id, _)| *id).collect();
        let orphans: Vec<Hosted> = orphans.iter().filter_map(|id| hosted.remove(id)).collect();
        drop(hosted);
        for orphan in orphans {
            orphan.seat.link().kill();
            orphan.seat.retire(ExitReason::NoConnection);
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
        let peers = Arc::downgrade(self);
        let on_exit: OnExit = Arc::new(move |exit: ChildExit| {
            if let Some(peers) = peers.upgrade() {
                let ChildExit { actor, incarnation, reason } = exit;
                peers.send(owner, &Frame::ChildExit { actor, incarnation, reason });
            }
        });
        let result = match self.hosting.get(owner, actor) {
            Some(_) => Ok(0),
            None => self.system().reserve_export(export, (actor, version), on_exit).map(|seat| {
                let hosted = Hosted { owner, seat: seat.into() };
                self.hosting.hosted.lock().insert(actor, hosted);
                0
            }),
        };
        self.send(owner, &Frame::Started { call, result });
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
        let Some(hosted) = self.hosting.get(owner, actor) else {
            let result = Err(StartError::Address(format!("{actor} was not reserved here")));
            self.send(owner, &Frame::Started { call, result });
            return;
        };
        let started = hosted.seat.start(group, incarnation, args);
        let peers = self.clone();
        self.system().spawn_task(async move {
            let result = started.await;
            peers.send(owner, &Frame::Started { call, result });
        });
    }
}
