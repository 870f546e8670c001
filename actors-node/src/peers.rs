//! The connections of a node: who is there, who is gone, what goes to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use actors_core::{
    ActorId, ExitReason, System, SystemId,
    host::Listener,
    remote::{Location, Parcel},
};
use event_listener::{Event, EventListener};
use parking_lot::Mutex;

use crate::{
    Detection, DownCause, Member, NodeEvent,
    calls::Calls,
    connection::{accept, keep_dialling},
    detector::{Detector, Verdict},
    door::Door,
    hand_shake::Us,
    hosting::Hosting,
    outbox::Outbox,
    route::Routes,
    wire::{self, Body, Frame, Refusal, Roster},
};

type Listening = Box<dyn Fn(&NodeEvent) + Send + Sync>;

pub(crate) struct Peers {
    system: System,
    us: Us,
    detection: Detection,
    /// Bytes that may wait for a connection before messages are refused.
    bound: usize,
    state: Mutex<State>,
    pub(crate) door: Arc<Door>,
    pub(crate) calls: Calls,
    pub(crate) hosting: Hosting,
    listening: Mutex<Vec<Arc<Listening>>>,
    changed: Event,
    left: AtomicBool,
}

struct State {
    peers: BTreeMap<SystemId, Peer>,
    dead: BTreeSet<SystemId>,
    /// Who has declared this node dead: it has nothing to say about them.
    fenced_by: BTreeSet<SystemId>,
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
        us: Us,
        detection: Detection,
        bound: usize,
        listener: Box<dyn Listener>,
    ) -> Arc<Self> {
        let now = system.host().clock.now();
        let peers = Arc::new(Self {
            system,
            us,
            detection,
            bound,
            door: Arc::default(),
            state: Mutex::new(State {
                peers: BTreeMap::new(),
                dead: BTreeSet::new(),
                fenced_by: BTreeSet::new(),
                detector: Detector::new(detection, now),
            }),
            calls: Calls::default(),
            hosting: Hosting::default(),
            listening: Mutex::default(),
            changed: Event::new(),
            left: AtomicBool::new(false),
        });
        peers.system.set_router(Arc::new(Routes::of(&peers)));
        peers.system.spawn_task(accept(peers.clone(), listener));
        peers.system.spawn_task(beat(peers.clone()));
        peers
    }

    pub(crate) const fn system(&self) -> &System {
        &self.system
    }

    pub(crate) const fn member(&self) -> &Member {
        &self.us.member
    }

    /// This node, as it shows itself to another.
    pub(crate) const fn us(&self) -> &Us {
        &self.us
    }

    /// The longest value that is taken, in bytes.
    pub(crate) fn longest_value(&self) -> usize {
        usize::try_from(self.us.longest).unwrap_or(usize::MAX).saturating_add(wire::HEAD_ROOM)
    }

    pub(crate) fn is_dead(&self, id: SystemId) -> bool {
        self.state.lock().dead.contains(&id)
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.state.lock().peers.values().map(|peer| peer.member.clone()).collect()
    }

    pub(crate) fn connected(&self, name: &str) -> Option<Member> {
        let state = self.state.lock();
        let peer = state.peers.values().find(|peer| peer.connected && peer.member.name == name);
        peer.map(|peer| peer.member.clone())
    }

    /// The connected node at an address.
    pub(crate) fn connected_at(&self, address: &str) -> Option<Member> {
        let state = self.state.lock();
        let peer = state.peers.values().find(|p| p.connected && p.member.address == address);
        peer.map(|peer| peer.member.clone())
    }

    pub(crate) fn is_member(&self, id: SystemId) -> bool {
        self.state.lock().peers.contains_key(&id)
    }

    pub(crate) fn name_of(&self, id: SystemId) -> String {
        let state = self.state.lock();
        state.peers.get(&id).map_or_else(|| id.to_string(), |peer| peer.member.name.clone())
    }

    fn new_outbox(&self) -> Outbox {
        let longest = usize::try_from(self.us.longest).unwrap_or(usize::MAX);
        Outbox::new(longest, self.bound)
    }

    /// Those who leave too much unread.
    fn overflowing(&self) -> Vec<SystemId> {
        let state = self.state.lock();
        let overflows = |(id, peer): (&SystemId, &Peer)| peer.outbox.overflows().then_some(*id);
        state.peers.iter().filter_map(overflows).collect()
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
        outbox.is_some_and(|outbox| outbox.push(frame, None))
    }

    pub(crate) fn broadcast(&self, frame: &Frame) {
        let outboxes: Vec<Outbox> =
            self.state.lock().peers.values().map(|peer| peer.outbox.clone()).collect();
        for outbox in outboxes {
            outbox.push(frame, None);
        }
    }

    /// Tells every node, this one first, that an actor of this home is elsewhere now.
    pub(crate) fn relocate(&self, actor: ActorId, location: Location) {
        self.system.relocate(actor, location);
        self.broadcast(&Frame::Relocated(actor, location));
    }

    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        for peer in self.state.lock().peers.values() {
            peer.outbox.close_after(&Frame::Goodbye);
        }
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn outbox(&self, to: SystemId) -> Option<Outbox> {
        self.state.lock().peers.get(&to).map(|peer| peer.outbox.clone())
    }

    /// Bytes that a message to a node may have.
    pub(crate) fn longest_to(&self, node: SystemId) -> usize {
        self.outbox(node).map_or(usize::MAX, |outbox| outbox.longest())
    }

    pub(crate) fn emit(&self, event: NodeEvent) {
        tracing::info!(node = %self.member().name, ?event, "cluster");
        let listening = self.listening.lock().clone();
        for f in listening {
            f(&event);
        }
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn roster(&self) -> Roster {
        let state = self.state.lock();
        let members = state.peers.values().map(|peer| peer.member.clone()).collect();
        Roster { members, dead: state.dead.iter().copied().collect() }
    }

    /// Hears of a member. Of two nodes, the one with the lower identity connects.
    pub(crate) fn learn(self: &Arc<Self>, member: Member) {
        if self.add(&member) && self.member().id < member.id {
            self.system.spawn_task(keep_dialling(self.clone(), member));
        }
    }

    /// False if it is known or dead. A new incarnation under a name ends the old one.
    fn add(self: &Arc<Self>, member: &Member) -> bool {
        let mut state = self.state.lock();
        let known = member.id == self.member().id || state.peers.contains_key(&member.id);
        if known || state.dead.contains(&member.id) {
            return false;
        }
        state.detector.connected(member.id, self.system.host().clock.now());
        let same_name = |peer: &&Peer| peer.member.name == member.name;
        let replaced = state.peers.values().find(same_name).map(|peer| peer.member.id);
        let peer = Peer { member: member.clone(), outbox: self.new_outbox(), connected: false };
        state.peers.insert(member.id, peer);
        drop(state);
        if let Some(old) = replaced {
            self.fail(old, DownCause::Replaced);
        }
        true
    }

    /// Makes a hand-shaken connection the peer's, which takes frames of up to `longest` bytes.
    ///
    /// # Errors
    /// It has one, or is dead, or the identity is another's.
    pub(crate) fn connect(
        self: &Arc<Self>,
        member: &Member,
        longest: u64,
    ) -> Result<Outbox, Refusal> {
        self.add(member);
        let mut state = self.state.lock();
        let now = self.system.host().clock.now();
        let peer = state.peers.get_mut(&member.id).ok_or(Refusal::Fenced)?;
        if peer.member != *member {
            return Err(Refusal::Impostor);
        }
        if peer.connected {
            return Err(Refusal::Duplicate);
        }
        peer.connected = true;
        let outbox = peer.outbox.clone();
        outbox.limit(longest);
        state.detector.connected(member.id, now);
        drop(state);
        self.emit(NodeEvent::Up(member.clone()));
        let mut all = self.members();
        all.push(self.member().clone());
        self.broadcast(&Frame::Members(all));
        Ok(outbox)
    }

    /// One incarnation of a node is gone, for ever: fenced, its calls failed, its monitors told.
    pub(crate) fn fail(self: &Arc<Self>, id: SystemId, cause: DownCause) {
        let mut state = self.state.lock();
        state.dead.insert(id);
        state.detector.removed(id);
        let Some(peer) = state.peers.remove(&id) else { return };
        // Its connection ends because this node is dead to it: no verdict is to come of that.
        let fenced_us = state.fenced_by.contains(&id);
        drop(state);
        if fenced_us || cause == DownCause::Left {
            peer.outbox.close();
        } else {
            peer.outbox.close_with(&Frame::Fenced);
        }
        if !fenced_us && !matches!(cause, DownCause::Reported | DownCause::Left) {
            self.broadcast(&Frame::Dead(peer.member.clone()));
        }
        self.calls.fail(id, &peer.member.name);
        let reason = ExitReason::NodeFailure { node: peer.member.name.as_str().into() };
        self.system.disconnected(id, &reason);
        self.hosting.owner_failed(id);
        self.emit(NodeEvent::Down { member: peer.member, cause });
    }

    /// A peer has declared this node dead.
    fn fenced(&self, by: &Member) {
        self.state.lock().fenced_by.insert(by.id);
        self.emit(NodeEvent::Fenced { by: by.clone() });
    }

    /// A peer has said something, or a part of it.
    pub(crate) fn heard(&self, from: &Member) {
        let now = self.system.host().clock.now();
        let heard = self.state.lock().detector.heard(from.id, now);
        if heard.is_some() {
            self.emit(NodeEvent::Recovered(from.clone()));
        }
    }

    pub(crate) fn receive(self: &Arc<Self>, from: &Member, frame: Frame) {
        match frame {
            Frame::Heartbeat => {}
            Frame::Members(members) => members.into_iter().for_each(|member| self.learn(member)),
            Frame::Dead(member) if member.id == self.member().id => self.fenced(from),
            Frame::Dead(member) => self.fail(member.id, DownCause::Reported),
            Frame::Fenced => self.fenced(from),
            Frame::Goodbye => self.fail(from.id, DownCause::Left),
            Frame::Message { to, name, body, epoch, call } => {
                let reply = call.map(|call| self.answer_to(from.id, call));
                let parcel = Parcel::Message { name: name.into(), body, from: None, epoch, reply };
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

/// Sends heartbeats and watches for those of others.
async fn beat(peers: Arc<Peers>) {
    let clock = peers.system.host().clock.clone();
    while !peers.has_left() {
        clock.sleep(peers.detection.heartbeat).await;
        peers.broadcast(&Frame::Heartbeat);
        for id in peers.overflowing() {
            peers.fail(id, DownCause::Overflow);
        }
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
