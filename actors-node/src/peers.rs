//! The connections of a node: who is there, who is gone, what goes to whom.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::{ActorId, ExitReason, System, SystemId, host::Listener, remote::Location};
use event_listener::{Event, EventListener};
use parking_lot::Mutex;

use crate::{
    Detection, DownCause, Member, NodeEvent,
    beat::beat,
    calls::Calls,
    connection::accept,
    detector::{Detector, Verdict},
    directory::Directory,
    door::Door,
    etcd::{Etcd, Registry},
    hand_shake::{DEADLINE, Us},
    hosting::Hosting,
    listeners::{Hears, Listeners},
    office::{self, Offices},
    outbox::Outbox,
    redial::redial,
    route::Routes,
    serve::part,
    session::Session,
    swim::{Fact, Gossip, Membership, drive},
    wire::{self, Frame, Refusal, Roster},
};

pub(crate) struct Peers {
    system: System,
    us: Us,
    detection: Detection,
    /// How members are known, if not by a connection to each.
    swim: Option<Gossip>,
    /// What says who is a member, if that is not found out by nodes themselves.
    registry: Option<Registry>,
    /// Bytes that may wait for a connection before messages are refused.
    bound: usize,
    state: Mutex<State>,
    pub(crate) door: Arc<Door>,
    pub(crate) calls: Calls,
    pub(crate) hosting: Hosting,
    pub(crate) directory: Directory,
    pub(crate) offices: Offices,
    listeners: Listeners,
    changed: Event,
    left: AtomicBool,
    /// The number of the last connection that this node has numbered.
    connections: AtomicU64,
}

struct State {
    peers: BTreeMap<SystemId, Peer>,
    dead: BTreeSet<SystemId>,
    /// Who has declared this node dead: it has nothing to say about them.
    fenced_by: BTreeSet<SystemId>,
    detector: Detector,
    /// This life may be dead to others: it takes part no more.
    fenced: bool,
}

struct Peer {
    member: Member,
    session: Session,
    /// Whether it was said to be up.
    up: bool,
    /// Whether there was a connection.
    connected: bool,
}

impl Peers {
    pub(crate) fn start(
        system: System,
        us: Us,
        detection: Detection,
        membership: Membership,
        etcd: Option<Etcd>,
        bound: usize,
        listener: Box<dyn Listener>,
    ) -> Arc<Self> {
        let (id, now) = (system.id(), system.host().clock.now());
        let registry =
            etcd.map(|etcd| Registry::new(etcd, us.member.clone(), detection.heartbeat, now));
        let swim = match membership {
            Membership::Each => None,
            Membership::Swim(settings) => {
                let seed = system.host().random.next();
                Some(Gossip::new(us.member.clone(), settings, seed))
            }
        };
        let peers = Arc::new(Self {
            system,
            us,
            detection,
            swim,
            registry,
            bound,
            door: Arc::default(),
            state: Mutex::new(State {
                peers: BTreeMap::new(),
                dead: BTreeSet::new(),
                fenced_by: BTreeSet::new(),
                detector: Detector::new(detection, now),
                fenced: false,
            }),
            calls: Calls::default(),
            hosting: Hosting::default(),
            directory: Directory::new(id),
            offices: Offices::default(),
            listeners: Listeners::default(),
            changed: Event::new(),
            left: AtomicBool::new(false),
            connections: AtomicU64::new(0),
        });
        peers.system.set_router(Arc::new(Routes::of(&peers)));
        // First of all, so that who hears of an event finds the names as they are after it.
        let weak = Arc::downgrade(&peers);
        peers.on_event(Box::new(move |event| {
            weak.upgrade().is_some_and(|peers| {
                peers.directory_on(event);
                peers.offices_on(event);
                true
            })
        }));
        if let Some(registry) = peers.registry() {
            registry.begin(&peers);
        }
        peers.system.spawn_task(accept(peers.clone(), listener));
        peers.system.spawn_task(beat(peers.clone()));
        peers.system.spawn_task(drive(peers.clone()));
        peers.system.spawn_task(office::drive(peers.clone()));
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

    /// What knows the members, if they are not known by connections.
    pub(crate) const fn by_gossip(&self) -> Option<&Gossip> {
        self.swim.as_ref()
    }

    /// What says who is a member, if another one does.
    pub(crate) const fn registry(&self) -> Option<&Registry> {
        self.registry.as_ref()
    }

    pub(crate) const fn detection(&self) -> Detection {
        self.detection
    }

    /// The longest value that is taken, in bytes.
    fn longest_value(&self) -> usize {
        usize::try_from(self.us.longest).unwrap_or(usize::MAX).saturating_add(wire::HEAD_ROOM)
    }

    pub(crate) fn members(&self) -> Vec<Member> {
        self.state.lock().peers.values().map(|peer| peer.member.clone()).collect()
    }

    /// Those that were said to be up.
    pub(crate) fn up_members(&self) -> Vec<Member> {
        let state = self.state.lock();
        let up = state.peers.values().filter(|peer| peer.up);
        up.map(|peer| peer.member.clone()).collect()
    }

    pub(crate) fn connected(&self, name: &str) -> Option<Member> {
        let state = self.state.lock();
        let peer = state.peers.values().find(|peer| peer.up && peer.member.name == name);
        peer.map(|peer| peer.member.clone())
    }

    pub(crate) fn is_member(&self, id: SystemId) -> bool {
        self.state.lock().peers.contains_key(&id)
    }

    pub(crate) fn name_of(&self, id: SystemId) -> String {
        let state = self.state.lock();
        state.peers.get(&id).map_or_else(|| id.to_string(), |peer| peer.member.name.clone())
    }

    fn new_session(&self) -> Session {
        let longest = usize::try_from(self.us.longest).unwrap_or(usize::MAX);
        Session::new(Outbox::new(longest, self.bound), self.longest_value())
    }

    pub(crate) fn sessions(&self) -> Vec<Session> {
        self.state.lock().peers.values().map(|peer| peer.session.clone()).collect()
    }

    /// Those who leave too much unread.
    pub(crate) fn overflowing(&self) -> Vec<SystemId> {
        let state = self.state.lock();
        let overflows =
            |(id, peer): (&SystemId, &Peer)| peer.session.outbox().overflows().then_some(*id);
        state.peers.iter().filter_map(overflows).collect()
    }

    /// Wakes on the next change of membership.
    pub(crate) fn changed(&self) -> EventListener {
        self.changed.listen()
    }

    pub(crate) fn on_event(&self, listener: Hears) {
        self.listeners.add(listener);
    }

    /// Queues a frame. False when the node is not a member.
    pub(crate) fn send(&self, to: SystemId, frame: &Frame) -> bool {
        let outbox = self.outbox(to);
        outbox.is_some_and(|outbox| outbox.push(frame, None))
    }

    /// Queues what may be lost, and is of no use if it comes late.
    pub(crate) fn send_packet(&self, to: SystemId, frame: &Frame) {
        if let Some(outbox) = self.outbox(to) {
            outbox.push_packet(frame);
        }
    }

    pub(crate) fn broadcast(&self, frame: &Frame) {
        for session in self.sessions() {
            session.outbox().push(frame, None);
        }
    }

    /// Something is to go to a member that there is no connection to.
    fn connect(self: &Arc<Self>, id: SystemId) {
        let way = {
            let state = self.state.lock();
            state.peers.get(&id).map(|peer| (peer.session.clone(), peer.member.clone()))
        };
        if let Some((session, member)) = way {
            redial(self, &session, &member);
        }
    }

    /// Tells every node, this one first, that an actor of this home is elsewhere now.
    pub(crate) fn relocate(&self, actor: ActorId, location: Location) {
        self.moved(actor, location);
        self.broadcast(&Frame::Relocated(actor, location));
    }

    pub(crate) fn leave(&self) {
        self.left.store(true, Ordering::Release);
        self.registry().into_iter().for_each(Registry::leave);
        for peer in self.state.lock().peers.values() {
            peer.session.outbox().close_after(&Frame::Goodbye);
        }
        self.changed.notify(usize::MAX);
    }

    pub(crate) fn has_left(&self) -> bool {
        self.left.load(Ordering::Acquire)
    }

    pub(crate) fn outbox(&self, to: SystemId) -> Option<Outbox> {
        self.state.lock().peers.get(&to).map(|peer| peer.session.outbox().clone())
    }

    /// Bytes that a message to a node may have.
    pub(crate) fn longest_to(&self, node: SystemId) -> usize {
        self.outbox(node).map_or(usize::MAX, |outbox| outbox.longest())
    }

    pub(crate) fn emit(&self, event: NodeEvent) {
        tracing::info!(node = %self.member().name, ?event, "cluster");
        self.listeners.tell(&event);
        self.changed.notify(usize::MAX);
    }

    /// For a node that comes. Where members are known by gossip, who is known as one knows them too.
    pub(crate) fn roster(&self, guest: SystemId) -> Roster {
        let state = self.state.lock();
        if self.swim.is_some() && state.peers.contains_key(&guest) {
            return Roster { members: Vec::new(), dead: Vec::new() };
        }
        let own = self.swim.is_some().then(|| self.us.member.clone());
        let members = state.peers.values().map(|peer| peer.member.clone()).chain(own).collect();
        Roster { members, dead: state.dead.iter().copied().collect() }
    }

    /// Hears of a member. Of two nodes, the one with the lower identity connects.
    pub(crate) fn learn(self: &Arc<Self>, member: Member) {
        if self.add(&member, Fact::Listed)
            && self.swim.is_none()
            && self.member().id < member.id
            && let Some(session) = self.session_of(member.id)
        {
            redial(self, &session, &member);
        }
    }

    /// What a node has said which did not know this one.
    pub(crate) fn learn_all(self: &Arc<Self>, members: Vec<Member>) {
        match self.swim {
            None => members.into_iter().for_each(|member| self.learn(member)),
            Some(_) => self.gossip(|engine, now| engine.learn(Fact::Roster(members), now)),
        }
    }

    fn session_of(&self, id: SystemId) -> Option<Session> {
        self.state.lock().peers.get(&id).map(|peer| peer.session.clone())
    }

    pub(crate) fn known(&self, id: SystemId) -> Option<Member> {
        self.state.lock().peers.get(&id).map(|peer| peer.member.clone())
    }

    /// False if it is known or dead. A new incarnation under a name ends the old one.
    fn add(self: &Arc<Self>, member: &Member, fact: fn(Arc<Member>) -> Fact) -> bool {
        let mut state = self.state.lock();
        let known = member.id == self.member().id || state.peers.contains_key(&member.id);
        if known || state.fenced || state.dead.contains(&member.id) {
            return false;
        }
        if self.swim.is_none() {
            state.detector.connected(member.id, self.system.host().clock.now());
        }
        let same_name = |peer: &&Peer| peer.member.name == member.name;
        let replaced = state.peers.values().find(same_name).map(|peer| peer.member.id);
        let (session, up) = (self.new_session(), self.swim.is_some());
        if up {
            let (this, id) = (Arc::downgrade(self), member.id);
            session.outbox().when_wanted(move || {
                this.upgrade().iter().for_each(|peers| peers.connect(id));
            });
        }
        let peer = Peer { member: member.clone(), session, up, connected: false };
        state.peers.insert(member.id, peer);
        drop(state);
        if let Some(old) = replaced {
            self.fail(old, DownCause::Replaced);
        }
        if up {
            self.emit(NodeEvent::Up(member.clone()));
            self.gossip(|engine, now| engine.learn(fact(Arc::new(member.clone())), now));
        }
        true
    }

    /// What speaks against a connection to this node by a hand-shake that began then, if anything does.
    pub(crate) fn objection(&self, member: &Member, began: u64) -> Option<Refusal> {
        let state = self.state.lock();
        if state.dead.contains(&member.id) {
            return Some(Refusal::Fenced);
        }
        let peer = state.peers.get(&member.id)?;
        if peer.member != *member {
            return Some(Refusal::Impostor);
        }
        let overtaken = self.member().id < member.id && peer.session.current() > began;
        overtaken.then_some(Refusal::Duplicate)
    }

    /// The session with this node, which takes messages of up to `longest` bytes.
    ///
    /// # Errors
    /// It is dead, or the identity is another's.
    pub(crate) fn session(
        self: &Arc<Self>,
        member: &Member,
        longest: u64,
    ) -> Result<Session, Refusal> {
        self.add(member, Fact::Joined);
        let state = self.state.lock();
        let peer = state.peers.get(&member.id).ok_or(Refusal::Fenced)?;
        if peer.member != *member {
            return Err(Refusal::Impostor);
        }
        peer.session.outbox().limit(longest);
        Ok(peer.session.clone())
    }

    /// Both sides know that they are connected: a sign of life.
    ///
    /// # Errors
    /// It was declared dead meanwhile.
    pub(crate) fn established(self: &Arc<Self>, member: &Member) -> Result<(), Refusal> {
        let mut state = self.state.lock();
        let peer = state.peers.get_mut(&member.id).ok_or(Refusal::Fenced)?;
        peer.connected = true;
        if std::mem::replace(&mut peer.up, true) {
            drop(state);
            self.heard(member);
            return Ok(());
        }
        state.detector.connected(member.id, self.system.host().clock.now());
        drop(state);
        self.emit(NodeEvent::Up(member.clone()));
        let mut all = self.members();
        all.push(self.member().clone());
        self.broadcast(&Frame::Members(all));
        Ok(())
    }

    /// Of all connections that this node has numbered, the last.
    pub(crate) fn connections_so_far(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }

    /// The number of the next connection.
    pub(crate) fn next_connection(&self) -> u64 {
        self.connections.fetch_add(1, Ordering::AcqRel) + 1
    }

    /// Whether the connection to this node, if there is one, is known to both sides.
    pub(crate) fn connection_to(&self, member: &Member) -> Option<bool> {
        let state = self.state.lock();
        let peer = state.peers.get(&member.id).filter(|peer| peer.member == *member)?;
        (peer.session.current() != 0).then_some(peer.connected)
    }

    /// Whether there was a connection to this member.
    pub(crate) fn was_connected(&self, id: SystemId) -> bool {
        self.state.lock().peers.get(&id).is_some_and(|peer| peer.connected)
    }

    /// An attempt to connect again is given up after this long: there is to be time for another.
    pub(crate) fn attempt_limit(&self) -> Duration {
        DEADLINE.min(self.detection.timeout / 2)
    }

    /// A node has declared this one dead: there is nothing more to say to it.
    pub(crate) fn fenced_by(self: &Arc<Self>, by: &Member) {
        self.state.lock().fenced_by.insert(by.id);
        self.emit(NodeEvent::Fenced { by: by.clone() });
        self.fail(by.id, DownCause::ConnectionLost);
    }

    /// This life may be dead to others, or is about to be: it has nothing more to say to anybody.
    #[cfg(feature = "etcd")]
    pub(crate) fn fence_itself(self: &Arc<Self>) {
        let mut state = self.state.lock();
        state.fenced = true;
        let others: Vec<SystemId> = state.peers.keys().copied().collect();
        state.fenced_by.extend(&others);
        drop(state);
        self.emit(NodeEvent::Fenced { by: self.member().clone() });
        others.into_iter().for_each(|id| self.fail(id, DownCause::ConnectionLost));
    }

    /// Whether every other member was heard just now.
    #[cfg(feature = "etcd")]
    pub(crate) fn hears_all(&self) -> bool {
        let now = self.system.host().clock.now();
        self.state.lock().detector.hears_all(now)
    }

    /// Wakes who waits for a change.
    #[cfg(feature = "etcd")]
    pub(crate) fn note_change(&self) {
        self.changed.notify(usize::MAX);
    }

    /// One incarnation of a node is gone, for ever: fenced, its calls failed, its monitors told.
    pub(crate) fn fail(self: &Arc<Self>, id: SystemId, cause: DownCause) {
        let mut state = self.state.lock();
        state.dead.insert(id);
        state.detector.removed(id);
        let Some(peer) = state.peers.remove(&id) else {
            drop(state);
            return self.gossip(|engine, now| engine.learn(Fact::Buried(id), now));
        };
        // Nothing more that it says is taken.
        peer.session.end_all();
        // Its connection ends because this node is dead to it: no verdict is to come of that.
        let fenced_us = state.fenced_by.contains(&id);
        drop(state);
        if fenced_us || cause == DownCause::Left {
            peer.session.outbox().close();
        } else {
            peer.session.outbox().close_with(&Frame::Fenced);
        }
        part(self, peer.session);
        if self.swim.is_some() {
            let known = fenced_us || cause == DownCause::Reported;
            let fact = if known { Fact::Buried(id) } else { Fact::Gone(id, cause) };
            self.gossip(|engine, now| engine.learn(fact, now));
        } else if !fenced_us && !cause.is_told() {
            self.broadcast(&Frame::Dead(peer.member.clone()));
        }
        if !fenced_us && let Some(registry) = self.registry() {
            registry.forget(&peer.member);
        }
        self.calls.fail(id, &peer.member.name);
        let reason = ExitReason::NodeFailure { node: peer.member.name.as_str().into() };
        self.system.disconnected(id, &reason);
        self.owner_failed(id);
        self.emit(NodeEvent::Down { member: peer.member, cause });
    }

    pub(crate) fn tick(&self) -> Vec<Verdict> {
        let now = self.system.host().clock.now();
        self.state.lock().detector.tick(now)
    }

    /// A peer has said something, or a part of it.
    pub(crate) fn heard(self: &Arc<Self>, from: &Member) {
        if self.swim.is_some() {
            return self.gossip(|engine, now| engine.learn(Fact::Heard(from.id), now));
        }
        let now = self.system.host().clock.now();
        let heard = self.state.lock().detector.heard(from.id, now);
        if heard.is_some() {
            self.emit(NodeEvent::Recovered(from.clone()));
        }
    }
}
