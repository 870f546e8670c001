//! The head of a job: hears of everything, kills and stops as asked, gathers the result.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actors_core::{ExitReason, System, SystemId};
use actors_node::{DownCause, Hosts, Member, Node, NodeEvent};
use actors_supervise::{Event as SupervisorEvent, SupervisorLink};
use anyhow::{anyhow, bail};
use checkpointing_framework::{
    Coordinator, Costs, Event as GroupEvent, MEMORY, PARTNER, RestartEvent,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::{
    cleanup::Processes,
    node::{FENCED, export},
    observer::{Done, Observer, Progress},
    options::{Job, Kill},
    report::{Events, Failure, Level, RecoveryLevel, Report, Restart},
    start::{hierarchy, listen, start_nodes, supervise},
    stencil::partition,
    stops::Stops,
};

/// A job that came to its end.
pub(crate) struct Finished {
    /// The whole grid after the last step.
    pub(crate) cells: Vec<f64>,
    /// The account, not yet verified.
    pub(crate) report: Report,
}

/// What the head hears; the number is the restart epoch that a report belongs to.
pub(crate) enum Heard {
    Progress(u64, Progress),
    Done(u64, Done),
    Node(Instant, NodeEvent),
    Group(GroupEvent),
    Supervisor(SupervisorEvent),
    Started(Result<SupervisorLink, String>),
    SupervisorEnded(ExitReason),
    /// A node that stood still goes on.
    Resumed(u32),
    /// A node that stood still, and was lost by that, has ended with this status, or has not.
    Ended(u32, Option<i32>),
}

/// Runs a job to its end. However this returns, no process is left.
pub(crate) fn run(job: &Job) -> anyhow::Result<Finished> {
    let processes = Processes::default();
    processes.end_on_signals()?;
    let result = run_with(job, &processes);
    processes.end_in_order();
    result
}

fn run_with(job: &Job, processes: &Processes) -> anyhow::Result<Finished> {
    let system = System::builder().name("head").build();
    export(&system);
    let dir = match &job.dir {
        Some(dir) => dir.clone(),
        None => processes.scratch()?,
    };
    let node = start_nodes(job, processes, &system)?;
    let (tx, heard) = unbounded();
    let group = system.block_on(Coordinator::start(&node, hierarchy(job, &dir)?, Vec::new()))?;
    let observer = system.spawn(Observer(tx.clone()));
    system.block_on(group.observe(observer.erase()));
    let hosts = listen(&node, &group, job, &tx);
    supervise(job, &node, &hosts, &group, &observer, tx.clone());

    tracing::info!(input = %job.input_name, nodes = job.nodes, "the job begins");
    let mut run = Run::new(job, processes, &node, &hosts, tx);
    let outcome = run.until_done(&heard);
    run.events.finish();
    outcome?;
    let costs = system.block_on(group.costs());
    node.leave();
    Ok(Finished { cells: run.assemble(), report: run.report(&costs) })
}

pub(crate) fn strip_id(n: usize) -> String {
    format!("strip-{}", n + 1)
}

/// A run as the head sees it.
struct Run<'a> {
    job: &'a Job,
    processes: &'a Processes,
    hosts: &'a Hosts,
    names: BTreeMap<SystemId, u32>,
    events: Events,
    started: Instant,
    /// When the last strip was done.
    finished: Option<Instant>,
    supervisor: Option<SupervisorLink>,
    restart: u64,
    /// What the strips go on from; the last restart.
    from: Option<RestartEvent>,
    steps: Vec<u64>,
    done: BTreeMap<u32, Vec<f64>>,
    compute: Duration,
    kills: Vec<Kill>,
    killed: BTreeMap<u32, Instant>,
    stops: Stops,
    /// Of these the successors are still to be killed.
    successor_kills: Vec<u32>,
    /// Where each strip was when all were last planned.
    places: Vec<Option<u32>>,
    failures: Vec<Failure>,
    /// When the loss of each node was known.
    known: BTreeMap<u32, Instant>,
    /// Failures that wait for their restart, with the strips that were lost.
    open: Vec<Open>,
}

struct Open {
    failure: usize,
    strips: Vec<u32>,
}

impl<'a> Run<'a> {
    fn new(
        job: &'a Job,
        processes: &'a Processes,
        node: &Node,
        hosts: &'a Hosts,
        tx: Sender<Heard>,
    ) -> Self {
        let number = |member: Member| Some((member.id, member.name.parse().ok()?));
        Self {
            job,
            processes,
            hosts,
            names: node.members().into_iter().filter_map(number).collect(),
            events: Events::new(job.settings.steps, job.quiet),
            started: Instant::now(),
            finished: None,
            supervisor: None,
            restart: 0,
            from: None,
            steps: vec![0; job.settings.strips],
            done: BTreeMap::new(),
            compute: Duration::ZERO,
            kills: job.kills.clone(),
            killed: BTreeMap::new(),
            stops: Stops::new(&job.stops, processes, tx),
            successor_kills: job.successor_kills.clone(),
            places: vec![None; job.settings.strips],
            failures: Vec::new(),
            known: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    fn until_done(&mut self, heard: &Receiver<Heard>) -> anyhow::Result<()> {
        while self.done.len() < self.steps.len() || self.stops.are_open() {
            match heard.recv_timeout(Duration::from_secs(3600)) {
                Ok(heard) => self.hear(heard)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the supervisor is gone"),
            }
            if self.done.len() == self.steps.len() {
                self.finished.get_or_insert_with(Instant::now);
            }
        }
        for node in &self.successor_kills {
            self.events.note(&format!("--kill-successor {node}: no node took over from it"));
        }
        Ok(())
    }

    fn hear(&mut self, heard: Heard) -> anyhow::Result<()> {
        self.processes.yield_to_signal();
        match heard {
            Heard::Started(started) => {
                let supervisor = started.map_err(|error| anyhow!("the strips: {error}"))?;
                self.supervisor = Some(supervisor);
                self.note_resumed();
                self.fire();
            }
            Heard::SupervisorEnded(reason) => {
                let why = if self.names.is_empty() { "no node is left" } else { "restart limit" };
                bail!("the strips cannot be restarted: {why} ({reason})");
            }
            Heard::Progress(restart, progress) if restart == self.restart => {
                self.compute += progress.compute;
                self.steps[progress.strip as usize - 1] = progress.step;
                self.events.at_step(self.slowest());
                self.fire();
            }
            Heard::Done(restart, done) if restart == self.restart => {
                self.done.insert(done.strip, done.cells.0);
            }
            // Of a run that was rolled back.
            Heard::Progress(_, progress) => self.compute += progress.compute,
            Heard::Done(..) => {}
            Heard::Node(at, NodeEvent::Down { member, cause }) => self.lost(at, &member, cause),
            Heard::Node(_, NodeEvent::Suspected(member)) => {
                self.events.note(&format!("node {} is silent", member.name));
            }
            Heard::Node(..) => {}
            Heard::Group(GroupEvent::Restart(restart)) => {
                let step = restart.version.unwrap_or(0);
                self.restart = restart.epoch.restart;
                self.steps.fill(step);
                self.done.clear();
                self.finished = None;
                self.events.at_step(step);
                self.from = Some(restart);
                self.kill_successors();
            }
            Heard::Resumed(node) => {
                self.events.note(&format!("node {node} goes on"));
                self.stops.resumed(node);
            }
            Heard::Ended(node, status) => self.ended(node, status),
            Heard::Group(GroupEvent::SaveFailed { version, error }) => {
                self.events.note(&format!("step {version} is not saved: {error}"));
            }
            Heard::Group(GroupEvent::Damaged { error }) => self.events.note(&error),
            Heard::Group(_) => {}
            Heard::Supervisor(SupervisorEvent::HostFailed { node, children }) => {
                self.strips_lost(&node, &children);
            }
            Heard::Supervisor(SupervisorEvent::Restarted { .. }) => self.restarted(),
            Heard::Supervisor(SupervisorEvent::ChildExited { id, reason, .. })
                if matches!(reason, ExitReason::Panic { .. }) =>
            {
                self.events.note(&format!("{id}: {reason}"));
            }
            Heard::Supervisor(SupervisorEvent::StartFailed { id, error }) => {
                let who = id.as_deref().unwrap_or("plan");
                tracing::info!(who, %error, "start failed");
            }
            Heard::Supervisor(_) => {}
        }
        Ok(())
    }

    fn slowest(&self) -> u64 {
        self.steps.iter().copied().min().unwrap_or(0)
    }

    /// Each kill and each stop fires once, when the slowest strip has come to its step.
    fn fire(&mut self) {
        if self.supervisor.is_none() {
            return;
        }
        let slowest = self.slowest();
        let due: Vec<Kill> = self.kills.extract_if(.., |kill| kill.step <= slowest).collect();
        for kill in due {
            if !self.kill(kill.node) {
                self.events.note(&format!("--kill {kill}: node {} is gone already", kill.node));
            }
        }
        for line in self.stops.fire(slowest) {
            self.events.note(&line);
        }
    }

    /// False if it is gone already.
    fn kill(&mut self, node: u32) -> bool {
        if self.killed.contains_key(&node) || !self.processes.kill(node) {
            return false;
        }
        self.stops.forget(node);
        self.killed.insert(node, Instant::now());
        true
    }

    /// Everything is planned and nothing is started: the strips that are elsewhere now have a successor.
    fn kill_successors(&mut self) {
        let place = |id: String| self.names.get(&self.hosts.host(&id)?).copied();
        let places: Vec<_> = self.strip_ids().map(place).collect();
        let before = std::mem::replace(&mut self.places, places.clone());
        let moved = before.into_iter().zip(places).filter(|(before, now)| before != now);
        for (from, to) in moved {
            let (Some(from), Some(to)) = (from, to) else { continue };
            let asked = self.successor_kills.iter().position(|&node| node == from);
            if let Some(asked) = asked {
                self.successor_kills.swap_remove(asked);
                self.events.note(&format!("node {to} takes over from node {from}, and is killed"));
                self.kill(to);
            }
        }
    }

    fn lost(&mut self, at: Instant, member: &Member, cause: DownCause) {
        let Some(name) = self.names.remove(&member.id) else { return };
        let killed = self.killed.get(&name).copied();
        let stopped = self.stops.lost(name).filter(|_| killed.is_none());
        if stopped.is_none() {
            self.processes.reap(name);
        }
        let since = killed.or(stopped);
        let detect_ms = since.map(|since| milliseconds(at.saturating_duration_since(since)));
        let at_step = self.slowest();
        self.known.insert(name, at);
        self.events.node_lost(name, at_step, detect_ms);
        let kind = match cause {
            _ if stopped.is_some() => "stop",
            DownCause::Silent if killed.is_none() => "silent",
            _ => "kill",
        };
        self.failures.push(Failure {
            node: name,
            kind: kind.to_owned(),
            fenced: stopped.map(|_| false),
            at_step,
            detect_ms,
            restarted_on: None,
            level: None,
            restored_step: None,
            lost_steps: None,
            recover_ms: None,
        });
    }

    /// A node that was lost by standing still has gone on: it was told, and has ended itself; or else it
    /// is ended here.
    fn ended(&mut self, node: u32, status: Option<i32>) {
        let fenced = status == Some(i32::from(FENCED));
        self.stops.forget(node);
        let how = if fenced { "was told that it is dead, and ended" } else { "was not fenced" };
        self.events.note(&format!("node {node} {how}"));
        let stopped = |failure: &&mut Failure| failure.node == node && failure.kind == "stop";
        self.failures.iter_mut().filter(stopped).for_each(|failure| failure.fenced = Some(fenced));
        self.processes.reap(node);
    }

    /// The strips that a lost node had; a spare has none.
    fn strips_lost(&mut self, node: &str, children: &[String]) {
        let strips = (1..).zip(self.strip_ids()).filter(|(_, id)| children.contains(id));
        let strips: Vec<u32> = strips.map(|(number, _)| number).collect();
        let failure = self.failures.iter().position(|failure| failure.node.to_string() == node);
        if let (Some(failure), false) = (failure, strips.is_empty()) {
            self.open.push(Open { failure, strips });
        }
    }

    fn strip_ids(&self) -> impl Iterator<Item = String> + use<> {
        (0..self.steps.len()).map(strip_id)
    }

    /// All strips run again.
    fn restarted(&mut self) {
        let Some(from) = &self.from else { return };
        let step = from.version.unwrap_or(0);
        for open in std::mem::take(&mut self.open) {
            let first = strip_id(open.strips[0] as usize - 1);
            let host = self.hosts.host(&first).and_then(|host| self.names.get(&host));
            // A take-over that was itself lost meanwhile: the next restart is this one's too.
            let Some(&node) = host else {
                self.open.push(open);
                continue;
            };
            let level = from.version.map_or(RecoveryLevel::Input, |_| {
                let key = actors_checkpoint::Key::new(&*first);
                recovery_level(from.levels.get(&key).copied().unwrap_or_default())
            });
            let failure = &mut self.failures[open.failure];
            let lost_steps = failure.at_step.saturating_sub(step);
            let recover_ms = milliseconds(self.known[&failure.node].elapsed());
            failure.restarted_on = Some(node);
            failure.level = Some(level);
            failure.restored_step = Some(step);
            failure.lost_steps = Some(lost_steps);
            failure.recover_ms = Some(recover_ms);
            let strips = &open.strips;
            self.events.restarted(&Restart { strips, node, level, step, lost_steps, recover_ms });
        }
    }

    fn note_resumed(&self) {
        if let Some(step) = self.from.as_ref().and_then(|from| from.version) {
            self.events.note(&format!("going on from step {step} of the directory"));
        }
    }

    /// The whole grid from the strips.
    fn assemble(&mut self) -> Vec<f64> {
        let grid = &self.job.input;
        let mut cells = grid.cells.clone();
        let bands = partition(grid.nrows, self.job.settings.strips);
        for (rows, strip) in bands.into_iter().zip(self.done.values()) {
            cells[rows.start * grid.ncols..rows.end * grid.ncols].copy_from_slice(strip);
        }
        cells
    }

    fn report(&self, costs: &Costs) -> Report {
        let compute_s = self.compute.as_secs_f64();
        let captured: f64 = costs.0.values().map(|cost| cost.took.as_secs_f64()).sum();
        let settings = &self.job.settings;
        let wall = self.finished.map_or_else(|| self.started.elapsed(), |at| at - self.started);
        Report {
            steps: settings.steps,
            rate: settings.rate,
            nodes: self.job.nodes,
            spares: self.job.spares,
            strips: settings.strips,
            wall_s: wall.as_secs_f64(),
            compute_s,
            checkpoint_overhead_pct: if compute_s > 0.0 {
                100.0 * captured / compute_s
            } else {
                0.0
            },
            identical: None,
            failures: self.failures.clone(),
            pauses: self.stops.pauses().to_vec(),
            checkpoints: costs
                .0
                .iter()
                .map(|(level, cost)| Level {
                    level: recovery_level(*level),
                    count: cost.count,
                    bytes: cost.bytes,
                    mean_ms: milliseconds(cost.took) / cost.count.max(1) as f64,
                })
                .collect(),
        }
    }
}

fn recovery_level(level: u8) -> RecoveryLevel {
    match level {
        MEMORY => RecoveryLevel::Memory,
        PARTNER => RecoveryLevel::Partner,
        _ => RecoveryLevel::Directory,
    }
}

fn milliseconds(duration: Duration) -> f64 {
    1e3 * duration.as_secs_f64()
}
