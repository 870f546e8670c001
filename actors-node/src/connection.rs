//! One connection: made or taken, hands shaken, read and written until it ends.

use std::{sync::Arc, time::Duration};

use crate::{
    DownCause, HandShakeError, Member, NodeError, NodeEvent,
    door::Pass,
    hand_shake::{self, Connected, DEADLINE, Guest},
    outbox::Outbox,
    peers::Peers,
    pieces::Assembly,
    wire::{Frame, Refusal, Roster},
};
use actors_core::{
    SystemId,
    host::{Listener, ReadHalf, Stream, WriteHalf},
};

/// A node that was announced but does not answer is dialled again after this long.
const REDIAL: Duration = Duration::from_millis(50);

/// The longest list of nodes that a node is told when it comes, in bytes.
const LONGEST_ROSTER: usize = 16 << 20;

/// Takes connections until the node leaves.
pub(crate) async fn accept(peers: Arc<Peers>, mut listener: Box<dyn Listener>) {
    loop {
        let accepted = or_left(&peers, listener.accept()).await;
        match accepted {
            None => return,
            Some(Ok(stream)) => {
                let Some(pass) = or_left(&peers, peers.door.enter(&stream.peer)).await else {
                    return;
                };
                peers.system().spawn_task(receive_guest(peers.clone(), stream, pass));
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "accept");
                peers.system().host().clock.sleep(REDIAL).await;
            }
        }
    }
}

/// `None` when the node leaves first.
pub(crate) async fn or_left<T>(peers: &Peers, future: impl Future<Output = T>) -> Option<T> {
    let left = async {
        while !peers.has_left() {
            let changed = peers.changed();
            if !peers.has_left() {
                changed.await;
            }
        }
        None
    };
    futures_lite::future::or(left, async { Some(future.await) }).await
}

/// The side that was connected to.
async fn receive_guest(peers: Arc<Peers>, stream: Stream, pass: Pass) {
    let peer = stream.peer.clone();
    let called_out = async {
        pass.called_out().await;
        Err(HandShakeError::Crowded)
    };
    let hand_shake = hand_shake::accept(peers.us(), stream);
    let guest = in_time(&peers, futures_lite::future::or(called_out, hand_shake)).await;
    // It is known from here on: a crowd at the door is not to its harm.
    drop(pass);
    let shaken = match guest {
        Ok(guest) => in_time(&peers, welcome(&peers, guest)).await,
        Err(error) => Err(error),
    };
    match shaken {
        Ok((connected, outbox)) => {
            let Connected { member, stream, .. } = connected;
            serve(peers, member, stream.read, stream.write, outbox).await;
        }
        Err(error) => {
            let now = peers.system().host().clock.now();
            if let Some(before) = peers.door.note(&peer, now) {
                tracing::warn!(%peer, %error, before, "connection refused");
            }
        }
    }
}

async fn in_time<T>(
    peers: &Peers,
    hand_shake: impl Future<Output = Result<T, HandShakeError>>,
) -> Result<T, HandShakeError> {
    let clock = &peers.system().host().clock;
    futures_lite::future::or(hand_shake, async {
        clock.sleep(DEADLINE).await;
        Err(HandShakeError::TimedOut)
    })
    .await
}

/// Lets a node in that has proved itself, if nothing speaks against it.
async fn welcome(peers: &Arc<Peers>, guest: Guest) -> Result<(Connected, Outbox), HandShakeError> {
    let connected = match peers.is_dead(guest.member.id) {
        true => Err(Refusal::Fenced),
        false => peers.connect(&guest.member, guest.longest),
    };
    let outbox = match connected {
        Ok(outbox) => outbox,
        Err(refusal) => return Err(guest.refuse(refusal).await),
    };
    let mut undo = FailUnlessDone { peers, member: guest.member.id, done: false };
    let mut connected = guest.welcome(peers.us()).await?;
    hand_shake::send(&mut connected.stream, &peers.roster()).await?;
    undo.done = true;
    Ok((connected, outbox))
}

/// A node that was taken for connected and was not told so, or not in time, is lost.
struct FailUnlessDone<'a> {
    peers: &'a Arc<Peers>,
    member: SystemId,
    done: bool,
}

impl Drop for FailUnlessDone<'_> {
    fn drop(&mut self) {
        if !self.done {
            self.peers.fail(self.member, DownCause::ConnectionLost);
        }
    }
}

/// Connects to a node and shakes hands; the connection is then served by a task of its own.
pub(crate) async fn dial(peers: &Arc<Peers>, address: &str) -> Result<Member, NodeError> {
    let net = peers.system().host().net.clone();
    let hand_shake = async {
        let stream = net.connect(address).await?;
        let mut connected = hand_shake::dial(peers.us(), stream).await?;
        let roster = hand_shake::receive(&mut connected.stream, LONGEST_ROSTER).await?;
        Ok((connected, roster))
    };
    let (connected, roster) = in_time(peers, hand_shake).await.map_err(|error| {
        let address = address.to_owned();
        match error {
            HandShakeError::Refused(refusal) => NodeError::Refused { address, refusal },
            error if error.is_passing() => {
                NodeError::Unreachable { address, error: error.to_string() }
            }
            error => NodeError::HandShake { address, error },
        }
    })?;
    enter(peers, connected, roster)
        .map_err(|refusal| NodeError::Refused { address: address.into(), refusal })
}

/// Serves a connection that was made, once the other side has let this node in.
fn enter(peers: &Arc<Peers>, connected: Connected, roster: Roster) -> Result<Member, Refusal> {
    let Connected { stream, member, longest, agreed } = connected;
    tracing::debug!(%member, version = agreed.version, features = agreed.features, "let in");
    for id in roster.dead {
        peers.fail(id, DownCause::Reported);
    }
    let (own, who) = (peers.clone(), member.clone());
    match peers.connect(&member, longest) {
        Ok(outbox) => {
            let served = serve(own, who, stream.read, stream.write, outbox);
            peers.system().spawn_task(served);
        }
        // Both have dialled, and each has accepted the other: each writes on the connection that it
        // accepted and reads the one that it made.
        Err(Refusal::Duplicate) => peers.system().spawn_task(async move {
            let _open = stream.write;
            receive_all(own, who, stream.read).await;
        }),
        Err(refusal) => return Err(refusal),
    }
    for member in roster.members {
        peers.learn(member);
    }
    Ok(member)
}

/// Connects to a member that was announced; silence is the detector's business.
pub(crate) async fn keep_dialling(peers: Arc<Peers>, member: Member) {
    let clock = peers.system().host().clock.clone();
    while !peers.has_left() && peers.is_member(member.id) {
        match dial(&peers, &member.address).await {
            Ok(_) => return,
            Err(NodeError::Refused { refusal: Refusal::Duplicate, .. }) => return,
            Err(error) => tracing::debug!(%member, %error, "dial"),
        }
        clock.sleep(REDIAL).await;
    }
}

/// Reads and writes a connection until it ends; its end without a good-bye is the node's failure.
async fn serve(
    peers: Arc<Peers>,
    member: Member,
    read: ReadHalf,
    mut write: WriteHalf,
    outbox: Outbox,
) {
    let writer = outbox.clone();
    let writing = member.clone();
    peers.system().spawn_task(async move {
        if let Err(error) = writer.write_to(&mut write).await {
            tracing::debug!(member = %writing, %error, "write");
            writer.close();
        }
    });
    receive_all(peers, member, read).await;
}

async fn receive_all(peers: Arc<Peers>, member: Member, mut read: ReadHalf) {
    let mut assembly = Assembly::new(peers.longest_value());
    let cause = loop {
        match assembly.read::<Frame>(&mut read).await {
            Ok(Some(frame)) if peers.is_member(member.id) => {
                peers.heard(&member);
                frame.into_iter().for_each(|frame| peers.receive(&member, frame));
            }
            // It was declared dead here, and nothing it says counts, but that it has done the same.
            Ok(Some(Some(Frame::Fenced))) => {
                peers.emit(NodeEvent::Fenced { by: member });
                return;
            }
            Ok(Some(_)) => {}
            Ok(None) => break "end of the connection".to_owned(),
            Err(error) => break error.to_string(),
        }
    };
    if !peers.has_left() {
        tracing::debug!(%member, cause, "connection lost");
        peers.fail(member.id, DownCause::ConnectionLost);
    }
}
