//! The strips' ear on the head: hands what they report to the run.

use std::time::Duration;

use actors_core::{Actor, Context, GroupEpoch, Handler, Message, System};
use crossbeam_channel::Sender;
use serde::{Deserialize, Serialize};

use crate::{run::Heard, strip::Row};

/// Passes reports on, with the epoch of the run they belong to.
pub(crate) struct Observer(pub(crate) Sender<Heard>);

impl Actor for Observer {}

/// A strip has come to a step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Progress {
    pub(crate) strip: u32,
    pub(crate) step: u64,
    /// Time in the stencil since its last report.
    pub(crate) compute: Duration,
}

impl Message for Progress {
    type Reply = ();
}

/// A strip has come to the last step.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Done {
    pub(crate) strip: u32,
    pub(crate) cells: Row,
}

impl Message for Done {
    type Reply = ();
}

/// Lets strips report from other nodes.
pub(crate) fn export(system: &System) {
    system.export::<Observer>("observer").message::<Progress>("progress").message::<Done>("done");
}

impl Observer {
    fn hear(&self, epoch: Option<GroupEpoch>, heard: impl FnOnce(u64) -> Heard) {
        let restart = epoch.map_or(0, |epoch| epoch.restart);
        let _ = self.0.send(heard(restart));
    }
}

impl Handler<Progress> for Observer {
    async fn handle(&mut self, progress: Progress, cx: &mut Context<Self>) {
        self.hear(cx.message_group(), |restart| Heard::Progress(restart, progress));
    }
}

impl Handler<Done> for Observer {
    async fn handle(&mut self, done: Done, cx: &mut Context<Self>) {
        self.hear(cx.message_group(), |restart| Heard::Done(restart, done));
    }
}
