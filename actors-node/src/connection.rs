//! One connection: made or taken, hands shaken, read and written until it ends.

use std::{io, sync::Arc, time::Duration};

use actors_core::host::{Listener, ReadHalf, Stream, WriteHalf};
use futures_lite::{AsyncReadExt, AsyncWriteExt};

use crate::{
    DownCause, Member, NodeError, NodeEvent,
    outbox::Outbox,
    peers::Peers,
    wire::{self, Frame, Hello, Refusal, Welcome},
};

/// A node that was announced but does not answer is dialled again after this long.
const REDIAL: Duration = Duration::from_millis(50);

/// Takes connections until the node leaves.
pub(crate) async fn accept(peers: Arc<Peers>, mut listener: Box<dyn Listener>) {
    loop {
        let left = async {
            while !peers.has_left() {
                let changed = peers.changed();
                if !peers.has_left() {
                    changed.await;
                }
            }
            None
        };
        let accepted = futures_lite::future::or(left, async { Some(listener.accept().await) });
        match accepted.await {
            None => return,
            Some(Ok(stream)) => {
                let peers = peers.clone();
                peers.system().clone().spawn_task(async move {
                    let peer = stream.peer.clone();
                    if let Err(error) = welcome(&peers, stream).await {
                        tracing::warn!(%peer, %error, "connection refused");
                    }
                });
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "accept");
                peers.system().host().clock.sleep(REDIAL).await;
            }
        }
    }
}

/// The hand-shake of the side that was connected to, bounded in time.
async fn welcome(peers: &Arc<Peers>, mut stream: Stream) -> io::Result<()> {
    let clock = peers.system().host().clock.clone();
    let hello: Hello = futures_lite::future::or(
        async {
            exchange_preambles(&mut stream).await?;
            wire::read_frame(&mut stream.read, &mut Vec::new()).await?.ok_or_else(ended)
        },
        async {
            clock.sleep(peers.hand_shake_timeout()).await;
            Err(io::Error::new(io::ErrorKind::TimedOut, "no hand-shake"))
        },
    )
    .await?;
    let refusal = if hello.cluster != peers.cluster() {
        Some(Refusal::OtherCluster)
    } else if peers.is_dead(hello.member.id) {
        Some(Refusal::Fenced)
    } else {
        None
    };
    let outbox = match refusal {
        None => peers.connect(&hello.member).ok_or(Refusal::Duplicate),
        Some(refusal) => Err(refusal),
    };
    let answer = match &outbox {
        Ok(_) => {
            let dead = peers.dead();
            Welcome::Accepted { member: peers.member().clone(), members: peers.members(), dead }
        }
        Err(reason) => Welcome::Refused { reason: reason.clone() },
    };
    let sent = async {
        stream.write.write_all(&wire::frame(&answer)).await?;
        stream.write.flush().await
    };
    match (sent.await, outbox) {
        (Ok(()), Ok(outbox)) => {
            serve(peers.clone(), hello.member, stream.read, stream.write, outbox).await;
            Ok(())
        }
        (Err(error), Ok(_)) => {
            peers.fail(hello.member.id, DownCause::ConnectionLost);
            Err(error)
        }
        (_, Err(refusal)) => Err(io::Error::other(refusal)),
    }
}

/// Connects to a node and shakes hands; the connection is then served by a task of its own.
pub(crate) async fn dial(peers: &Arc<Peers>, address: &str) -> Result<Member, NodeError> {
    let unreachable = |error: io::Error| NodeError::Unreachable {
        address: address.into(),
        error: error.to_string(),
    };
    let net = peers.system().host().net.clone();
    let clock = peers.system().host().clock.clone();
    let hand_shake = async {
        let mut stream = net.connect(address).await?;
        let hello = Hello { cluster: peers.cluster().to_owned(), member: peers.member().clone() };
        exchange_preambles(&mut stream).await?;
        stream.write.write_all(&wire::frame(&hello)).await?;
        stream.write.flush().await?;
        let welcome: Welcome =
            wire::read_frame(&mut stream.read, &mut Vec::new()).await?.ok_or_else(ended)?;
        Ok((stream, welcome))
    };
    let shaken = futures_lite::future::or(hand_shake, async {
        clock.sleep(peers.hand_shake_timeout()).await;
        Err(io::Error::new(io::ErrorKind::TimedOut, "no hand-shake"))
    });
    let (stream, welcome) = shaken.await.map_err(unreachable)?;
    match welcome {
        Welcome::Refused { reason } => {
            Err(NodeError::Refused { address: address.into(), refusal: reason })
        }
        Welcome::Accepted { member, members, dead } => {
            for id in dead {
                peers.fail(id, DownCause::Reported);
            }
            let (own, who) = (peers.clone(), member.clone());
            if let Some(outbox) = peers.connect(&member) {
                let served = serve(own, who, stream.read, stream.write, outbox);
                peers.system().spawn_task(served);
            } else if peers.is_member(member.id) {
                // Both have dialled, and each has accepted the other: each writes on the connection
                // that it accepted and reads the one that it made.
                peers.system().spawn_task(async move {
                    let _open = stream.write;
                    receive_all(own, who, stream.read).await;
                });
            } else {
                let refusal = Refusal::Fenced;
                return Err(NodeError::Refused { address: address.into(), refusal });
            }
            for member in members {
                peers.learn(member);
            }
            Ok(member)
        }
    }
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
    let mut buffer = Vec::new();
    let cause = loop {
        match wire::read_frame::<Frame>(&mut read, &mut buffer).await {
            Ok(Some(frame)) if peers.is_member(member.id) => peers.receive(&member, frame),
            // It was declared dead here, and nothing it says counts, but that it has done the same.
            Ok(Some(Frame::Fenced)) => {
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

async fn exchange_preambles(stream: &mut Stream) -> io::Result<()> {
    stream.write.write_all(&wire::preamble()).await?;
    stream.write.flush().await?;
    let mut theirs = [0; wire::PREAMBLE];
    stream.read.read_exact(&mut theirs).await?;
    wire::check_preamble(&theirs)
}

fn ended() -> io::Error {
    io::Error::new(io::ErrorKind::UnexpectedEof, "the connection ended in the hand-shake")
}
