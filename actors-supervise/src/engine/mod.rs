//! What a supervisor is made of, and how the machine's effects become calls of children.

mod by_hand;
mod events;

use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
    task::{Context, Poll, Waker},
};

use actors_core::{
    BoxFuture, CallError, ExitReason, ReplyTo, StartError, System, WeakLink,
    supervision::{ChildExit, Failure, OnExit},
};
use parking_lot::Mutex;

use crate::{
    Child, ChildError, ChildInfo, ChildSpec, Event, HostFailures, Member, Planner, Round,
    RoundKind, Start, Supervisor, SupervisorBuilder, SupervisorError,
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
    slots: HashMap<ChildKey, Slot>,
    ids: HashMap<String, ChildKey>,
    planner: Option<Box<dyn Planner>>,
    rounds_planned: u64,
    inbox: Arc<Inbox>,
    alarms: Alarms,
    system: Option<System>,
    booted: Option<Result<(), SupervisorError>>,
    exit: Option<ExitReason>,
    killed: bool,
    /// Why it did not start, for who starts it.
    pub(crate) outcome: Arc<Mutex<Option<SupervisorError>>>,
    events: Arc<Hub>,
    /// Who wants to tell of failed nodes; taken at the first start.
    host_failures: Vec<Box<dyn FnOnce(HostFailures) + Send>>,
}

struct Slot {
    id: String,
    child: Box<dyn Child>,
    rules: Rules,
    attached: bool,
    starting: Vec<ReplyTo<Result<ChildInfo, ChildError>>>,
    stopping: Vec<ReplyTo<Result<(), ChildError>>>,
}

impl Engine {
    pub(crate) fn new(builder: SupervisorBuilder) -> Self {
        let SupervisorBuilder { settings, children, planner, events, host_failures } = builder;
        let mut engine = Self {
            machine: Machine::new(settings, planner.is_some()),
            slots: HashMap::new(),
            ids: HashMap::new(),
            planner,
            rounds_planned: 0,
            inbox: Arc::default(),
            alarms: Alarms::default(),
            system: None,
            booted: None,
            exit: None,
            killed: false,
            outcome: Arc::default(),
            events,
            host_failures,
        };
        for spec in children {
            engine.insert(spec, false);
        }
        engine
    }

    fn insert(&mut self, spec: ChildSpec, dynamic: bool) -> ChildKey {
        let key = self.machine.insert(spec.rules, dynamic);
        let ChildSpec { id, rules, child, .. } = spec;
        let (starting, stopping) = (Vec::new(), Vec::new());
        self.ids.insert(id.clone(), key);
        self.slots.insert(key, Slot { id, child, rules, attached: false, starting, stopping });
        key
    }

    /// Starts all static children, in the supervisor's own activation. What an earlier life of the
    /// supervisor left is stopped first.
    pub(crate) async fn boot(
        &mut self,
        owner: WeakLink<Supervisor>,
        system: &System,
    ) -> Result<(), StartError> {
        let lived_before = self.system.replace(system.clone()).is_some();
        self.inbox.set_owner(owner);
        for tell in self.host_failures.drain(..) {
            tell(HostFailures::new(self.inbox.clone()));
        }
        if lived_before {
            self.end().await;
            self.machine.revive();
            self.forget_dynamic();
        }
        self.booted = None;
        self.exit = None;
        self.killed = false;
        let booted = self.start_all().await;
        if let Err(error) = &booted {
            self.end().await;
            *self.outcome.lock() = Some(error.clone());
        }
        booted.map_err(StartError::failed)
    }

    async fn start_all(&mut self) -> Result<(), SupervisorError> {
        let keys: Vec<_> = self.machine.keys().collect();
        for key in keys {
            self.attach(key).map_err(|error| self.start_error(Some(key), error))?;
        }
        self.handle(Input::Boot);
        loop {
            if let Some(reason) = self.exit.take() {
                return Err(SupervisorError::Ended(CallError::Died(reason)));
            }
            if let Some(booted) = &self.booted {
                return booted.clone();
            }
            let mail = self.inbox.next().await;
            self.open(mail);
        }
    }

    /// Stops all children, and waits for their deaths.
    pub(crate) async fn end(&mut self) {
        self.handle(Input::ShutDown);
        while !self.machine.is_over() {
            let mail = self.inbox.next().await;
            self.open(mail);
        }
    }

    fn forget_dynamic(&mut self) {
        let stays: HashSet<_> = self.machine.keys().collect();
        self.ids.retain(|_, key| stays.contains(key));
        self.slots.retain(|key, slot| {
            let stay = stays.contains(key);
            if !stay {
                slot.child.retire(ExitReason::Shutdown);
            }
            stay
        });
    }

    fn attach(&mut self, key: ChildKey) -> Result<(), StartError> {
        let inbox = self.inbox.clone();
        let Some(slot) = self.slots.get_mut(&key) else { return Ok(()) };
        if slot.attached {
            return Ok(());
        }
        let on_exit: OnExit = Arc::new(move |exit: ChildExit| {
            let ChildExit { incarnation, reason, .. } = exit;
            inbox.push(Mail::Input(Input::Exited { key, incarnation, reason }));
        });
        slot.child.attach(on_exit)?;
        slot.attached = true;
        Ok(())
    }

    /// Handles all that has come; the reason to end, if there is one now.
    pub(crate) fn drain(&mut self) -> Option<ExitReason> {
        for mail in self.inbox.take() {
            self.open(mail);
        }
        self.exit.take()
    }

    fn open(&mut self, mail: Mail) {
        match mail {
            Mail::Input(input) => self.handle(input),
            Mail::Alarm(at) => {
                let Some(system) = self.system.clone() else { return };
                for token in self.alarms.due(at, &system, &self.inbox) {
                    self.handle(Input::Timer { token });
                }
            }
        }
    }

    pub(crate) fn handle(&mut self, input: Input) {
        let Some(system) = self.system.clone() else { return };
        let mut work = VecDeque::from([input]);
        while let Some(mut input) = work.pop_front() {
            if let Input::Prepared { key, host, .. } | Input::Started { key, host, .. } = &mut input
            {
                *host = self.slots.get(key).and_then(|slot| slot.child.host());
            }
            let now = system.host().clock.now();
            for effect in self.machine.handle(input, now) {
                self.run(effect, &system, &mut work);
            }
        }
    }

    fn run(&mut self, effect: Effect, system: &System, work: &mut VecDeque<Input>) {
        match effect {
            Effect::Prepare { key, token } => {
                let Some(slot) = self.slots.get_mut(&key) else { return };
                let future = contained("prepare", || slot.child.prepare());
                let done = move |result| Input::Prepared { key, token, result, host: None };
                self.task(future, done, system, work);
            }
            Effect::Start { key, token, attempt, failure, plan } => {
                let Some(slot) = self.slots.get_mut(&key) else { return };
                let start = Start { attempt, failure, plan };
                let future = contained("start", || slot.child.start(start));
                let done = move |result| Input::Started { key, token, result, host: None };
                self.task(future, done, system, work);
            }
            Effect::Plan { token, kind, members } => {
                let round = self.round(kind, members);
                let Some(planner) = &mut self.planner else { return };
                let future = contained("plan", || planner.plan(round));
                self.task(future, move |result| Input::Planned { token, result }, system, work);
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
        &self,
        mut future: BoxFuture<'static, T>,
        done: impl FnOnce(T) -> Input + Send + 'static,
        system: &System,
        work: &mut VecDeque<Input>,
    ) {
        if let Poll::Ready(result) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            work.push_back(done(result));
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
                (Err(error), _) => {
                    Err(ChildError::Start { child: slot.id.clone(), error: error.clone() })
                }
                (Ok(()), Some(info)) => Ok(info.clone()),
                (Ok(()), None) => Err(ChildError::NotFound(slot.id.clone())),
            });
        }
    }

    fn remove(&mut self, key: ChildKey) {
        let Some(mut slot) = self.slots.remove(&key) else { return };
        self.ids.remove(&slot.id);
        slot.child.retire(ExitReason::Shutdown);
        self.events.publish(Event::ChildRemoved { id: slot.id });
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

    /// Ends everything that still runs, without waiting for it.
    pub(crate) fn kill_all(&mut self) {
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
        for slot in self.slots.values_mut() {
            slot.child.retire(ExitReason::Shutdown);
        }
    }
}

/// From 0 to 1, by chance.
fn fraction(random: u64) -> f64 {
    f64::from((random >> 32) as u32) / f64::from(u32::MAX)
}
