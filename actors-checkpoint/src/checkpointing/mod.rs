mod files;
mod relatives;
mod requests;
mod schedule;
mod update;

use std::{path::PathBuf, time::Duration};

use actors_core::{Actor, Context, Link, StartError};

use self::{files::Files, relatives::Children, schedule::Schedule, update::Updates};
use crate::{CheckpointingConfig, Store, delta::Sent, event::Hub};

/// An actor that holds the states of others: one level of a hierarchy of any depth.
///
/// It answers at once: what needs another actor or the disk runs beside it, and it goes on taking
/// requests meanwhile. [`CheckpointLink`](crate::CheckpointLink) is how it is talked to.
///
/// ```
/// use actors_checkpoint::{CheckpointLink, Checkpointing, CheckpointingConfig};
/// use actors_core::System;
///
/// # fn main() -> Result<(), Box<dyn std::error::Error>> {
/// let system = System::new();
/// let above = system.spawn(Checkpointing::new(CheckpointingConfig::level(2)));
/// let local = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).parent(&above)));
/// system.block_on(async {
///     local.checkpoint("grid", 7, &vec![1.0, 2.0], 2).await?;
///     let grid: Vec<f64> = above.restore("grid", 2).await?;
///     assert_eq!(grid, [1.0, 2.0]);
///     Ok(())
/// })
/// # }
/// ```
///
/// A parent holds its children of the same node weakly: they live as long as somebody else has a
/// link or supervises them. A child holds its parent.
#[derive(Debug)]
pub struct Checkpointing {
    level: u8,
    store: Store,
    parent: Option<Link<Self>>,
    children: Children,
    updates: Updates,
    files: Files,
    schedule: Schedule,
    patience: Duration,
    hold: Option<u8>,
    hub: Hub,
    /// What the parent should have, if it is on another node and states come as changes.
    sent: Sent,
}

impl Checkpointing {
    /// An actor to spawn.
    pub fn new(config: CheckpointingConfig) -> Self {
        let CheckpointingConfig {
            level,
            keep,
            budget,
            parent,
            directory,
            intervals,
            patience,
            hold,
        } = config;
        Self {
            level,
            store: Store::new(keep, budget),
            parent,
            children: Children::default(),
            updates: Updates::default(),
            files: Files::new(directory),
            schedule: Schedule::new(intervals),
            patience,
            hold,
            hub: Hub::default(),
            sent: Sent::default(),
        }
    }

    /// An actor to start again, with the states, relatives and subscribers of its last life, if there was one.
    pub fn reborn(config: CheckpointingConfig, last: Option<Self>) -> Self {
        let new = Self::new(config);
        let Some(last) = last else { return new };
        Self {
            store: last.store,
            parent: last.parent.or(new.parent),
            children: last.children,
            hub: last.hub,
            ..new
        }
    }

    fn directory(&self, asked: Option<PathBuf>) -> Option<PathBuf> {
        asked.or_else(|| self.files.directory().cloned())
    }
}

impl Actor for Checkpointing {
    async fn init(&mut self, cx: &mut Context<Self>) -> Result<(), StartError> {
        self.schedule.check(self.files.directory().is_some()).map_err(StartError::failed)?;
        self.schedule.start(cx);
        self.register_with_parent(cx);
        Ok(())
    }
}
