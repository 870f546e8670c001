//! States in and out, here or in a level above.

use actors_core::{Context, Handler, Link, ReplyTo};

use super::Checkpointing;
use crate::{
    Key, PutError, RestoreError, Version,
    message::{
        All, Best, Describe, Description, Entry, Get, Inventory, Protect, Put, Reached, Reset,
        Rollback,
    },
};

impl Checkpointing {
    fn put(&mut self, put: Put, reply: ReplyTo<Result<Reached, PutError>>, cx: &Context<Self>) {
        let own = self.level;
        let (key, version, blob) = (put.key.clone(), put.version, put.blob.clone());
        let stored = match self.hold {
            Some(level) if put.level >= level => self.store.put_held(key, version, blob),
            _ => self.store.put(key, version, blob),
        };
        match stored {
            Ok(evicted) => {
                tracing::trace!(level = own, key = %put.key, version = put.version, ?evicted, "stored");
            }
            Err(why) => {
                tracing::warn!(level = own, key = %put.key, version = put.version, %why, "not stored");
                return reply.answer(Err(PutError::Refused { level: own, reached: None, why }));
            }
        }
        let Some(parent) = self.parent_towards(put.level) else {
            return reply.answer(Ok(Reached { level: own }));
        };
        let above = parent.call(put).forever();
        cx.spawn_task(async move {
            reply.answer(match above.await {
                Ok(answer) => answer.map_err(|error| error.stored_at(own)),
                Err(why) => Err(PutError::ParentLost { reached: own, why }),
            });
        });
    }

    fn get(&self, get: Get, reply: ReplyTo<Result<Entry, RestoreError>>, cx: &Context<Self>) {
        let own = self.level;
        let Some(parent) = self.parent_towards(get.level) else {
            let found = self.entry(&get.key, get.version);
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
        let found = self.entry(&key, None).filter(|entry| above.is_none_or(|v| entry.version > v));
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

    fn entry(&self, key: &Key, version: Option<Version>) -> Option<Entry> {
        let (version, blob) = match version {
            Some(version) => (version, self.store.get(key, version)?),
            None => self.store.newest(key)?,
        };
        Some(Entry { version, blob: blob.clone(), level: self.level })
    }

    /// The parent, if a request for `level` has to go on to it.
    fn parent_towards(&self, level: u8) -> Option<&Link<Self>> {
        self.parent.as_ref().filter(|_| level > self.level)
    }
}

/// What was only sent is handled all the same; its answer goes nowhere, so that a `handle` whose
/// answer comes later may return anything.
pub(super) fn nobody<R: Send + 'static>() -> ReplyTo<R> {
    ReplyTo::to_function(drop)
}

impl Handler<Put> for Checkpointing {
    async fn handle(&mut self, put: Put, cx: &mut Context<Self>) -> Result<Reached, PutError> {
        self.put(put, nobody(), cx);
        Ok(Reached { level: self.level })
    }

    async fn handle_call(
        &mut self,
        put: Put,
        reply: ReplyTo<Result<Reached, PutError>>,
        cx: &mut Context<Self>,
    ) {
        self.put(put, reply, cx);
    }
}

impl Handler<Get> for Checkpointing {
    async fn handle(&mut self, get: Get, _cx: &mut Context<Self>) -> Result<Entry, RestoreError> {
        let Get { key, version, .. } = get;
        let found = self.entry(&key, version);
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
        let found = self.entry(&best.key, None);
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
        let entry = |(key, version, blob): (&Key, _, &crate::Blob)| {
            (key.clone(), Entry { version, blob: blob.clone(), level })
        };
        self.store.newest_entries().map(entry).collect()
    }
}

impl Handler<Reset> for Checkpointing {
    async fn handle(&mut self, reset: Reset, _cx: &mut Context<Self>) -> usize {
        // What was pulled may be gone now: the next update asks for everything again.
        self.children.forget_cursors();
        match reset.key {
            Some(key) => self.store.reset(&key),
            None => self.store.reset_all(),
        }
    }
}

impl Handler<Rollback> for Checkpointing {
    async fn handle(&mut self, rollback: Rollback, _cx: &mut Context<Self>) -> usize {
        self.store.rollback(rollback.above)
    }
}

impl Handler<Protect> for Checkpointing {
    async fn handle(&mut self, protect: Protect, _cx: &mut Context<Self>) -> Version {
        let evicted = self.store.protect(protect.version);
        tracing::trace!(level = self.level, version = protect.version, ?evicted, "protected");
        self.store.protected().unwrap_or(protect.version)
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
