//! The way of parcels to other nodes.

use std::sync::{Arc, Weak};

use actors_core::{
    ActorId, BoxFuture, SystemId,
    remote::{NotTaken, Parcel, Route, Router},
};

use crate::{peers::Peers, wire::Frame};

/// The routes of a system that is a node.
pub(crate) struct Routes(Weak<Peers>);

impl Routes {
    pub(crate) fn of(peers: &Arc<Peers>) -> Self {
        Self(Arc::downgrade(peers))
    }
}

impl Router for Routes {
    fn route(&self, node: SystemId) -> Arc<dyn Route> {
        Arc::new(PeerRoute { peers: self.0.clone(), node })
    }
}

struct PeerRoute {
    peers: Weak<Peers>,
    node: SystemId,
}

impl Route for PeerRoute {
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), NotTaken> {
        let way = self.peers.upgrade().and_then(|peers| Some((peers.outbox(self.node)?, peers)));
        let Some((outbox, peers)) = way else {
            return Err(NotTaken::NoConnection);
        };
        let mut sender = None;
        if let Parcel::Message { body, name, from, .. } = &parcel {
            outbox.takes(body.len() + name.len())?;
            sender = *from;
        }
        let frame = match parcel {
            Parcel::Message { name, body, from: _, epoch, reply } => {
                let call = reply.map(|reply| peers.calls.ask(self.node, reply));
                Frame::Message { to, name: name.to_string(), body, epoch, call }
            }
            Parcel::Stop(reason) => Frame::Stop(to, reason),
            Parcel::End(reason) => Frame::End(to, reason),
            Parcel::Monitor => Frame::Monitor(to),
            Parcel::Down(down) => Frame::Down(down),
        };
        // An outbox that closes just now is a connection that is lost: so is what was on its way.
        if !outbox.push(&frame, sender) {
            peers.calls.fail(self.node, &peers.name_of(self.node));
        }
        Ok(())
    }

    fn room(&self) -> BoxFuture<'static, ()> {
        let outbox = self.peers.upgrade().and_then(|peers| peers.outbox(self.node));
        match outbox.and_then(|outbox| outbox.room()) {
            Some(room) => Box::pin(room),
            None => Box::pin(std::future::ready(())),
        }
    }
}
