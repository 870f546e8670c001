//! The head: starts the nodes, supervises the strips, kills as asked, gathers the result.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use actors_core::{ExitReason, Link, System, SystemId};
use actors_node::{DownCause, Hosts, Member, Node, NodeEvent, RemoteAddress, SuperviseRemotely};
use actors_supervise::{Event as SupervisorEvent, Strategy, Supervisor, SupervisorLink};
use anyhow::{anyhow, bail, ensure};
use checkpointing_framework::{
    Coordinator, Costs, Event as GroupEvent, GroupLink, GroupPlan, Hierarchy, MEMORY, PARTNER,
    RestartEvent,
};
use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};

use crate::{
    cleanup::Processes,
    node::export,
    observer::{Done, Observer, Progress},
    options::{Job, Kill},
    report::{Events, Failure, Level, RecoveryLevel, Report, Restart},
    stencil::{Band, partition},
    store,
    strip::{StripActor, StripArgs},
};

/// How long the nodes may take to join.
const JOIN_TIMEOUT: Duration = Duration::from_secs(20);
/// How often nodes that end before they join are looked for.
const LOOK: Duration = Duration::from_millis(50);

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
    supervise(job, &node, &hosts, &group, &observer, tx);

    tracing::info!(input = %job.input_name, nodes = job.nodes, "the job begins");
    let mut run = Run::new(job, processes, &node, &hosts);
    let outcome = run.until_done(&heard);
    run.events.finish();
    outcome?;
    let costs = system.block_on(group.costs());
    node.leave();
    Ok(Finished { cells: run.assemble(), report: run.report(&costs) })
}

fn hierarchy(job: &Job, dir: &std::path::Path) -> anyhow::Result<Hierarchy> {
    let settings = &job.settings;
    Ok(Hierarchy::new()
        .memory(settings.level1_every)
        .partner(settings.level2_every)
        .directory(store::checkpoints(dir), settings.save_every)
        .validate()?)
}

/// Starts the node processes, or waits for those that others start.
fn start_nodes(job: &Job, processes: &Processes, system: &System) -> anyhow::Result<Node> {
    let names = 1..=job.nodes + job.spares;
    let cluster = match &job.listen {
        Some(_) => super::CLUSTER.to_owned(),
        None => format!("{}-{}", super::CLUSTER, system.id()),
    };
    let mut builder = Node::builder(system).cluster(&*cluster);
    if let Some(address) = &job.listen {
        builder = builder.listen(address);
    }
    let node = system.block_on(builder.start())?;
    if job.listen.is_none() {
        for name in names.clone() {
            processes.start_node(name, &node.member().address, &cluster)?;
        }
    }
    let deadline = Instant::now() + JOIN_TIMEOUT;
    for name in names {
        loop {
            if system.block_on(node.wait_for(&name.to_string(), LOOK)).is_ok() {
                break;
            }
            if let Some(ended) = processes.first_ended() {
                bail!("node {ended} ended before it joined");
            }
            ensure!(Instant::now() < deadline, "node {name} did not join in {JOIN_TIMEOUT:?}");
        }
    }
    Ok(node)
}

/// Lets the run hear of nodes and checkpoints.
fn listen(node: &Node, group: &GroupLink, job: &Job, tx: &Sender<Heard>) -> Hosts {
    let to = tx.clone();
    node.on_event(move |event| drop(to.send(Heard::Node(Instant::now(), event.clone()))));
    let to = tx.clone();
    group.on_event(move |event| drop(to.send(Heard::Group(event.clone()))));
    let spares = (job.nodes + 1..=job.nodes + job.spares).map(|name| name.to_string());
    Hosts::new(node, spares)
}

/// Starts the strips, each with the links of its neighbours.
fn supervise(
    job: &Job,
    node: &Node,
    hosts: &Hosts,
    group: &GroupLink,
    observer: &Link<Observer>,
    tx: Sender<Heard>,
) {
    let bands = partition(job.input.nrows, job.settings.strips);
    let count = bands.len();
    let strips: Vec<RemoteAddress<StripActor>> = (0..count)
        .map(|n| {
            let on = 1 + n * job.nodes as usize / count;
            hosts.child(&strip_id(n), "strip", &on.to_string())
        })
        .collect();
    let links: Vec<_> = strips.iter().map(RemoteAddress::link).collect();
    let mut builder =
        Supervisor::builder(Strategy::OneForAll).hosts(hosts).planner(group.planner());
    for (n, (strip, rows)) in strips.into_iter().zip(bands).enumerate() {
        let band = Band::cut(&job.input, rows);
        let (rate, steps) = (job.settings.rate, job.settings.steps);
        let report_at: Vec<u64> = job.kills.iter().map(|kill| kill.step).collect();
        let north = n.checked_sub(1).map(|north| links[north].clone());
        let south = links.get(n + 1).cloned();
        let observer = observer.clone();
        builder = builder.child(strip.spec(move |start| {
            Ok(StripArgs {
                number: n as u32 + 1,
                band: band.clone(),
                rate,
                steps,
                report_at: report_at.clone(),
                north: north.clone(),
                south: south.clone(),
                observer: observer.clone(),
                member: GroupPlan::member(start, &strip_id(n))?,
            })
        }));
    }
    let events = builder.subscribe();
    let to = tx.clone();
    std::thread::spawn(move || {
        for event in events {
            if to.send(Heard::Supervisor(event)).is_err() {
                return;
            }
        }
    });
    let system = node.system().clone();
    node.system().spawn_task(async move {
        let started = builder.start(&system).await.map_err(|error| error.to_string());
        if let Ok(supervisor) = &started {
            let to = tx.clone();
            let ended = move |reason| drop(to.send(Heard::SupervisorEnded(reason)));
            supervisor.link().erase().on_down(move |down| ended(down.reason));
        }
        let _ = tx.send(Heard::Started(started));
    });
}

fn strip_id(n: usize) -> String {
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
    supervisor: Option<SupervisorLink>,
    restart: u64,
    /// What the strips go on from; the last restart.
    from: Option<RestartEvent>,
    steps: Vec<u64>,
    done: BTreeMap<u32, Vec<f64>>,
    compute: Duration,
    kills: Vec<Kill>,
    killed: BTreeMap<u32, Instant>,
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
    fn new(job: &'a Job, processes: &'a Processes, node: &Node, hosts: &'a Hosts) -> Self {
        let number = |member: Member| Some((member.id, member.name.parse().ok()?));
        Self {
            job,
            processes,
            hosts,
            names: node.members().into_iter().filter_map(number).collect(),
            events: Events::new(job.settings.steps, job.quiet),
            started: Instant::now(),
            supervisor: None,
            restart: 0,
            from: None,
            steps: vec![0; job.settings.strips],
            done: BTreeMap::new(),
            compute: Duration::ZERO,
            kills: job.kills.clone(),
            killed: BTreeMap::new(),
            failures: Vec::new(),
            known: BTreeMap::new(),
            open: Vec::new(),
        }
    }

    fn until_done(&mut self, heard: &Receiver<Heard>) -> anyhow::Result<()> {
        while self.done.len() < self.steps.len() {
            match heard.recv_timeout(Duration::from_secs(3600)) {
                Ok(heard) => self.hear(heard)?,
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => bail!("the supervisor is gone"),
            }
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
                self.fire_kills();
            }
            Heard::SupervisorEnded(reason) => {
                let why = if self.names.is_empty() { "no node is left" } else { "restart limit" };
                bail!("the strips cannot be restarted: {why} ({reason})");
            }
            Heard::Progress(restart, progress) if restart == self.restart => {
                self.compute += progress.compute;
                self.steps[progress.strip as usize - 1] = progress.step;
                self.events.at_step(self.slowest());
                self.fire_kills();
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
                self.events.at_step(step);
                self.from = Some(restart);
            }
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

    /// Each kill fires once, when the slowest strip has come to its step.
    fn fire_kills(&mut self) {
        if self.supervisor.is_none() {
            return;
        }
        let slowest = self.slowest();
        let due = self.kills.extract_if(.., |kill| kill.step <= slowest);
        for kill in due.collect::<Vec<_>>() {
            if self.killed.contains_key(&kill.node) || !self.processes.kill(kill.node) {
                self.events.note(&format!("--kill {kill}: node {} is gone already", kill.node));
            } else {
                self.killed.insert(kill.node, Instant::now());
            }
        }
    }

    fn lost(&mut self, at: Instant, member: &Member, cause: DownCause) {
        let Some(name) = self.names.remove(&member.id) else { return };
        self.processes.reap(name);
        let killed = self.killed.get(&name);
        let detect_ms = killed.map(|killed| milliseconds(at.saturating_duration_since(*killed)));
        let at_step = self.slowest();
        self.known.insert(name, at);
        self.events.node_lost(name, at_step, detect_ms);
        let kind = match (killed, cause) {
            (None, DownCause::Silent) => "silent",
            _ => "kill",
        };
        self.failures.push(Failure {
            node: name,
            kind: kind.to_owned(),
            at_step,
            detect_ms,
            restarted_on: None,
            level: None,
            restored_step: None,
            lost_steps: None,
            recover_ms: None,
        });
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
        Report {
            steps: settings.steps,
            rate: settings.rate,
            nodes: self.job.nodes,
            spares: self.job.spares,
            strips: settings.strips,
            wall_s: self.started.elapsed().as_secs_f64(),
            compute_s,
            checkpoint_overhead_pct: if compute_s > 0.0 {
                100.0 * captured / compute_s
            } else {
                0.0
            },
            identical: None,
            failures: self.failures.clone(),
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
