//! The engines of a node's roles: time, connections and events, and what the owner runs.

use std::{
    collections::{BTreeMap, VecDeque},
    panic::AssertUnwindSafe,
    sync::Arc,
};

use actors_core::{BoxFuture, ReplyTo, SystemId, host::Time};
use event_listener::{Event, EventListener};
use futures_lite::{FutureExt, future::or};
use parking_lot::Mutex;

use super::{Candidate, Effect, Office, Say, Tenure};
use crate::{NodeEvent, RoleError, connection::or_left, peers::Peers, wire::Frame};

/// Roles that one node knows of, at most.
const MOST: usize = 256;

/// What is run by the owner.
pub(crate) type Duty = Arc<dyn Fn(Tenure) -> BoxFuture<'static, ()> + Send + Sync>;
/// Until when it is sure; `None` when it is over.
pub(crate) type Sure = ReplyTo<Option<Time>>;

/// The roles of a node, and what is still to be done for them.
#[derive(Default)]
pub(crate) struct Offices {
    inner: Mutex<Inner>,
    sooner: Event,
}

#[derive(Default)]
struct Inner {
    roles: BTreeMap<String, Role>,
    effects: VecDeque<(String, Effect)>,
    /// Somebody carries them out: they are carried out one after the other, in order.
    busy: bool,
}

struct Role {
    office: Office,
    duty: Option<Duty>,
    tenure: Option<Tenure>,
    questions: u64,
    waiting: BTreeMap<u64, Sure>,
}

impl Inner {
    fn due(&self) -> Option<Time> {
        self.roles.values().filter_map(|role| role.office.due()).min()
    }
}

/// Calls the engines when they are due, until the node leaves.
pub(crate) async fn drive(peers: Arc<Peers>) {
    let clock = peers.system().host().clock.clone();
    loop {
        let (due, sooner) = peers.offices.due();
        let wait = async {
            match due {
                Some(due) => or(sooner, clock.sleep(due.since(clock.now()))).await,
                None => sooner.await,
            }
        };
        if or_left(&peers, wait).await.is_none() {
            return;
        }
        let now = clock.now();
        peers.in_offices(|role| {
            if role.office.due().is_some_and(|due| due <= now) {
                role.office.tick(now);
            }
        });
    }
}

impl Offices {
    fn due(&self) -> (Option<Time>, EventListener) {
        let sooner = self.sooner.listen();
        (self.inner.lock().due(), sooner)
    }

    /// Who owns a role, as far as is known here, and in which term.
    pub(crate) fn owner(&self, name: &str) -> Option<(u64, SystemId)> {
        self.inner.lock().roles.get(name)?.office.heard()
    }

    /// Whether a node owns any role, as far as is known here.
    pub(crate) fn owns(&self, node: SystemId) -> bool {
        let inner = self.inner.lock();
        inner.roles.values().any(|role| role.office.heard().is_some_and(|(_, owner)| owner == node))
    }

    /// Whether the caller is to carry out the effects.
    fn input<T>(&self, input: impl FnOnce(&mut Inner) -> T) -> (T, bool) {
        let mut guard = self.inner.lock();
        let inner = &mut *guard;
        let before = inner.due();
        let result = input(inner);
        for (name, role) in &mut inner.roles {
            let effects = role.office.effects().into_iter();
            inner.effects.extend(effects.map(|effect| (name.clone(), effect)));
        }
        let due = inner.due();
        let begins = !inner.busy && !inner.effects.is_empty();
        inner.busy |= begins;
        drop(guard);
        if due.is_some_and(|due| before.is_none_or(|before| due < before)) {
            self.sooner.notify(usize::MAX);
        }
        (result, begins)
    }

    fn next_effect(&self) -> Option<(String, Effect)> {
        let mut inner = self.inner.lock();
        let effect = inner.effects.pop_front();
        inner.busy = effect.is_some();
        effect
    }

    fn of_role<T>(&self, name: &str, f: impl FnOnce(&mut Role) -> T) -> Option<T> {
        self.inner.lock().roles.get_mut(name).map(f)
    }
}

impl Peers {
    /// From now on this node may become the owner.
    pub(crate) fn stand(
        self: &Arc<Self>,
        name: &str,
        candidate: Candidate,
        duty: Duty,
    ) -> Result<(), RoleError> {
        self.office(name, |role, now| {
            if role.duty.is_some() {
                return Err(RoleError::Running(name.to_owned()));
            }
            role.duty = Some(duty);
            role.office.stand(candidate, now);
            Ok(())
        })
        .unwrap_or(Err(RoleError::TooMany { most: MOST }))
    }

    pub(crate) fn withdraw(self: &Arc<Self>, name: &str) {
        self.office(name, |role, now| {
            role.duty = None;
            role.office.withdraw(now);
        });
    }

    /// This node leaves: it owns nothing any more.
    pub(crate) fn withdraw_all(self: &Arc<Self>) {
        let now = self.system().host().clock.now();
        self.in_offices(|role| {
            role.duty = None;
            role.office.withdraw(now);
        });
    }

    /// Asks for the owner of a term, which must be this node: to keep a table, or else only whether it is.
    pub(crate) fn ask_office(
        self: &Arc<Self>,
        name: &str,
        term: u64,
        table: Option<Vec<u8>>,
        reply: Sure,
    ) {
        self.office(name, |role, now| {
            if role.tenure.as_ref().is_none_or(|tenure| tenure.term() != term) {
                return reply.answer(None);
            }
            role.questions += 1;
            let tag = role.questions;
            role.waiting.insert(tag, reply);
            let taken = match table {
                Some(table) => role.office.keep(table, tag, now),
                None => role.office.confirm(tag, now),
            };
            if !taken && let Some(reply) = role.waiting.remove(&tag) {
                reply.answer(None);
            }
        });
    }

    /// Another node has said something about a role.
    pub(crate) fn hear_of_role(self: &Arc<Self>, from: SystemId, name: &str, say: Say) {
        if let Say::Resigned { term, .. } = say {
            self.owner_stood_down(from, name, term);
        }
        self.office(name, |role, now| role.office.receive(from, say, now));
    }

    pub(crate) fn offices_on(self: &Arc<Self>, event: &NodeEvent) {
        let now = self.system().host().clock.now();
        match event {
            // It may be down again, and that been told.
            NodeEvent::Up(member) if self.is_member(member.id) => {
                self.in_offices(|role| role.office.member_up(member.id, &member.name, now));
            }
            NodeEvent::Down { member, .. } => {
                self.in_offices(|role| role.office.member_down(member.id, now));
            }
            _ => {}
        }
    }

    /// Gives one role an input. `None` if there are too many.
    fn office<T>(
        self: &Arc<Self>,
        name: &str,
        input: impl FnOnce(&mut Role, Time) -> T,
    ) -> Option<T> {
        let now = self.system().host().clock.now();
        let (result, begins) = self.offices.input(|inner| {
            if !inner.roles.contains_key(name) {
                if inner.roles.len() >= MOST {
                    tracing::warn!(name, "too many roles");
                    return None;
                }
                inner.roles.insert(name.to_owned(), self.new_role(now));
            }
            inner.roles.get_mut(name).map(|role| input(role, now))
        });
        self.carry_out_offices(begins);
        result
    }

    fn in_offices(self: &Arc<Self>, mut input: impl FnMut(&mut Role)) {
        let (_, begins) = self.offices.input(|inner| inner.roles.values_mut().for_each(&mut input));
        self.carry_out_offices(begins);
    }

    fn new_role(&self, now: Time) -> Role {
        let us = (self.member().id, self.member().name.clone());
        let mut office = Office::new(us, self.system().host().random.next(), now);
        for member in self.up_members() {
            office.member_up(member.id, &member.name, now);
        }
        let (duty, tenure, waiting) = (None, None, BTreeMap::new());
        Role { office, duty, tenure, questions: 0, waiting }
    }

    fn carry_out_offices(self: &Arc<Self>, begins: bool) {
        while begins && let Some((name, effect)) = self.offices.next_effect() {
            self.carry_out_office(name, effect);
        }
    }

    fn carry_out_office(self: &Arc<Self>, role: String, effect: Effect) {
        match effect {
            Effect::Send(to, say) => {
                self.send(to, &Frame::Role { role, say });
            }
            Effect::Elected { term, table } => self.begin_tenure(&role, term, &table),
            Effect::StoodDown { term } => {
                let ended = self
                    .offices
                    .of_role(&role, |role| (role.tenure.take(), std::mem::take(&mut role.waiting)));
                let (tenure, waiting) = ended.unwrap_or_default();
                tenure.iter().for_each(Tenure::end);
                waiting.into_values().for_each(|reply| reply.answer(None));
                self.owner_stood_down(self.member().id, &role, term);
                self.emit(NodeEvent::StoodDown { role, term });
            }
            Effect::Lapsed { term } => self.emit(NodeEvent::QuorumLost { role, term }),
            Effect::Heard { term, owner } => self.emit(NodeEvent::Elected { role, term, owner }),
            Effect::Kept(tag) => self.sure(&role, tag, Time::default()),
            Effect::Confirmed(tag, until) => self.sure(&role, tag, until),
        }
    }

    fn sure(&self, role: &str, tag: u64, until: Time) {
        let reply = self.offices.of_role(role, |role| role.waiting.remove(&tag)).flatten();
        if let Some(reply) = reply {
            reply.answer(Some(until));
        }
    }

    fn begin_tenure(self: &Arc<Self>, name: &str, term: u64, table: &[u8]) {
        let tenure = Tenure::new(self, name, term, table);
        let duty = self.offices.of_role(name, |role| {
            role.tenure = Some(tenure.clone());
            role.duty.clone()
        });
        let Some(duty) = duty.flatten() else { return };
        let (peers, name) = (self.clone(), name.to_owned());
        self.system().spawn_task(async move {
            let over = tenure.clone();
            let run = async {
                // What the closure does before its first wait is the user's code too.
                let duty = AssertUnwindSafe(async move { duty(tenure).await });
                let panicked = duty.catch_unwind().await.is_err();
                tracing::info!(role = name, term, panicked, "the duty of the owner has ended");
                true
            };
            let ended = async {
                over.ended().await;
                false
            };
            if or(ended, run).await {
                peers.withdraw(&name);
            }
        });
    }
}
