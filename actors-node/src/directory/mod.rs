//! What all nodes know of actors beside links: names and groups.
//!
//! Every node has the whole of it. The home of an actor tells the others, over the sessions that it has with them
//! anyway: what it says arrives in order, or its node is dead, and then all that it has said is forgotten.

mod effect;
mod groups;
mod hear;
mod names;
mod owned;
mod record;
mod request;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use actors_core::{ActorId, SystemId, remote::Location};
use crossbeam_channel::{Receiver, Sender, unbounded};
use parking_lot::Mutex;

pub(crate) use self::{
    record::{Entry, Record},
    request::Request,
};

use self::{effect::Effect, groups::Groups, names::Names};
use crate::{GroupEvent, NameEvent, NodeEvent, peers::Peers};

/// Actors whose names are kept after the death of their homes, at most.
const INHERITED: usize = 1 << 16;

/// Its lock is taken before those of connections, and nothing of the user's runs under it.
pub(crate) struct Directory(Mutex<State>);

pub(crate) struct State {
    pub(crate) names: Names,
    pub(crate) groups: Groups,
    /// Names of actors whose home is gone, for who adopts them.
    inherited: BTreeMap<ActorId, BTreeSet<String>>,
    /// Actors whose end is waited for.
    watched: BTreeSet<ActorId>,
    names_heard: Vec<Sender<NameEvent>>,
    groups_heard: Vec<Sender<GroupEvent>>,
}

impl State {
    /// Keeps the names that have just lost their home. Those of so many actors: nobody may ever ask for them.
    fn inherit(&mut self, out: &[Effect]) {
        for effect in out {
            if let Effect::Name(NameEvent::Purged { name, actor }) = effect {
                self.inherited.entry(*actor).or_default().insert(name.clone());
            }
        }
        while self.inherited.len() > INHERITED {
            self.inherited.pop_first();
        }
    }

    /// Whether an actor whose home is this node has a name, or is in a group.
    fn has_own(&self, actor: ActorId) -> bool {
        self.names.has_own(actor) || self.groups.has_own(actor)
    }
}

impl Directory {
    pub(crate) fn new(us: SystemId) -> Self {
        Self(Mutex::new(State {
            names: Names::new(us),
            groups: Groups::new(us),
            inherited: BTreeMap::new(),
            watched: BTreeSet::new(),
            names_heard: Vec::new(),
            groups_heard: Vec::new(),
        }))
    }

    pub(crate) fn read<T>(&self, read: impl FnOnce(&State) -> T) -> T {
        read(&self.0.lock())
    }

    /// From now on.
    pub(crate) fn name_events(&self) -> Receiver<NameEvent> {
        let (tx, rx) = unbounded();
        self.0.lock().names_heard.push(tx);
        rx
    }

    /// From the moment on in which `read` was done.
    pub(crate) fn group_events<T>(
        &self,
        read: impl FnOnce(&State) -> T,
    ) -> (T, Receiver<GroupEvent>) {
        let (tx, rx) = unbounded();
        let mut state = self.0.lock();
        state.groups_heard.push(tx);
        (read(&state), rx)
    }
}

impl Peers {
    /// Changes the directory, and says to all what comes of it, in this order.
    fn change_directory<T>(&self, change: impl FnOnce(&mut State, &mut Vec<Effect>) -> T) -> T {
        let (mut out, mut forgotten) = (Vec::new(), Vec::new());
        let mut state = self.directory.0.lock();
        let result = change(&mut state, &mut out);
        for effect in out {
            match effect {
                Effect::Send(to, frame) => {
                    self.send(to, &frame);
                }
                Effect::All(frame) => self.broadcast(&frame),
                Effect::Name(event) => {
                    tracing::debug!(node = %self.member().name, ?event, "names");
                    state.names_heard.retain(|heard| heard.send(event.clone()).is_ok());
                }
                Effect::Group(event) => {
                    state.groups_heard.retain(|heard| heard.send(event.clone()).is_ok());
                }
                Effect::Forget(entry) => forgotten.push(entry),
            }
        }
        drop(state);
        drop::<Vec<Entry>>(forgotten);
        result
    }

    /// A node has come, or is gone.
    pub(crate) fn directory_on(self: &Arc<Self>, event: &NodeEvent) {
        match event {
            NodeEvent::Up(member) => self.change_directory(|directory, out| {
                // It may be down again, and that been told.
                if self.is_member(member.id) {
                    directory.names.node_up(member.id, out);
                    directory.groups.node_up(member.id, out);
                }
            }),
            NodeEvent::Down { member, .. } => self.change_directory(|directory, out| {
                directory.names.node_down(member.id, out);
                directory.inherit(out);
                directory.groups.node_down(member.id, out);
            }),
            _ => {}
        }
    }

    /// The names that an actor had from a home that is gone are claimed again, in its place.
    pub(crate) fn name_again(self: &Arc<Self>, actor: ActorId) {
        let names = self.change_directory(|directory, _| directory.inherited.remove(&actor));
        for name in names.into_iter().flatten() {
            let peers = self.clone();
            self.system().spawn_task(async move {
                let request = Request::Register { name: name.clone(), actor };
                if let Err(error) = peers.ask_home(request).await {
                    tracing::warn!(%actor, name, %error, "a name is not had again");
                }
            });
        }
    }

    /// An actor is elsewhere now, says its home.
    pub(crate) fn moved(&self, actor: ActorId, location: Location) {
        self.system().relocate(actor, location);
        self.change_directory(|directory, _| {
            directory.names.relocated(actor, location);
            directory.groups.relocated(actor, location);
        });
    }
}
