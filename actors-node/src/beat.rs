//! The heartbeat: what goes out with it, and what is looked for.

use std::{sync::Arc, time::Duration};

use actors_core::host::Time;

use crate::{DownCause, NodeEvent, detector::Verdict, peers::Peers, session::Session, wire::Frame};

/// Sends heartbeats and watches for those of others.
pub(crate) async fn beat(peers: Arc<Peers>) {
    let clock = peers.system().host().clock.clone();
    while !peers.has_left() {
        let before = clock.now();
        clock.sleep(peers.detection().heartbeat).await;
        peers.watch_lease(clock.now().since(before) > 3 * peers.detection().heartbeat);
        let connected = peers.sessions().into_iter().filter(|session| session.current() != 0);
        for session in connected {
            match peers.by_gossip() {
                None => drop(session.outbox().push(&Frame::Heartbeat(session.received()), None)),
                Some(gossip) => tend(&session, clock.now(), gossip.settings.idle),
            }
        }
        for id in peers.overflowing() {
            peers.fail(id, DownCause::Overflow);
        }
        let verdicts = if peers.by_gossip().is_none() { peers.tick() } else { Vec::new() };
        for verdict in verdicts {
            match verdict {
                // Who is dead is said by another.
                Verdict::Failed(_) if peers.registry().is_some() => {}
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

/// A connection that is no sign of life: the other side is told what has arrived, when something has, and
/// that the connection may be closed.
fn tend(session: &Session, now: Time, idle: Duration) {
    if session.owes() {
        session.outbox().push(&Frame::Heartbeat(session.received()), None);
    }
    if session.is_idle(now, idle) {
        session.rest();
        session.outbox().push(&Frame::Idle, None);
    }
}
