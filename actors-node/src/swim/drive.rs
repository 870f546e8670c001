//! The engine in a node: time, connections and events.

use std::{collections::VecDeque, sync::Arc};

use actors_core::host::Time;
use event_listener::{Event, EventListener};
use futures_lite::future::or;
use parking_lot::Mutex;

use super::{Effect, Engine, Fact, Swim};
use crate::{Member, NodeEvent, connection::or_left, peers::Peers, wire::Frame};

/// The engine of a node, and what is still to be done for it.
pub(crate) struct Gossip {
    pub(crate) settings: Swim,
    inner: Mutex<Inner>,
    sooner: Event,
}

struct Inner {
    engine: Engine,
    effects: VecDeque<Effect>,
    /// Somebody carries them out: they are carried out one after the other, in order.
    busy: bool,
}

impl Gossip {
    pub(crate) fn new(us: Member, settings: Swim, seed: u64) -> Self {
        let settings = settings.checked();
        let engine = Engine::new(us, settings, seed);
        let inner = Inner { engine, effects: VecDeque::new(), busy: false };
        Self { settings, inner: Mutex::new(inner), sooner: Event::new() }
    }

    /// Whether the caller is to carry out the effects.
    fn input(&self, input: impl FnOnce(&mut Engine)) -> bool {
        let mut inner = self.inner.lock();
        let before = inner.engine.due();
        input(&mut inner.engine);
        let effects = inner.engine.effects();
        inner.effects.extend(effects);
        let due = inner.engine.due();
        let begins = !inner.busy && !inner.effects.is_empty();
        inner.busy |= begins;
        drop(inner);
        if due.is_some_and(|due| before.is_none_or(|before| due < before)) {
            self.sooner.notify(usize::MAX);
        }
        begins
    }

    fn next_effect(&self) -> Option<Effect> {
        let mut inner = self.inner.lock();
        let effect = inner.effects.pop_front();
        inner.busy = effect.is_some();
        effect
    }

    fn due(&self) -> (Option<Time>, EventListener) {
        let sooner = self.sooner.listen();
        (self.inner.lock().engine.due(), sooner)
    }
}

/// Calls the engine when it is due, until the node leaves.
pub(crate) async fn drive(peers: Arc<Peers>) {
    let Some(gossip) = peers.by_gossip() else { return };
    let clock = peers.system().host().clock.clone();
    loop {
        let (due, sooner) = gossip.due();
        let wait = async {
            match due {
                Some(due) => or(sooner, clock.sleep(due.since(clock.now()))).await,
                None => sooner.await,
            }
        };
        if or_left(&peers, wait).await.is_none() {
            return;
        }
        if gossip.due().0.is_some_and(|due| due <= clock.now()) {
            peers.gossip(Engine::tick);
        }
    }
}

impl Peers {
    /// Gives the engine an input, if there is one, and does what comes of it.
    pub(crate) fn gossip(self: &Arc<Self>, input: impl FnOnce(&mut Engine, Time)) {
        let Some(gossip) = self.by_gossip() else { return };
        let now = self.system().host().clock.now();
        if !gossip.input(|engine| input(engine, now)) {
            return;
        }
        while let Some(effect) = gossip.next_effect() {
            self.carry_out(effect);
        }
    }

    fn carry_out(self: &Arc<Self>, effect: Effect) {
        match effect {
            Effect::Send(to, packet) => self.send_packet(to, &Frame::Swim(packet)),
            Effect::Up(member) => {
                self.learn((*member).clone());
                if !self.is_member(member.id) {
                    self.gossip(|engine, now| engine.learn(Fact::Buried(member.id), now));
                }
            }
            Effect::Suspected(id) => {
                self.known(id).into_iter().for_each(|m| self.emit(NodeEvent::Suspected(m)));
            }
            Effect::Recovered(id) => {
                self.known(id).into_iter().for_each(|m| self.emit(NodeEvent::Recovered(m)));
            }
            Effect::Down(id, cause) => self.fail(id, cause),
            Effect::Fenced(by) => self.known(by).iter().for_each(|by| self.fenced_by(by)),
        }
    }
}
