//! The store on disk. One save runs at a time, beside the actor, of the states as they were when it
//! began.

use std::{
    collections::VecDeque,
    path::{Path, PathBuf},
    sync::Arc,
};

use actors_core::{Context, Handler, Link, Message, ReplyTo, host::Disk};
use serde::{Deserialize, Serialize};

use super::{Checkpointing, requests::nobody};
use crate::{
    Blob, CheckpointEvent, Key, LoadError, SaveError, Snapshot, SnapshotDir, SnapshotError,
    Version,
    message::{Load, LoadReport, Save, SaveReport},
    snapshot::Seen,
};

/// Where to, who waits, and the directory that is held open.
#[derive(Debug)]
pub(super) struct Files {
    directory: Option<PathBuf>,
    open: Option<SnapshotDir>,
    is_saving: bool,
    asked: VecDeque<(PathBuf, SaveReply)>,
    /// A directory that is not open, and where in it the states lie: it was loaded from, or a save failed.
    seen: Option<(PathBuf, Seen)>,
    /// [`Store::changes`](crate::Store::changes) of the last save to the actor's own directory.
    saved: Option<u64>,
}

type SaveReply = ReplyTo<Result<SaveReport, SaveError>>;
type LoadReply = ReplyTo<Result<LoadReport, LoadError>>;
type Entries = Vec<(Key, Version, Blob)>;

/// What a snapshot says beside its entries.
#[derive(Serialize, Deserialize)]
struct About {
    level: u8,
    protected: Option<Version>,
}

struct Saved {
    /// The life that asked. A later one has opened the directory for itself, or will.
    incarnation: u32,
    directory: PathBuf,
    open: Option<SnapshotDir>,
    seen: Option<Seen>,
    changes: u64,
    result: Result<SaveReport, SaveError>,
    replies: Vec<SaveReply>,
}

impl Message for Saved {
    type Reply = ();
}

struct Loaded {
    directory: PathBuf,
    found: Result<Found, LoadError>,
    reply: LoadReply,
}

struct Found {
    snapshot: Snapshot,
    is_whole: bool,
    corrupt: Vec<SnapshotError>,
    seen: Option<Seen>,
}

impl Message for Loaded {
    type Reply = ();
}

impl Files {
    pub(super) const fn new(directory: Option<PathBuf>) -> Self {
        Self {
            directory,
            open: None,
            is_saving: false,
            asked: VecDeque::new(),
            seen: None,
            saved: None,
        }
    }

    pub(super) const fn directory(&self) -> Option<&PathBuf> {
        self.directory.as_ref()
    }
}

impl Checkpointing {
    /// A tick: nothing to do while a save runs, or when nothing has changed since the last one.
    pub(super) fn save_if_changed(&mut self, cx: &Context<Self>) {
        if !self.files.is_saving && self.files.saved != Some(self.store.changes()) {
            self.save(None, nobody(), cx);
        }
    }

    fn save(&mut self, directory: Option<PathBuf>, reply: SaveReply, cx: &Context<Self>) {
        let Some(directory) = self.directory(directory) else {
            return reply.answer(Err(SaveError::NoDirectory));
        };
        self.files.asked.push_back((directory, reply));
        if !self.files.is_saving {
            self.start_save(cx);
        }
    }

    /// Everybody who waits for the same directory gets the same save.
    fn start_save(&mut self, cx: &Context<Self>) {
        let Some((directory, first)) = self.files.asked.pop_front() else { return };
        let mut replies = vec![first];
        let (same, other): (Vec<_>, _) =
            self.files.asked.drain(..).partition(|(asked, _)| *asked == directory);
        replies.extend(same.into_iter().map(|(_, reply)| reply));
        self.files.asked = other.into();

        let open = self.files.open.take().filter(|open| open.path() == directory);
        let seen = self.files.seen.take_if(|(from, _)| *from == directory);
        let entries: Entries =
            self.store.entries().map(|(key, v, blob)| (key.clone(), v, blob.clone())).collect();
        let about = About { level: self.level, protected: self.store.protected() };
        let changes = self.store.changes();
        let (own, host, incarnation) = (cx.link(), cx.system().host().clone(), cx.incarnation());
        self.files.is_saving = true;
        cx.spawn_task(async move {
            let (disk, to) = (host.disk.clone(), directory.clone());
            let write = move || {
                let open = open.map_or_else(|| SnapshotDir::open(disk, to), Ok);
                write(open, seen.map(|(_, seen)| seen), &entries, &about)
            };
            let Written { open, seen, result } = host.background(write).await;
            let _ =
                own.send(Saved { incarnation, directory, open, seen, changes, result, replies });
        });
    }

    fn load(&self, directory: Option<PathBuf>, reply: LoadReply, cx: &Context<Self>) {
        let Some(directory) = self.directory(directory) else {
            return reply.answer(Err(LoadError::NoDirectory));
        };
        let (own, host): (Link<Self>, _) = (cx.link(), cx.system().host().clone());
        cx.spawn_task(async move {
            let disk = host.disk.clone();
            let from = directory.clone();
            let found = host.blocking(move || read(&disk, &from)).await;
            let _ = own.send(Loaded { directory, found, reply });
        });
    }

    /// Newest first, so that what does not fit is what is old.
    fn take_snapshot(&mut self, found: Found) -> LoadReport {
        let Found { snapshot, is_whole, corrupt, .. } = found;
        for error in &corrupt {
            self.hub.publish(|| CheckpointEvent::Corrupt(error.clone()));
        }
        let number = snapshot.version;
        let left_out = Vec::new();
        let mut report = LoadReport { snapshot: number, is_whole, loaded: 0, left_out, corrupt };
        if let Some(protected) = protected_by(&snapshot) {
            let _ = self.store.protect(protected);
        }
        let mut entries = snapshot.entries;
        entries.sort_by_key(|(_, version, _)| std::cmp::Reverse(*version));
        for (key, version, blob) in entries {
            if self.store.get(&key, version).is_some() {
                continue;
            }
            let stored = match self.hold {
                // Which of them were put for that level, a snapshot does not say: all are kept.
                Some(_) => self.store.put_held(key.clone(), version, blob),
                None => self.store.put(key.clone(), version, blob),
            };
            match stored {
                Ok(_) => report.loaded += 1,
                Err(why) => report.left_out.push((key, version, why)),
            }
        }
        report
    }
}

fn protected_by(snapshot: &Snapshot) -> Option<Version> {
    rmp_serde::from_slice::<About>(&snapshot.meta).ok()?.protected
}

/// The directory comes back to be held open; or, if something went wrong with it, what is known of it.
struct Written {
    open: Option<SnapshotDir>,
    seen: Option<Seen>,
    result: Result<SaveReport, SaveError>,
}

fn write(
    open: Result<SnapshotDir, SnapshotError>,
    seen: Option<Seen>,
    entries: &[(Key, Version, Blob)],
    about: &About,
) -> Written {
    let mut open = match open {
        Ok(open) => open,
        Err(error) => return Written { open: None, seen, result: Err(error.into()) },
    };
    if let Some(seen) = seen {
        open.trust(seen);
    }
    let snapshot = open.newest().map_or(1, |newest| newest.saturating_add(1));
    let about = rmp_serde::to_vec(about).expect("two numbers encode");
    match open.commit(snapshot, entries, &about) {
        Ok(committed) => {
            let report = SaveReport { snapshot, entries: entries.len(), bytes: committed.bytes };
            Written { open: Some(open), seen: None, result: Ok(report) }
        }
        Err(error) => Written { open: None, seen: Some(open.seen()), result: Err(error.into()) },
    }
}

/// Each state gets memory of its own: one that stays must not keep the whole file in memory.
fn read(disk: &Arc<dyn Disk>, directory: &Path) -> Result<Found, LoadError> {
    let open = || {
        let open = SnapshotDir::open_read_only(disk.clone(), directory);
        open.map_err(|error| LoadError::NoSnapshot(vec![error]))
    };
    let mut from = open()?;
    let (mut newest, mut corrupt) = from.load_newest();
    while newest.is_none() {
        // A writer that goes on may have removed what was there to read; then there is something newer.
        let before = from.versions();
        from = open()?;
        if from.versions() == before {
            break;
        }
        (newest, corrupt) = from.load_newest();
    }
    let is_whole = newest.is_some();
    if !is_whole {
        (newest, corrupt) = from.load_remains();
    }
    let Some(mut snapshot) = newest.filter(|found| is_whole || !found.entries.is_empty()) else {
        return Err(LoadError::NoSnapshot(corrupt));
    };
    for (_, _, blob) in &mut snapshot.entries {
        *blob = blob.detached();
    }
    Ok(Found { snapshot, is_whole, corrupt, seen: Some(from.seen()) })
}

impl Handler<Save> for Checkpointing {
    async fn handle(
        &mut self,
        save: Save,
        cx: &mut Context<Self>,
    ) -> Result<SaveReport, SaveError> {
        self.save(save.directory, nobody(), cx);
        Err(SaveError::NoDirectory)
    }

    async fn handle_call(&mut self, save: Save, reply: SaveReply, cx: &mut Context<Self>) {
        self.save(save.directory, reply, cx);
    }
}

impl Handler<Saved> for Checkpointing {
    async fn handle(&mut self, saved: Saved, cx: &mut Context<Self>) {
        let Saved { incarnation, directory, open, seen, changes, result, replies } = saved;
        if let Err(error) = &result {
            tracing::warn!(level = self.level, %error, "not saved");
        }
        self.hub.publish(|| match result.clone() {
            Ok(report) => CheckpointEvent::Saved(report),
            Err(error) => CheckpointEvent::SaveFailed(error),
        });
        let is_saved = result.is_ok() && Some(&directory) == self.files.directory();
        for reply in replies {
            reply.answer(result.clone());
        }
        if incarnation != cx.incarnation() {
            return;
        }
        if is_saved {
            self.files.saved = Some(changes);
        }
        self.files.is_saving = false;
        self.files.open = open;
        self.files.seen = seen.map(|seen| (directory, seen)).or(self.files.seen.take());
        self.start_save(cx);
    }
}

impl Handler<Load> for Checkpointing {
    async fn handle(
        &mut self,
        load: Load,
        cx: &mut Context<Self>,
    ) -> Result<LoadReport, LoadError> {
        self.load(load.directory, nobody(), cx);
        Err(LoadError::NoDirectory)
    }

    async fn handle_call(&mut self, load: Load, reply: LoadReply, cx: &mut Context<Self>) {
        self.load(load.directory, reply, cx);
    }
}

impl Handler<Loaded> for Checkpointing {
    async fn handle(&mut self, loaded: Loaded, _cx: &mut Context<Self>) {
        let Loaded { directory, found, reply } = loaded;
        reply.answer(found.map(|mut found| {
            self.files.seen = found.seen.take().map(|seen| (directory, seen));
            self.take_snapshot(found)
        }));
    }
}
