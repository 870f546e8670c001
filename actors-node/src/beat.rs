//! The heartbeat: what goes out with it, and what is looked for.

use std::sync::Arc;

use crate::{DownCause, NodeEvent, detector::Verdict, peers::Peers, wire::Frame};

/// Sends heartbeats and watches for those of others.
pub(crate) async fn beat(peers: Arc<Peers>) {
    let clock = peers.system().host().clock.clone();
    while !peers.has_left() {
        clock.sleep(peers.detection().heartbeat).await;
        for session in peers.sessions() {
            if session.current() != 0 {
                session.outbox().push(&Frame::Heartbeat(session.received()), None);
            }
        }
        for id in peers.overflowing() {
            peers.fail(id, DownCause::Overflow);
        }
        for verdict in peers.tick() {
            match verdict {
                Verdict::Failed(id) => peers.fail(id, DownCause::Silent),
                Verdict::Suspected(id) => {
                    peers.known(id).into_iter().for_each(|m| peers.emit(NodeEvent::Suspected(m)));
                }
                Verdict::Recovered(id) => {
                    peers.known(id).into_iter().for_each(|m| peers.emit(NodeEvent::Recovered(m)));
                }
            }
        }
    }
}
