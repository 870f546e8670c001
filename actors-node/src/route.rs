//! The way of parcels to other nodes.

use std::sync::{Arc, OnceLock, Weak};

use actors_core::{
    ActorId, BoxFuture, SystemId,
    remote::{NotTaken, Parcel, Route, Router},
};

use crate::{
    outbox::{FEW, Outbox},
    peers::Peers,
    wire::{Asked, Frame},
};

/// The routes of a system that is a node.
pub(crate) struct Routes(Weak<Peers>);

impl Routes {
    pub(crate) fn of(peers: &Arc<Peers>) -> Self {
        Self(Arc::downgrade(peers))
    }
}

impl Router for Routes {
    fn route(&self, node: SystemId) -> Arc<dyn Route> {
        Arc::new(PeerRoute { peers: self.0.clone(), node, outbox: OnceLock::new() })
    }
}

struct PeerRoute {
    peers: Weak<Peers>,
    node: SystemId,
    /// That of the node's session, from when it is a member: a life has one.
    outbox: OnceLock<Outbox>,
}

impl PeerRoute {
    fn outbox(&self) -> Option<&Outbox> {
        if let Some(outbox) = self.outbox.get() {
            return Some(outbox);
        }
        let outbox = self.peers.upgrade()?.outbox(self.node)?;
        Some(self.outbox.get_or_init(|| outbox))
    }
}

impl Route for PeerRoute {
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), NotTaken> {
        let peers = self.peers.upgrade().ok_or(NotTaken::NoConnection)?;
        let outbox = self.outbox().ok_or(NotTaken::NoConnection)?;
        let mut sender = None;
        match &parcel {
            Parcel::Message { body, name, from, .. } => {
                outbox.takes(body.len() + name.len())?;
                sender = *from;
            }
            _ if outbox.is_closed() => return Err(NotTaken::NoConnection),
            _ => {}
        }
        let mut at_once = false;
        let frame = match parcel {
            Parcel::Message { name, body, from: _, epoch, trace, reply } => {
                let call = reply.map(|reply| {
                    let left = reply.deadline().map(|deadline| peers.left_until(deadline));
                    let (call, questions) = peers.calls.ask(self.node, reply);
                    at_once = questions <= FEW;
                    Asked(call, left)
                });
                Frame::Message { to, name: name.to_string(), body, epoch, call, trace }
            }
            Parcel::Stop(reason) => Frame::Stop(to, reason),
            Parcel::End(reason) => Frame::End(to, reason),
            Parcel::Monitor => Frame::Monitor(to),
            Parcel::Down(down) => Frame::Down(down),
        };
        // An outbox that closes just now is a connection that is lost: so is what was on its way.
        let pushed = match at_once {
            true => outbox.push_now(&frame, sender),
            false => outbox.push_owned(frame, sender),
        };
        if !pushed {
            peers.calls.fail(self.node, &peers.name_of(self.node));
        }
        Ok(())
    }

    fn room(&self) -> BoxFuture<'static, ()> {
        match self.outbox().and_then(Outbox::room) {
            Some(room) => Box::pin(room),
            None => Box::pin(std::future::ready(())),
        }
    }
}
