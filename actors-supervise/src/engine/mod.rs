//! What a supervisor is made of, and how the machine's effects become calls of children.

mod by_hand;
mod change;
mod events;
mod lineage;
mod report;
mod shared;

use std::{
    collections::{BTreeMap, HashMap, HashSet, VecDeque},
    sync::{Arc, Weak},
    task::{Context, Poll, Waker},
};

use actors_core::{
    BoxFuture, CallError, ExitReason, ReplyTo, StartError, System,
    host::Time,
    supervision::{ChildExit, Failure, OnExit},
};
use parking_lot::Mutex;

pub(crate) use self::shared::SharedEngine;
use self::{report::Reporter, shared::retire_all};
use crate::{
    Child, ChildError, ChildInfo, ChildKind, ChildSpec, Counts, Event, HostFailures, Member,
    Planner, Round, RoundKind, Start, SupervisorBuilder, SupervisorError,
    alarm::Alarms,
    contain::contained,
    event::Hub,
    inbox::{Inbox, Mail},
    machine::{ChildKey, Effect, Input, Machine},
    spec::Rules,
};

/// Everything of a supervisor that outlives a restart of it.
pub(crate) struct Engine {
    pub(crate) machine: Machine,
    slots: BTreeMap<ChildKey, Slot>,
    ids: HashMap<String, ChildKey>,
    /// Keys that exits are told by, and those that the children have now.
    moved: HashMap<ChildKey, ChildKey>,
    /// Of the slots; how many are active the machine knows.
    counts: Counts,
    planner: Option<Box<dyn Planner>>,
    rounds_planned: u64,
    inbox: Arc<Inbox>,
    alarms: Alarms,
    /// News that the machine has not had yet: after its effects.
    work: VecDeque<Input>,
    system: Option<System>,
    /// The supervisor handles messages: it neither starts nor ends.
    serves: bool,
    booted: Option<Result<(), SupervisorError>>,
    exit: Option<ExitReason>,
    killed: bool,
    outcome: Arc<Mutex<Option<SupervisorError>>>,
    events: Arc<Hub>,
    /// Who wants to tell of failed nodes; taken at the first start.
    host_failures: Vec<Box<dyn FnOnce(HostFailures) + Send>>,
    reporter: Arc<Reporter>,
}

struct Slot {
    id: String,
    child: Box<dyn Child>,
    rules: Rules,
    attached: bool,
    /// By its exits.
    told_as: ChildKey,
    in_place: bool,
    starting: Vec<ReplyTo<Result<ChildInfo, ChildError>>>,
    stopping: Vec<ReplyTo<Result<(), ChildError>>>,
}

impl Engine {
    fn new(builder: SupervisorBuilder, this: Weak<Mutex<Self>>) -> Self {
        let SupervisorBuilder { settings, children, planner, events, host_failures } = builder;
        let inbox = Arc::<Inbox>::default();
        let reporter = Arc::new(Reporter { engine: this, inbox: inbox.clone() });
        let mut engine = Self {
            machine: Machine::new(settings, planner.is_some()),
            slots: BTreeMap::new(),
            ids: HashMap::new(),
            moved: HashMap::new(),
            counts: Counts::default(),
            planner,
            rounds_planned: 0,
            inbox,
            alarms: Alarms::default(),
            work: VecDeque::new(),
            system: None,
            serves: false,
            booted: None,
            exit: None,
            killed: false,
            outcome: Arc::default(),
            events,
            host_failures,
            reporter,
        };
        for spec in children {
            engine.insert(spec, false);
        }
        engine
    }

    fn insert(&mut self, spec: ChildSpec, dynamic: bool) -> ChildKey {
        let key = self.machine.insert(spec.rules, dynamic);
        self.place(key, spec);
        key
    }

    fn place(&mut self, key: ChildKey, spec: ChildSpec) {
        let ChildSpec { id, rules, child, place, .. } = spec;
        if let Some(place) = place {
            place.enter(&id, self.events.place());
        }
        self.counts.specs += 1;
        *self.counts.of(rules.kind) += 1;
        let (starting, stopping) = (Vec::new(), Vec::new());
        self.ids.insert(id.clone(), key);
        let (attached, in_place) = (false, false);
        let told_as = key;
        let slot = Slot { id, child, rules, attached, told_as, in_place, starting, stopping };
        self.slots.insert(key, slot);
    }

    fn forget(&mut self, key: ChildKey) -> Option<Slot> {
        let slot = self.slots.remove(&key)?;
        self.ids.remove(&slot.id);
        self.moved.remove(&slot.told_as);
        self.counts.specs -= 1;
        *self.counts.of(slot.rules.kind) -= 1;
        Some(slot)
    }

    fn forget_dynamic(&mut self) {
        let stays: HashSet<_> = self.machine.keys().collect();
        let gone: Vec<_> = self.slots.keys().filter(|key| !stays.contains(key)).copied().collect();
        for key in gone {
            let Some(slot) = self.forget(key) else { continue };
            self.events.publish(Event::ChildRemoved { id: slot.id.clone() });
            retire_all([slot]);
        }
    }

    fn attach(&mut self, key: ChildKey) -> Result<(), StartError> {
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        if slot.attached {
            return Ok(());
        }
        let reporter = self.reporter.clone();
        let on_exit: OnExit = Arc::new(move |exit: ChildExit| {
            let ChildExit { incarnation, reason, .. } = exit;
            reporter.report(Input::Exited { key, incarnation, reason });
        });
        let owner = self.inbox.owner();
        let known = slot.child.link();
        if owner.is_some() && known == owner {
            return Err(StartError::Cycle);
        }
        let runs = known.is_some();
        slot.child.attach(on_exit)?;
        if slot.rules.kind == ChildKind::Supervisor
            && let (Some(owner), Some(below)) = (owner, slot.child.link())
            && !lineage::extend(&owner, &below)
        {
            slot.child.detach();
            return Err(StartError::Cycle);
        }
        if runs && slot.rules.kind == ChildKind::Supervisor {
            let at = (slot.id.clone(), self.events.place().clone());
            by_hand::place(slot.child.link(), Some(at));
        }
        slot.attached = true;
        slot.told_as = key;
        slot.in_place = slot.child.in_place().is_some();
        Ok(())
    }

    pub(crate) fn handle(&mut self, input: Input) {
        self.work.push_back(input);
        self.go_on();
    }

    /// Does all that is to be done.
    fn go_on(&mut self) {
        self.go_on_while(|_, _| true, |system| system.host().clock.now());
    }

    fn has_work(&self) -> bool {
        self.machine.next_effect().is_some() || !self.work.is_empty()
    }

    /// Does what is to be done up to the first effect that `may` not be carried out. True if all is
    /// done.
    fn go_on_while(
        &mut self,
        may: impl Fn(&Self, &Effect) -> bool,
        mut now: impl FnMut(&System) -> Time,
    ) -> bool {
        if !self.has_work() {
            return true;
        }
        let Some(system) = self.system.clone() else {
            self.work.clear();
            return true;
        };
        loop {
            while let Some(effect) = self.machine.next_effect() {
                if !may(self, effect) {
                    return false;
                }
                let effect = self.machine.take_effect().expect("it was there");
                self.run(effect, &system);
            }
            let Some(mut input) = self.work.pop_front() else { return true };
            if let Input::Exited { key, .. } = &mut input {
                *key = self.moved.get(key).copied().unwrap_or(*key);
            }
            if let Input::Prepared { key, host, .. } | Input::Started { key, host, .. } = &mut input
            {
                *host = self.slots.get(key).and_then(|slot| slot.child.host());
            }
            self.machine.set_heard(self.events.is_heard());
            self.machine.handle(input, now(&system));
        }
    }

    fn run(&mut self, effect: Effect, system: &System) {
        match effect {
            Effect::Prepare { key, token } => {
                let done = move |result| Input::Prepared { key, token, result, host: None };
                if let Err(error) = self.attach(key) {
                    self.work.push_back(done(Err(error)));
                    return;
                }
                let Some(slot) = self.slots.get_mut(&key) else { return };
                if slot.in_place {
                    self.work.push_back(done(Ok(())));
                    return;
                }
                let future = contained("prepare", || slot.child.prepare());
                self.task(future, done, system);
            }
            Effect::Start { key, token, attempt, failure, plan } => {
                let reporter = self.reporter.clone();
                let Some(slot) = self.slots.get_mut(&key) else { return };
                let start = Start { attempt, failure, plan };
                let done = move |result| Input::Started { key, token, result, host: None };
                if let Some(child) = slot.child.in_place() {
                    let started = ReplyTo::to_function(move |answer: Result<_, CallError>| {
                        let lost = |_| Err(StartError::Exited(ExitReason::Killed));
                        reporter.report(done(answer.unwrap_or_else(lost)));
                    });
                    return child.begin(start, started);
                }
                let future = contained("start", || slot.child.start(start));
                self.task(future, done, system);
            }
            Effect::Plan { token, kind, members } => {
                let round = self.round(kind, members);
                let Some(planner) = &mut self.planner else { return };
                let future = contained("plan", || planner.plan(round));
                self.task(future, move |result| Input::Planned { token, result }, system);
            }
            Effect::Stop(key) => {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.child.stop(ExitReason::Shutdown);
                }
            }
            Effect::Kill(key) => {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.child.kill();
                }
            }
            Effect::Remove(key) => self.remove(key),
            Effect::Timer { token, after, spread } => {
                let spread = spread.mul_f64(fraction(system.host().random.next()));
                self.alarms.set(token, after + spread, system, &self.inbox);
            }
            Effect::Settled(key, result) => self.settled(key, result),
            Effect::Stopped(key) => {
                if let Some(slot) = self.slots.get_mut(&key) {
                    slot.stopping.drain(..).for_each(|reply| reply.answer(Ok(())));
                }
            }
            Effect::Booted(result) => {
                let failed = |(key, error)| self.start_error(key, error);
                self.booted = Some(result.map_err(failed));
            }
            Effect::Tell(told) => self.tell(told),
            Effect::Exit(reason) => self.exit = Some(reason),
        }
    }

    /// Runs a future beside the supervisor; one that is ready needs no task.
    fn task<T: Send + 'static>(
        &mut self,
        mut future: BoxFuture<'static, T>,
        done: impl FnOnce(T) -> Input + Send + 'static,
        system: &System,
    ) {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            self.work.push_back(done(result));
            return;
        }
        let inbox = self.inbox.clone();
        system.spawn_task(async move { inbox.push(Mail::Input(done(future.await))) });
    }

    fn round(&mut self, kind: RoundKind, members: Vec<(ChildKey, Option<Failure>)>) -> Round {
        self.rounds_planned += 1;
        let member = |(key, failure)| {
            let slot: &Slot = self.slots.get(&key)?;
            let (link, host) = (slot.child.link(), slot.child.host());
            Some(Member { id: slot.id.clone(), link, host, failure })
        };
        let children = members.into_iter().filter_map(member).collect();
        Round { number: self.rounds_planned, kind, children }
    }

    fn settled(&mut self, key: ChildKey, result: Result<(), StartError>) {
        let info = self.info(key);
        let Some(slot) = self.slots.get_mut(&key) else { return };
        for reply in slot.starting.drain(..) {
            reply.answer(match (&result, &info) {
                (Err(StartError::Ignore), _) => Err(ChildError::Ignored(slot.id.clone())),
                (Err(error), _) => {
                    Err(ChildError::Start { child: slot.id.clone(), error: error.clone() })
                }
                (Ok(()), Some(info)) => Ok(info.clone()),
                (Ok(()), None) => Err(ChildError::NotFound(slot.id.clone())),
            });
        }
    }

    fn remove(&mut self, key: ChildKey) {
        let Some(mut slot) = self.forget(key) else { return };
        slot.child.retire(ExitReason::Shutdown);
        self.events.publish(Event::ChildRemoved { id: slot.id });
        // Only now: who has asked for it finds its address dead.
        slot.stopping.drain(..).for_each(|reply| reply.answer(Ok(())));
    }

    fn start_error(&self, key: Option<ChildKey>, error: StartError) -> SupervisorError {
        match key {
            Some(key) => SupervisorError::Start { child: self.id(key), error },
            None => SupervisorError::Plan(error),
        }
    }

    fn id(&self, key: ChildKey) -> String {
        self.slots.get(&key).map_or_else(String::new, |slot| slot.id.clone())
    }

    fn kill_all(&mut self) {
        // A second kill would interrupt the children's `term`.
        if std::mem::replace(&mut self.killed, true) {
            return;
        }
        for (&key, slot) in &mut self.slots {
            if self.machine.is_alive(key) {
                slot.child.kill();
            }
        }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        self.kill_all();
        retire_all(std::mem::take(&mut self.slots).into_values());
    }
}

/// From 0 to 1, by chance.
fn fraction(random: u64) -> f64 {
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}
