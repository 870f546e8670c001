//! Pulling from the children: one round at a time, all children at once, each in a task of its own
//! whose answer comes back as a message.

use std::time::Duration;

use actors_core::{ActorId, CallError, Context, Handler, Link, Message, ReplyTo};

use super::{
    Checkpointing,
    requests::{apply, is_elsewhere, nobody},
};
use crate::{
    Blob, CheckpointEvent, Key, StoreError, Version,
    message::{Changes, Cursor, Pull, Skipped, Update, UpdateReport},
};

/// The round that runs, and who waits for which.
#[derive(Debug, Default)]
pub(super) struct Updates {
    /// Distinguishes the rounds of this life.
    round: u64,
    outstanding: usize,
    report: UpdateReport,
    asked: Vec<ReplyTo<UpdateReport>>,
    /// These asked while a round ran, which may have pulled too early for them.
    asked_next: Vec<ReplyTo<UpdateReport>>,
}

/// What one child answered.
struct Pulled {
    /// The life and the round that asked.
    round: (u32, u64),
    child: ActorId,
    answer: Result<Changes, CallError>,
}

impl Message for Pulled {
    type Reply = ();
}

impl Checkpointing {
    /// A tick finds a round running: the next tick will do.
    pub(super) fn update_if_idle(&mut self, cx: &Context<Self>) {
        if self.updates.outstanding == 0 {
            self.update(nobody(), cx);
        }
    }

    fn update(&mut self, reply: ReplyTo<UpdateReport>, cx: &Context<Self>) {
        if self.updates.outstanding > 0 {
            self.updates.asked_next.push(reply);
            return;
        }
        self.updates.asked.push(reply);
        self.start_round(cx);
    }

    fn start_round(&mut self, cx: &Context<Self>) {
        self.updates.round += 1;
        self.updates.report = UpdateReport::default();
        let round = (cx.incarnation(), self.updates.round);
        let mut dead = Vec::new();
        for (id, child) in self.children.iter() {
            let Some(link) = child.link() else {
                dead.push(id);
                continue;
            };
            let pull = Pull { since: child.seen, deltas: is_elsewhere(&link, cx) };
            ask(id, &link, pull, self.patience, round, cx);
            self.updates.outstanding += 1;
        }
        for id in dead {
            self.skip(id, CallError::Closed.into());
        }
        self.finish_if_complete(cx);
    }

    /// Makes states of the deltas. `false` if one has no base here: then the child is asked for all of it.
    async fn complete(
        &mut self,
        child: ActorId,
        changes: &mut Changes,
        cx: &Context<Self>,
    ) -> bool {
        for (key, version, delta) in std::mem::take(&mut changes.deltas) {
            self.updates.report.moved += delta.bytes();
            let base = self.store.get(&key, delta.base()).cloned();
            if let Some(blob) = apply(delta, base, cx).await {
                changes.entries.push((key, version, blob));
                continue;
            }
            let Some(child_of) = self.children.by_id(child) else { return true };
            let (Some(link), since) = (child_of.link(), child_of.seen) else { return true };
            let round = (cx.incarnation(), self.updates.round);
            ask(child, &link, Pull { since, deltas: false }, self.patience, round, cx);
            return false;
        }
        true
    }

    fn finish_if_complete(&mut self, cx: &Context<Self>) {
        if self.updates.outstanding > 0 {
            return;
        }
        let report = std::mem::take(&mut self.updates.report);
        for reply in self.updates.asked.drain(..) {
            reply.answer(report.clone());
        }
        if !self.updates.asked_next.is_empty() {
            self.updates.asked = std::mem::take(&mut self.updates.asked_next);
            self.start_round(cx);
        }
    }

    fn skip(&mut self, child: ActorId, why: Skipped) {
        tracing::info!(level = self.level, %child, %why, "left out of the update");
        let is_here = self.children.by_id(child).is_some_and(|child| child.is_here());
        if is_here && why == Skipped::Call(CallError::Closed) {
            self.children.remove(child);
        }
        self.hub.publish(|| CheckpointEvent::Skipped { child, why: why.clone() });
        self.updates.report.skipped.push((child, why));
    }

    /// A state that does not fit keeps the cursor where it is: the next update tries again.
    fn take_changes(&mut self, child: ActorId, changes: Changes) {
        match self.merge(changes.entries) {
            Ok(pulled) => {
                self.updates.report.pulled += pulled;
                if let Some(child) = self.children.by_id(child) {
                    child.seen = Some(changes.cursor);
                }
            }
            Err((pulled, why)) => {
                self.updates.report.pulled += pulled;
                self.skip(child, why.into());
            }
        }
    }

    /// Takes over what is new here; the error is the last refusal beside how many were taken over.
    fn merge(&mut self, entries: Vec<(Key, Version, Blob)>) -> Result<usize, (usize, StoreError)> {
        let (mut taken, mut refused) = (0, None);
        for (key, version, blob) in entries {
            if self.store.get(&key, version).is_some() {
                continue;
            }
            match self.store.put(key, version, blob) {
                Ok(_) => taken += 1,
                Err(StoreError::Outdated { .. }) => {}
                Err(why) => refused = Some(why),
            }
        }
        refused.map_or(Ok(taken), |why| Err((taken, why)))
    }
}

/// Its answer comes as [`Pulled`].
fn ask(
    child: ActorId,
    link: &Link<Checkpointing>,
    pull: Pull,
    patience: Duration,
    round: (u32, u64),
    cx: &Context<Checkpointing>,
) {
    let asked = link.call(pull).within(patience);
    let own = cx.link();
    cx.spawn_task(async move {
        let answer = asked.await;
        let _ = own.send(Pulled { round, child, answer });
    });
}

impl Handler<Update> for Checkpointing {
    async fn handle(&mut self, _: Update, cx: &mut Context<Self>) -> UpdateReport {
        self.update(nobody(), cx);
        UpdateReport::default()
    }

    async fn handle_call(
        &mut self,
        _: Update,
        reply: ReplyTo<UpdateReport>,
        cx: &mut Context<Self>,
    ) {
        self.update(reply, cx);
    }
}

impl Handler<Pulled> for Checkpointing {
    async fn handle(&mut self, pulled: Pulled, cx: &mut Context<Self>) {
        if pulled.round != (cx.incarnation(), self.updates.round) {
            return;
        }
        match pulled.answer {
            Ok(mut changes) => {
                let sent = changes.entries.iter().map(|(_, _, blob)| blob.len() as u64);
                self.updates.report.moved += sent.sum::<u64>();
                if !self.complete(pulled.child, &mut changes, cx).await {
                    return;
                }
                self.take_changes(pulled.child, changes);
            }
            Err(why) => self.skip(pulled.child, why.into()),
        }
        self.updates.outstanding -= 1;
        self.finish_if_complete(cx);
    }
}

impl Handler<Pull> for Checkpointing {
    async fn handle(&mut self, pull: Pull, cx: &mut Context<Self>) -> Changes {
        let incarnation = cx.incarnation();
        let since = pull.since.filter(|cursor| cursor.incarnation == incarnation);
        let changed = self.store.newest_since(since.map_or(0, |cursor| cursor.change));
        let changed: Vec<_> =
            changed.map(|(key, v, blob)| (key.clone(), v, blob.clone())).collect();
        let cursor = Cursor { incarnation, change: self.store.changes() };
        let mut changes = Changes { entries: Vec::new(), cursor, deltas: Vec::new() };
        for (key, version, blob) in changed {
            let delta = match pull.deltas {
                true => self.changed_since_sent(&key, version, &blob, cx).await,
                false => None,
            };
            match delta.filter(|_| since.is_some()) {
                Some(delta) => changes.deltas.push((key, version, delta)),
                None => changes.entries.push((key, version, blob)),
            }
        }
        changes
    }
}
