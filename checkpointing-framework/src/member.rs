use std::{collections::BTreeMap, time::Duration};

use actors_checkpoint::{
    Blob, Capture, Checkpointing, Key, PutError, RestoreError, Version,
    message::{Entry, Get, Put, Reached},
};
use actors_core::{CallError, Link, StartError, System, host::Time};
use bytemuck::Pod;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Coordinator,
    coordinator::{Placed, Unusable},
    hierarchy::Schedule,
};

/// Stores that have a copy, with their levels.
type Sources = Vec<(u8, Link<Checkpointing>)>;

/// What a plan says for one member; part of the arguments that it is started with.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct MemberPlan {
    pub(crate) key: Key,
    pub(crate) schedule: Schedule,
    /// The nearest store, if there is any.
    pub(crate) entry: Option<Link<Checkpointing>>,
    pub(crate) coordinator: Link<Coordinator>,
    /// The version to go on from, with stores that have it, cheapest first.
    pub(crate) restore: Option<(Version, Sources)>,
}

impl MemberPlan {
    /// The state to go on from; `None` is a fresh start. Sources that are damaged or gone are
    /// skipped.
    ///
    /// # Errors
    /// No source has a whole copy. The coordinator is told, and the next plan does without it.
    pub async fn restore_raw<T: Pod>(&self) -> Result<Option<(Version, Vec<T>)>, StartError> {
        self.restore(Blob::to_vec).await
    }

    /// As [`restore_raw`](Self::restore_raw), for a state that was [encoded](Protection::checkpoint).
    ///
    /// # Errors
    /// As `restore_raw`.
    pub async fn restore_encoded<T: DeserializeOwned>(
        &self,
    ) -> Result<Option<(Version, T)>, StartError> {
        self.restore(Blob::decode).await
    }

    async fn restore<T>(
        &self,
        open: impl Fn(&Blob) -> Result<T, RestoreError>,
    ) -> Result<Option<(Version, T)>, StartError> {
        let Some((version, sources)) = &self.restore else { return Ok(None) };
        let (mut problems, mut damaged, mut lost) = (Vec::new(), Vec::new(), 0);
        for (level, store) in sources {
            let get = Get { key: self.key.clone(), version: Some(*version), level: 0, below: None };
            let problem = match store.call(get).await {
                Ok(Ok(Entry { blob, .. })) => match open(&blob) {
                    Ok(state) => return Ok(Some((*version, state))),
                    Err(problem) => problem.to_string(),
                },
                Ok(Err(missing)) => missing.to_string(),
                Err(CallError::NoConnection) => {
                    lost += 1;
                    CallError::NoConnection.to_string()
                }
                Err(problem) => problem.to_string(),
            };
            damaged.push(*level);
            tracing::warn!(key = %self.key, version, level, problem, "copy is unusable");
            problems.push(format!("level {level}: {problem}"));
        }
        if lost == sources.len() {
            // The nodes of the copies are gone: no fault of the copies, nor of the member.
            return Err(StartError::NoConnection { node: "of the copy".into() });
        }
        let unusable = Unusable { key: self.key.clone(), version: *version, levels: damaged };
        let _ = self.coordinator.send(unusable);
        let problems = problems.join("; ");
        Err(StartError::failed(format!("{} at version {version}: {problems}", self.key)))
    }

    /// The member's way to protect its state from now on.
    pub fn protect(self, system: &System) -> Protection {
        Protection { plan: self, system: system.clone(), capture: Capture::new(2) }
    }
}

/// A member's way to protect its state.
#[derive(Debug)]
pub struct Protection {
    plan: MemberPlan,
    system: System,
    capture: Capture,
}

impl Protection {
    /// Protects the state if a level is due at this version, as raw bytes.
    ///
    /// It is captured in this turn and handed to the nearest store; when a level above the own
    /// node's memory is due, this waits until the copy is there. So a member never runs ahead of a
    /// due copy: what is lost with a node is at most one interval of the level that survives it.
    /// A level that cannot be reached now is left out, and the next ones are tried again.
    ///
    /// Dropping the future leaves the copy on its way.
    pub async fn checkpoint_raw<T: Pod>(&mut self, version: Version, state: &[T]) {
        if let Some(level) = self.plan.schedule.due(version) {
            let started = self.now();
            let blob = self.capture.raw(state);
            self.place(version, level, blob, started).await;
        }
    }

    /// As [`checkpoint_raw`](Self::checkpoint_raw), for a serde state.
    ///
    /// # Errors
    /// [`PutError`] when the state does not encode.
    pub async fn checkpoint<T: Serialize>(
        &mut self,
        version: Version,
        state: &T,
    ) -> Result<(), PutError> {
        if let Some(level) = self.plan.schedule.due(version) {
            let started = self.now();
            let blob = self.capture.encode(state)?;
            self.place(version, level, blob, started).await;
        }
        Ok(())
    }

    /// Puts the restored state where it is safe again: after a restart the level above the own
    /// node's memory may be on another node than before.
    pub async fn reprotect_raw<T: Pod>(&mut self, version: Version, state: &[T]) {
        if let Some(level) = self.plan.schedule.highest_in_memory() {
            let started = self.now();
            let blob = self.capture.raw(state);
            self.place(version, level, blob, started).await;
        }
    }

    fn now(&self) -> Time {
        self.system.host().clock.now()
    }

    async fn place(&mut self, version: Version, level: u8, blob: Blob, started: Time) {
        let Some(entry) = &self.plan.entry else { return };
        let captured = self.now() - started;
        let bytes = blob.len() as u64;
        let key = self.plan.key.clone();
        let reached = if level == crate::hierarchy::MEMORY {
            let sent = entry.send(Put { key, version, blob, level, only_newer: false });
            sent.map(|()| level).map_err(|lost| lost.to_string())
        } else {
            match entry.call(Put { key, version, blob, level, only_newer: false }).forever().await {
                Ok(Ok(Reached { level })) => Ok(level),
                Ok(Err(error)) => error.reached().ok_or_else(|| error.to_string()),
                Err(error) => Err(error.to_string()),
            }
        };
        match reached {
            Ok(reached) => {
                let took = self.now() - started;
                let key = self.plan.key.clone();
                let placed = Placed { key, version, level: reached, bytes, captured, took };
                let _ = self.plan.coordinator.send(placed);
            }
            Err(error) => {
                tracing::warn!(key = %self.plan.key, version, level, error, "not protected");
            }
        }
    }
}

/// What protecting states has cost, per level.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Costs(pub BTreeMap<u8, Cost>);

/// What protecting states at one level has cost.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cost {
    /// States that this was the highest level of.
    pub count: u64,
    /// Their bytes.
    pub bytes: u64,
    /// The members' time in capture.
    pub captured: Duration,
    /// The members' time in capture and waiting for the copy.
    pub took: Duration,
}

impl Costs {
    pub(crate) fn add(&mut self, placed: &Placed) {
        let cost = self.0.entry(placed.level).or_default();
        cost.count += 1;
        cost.bytes += placed.bytes;
        cost.captured += placed.captured;
        cost.took += placed.took;
    }
}
