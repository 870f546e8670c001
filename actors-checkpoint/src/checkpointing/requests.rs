//! States in and out, here or in a level above.

use actors_core::{Call, CallError, Context, Handler, Link, ReplyTo};
use crossbeam_channel::Receiver;

use super::Checkpointing;
use crate::{
    Blob, CheckpointEvent, Delta, Evicted, EvictedFor, Key, PutError, RestoreError, StoreError,
    Version,
    delta::{LARGE, Outline},
    message::{
        All, BatchReport, Best, Describe, Description, Entry, Get, Inventory, Protect, Put,
        PutDelta, PutLater, PutMany, Reached, Refused, Reset, Rollback, Subscribe,
    },
};

impl Checkpointing {
    async fn put(
        &mut self,
        put: Put,
        reply: ReplyTo<Result<Reached, PutError>>,
        cx: &Context<Self>,
    ) {
        let own = self.level;
        let Put { key, version, blob, level, only_newer } = put;
        let newer = if only_newer { self.store.refuse_old(&key, version) } else { Ok(()) };
        let above = self.parent_towards(level).cloned().map(|parent| (parent, blob.clone()));
        let stored = newer.and_then(|()| self.store(&key, version, blob, level));
        if let Err(why) = stored {
            return reply.answer(Err(PutError::Refused { level: own, reached: None, why }));
        }
        let Some((parent, blob)) = above else {
            return reply.answer(Ok(Reached { level: own }));
        };
        let delta = match is_elsewhere(&parent, cx) {
            true => self.changed_since_sent(&key, version, &blob, cx).await,
            false => None,
        };
        let above = Above::send(parent, Put { key, version, blob, level, only_newer }, delta);
        cx.spawn_task(async move {
            reply.answer(match above.answer().await {
                Ok(answer) => answer.map_err(|error| error.stored_at(own)),
                Err(why) => Err(PutError::ParentLost { reached: own, why }),
            });
        });
    }

    /// What is to be sent to another node instead of the whole state.
    pub(super) async fn changed_since_sent(
        &mut self,
        key: &Key,
        version: Version,
        blob: &Blob,
        cx: &Context<Self>,
    ) -> Option<Delta> {
        let outline = match blob.len() < LARGE {
            true => Outline::of(version, blob),
            false => {
                let blob = blob.clone();
                Box::pin(cx.blocking(move || Outline::of(version, &blob))).await
            }
        };
        self.sent.note(key, outline, blob)
    }

    /// Puts one state into the store.
    fn store(
        &mut self,
        key: &Key,
        version: Version,
        blob: Blob,
        towards: u8,
    ) -> Result<(), StoreError> {
        let level = self.level;
        let stored = match self.hold {
            Some(hold) if towards >= hold => self.store.put_held(key.clone(), version, blob),
            _ => self.store.put(key.clone(), version, blob),
        };
        match stored {
            Ok(evicted) => {
                tracing::trace!(level, %key, version, ?evicted, "stored");
                self.tell_evicted(evicted);
                Ok(())
            }
            Err(why) => {
                tracing::warn!(level, %key, version, %why, "not stored");
                let refused =
                    || CheckpointEvent::Refused { key: key.clone(), version, why: why.clone() };
                self.hub.publish(refused);
                Err(why)
            }
        }
    }

    fn tell_evicted(&mut self, evicted: Vec<Evicted>) {
        for evicted in evicted {
            if evicted.why == EvictedFor::Budget {
                tracing::info!(level = self.level, ?evicted, "evicted for the memory budget");
            }
            self.hub.publish(|| CheckpointEvent::Evicted(evicted));
        }
    }

    fn put_many(
        &mut self,
        PutMany { mut entries, level }: PutMany,
        reply: ReplyTo<Result<BatchReport, PutError>>,
        cx: &Context<Self>,
    ) {
        let own = self.level;
        let mut refused = Vec::new();
        entries.retain(|(key, version, blob)| {
            let stored = self.store(key, *version, blob.clone(), level);
            stored
                .map_err(|why| {
                    refused.push(Refused { key: key.clone(), version: *version, level: own, why });
                })
                .is_ok()
        });
        let Some(parent) = self.parent_towards(level).filter(|_| !entries.is_empty()) else {
            return reply.answer(Ok(BatchReport { level: own, refused }));
        };
        let above = parent.call(PutMany { entries, level }).forever();
        cx.spawn_task(async move {
            reply.answer(match above.await {
                Ok(Ok(report)) => {
                    refused.extend(report.refused);
                    Ok(BatchReport { level: report.level, refused })
                }
                Ok(Err(error)) => Err(error.stored_at(own)),
                Err(why) => Err(PutError::ParentLost { reached: own, why }),
            });
        });
    }

    /// It is stored when its turn comes after the capture.
    fn put_later(later: PutLater, reply: ReplyTo<Result<Reached, PutError>>, cx: &Context<Self>) {
        let PutLater { key, version, level, capture } = later;
        let (own, host) = (cx.link(), cx.system().host().clone());
        cx.spawn_task(async move {
            match host.blocking(capture).await {
                // Refused only if this actor is dead: then nobody answers.
                Ok(blob) => {
                    drop(own.ask(Put { key, version, blob, level, only_newer: false }, reply))
                }
                Err(error) => reply.answer(Err(error)),
            }
        });
    }

    fn get(&self, get: Get, reply: ReplyTo<Result<Entry, RestoreError>>, cx: &Context<Self>) {
        let own = self.level;
        let Some(parent) = self.parent_towards(get.level) else {
            let found = self.entry(&get.key, get.version, get.below);
            let missing =
                || RestoreError::Missing { key: get.key, version: get.version, level: own };
            return reply.answer(found.ok_or_else(missing));
        };
        let above = parent.call(get).forever();
        cx.spawn_task(async move {
            let lost = |why| Err(RestoreError::ParentLost { level: own, why });
            reply.answer(above.await.unwrap_or_else(lost));
        });
    }

    fn best(&self, best: Best, reply: ReplyTo<Result<Entry, RestoreError>>, cx: &Context<Self>) {
        let (own, Best { key, above }) = (self.level, best);
        let found =
            self.entry(&key, None, None).filter(|entry| above.is_none_or(|v| entry.version > v));
        let above = found.as_ref().map(|entry| entry.version).or(above);
        let Some(parent) = &self.parent else {
            let missing = RestoreError::Missing { key, version: None, level: own };
            return reply.answer(found.ok_or(missing));
        };
        let better = parent.call(Best { key, above }).forever();
        cx.spawn_task(async move {
            let lost = |why| Err(RestoreError::ParentLost { level: own, why });
            let better = better.await.unwrap_or_else(lost);
            reply.answer(match (better, found) {
                (Err(_), Some(found)) => Ok(found),
                (better, _) => better,
            });
        });
    }

    fn entry(&self, key: &Key, version: Option<Version>, below: Option<Version>) -> Option<Entry> {
        let (version, blob) = match (version, below) {
            (Some(version), _) => (version, self.store.get(key, version)?),
            (None, Some(below)) => self.store.newest_below(key, below)?,
            (None, None) => self.store.newest(key)?,
        };
        Some(Entry { version, blob: blob.clone(), level: self.level })
    }

    /// The parent, if a request for `level` has to go on to it.
    fn parent_towards(&self, level: u8) -> Option<&Link<Self>> {
        self.parent.as_ref().filter(|_| level > self.level)
    }
}

/// Messages to it cross the wire.
pub(super) fn is_elsewhere(link: &Link<Checkpointing>, cx: &Context<Checkpointing>) -> bool {
    link.erase().location().node != cx.system().id()
}

/// The state that a delta makes of this one.
pub(super) async fn apply(
    delta: Delta,
    base: Option<Blob>,
    cx: &Context<Checkpointing>,
) -> Option<Blob> {
    let base = base?;
    if base.len() < LARGE {
        return delta.apply(&base);
    }
    Box::pin(cx.blocking(move || delta.apply(&base))).await
}

/// A state on its way to the parent: whole, or as what has changed with the whole in reserve.
enum Above {
    Whole(Call<Result<Reached, PutError>>),
    Changes(Call<Result<Reached, PutError>>, Link<Checkpointing>, Put),
}

impl Above {
    fn send(parent: Link<Checkpointing>, put: Put, delta: Option<Delta>) -> Self {
        let Some(delta) = delta else { return Self::Whole(parent.call(put).forever()) };
        let Put { key, version, level, only_newer, .. } = &put;
        let (key, version, level, only_newer) = (key.clone(), *version, *level, *only_newer);
        let changes = PutDelta { key, version, delta, level, only_newer };
        Self::Changes(parent.call(changes).forever(), parent, put)
    }

    async fn answer(self) -> Result<Result<Reached, PutError>, CallError> {
        match self {
            Self::Whole(answer) => answer.await,
            Self::Changes(answer, parent, put) => match answer.await? {
                Err(PutError::NoBase) => parent.call(put).forever().await,
                answer => Ok(answer),
            },
        }
    }
}

/// What was only sent is handled all the same; its answer goes nowhere, so that a `handle` whose
/// answer comes later may return anything.
pub(super) fn nobody<R: Send + 'static>() -> ReplyTo<R> {
    ReplyTo::to_function(drop)
}

impl Handler<Put> for Checkpointing {
    async fn handle(&mut self, put: Put, cx: &mut Context<Self>) -> Result<Reached, PutError> {
        self.put(put, nobody(), cx).await;
        Ok(Reached { level: self.level })
    }

    async fn handle_call(
        &mut self,
        put: Put,
        reply: ReplyTo<Result<Reached, PutError>>,
        cx: &mut Context<Self>,
    ) {
        self.put(put, reply, cx).await;
    }
}

impl Handler<PutDelta> for Checkpointing {
    async fn handle(&mut self, put: PutDelta, cx: &mut Context<Self>) -> Result<Reached, PutError> {
        self.handle_call(put, nobody(), cx).await;
        Ok(Reached { level: self.level })
    }

    async fn handle_call(
        &mut self,
        PutDelta { key, version, delta, level, only_newer }: PutDelta,
        reply: ReplyTo<Result<Reached, PutError>>,
        cx: &mut Context<Self>,
    ) {
        let base = self.store.get(&key, delta.base()).cloned();
        match apply(delta, base, cx).await {
            Some(blob) => self.put(Put { key, version, blob, level, only_newer }, reply, cx).await,
            None => reply.answer(Err(PutError::NoBase)),
        }
    }
}

impl Handler<PutMany> for Checkpointing {
    async fn handle(
        &mut self,
        put: PutMany,
        cx: &mut Context<Self>,
    ) -> Result<BatchReport, PutError> {
        self.put_many(put, nobody(), cx);
        Ok(BatchReport { level: self.level, refused: Vec::new() })
    }

    async fn handle_call(
        &mut self,
        put: PutMany,
        reply: ReplyTo<Result<BatchReport, PutError>>,
        cx: &mut Context<Self>,
    ) {
        self.put_many(put, reply, cx);
    }
}

impl Handler<PutLater> for Checkpointing {
    async fn handle(&mut self, put: PutLater, cx: &mut Context<Self>) -> Result<Reached, PutError> {
        Self::put_later(put, nobody(), cx);
        Ok(Reached { level: self.level })
    }

    async fn handle_call(
        &mut self,
        put: PutLater,
        reply: ReplyTo<Result<Reached, PutError>>,
        cx: &mut Context<Self>,
    ) {
        Self::put_later(put, reply, cx);
    }
}

impl Handler<Get> for Checkpointing {
    async fn handle(&mut self, get: Get, _cx: &mut Context<Self>) -> Result<Entry, RestoreError> {
        let Get { key, version, below, .. } = get;
        let found = self.entry(&key, version, below);
        found.ok_or(RestoreError::Missing { key, version, level: self.level })
    }

    async fn handle_call(
        &mut self,
        get: Get,
        reply: ReplyTo<Result<Entry, RestoreError>>,
        cx: &mut Context<Self>,
    ) {
        self.get(get, reply, cx);
    }
}

impl Handler<Best> for Checkpointing {
    async fn handle(&mut self, best: Best, _cx: &mut Context<Self>) -> Result<Entry, RestoreError> {
        let found = self.entry(&best.key, None, None);
        found.ok_or(RestoreError::Missing { key: best.key, version: None, level: self.level })
    }

    async fn handle_call(
        &mut self,
        best: Best,
        reply: ReplyTo<Result<Entry, RestoreError>>,
        cx: &mut Context<Self>,
    ) {
        self.best(best, reply, cx);
    }
}

impl Handler<Inventory> for Checkpointing {
    async fn handle(&mut self, _: Inventory, _cx: &mut Context<Self>) -> Vec<(Key, Vec<Version>)> {
        self.store.inventory()
    }
}

impl Handler<All> for Checkpointing {
    async fn handle(&mut self, _: All, _cx: &mut Context<Self>) -> Vec<(Key, Entry)> {
        let level = self.level;
        let entry = |(key, version, blob): (&Key, _, &Blob)| {
            (key.clone(), Entry { version, blob: blob.clone(), level })
        };
        let mut all: Vec<_> = self.store.newest_entries().map(entry).collect();
        all.sort_unstable_by(|(a, _), (b, _)| a.cmp(b));
        all
    }
}

impl Handler<Reset> for Checkpointing {
    async fn handle(&mut self, reset: Reset, _cx: &mut Context<Self>) -> usize {
        // What was pulled may be gone now: the next update asks for everything again.
        self.children.forget_cursors();
        self.sent.clear();
        match reset.key {
            Some(key) => self.store.reset(&key),
            None => self.store.reset_all(),
        }
    }
}

impl Handler<Rollback> for Checkpointing {
    async fn handle(&mut self, rollback: Rollback, _cx: &mut Context<Self>) -> usize {
        self.sent.clear();
        self.store.rollback(rollback.above)
    }
}

impl Handler<Protect> for Checkpointing {
    async fn handle(&mut self, protect: Protect, _cx: &mut Context<Self>) -> Version {
        let evicted = self.store.protect(protect.version);
        tracing::trace!(level = self.level, version = protect.version, ?evicted, "protected");
        self.tell_evicted(evicted);
        self.store.protected().unwrap_or(protect.version)
    }
}

impl Handler<Subscribe> for Checkpointing {
    async fn handle(&mut self, _: Subscribe, _cx: &mut Context<Self>) -> Receiver<CheckpointEvent> {
        self.hub.subscribe()
    }
}

impl Handler<Describe> for Checkpointing {
    async fn handle(&mut self, _: Describe, _cx: &mut Context<Self>) -> Description {
        Description {
            level: self.level,
            parent: self.parent.as_ref().map(Link::id),
            children: self.children.ids().collect(),
            intervals: self.schedule.intervals(),
            directory: self.files.directory().cloned(),
            keys: self.store.len(),
            bytes: self.store.bytes(),
            budget: self.store.budget(),
            protected: self.store.protected(),
        }
    }
}
