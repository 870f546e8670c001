//! Reads and writes a connection, as long as it is the one of its session.

use std::{io, sync::Arc, time::Duration};

use actors_core::host::ReadHalf;
use futures_lite::future::or;

use crate::{
    DownCause, NodeEvent,
    connection::{Open, Turn},
    incoming::Incoming,
    outbox::{ACKNOWLEDGED_EVERY, Writing},
    peers::Peers,
    pieces,
    session::{Arrived, Session},
    wire::Frame,
};

/// How long a connection that cannot be written any more is read: its end is on the way.
const READ_ON: Duration = Duration::from_secs(1);
/// How long a connection to a life that was declared dead stays open for the last words of both sides: the
/// other one may stand still, or the network be cut.
const LAST_WORDS: Duration = Duration::from_secs(120);

/// By tasks of its own.
pub(crate) fn serve(open: Open) {
    let Open { turn, stream, arrived, from } = open;
    let peers = turn.peers.clone();
    let (session, number) = (turn.session.clone(), turn.number);
    let writing = session.outbox().write_to(number, stream.write, from);
    peers.system().spawn_task(write(turn.peers.clone(), session.clone(), number, writing));
    peers.system().spawn_task(async move {
        or(session.ended(number), read(&turn, arrived, stream.read)).await;
    });
}

async fn write(peers: Arc<Peers>, session: Session, number: u64, line: Writing) {
    let clock = &peers.system().host().clock;
    let writing = async {
        let Err(error) = line.run().await else { return };
        tracing::debug!(%error, "write");
        clock.sleep(READ_ON).await;
        session.end(number);
    };
    or(session.ended(number), writing).await;
}

/// Until the connection ends. What was read whole has arrived, whatever becomes of the connection.
async fn read(turn: &Turn, mut arrived: Arrived, read: ReadHalf) {
    let Turn { peers, member, session, number, .. } = turn;
    let (mut incoming, mut heard) = (Incoming::new(read), 0);
    let mut told = arrived.assembly().received();
    while session.current() == *number {
        let piece = match arrived.assembly().next(&mut incoming).await {
            Ok(Some(piece)) => piece,
            Ok(None) => return,
            Err(error) => return broken(turn, &error),
        };
        let frame = match piece.decode::<Frame<&[u8]>>() {
            Ok(frame) => frame,
            Err(error) => return broken(turn, &error),
        };
        if session.is_over() {
            // It was declared dead here, and nothing it says counts, but that it has done the same.
            if matches!(frame, Some(Frame::Fenced)) {
                return peers.emit(NodeEvent::Fenced { by: member.clone() });
            }
            continue;
        }
        if heard != piece.reads {
            heard = piece.reads;
            peers.heard(member);
        }
        let received = piece.received;
        session.note_received(received);
        if frame.as_ref().is_none_or(Frame::is_use) {
            session.note_use();
        }
        if received - told >= ACKNOWLEDGED_EVERY {
            told = received;
            session.outbox().push(&Frame::Heartbeat(received), None);
        }
        match frame {
            None => {}
            Some(Frame::Heartbeat(received)) => acknowledged(turn, received),
            // Both have nothing to say.
            Some(Frame::Idle) if session.outbox().is_quiet() => return session.rest(),
            Some(frame) => peers.receive(member, session, frame),
        }
    }
}

/// The other side has so much.
fn acknowledged(turn: &Turn, received: u64) {
    if let Err(error) = turn.session.outbox().acknowledge(received) {
        let Turn { peers, member, .. } = turn;
        tracing::warn!(%member, %error, "it says what cannot be");
        peers.fail(member.id, DownCause::ConnectionLost);
    }
}

fn broken(turn: &Turn, error: &io::Error) {
    let Turn { peers, member, .. } = turn;
    if pieces::is_malformed(error) && peers.is_member(member.id) {
        tracing::warn!(%member, %error, "it says what cannot be understood");
        return peers.fail(member.id, DownCause::ConnectionLost);
    }
    tracing::debug!(%member, %error, "read");
}

/// After the last words to a life that was declared dead, the connection is not kept for ever.
pub(crate) fn part(peers: &Arc<Peers>, session: Session) {
    let (number, clock) = (session.current(), peers.system().host().clock.clone());
    session.end_all();
    if number == 0 {
        return;
    }
    peers.system().spawn_task(async move {
        or(session.ended(number), clock.sleep(LAST_WORDS)).await;
        session.end(number);
    });
}
