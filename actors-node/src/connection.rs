//! One connection: taken or made, hands shaken, until both sides know where their session goes on.

use std::{sync::Arc, time::Duration};

use actors_core::host::{Listener, Stream, Time};

use crate::{
    DownCause, HandShakeError, Member, backoff,
    door::Pass,
    hand_shake::{self, Connected, DEADLINE, Guest},
    peers::Peers,
    redial::redial,
    serve::serve,
    session::{Arrived, Session},
    wire::{Refusal, Resume},
};

/// After an error of the listener.
const AGAIN: Duration = Duration::from_millis(50);

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
                peers.system().host().clock.sleep(AGAIN).await;
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
    let (peer, began) = (stream.peer.clone(), peers.connections_so_far());
    let called_out = async {
        pass.called_out().await;
        Err(HandShakeError::Crowded)
    };
    let hand_shake = hand_shake::accept(peers.us(), stream);
    let hand_shake = futures_lite::future::or(called_out, hand_shake);
    let guest = in_time(&peers, DEADLINE, hand_shake).await;
    // It is known from here on: a crowd at the door is not to its harm.
    drop(pass);
    let let_in = match guest {
        Ok(guest) => in_time(&peers, DEADLINE, welcome(&peers, guest, began)).await,
        Err(error) => Err(error),
    };
    match let_in {
        Ok(open) => serve(open),
        // The other side thought better of it, or both have dialled: nobody was refused.
        Err(error @ (HandShakeError::Broken(_) | HandShakeError::Refused(Refusal::Duplicate))) => {
            tracing::debug!(%peer, %error, "no connection");
        }
        Err(error) => {
            let now = peers.system().host().clock.now();
            if let Some(before) = peers.door.note(&peer, now) {
                tracing::warn!(%peer, %error, before, "connection refused");
            }
        }
    }
}

pub(crate) async fn in_time<T>(
    peers: &Peers,
    limit: Duration,
    hand_shake: impl Future<Output = Result<T, HandShakeError>>,
) -> Result<T, HandShakeError> {
    let clock = &peers.system().host().clock;
    futures_lite::future::or(hand_shake, async {
        clock.sleep(limit).await;
        Err(HandShakeError::TimedOut)
    })
    .await
}

/// Lets a node in that has proved itself, if nothing speaks against it.
async fn welcome(peers: &Arc<Peers>, guest: Guest, began: u64) -> Result<Open, HandShakeError> {
    if let Some(refusal) = peers.objection(&guest.member, began) {
        return Err(guest.refuse(refusal).await);
    }
    let roster = peers.roster(guest.member.id);
    let mut connected = guest.welcome(peers.us()).await?;
    hand_shake::send(&mut connected.stream, &roster).await?;
    agree(peers, connected, began).await
}

/// A connection to be served.
pub(crate) struct Open {
    pub(crate) turn: Turn,
    pub(crate) stream: Stream,
    pub(crate) arrived: Arrived,
    /// Where this side's stream goes on.
    pub(crate) from: u64,
}

/// Both sides say how much has arrived of what the other one has sent over earlier connections. Which connection
/// counts is decided by the node with the lower identity; the other one follows. `began` is what it had
/// connected when the hand-shake began: of two at the same time the first counts.
pub(crate) async fn agree(
    peers: &Arc<Peers>,
    connected: Connected,
    began: u64,
) -> Result<Open, HandShakeError> {
    let Connected { member, longest, mut stream, .. } = connected;
    let decides = peers.member().id < member.id;
    let decided = match decides {
        true => None,
        false => Some(hear(&mut stream).await?),
    };
    let number = decided.as_ref().map_or_else(|| peers.next_connection(), |r| r.connection);
    let session = peers.session(&member, longest).map_err(HandShakeError::Refused)?;
    let duplicate = || HandShakeError::Refused(Refusal::Duplicate);
    if !session.begin(number, decides.then_some(began)) {
        return Err(duplicate());
    }
    let turn = Turn::new(peers.clone(), member, session, number);
    let mut arrived = turn.session.take_arrived(number).await.ok_or_else(duplicate)?;
    let received = arrived.assembly().received();
    hand_shake::send(&mut stream, &Resume { connection: number, received }).await?;
    let theirs = match decided {
        Some(theirs) => theirs,
        None => hear(&mut stream).await?,
    };
    if theirs.connection != number {
        let text = format!("connection {} is meant for {number}", theirs.connection);
        return Err(HandShakeError::Malformed(text));
    }
    let from = theirs.received;
    if let Err(error) = turn.session.outbox().resume(from) {
        // There is no going on with this life.
        peers.fail(turn.member.id, DownCause::ConnectionLost);
        return Err(HandShakeError::Malformed(error.to_string()));
    }
    tracing::debug!(
        node = %peers.member().name, member = %turn.member, connection = number, received,
        again = turn.session.outbox().unacknowledged(),
        transfers = arrived.assembly().transfers(),
        "connected"
    );
    turn.session.agreed(number);
    peers.established(&turn.member).map_err(HandShakeError::Refused)?;
    Ok(Open { turn, stream, arrived, from })
}

async fn hear(stream: &mut Stream) -> Result<Resume, HandShakeError> {
    hand_shake::receive(stream, hand_shake::LONGEST).await
}

/// The time of a connection in its session. Dropped, it is over, and another one is made if there is none.
pub(crate) struct Turn {
    pub(crate) peers: Arc<Peers>,
    pub(crate) member: Member,
    pub(crate) session: Session,
    pub(crate) number: u64,
    since: Time,
}

impl Turn {
    fn new(peers: Arc<Peers>, member: Member, session: Session, number: u64) -> Self {
        let since = peers.system().host().clock.now();
        Self { peers, member, session, number, since }
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        let held = self.peers.system().host().clock.now().since(self.since);
        if held >= backoff::LONGEST {
            self.session.has_held();
        }
        // The last words to a life that was declared dead are said whatever it says.
        if !self.session.is_over() {
            self.session.end(self.number);
        }
        let rests = self.session.rests() && self.session.outbox().is_quiet();
        if self.peers.by_gossip().is_some() && rests {
            return;
        }
        redial(&self.peers, &self.session, &self.member);
    }
}
