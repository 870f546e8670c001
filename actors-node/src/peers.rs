//! The connections of a node: who is there, who is gone, what goes to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{
        Arc, Weak,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use actors_core::{
    ActorId, ExitReason, System, SystemId,
    host::{Listener, ReadHalf, Stream, WriteHalf},
    remote::{Location, Parcel, Route, Router},
};
use event_listener::{Event, EventListener};
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use parking_lot::Mutex;

use crate::{
    Detection, DownCause, Member, NodeError, NodeEvent,
    calls::Calls,
    detector::{Detector, Verdict},
    hosting::Hosting,
    outbox::Outbox,
    wire::{self, Body, Frame, Hello, Refusal, Welcome},
};

/// A node that was announced but does not answer is dialled again after this long.
const REDIAL: Duration = Duration::from_millis(50);

type Listening = Box<dyn Fn(&NodeEvent) + Send + Sync>;

pub(crate) struct Peers {
    system: System,
    member: Member,
    cluster: String,
    detection: Detection,
    state: Mutex<State>,
    pub(crate) calls: Calls,
    pub(crate) hosting: Hosting,
    listening: Mutex<Vec<Arc<Listening>>>,
    changed: Event,
    left: AtomicBool,
}

struct State {
    peers: BTreeMap<SystemId, Peer>,
    dead: BTreeSet<SystemId>,
    detector: Detector,
}

struct Peer {
    member: Member,
    outbox: Outbox,
    connected: bool,
}

impl Peers {
    pub(crate) fn start(
        system: System,
        member: Member,
        cluster: String,
        detection: Detection,
        listener: Box<dyn Listener>,
    ) -> Arc<Self> {
        let now = system.host().clock.now();
        let peers = Arc::new(Self {
            system,
            member,
            cluster,
            detection,
            state: Mutex::new(State {
                peers: BTreeMap::new(),
                dead: BTreeSet::new(),
                detector: Detector::new(detection, now),
            }),
            calls: Calls::default(),
            hosting: Hosting::default(),
            listening: Mutex::default(),
            changed: Event::new(),
            left: AtomicBool::new(false),
        });
        peers.system.set_router(Arc::new(Routes(Arc::downgrade(&peers))));
        peers.system.spawn_task(accept(peers.clone(), listener));
        peers.system.spawn_task(beat(peers.clone()));
        peers
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    pub(crate) const fn member(&self) -> &Member {
        &self.member
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.state.lock().peers.values().map(|peer| peer.member.clone()).collect()
    }

    pub(crate) fn connected(&self, name: &str) -> Option<Member> {
        let state = self.state.lock();
        let peer = state.peers.values().find(|peer| peer.connected && peer.member.name == name);
        peer.map(|peer| peer.member.clone())
    }

    pub(crate) fn is_member(&self, id: SystemId) -> bool {
        self.state.lock().peers.contains_key(&id)
    }

    pub(crate) fn name_of(&self, id: SystemId) -> String {
        let state = self.state.lock();
        state.peers.get(&id).map_or_else(|| id.to_string(), |peer| peer.member.name.clone())
    }

    /// Wakes on the next change of membership.
    pub(crate) fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    pub(crate) fn on_event(&self, f: Listening) {
        self.listening.lock().push(Arc::new(f));
    }

    /// Queues a frame. False when the node is not a member.
    pub(crate) fn send(&self, to: SystemId, frame: &Frame) -> bool {
        let outbox = self.outbox(to);
        outbox.is_some_and(|outbox| outbox.push(&wire::frame(frame)))
    }

    pub(crate) fn broadcast(&self, frame: &Frame) {
        let bytes = wire::frame(frame);
        let outboxes: Vec<Outbox> =
            self.state.lock().peers.values().map(|peer| peer.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.push(&bytes);
        }
    }

    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.broadcast(&Frame::Goodbye);
        for peer in self.state.lock().peers.values() {
            peer.outbox.close();
        }
        self.changed.notify(usize::MAX);
    }

    fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    fn outbox(&self, to: SystemId) -> Option<Outbox> {
        self.state.lock().peers.get(&to).map(|peer| peer.outbox.clone())
    }

    fn emit(&self, event: NodeEvent) {
        tracing::info!(node = %self.member.name, ?event, "cluster");
        let listening = self.listening.lock().clone();
        for f in listening {
            f(&event);
        }
        self.changed.notify(usize::MAX);
    }

    /// Hears of a member. Of two nodes, the one with the lower identity connects.
    fn learn(self: &Arc<Self>, member: Member) {
        if self.add(&member) && self.member.id < member.id {
            self.system.spawn_task(keep_dialling(self.clone(), member));
        }
    }

    /// False if it is known or dead. A new incarnation under a name ends the old one.
    fn add(self: &Arc<Self>, member: &Member) -> bool {
        let mut state = self.state.lock();
        let known = member.id == self.member.id || state.peers.contains_key(&member.id);
        if known || state.dead.contains(&member.id) {
            return false;
        }
        state.detector.connected(member.id, self.system.host().clock.now());
        let same_name = |peer: &&Peer| peer.member.name == member.name;
        let replaced = state.peers.values().find(same_name).map(|peer| peer.member.id);
        let peer = Peer { member: member.clone(), outbox: Outbox::default(), connected: false };
        state.peers.insert(member.id, peer);
        drop(state);
        if let Some(old) = replaced {
            self.fail(old, DownCause::Replaced);
        }
        true
    }

    /// Makes a hand-shaken connection the peer's. `None` if it has one, or is dead.
    fn connect(self: &Arc<Self>, member: &Member) -> Option<Outbox> {
        self.add(member);
        let mut state = self.state.lock();
        let now = self.system.host().clock.now();
        let peer = state.peers.get_mut(&member.id)?;
        if peer.connected {
            return None;
        }
        peer.connected = true;
        let outbox = peer.outbox.clone();
        state.detector.connected(member.id, now);
        drop(state);
        self.emit(NodeEvent::Up(member.clone()));
        let mut all = self.members();
        all.push(self.member.clone());
        self.broadcast(&Frame::Members(all));
        Some(outbox)
    }

    /// One incarnation of a node is gone, for ever: fenced, its calls failed, its monitors told.
    pub(crate) fn fail(self: &Arc<Self>, id: SystemId, cause: DownCause) {
        let mut state = self.state.lock();
        state.dead.insert(id);
        state.detector.removed(id);
        let Some(peer) = state.peers.remove(&id) else { return };
        drop(state);
        if cause != DownCause::Left {
            peer.outbox.push(&wire::frame(&Frame::Fenced));
        }
        peer.outbox.close();
        if !matches!(cause, DownCause::Reported | DownCause::Left) {
            self.broadcast(&Frame::Dead(peer.member.clone()));
        }
        self.calls.fail(id, &peer.member.name);
        let reason = ExitReason::NodeFailure { node: peer.member.name.clone() };
        self.system.disconnected(id, &reason);
        self.hosting.owner_failed(id);
        self.emit(NodeEvent::Down { member: peer.member, cause });
    }

    fn receive(self: &Arc<Self>, from: &Member, frame: Frame) {
        let now = self.system.host().clock.now();
        let heard = self.state.lock().detector.heard(from.id, now);
        if heard.is_some() {
            self.emit(NodeEvent::Recovered(from.clone()));
        }
        match frame {
            Frame::Heartbeat => {}
            Frame::Members(members) => members.into_iter().for_each(|member| self.learn(member)),
            Frame::Dead(member) if member.id == self.member.id => {
                self.emit(NodeEvent::Fenced { by: from.clone() });
            }
            Frame::Dead(member) => self.fail(member.id, DownCause::Reported),
            Frame::Fenced => self.emit(NodeEvent::Fenced { by: from.clone() }),
            Frame::Goodbye => self.fail(from.id, DownCause::Left),
            Frame::Message { to, name, body, epoch, call } => {
                let reply = call.map(|call| self.answer_to(from.id, call));
                let parcel = Parcel::Message { name: name.into(), body, epoch, reply };
                self.system.deliver(from.id, to, parcel);
            }
            Frame::Reply { call, answer } => {
                self.calls.answered(call, answer.map(|Body(bytes)| bytes));
            }
            Frame::Stop(to, reason) => self.system.deliver(from.id, to, Parcel::Stop(reason)),
            Frame::End(to, reason) => self.system.deliver(from.id, to, Parcel::End(reason)),
            Frame::Monitor(to) => self.system.deliver(from.id, to, Parcel::Monitor),
            Frame::Down(down) => self.system.deliver(from.id, down.actor, Parcel::Down(down)),
            Frame::Relocated(actor, location) => self.system.relocate(actor, location),
            Frame::Reserve { call, export, actor, version } => {
                self.host_reserve(from.id, call, &export, actor, version);
            }
            Frame::Start { call, actor, group, incarnation, args } => {
                self.host_start(from.id, call, actor, group, incarnation, args);
            }
            Frame::Started { call, result } => self.calls.started(call, result),
            Frame::Retire(actor, reason) => self.hosting.retire(from.id, actor, reason),
            Frame::Release(actor) => self.hosting.release(from.id, actor),
            Frame::ChildExit { actor, incarnation, reason } => {
                self.hosting.child_exit(actor, incarnation, reason);
            }
        }
    }
}

/// Takes connections until the node leaves.
async fn accept(peers: Arc<Peers>, mut listener: Box<dyn Listener>) {
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
                peers.system.clone().spawn_task(async move {
                    let peer = stream.peer.clone();
                    if let Err(error) = welcome(&peers, stream).await {
                        tracing::warn!(%peer, %error, "connection refused");
                    }
                });
            }
            Some(Err(error)) => {
                tracing::warn!(%error, "accept");
                peers.system.host().clock.sleep(REDIAL).await;
            }
        }
    }
}

/// The hand-shake of the side that was connected to, bounded in time.
async fn welcome(peers: &Arc<Peers>, mut stream: Stream) -> io::Result<()> {
    let clock = peers.system.host().clock.clone();
    let hello: Hello = futures_lite::future::or(
        async {
            exchange_preambles(&mut stream).await?;
            wire::read_frame(&mut stream.read).await?.ok_or_else(ended)
        },
        async {
            clock.sleep(peers.detection.timeout).await;
            Err(io::Error::new(io::ErrorKind::TimedOut, "no hand-shake"))
        },
    )
    .await?;
    let refusal = if hello.cluster != peers.cluster {
        Some(Refusal::OtherCluster)
    } else if peers.state.lock().dead.contains(&hello.member.id) {
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
            let dead = peers.state.lock().dead.iter().copied().collect();
            Welcome::Accepted { member: peers.member.clone(), members: peers.members(), dead }
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
    let net = peers.system.host().net.clone();
    let clock = peers.system.host().clock.clone();
    let hand_shake = async {
        let mut stream = net.connect(address).await?;
        let hello = Hello { cluster: peers.cluster.clone(), member: peers.member.clone() };
        exchange_preambles(&mut stream).await?;
        stream.write.write_all(&wire::frame(&hello)).await?;
        stream.write.flush().await?;
        let welcome: Welcome = wire::read_frame(&mut stream.read).await?.ok_or_else(ended)?;
        Ok((stream, welcome))
    };
    let shaken = futures_lite::future::or(hand_shake, async {
        clock.sleep(peers.detection.timeout).await;
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
            let refused =
                NodeError::Refused { address: address.into(), refusal: Refusal::Duplicate };
            let outbox = peers.connect(&member).ok_or(refused)?;
            let served = serve(peers.clone(), member.clone(), stream.read, stream.write, outbox);
            peers.system.spawn_task(served);
            for member in members {
                peers.learn(member);
            }
            Ok(member)
        }
    }
}

/// Connects to a member that was announced; silence is the detector's business.
async fn keep_dialling(peers: Arc<Peers>, member: Member) {
    let clock = peers.system.host().clock.clone();
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
    mut read: ReadHalf,
    mut write: WriteHalf,
    outbox: Outbox,
) {
    let writer = outbox.clone();
    let writing = member.clone();
    peers.system.spawn_task(async move {
        if let Err(error) = writer.write_to(&mut write).await {
            tracing::debug!(member = %writing, %error, "write");
            writer.close();
        }
    });
    let cause = loop {
        match wire::read_frame::<Frame>(&mut read).await {
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

/// Sends heartbeats and watches for those of others.
async fn beat(peers: Arc<Peers>) {
    let clock = peers.system.host().clock.clone();
    while !peers.has_left() {
        clock.sleep(peers.detection.heartbeat).await;
        peers.broadcast(&Frame::Heartbeat);
        let verdicts = peers.state.lock().detector.tick(clock.now());
        for verdict in verdicts {
            let known = |id| {
                let state = peers.state.lock();
                state.peers.get(&id).map(|peer| peer.member.clone())
            };
            match verdict {
                Verdict::Failed(id) => peers.fail(id, DownCause::Silent),
                Verdict::Suspected(id) => {
                    known(id).into_iter().for_each(|m| peers.emit(NodeEvent::Suspected(m)));
                }
                Verdict::Recovered(id) => {
                    known(id).into_iter().for_each(|m| peers.emit(NodeEvent::Recovered(m)));
                }
            }
        }
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

/// The routes of a system that is a node.
struct Routes(Weak<Peers>);

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
    fn forward(&self, to: ActorId, parcel: Parcel) -> Result<(), Parcel> {
        let Some(peers) = self.peers.upgrade() else { return Err(parcel) };
        let Some(outbox) = peers.outbox(self.node) else { return Err(parcel) };
        if matches!(&parcel, Parcel::Message { body, .. } if body.len() > wire::MAX_FRAME / 2) {
            tracing::warn!(%to, "a message of more than half a GiB is not sent");
            return Err(parcel);
        }
        let frame = match parcel {
            Parcel::Message { name, body, epoch, reply } => {
                let call = reply.map(|reply| peers.calls.ask(self.node, reply));
                Frame::Message { to, name: name.to_string(), body, epoch, call }
            }
            Parcel::Stop(reason) => Frame::Stop(to, reason),
            Parcel::End(reason) => Frame::End(to, reason),
            Parcel::Monitor => Frame::Monitor(to),
            Parcel::Down(down) => Frame::Down(down),
        };
        // An outbox that closes just now is a connection that is lost: so is what was on its way.
        if !outbox.push(&wire::frame(&frame)) {
            peers.calls.fail(self.node, &peers.name_of(self.node));
        }
        Ok(())
    }
}

impl Peers {
    /// Tells every node, this one first, that an actor of this home is elsewhere now.
    pub(crate) fn relocate(&self, actor: ActorId, location: Location) {
        self.system.relocate(actor, location);
        self.broadcast(&Frame::Relocated(actor, location));
    }
}
