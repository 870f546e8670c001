//! Connections that this node makes: to join others, and to go on with a session whose connection is lost.

use std::{sync::Arc, time::Duration};

use crate::{
    DownCause, HandShakeError, Member, NodeError,
    connection::{agree, in_time, or_left},
    hand_shake::{self, DEADLINE},
    peers::Peers,
    serve::serve,
    session::Session,
    wire::{Refusal, Roster},
};

/// The longest list of nodes that a node is told when it comes, in bytes.
const LONGEST_ROSTER: usize = 16 << 20;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DialError {
    /// No process listens at the address.
    #[error("{0}")]
    NobodyListens(std::io::Error),
    #[error("{0}")]
    HandShake(#[from] HandShakeError),
}

impl DialError {
    /// For who wanted to join.
    pub(crate) fn at(self, address: &str) -> NodeError {
        let address = address.to_owned();
        match self {
            Self::HandShake(HandShakeError::Refused(refusal)) => {
                NodeError::Refused { address, refusal }
            }
            Self::HandShake(error) if !error.is_passing() => {
                NodeError::HandShake { address, error }
            }
            passing => NodeError::Unreachable { address, error: passing.to_string() },
        }
    }
}

/// Connects to a node and shakes hands; the connection is then served by tasks of its own. A node that is
/// connected already is left in peace.
pub(crate) async fn dial(peers: &Arc<Peers>, address: &str) -> Result<Member, DialError> {
    let began = peers.connections_so_far();
    let stream = match peers.system().host().net.connect(address).await {
        Ok(stream) => stream,
        Err(error) if error.kind() == std::io::ErrorKind::ConnectionRefused => {
            return Err(DialError::NobodyListens(error));
        }
        Err(error) => return Err(HandShakeError::from(error).into()),
    };
    let host = hand_shake::dial(peers.us(), stream).await?;
    match peers.connection_to(&host.member) {
        Some(true) => return Ok(host.member),
        Some(false) => return Err(HandShakeError::Refused(Refusal::Duplicate).into()),
        None => {}
    }
    let mut connected = host.enter(peers.us()).await?;
    let roster: Roster = hand_shake::receive(&mut connected.stream, LONGEST_ROSTER).await?;
    let (member, agreed) = (connected.member.clone(), connected.agreed);
    tracing::debug!(%member, version = agreed.version, features = agreed.features, "let in");
    for id in roster.dead {
        peers.fail(id, DownCause::Reported);
    }
    serve(agree(peers, connected, began).await?);
    peers.learn_all(roster.members);
    Ok(member)
}

/// [`dial`] for who wants to join, and has so much time left.
pub(crate) async fn join(
    peers: &Arc<Peers>,
    address: &str,
    rest: Duration,
) -> Result<Member, NodeError> {
    let dialled = async { Ok(dial(peers, address).await) };
    let dialled = in_time(peers, DEADLINE.min(rest), dialled).await;
    dialled.unwrap_or_else(|late| Err(late.into())).map_err(|error| error.at(address))
}

/// Sees to it that a session without a connection gets one.
pub(crate) fn redial(peers: &Arc<Peers>, session: &Session, member: &Member) {
    if !peers.has_left() && peers.is_member(member.id) && session.begin_dialling() {
        tracing::debug!(%member, "not connected");
        let dialling = keep_dialling(peers.clone(), session.clone(), member.clone());
        peers.system().spawn_task(dialling);
    }
}

/// Until there is a connection, whoever made it, or the life is known to be over: silence is the detector's
/// business.
async fn keep_dialling(peers: Arc<Peers>, session: Session, member: Member) {
    while !session.end_dialling() {
        let dialled = async {
            let pause = session.pause(peers.system().host().random.next());
            peers.system().host().clock.sleep(pause).await;
            let attempt = async { Ok(dial(&peers, &member.address).await) };
            let attempt = in_time(&peers, peers.attempt_limit(), attempt).await;
            Some(attempt.unwrap_or_else(|late| Err(late.into())))
        };
        let by_the_other = async {
            session.connected().await;
            None
        };
        let either = futures_lite::future::or(by_the_other, dialled);
        let Some(outcome) = or_left(&peers, either).await else { return };
        match outcome {
            Some(outcome) => judge(&peers, &member, outcome),
            None => tracing::debug!(%member, "the other side was first"),
        }
    }
}

/// What an attempt says of the life at the address.
fn judge(peers: &Arc<Peers>, member: &Member, outcome: Result<Member, DialError>) {
    match outcome {
        Ok(found) if found.id == member.id => {}
        // Another life has its address, or nobody: unless it was never right.
        Ok(_) | Err(DialError::NobodyListens(_)) if peers.was_connected(member.id) => {
            peers.fail(member.id, DownCause::ConnectionLost);
        }
        Ok(found) => tracing::debug!(%member, %found, "another one has its address"),
        Err(DialError::HandShake(HandShakeError::Refused(Refusal::Fenced))) => {
            peers.fenced_by(member);
        }
        Err(error) => tracing::debug!(%member, %error, "dial"),
    }
}
