//! Nodes that are to stand still for a time.

use std::{
    collections::BTreeMap,
    thread,
    time::{Duration, Instant},
};

use crossbeam_channel::Sender;

use crate::{cleanup::Processes, options::Stop, report::Pause, run::Heard};

/// How long a node may take to hear that it is dead once it goes on.
const END: Duration = Duration::from_secs(30);

/// Those that are to come, and those that stand still or are not settled yet.
pub(crate) struct Stops {
    due: Vec<Stop>,
    open: BTreeMap<u32, Open>,
    paused: Vec<Pause>,
    processes: Processes,
    tx: Sender<Heard>,
}

/// Kept until the node stands still again or ends: the verdict may fall just after it has gone on.
struct Open {
    stop: Stop,
    since: Instant,
    /// The slowest strip's step.
    at_step: u64,
    resumed: bool,
    lost: bool,
}

impl Open {
    const fn is_unsettled(&self) -> bool {
        !self.resumed || self.lost
    }
}

impl Stops {
    pub(crate) fn new(stops: &[Stop], processes: &Processes, tx: Sender<Heard>) -> Self {
        let (due, processes) = (stops.to_vec(), processes.clone());
        Self { due, open: BTreeMap::new(), paused: Vec::new(), processes, tx }
    }

    /// The nodes that have stood still and were not lost by it.
    pub(crate) fn pauses(&self) -> &[Pause] {
        &self.paused
    }

    /// Whether a node stands still, or goes on dead and has not ended yet.
    pub(crate) fn are_open(&self) -> bool {
        self.open.values().any(Open::is_unsettled)
    }

    /// Stops those that are due when the slowest strip is at `step`; what is to be said about it.
    pub(crate) fn fire(&mut self, step: u64) -> Vec<String> {
        let due: Vec<Stop> = self.due.extract_if(.., |stop| stop.step <= step).collect();
        due.into_iter().map(|stop| self.begin(stop, step)).collect()
    }

    fn begin(&mut self, stop: Stop, at_step: u64) -> String {
        if self.open.get(&stop.node).is_some_and(Open::is_unsettled) {
            return format!("--stop {stop}: node {} stands still already", stop.node);
        }
        let since = Instant::now();
        if !self.processes.stop(stop.node) {
            return format!("--stop {stop}: node {} is gone already", stop.node);
        }
        let open = Open { stop, since, at_step, resumed: false, lost: false };
        self.open.insert(stop.node, open);
        let (processes, tx) = (self.processes.clone(), self.tx.clone());
        thread::spawn(move || {
            thread::sleep(stop.time);
            processes.resume(stop.node);
            let _ = tx.send(Heard::Resumed(stop.node));
        });
        format!("node {} stands still for {} s", stop.node, stop.time.as_secs_f64())
    }

    /// It goes on: if it is not lost, that was all.
    pub(crate) fn resumed(&mut self, node: u32) {
        let Some(open) = self.open.get_mut(&node) else { return };
        open.resumed = true;
        if open.lost {
            return self.await_end(node);
        }
        let (at_step, seconds) = (open.at_step, open.stop.time.as_secs_f64());
        self.paused.push(Pause { node, at_step, seconds });
    }

    /// A node is lost: since when it stands still, if it does, or did to the last.
    pub(crate) fn lost(&mut self, node: u32) -> Option<Instant> {
        let open = self.open.get_mut(&node)?;
        open.lost = true;
        let (since, at_step) = (open.since, open.at_step);
        if open.resumed {
            self.paused.retain(|pause| pause.node != node || pause.at_step != at_step);
            self.await_end(node);
        }
        Some(since)
    }

    fn await_end(&self, node: u32) {
        let (processes, tx) = (self.processes.clone(), self.tx.clone());
        thread::spawn(move || {
            let status = processes.wait(node, END).and_then(|status| status.code());
            let _ = tx.send(Heard::Ended(node, status));
        });
    }

    /// It has ended, in whatever way.
    pub(crate) fn forget(&mut self, node: u32) {
        self.open.remove(&node);
    }
}
