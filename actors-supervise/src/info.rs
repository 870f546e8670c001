//! What is known of children from outside.

use actors_core::{AnyLink, SystemId};

use crate::ChildKind;

/// One child, as of now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChildInfo {
    /// Its id.
    pub id: String,
    /// What it counts as.
    pub kind: ChildKind,
    /// What it does.
    pub status: ChildStatus,
    /// Its address.
    pub link: Option<AnyLink>,
    /// The system that hosts it, if that is another one.
    pub host: Option<SystemId>,
    /// Its life, or its last one; 0 before the first.
    pub incarnation: u32,
}

/// What a child does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ChildStatus {
    /// It runs.
    Running,
    /// It is being started or restarted.
    Restarting,
    /// It was asked to stop and has not ended.
    Stopping,
    /// It does not run; its spec is kept.
    Stopped,
}

/// How many children a supervisor has.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct Counts {
    /// All, running or not.
    pub specs: usize,
    /// Those that are starting, running or stopping.
    pub active: usize,
    /// Supervisors among all.
    pub supervisors: usize,
    /// Workers among all.
    pub workers: usize,
    /// Tasks among all.
    pub tasks: usize,
}

impl Counts {
    pub(crate) const fn of(&mut self, kind: ChildKind) -> &mut usize {
        match kind {
            ChildKind::Worker => &mut self.workers,
            ChildKind::Supervisor => &mut self.supervisors,
            ChildKind::Task => &mut self.tasks,
        }
    }
}
