//! What two lives of nodes have in common: connections come and go, their session stays.
//!
//! A session has one connection at a time, the one with the highest number: numbers are given by the
//! node with the lower identity. One that has a higher number ends all that came before it, at once.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use actors_core::host::Time;
use event_listener::Event;
use parking_lot::Mutex;

use crate::{backoff::Backoff, outbox::Outbox, pieces::Assembly};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Session(Arc<Inner>);

struct Inner {
    outbox: Outbox,
    state: Mutex<State>,
    /// The number of the connection that there is, or 0.
    current: AtomicU64,
    /// Bytes of the other side's stream that are here.
    received: AtomicU64,
    /// There will be no more connections. Written with the state locked.
    ended: AtomicBool,
    /// Something has come that is to be acknowledged, and shows that the connection is used.
    owes: AtomicBool,
    used: AtomicBool,
    /// One side has said that nothing uses the connection.
    rests: AtomicBool,
    changed: Event,
}

struct State {
    /// The highest number so far.
    newest: u64,
    /// The last one that both sides have agreed on.
    agreed: u64,
    /// Whether a task tries to make a connection.
    dialling: bool,
    backoff: Backoff,
    /// When the connection was last used, as far as was looked.
    last_use: Time,
    /// What has arrived, and parts of what has not; `None` while a connection reads.
    arrived: Option<Assembly>,
}

impl Session {
    /// That of two lives that have not spoken yet. A value has up to so many bytes.
    pub(crate) fn new(outbox: Outbox, longest_value: usize) -> Self {
        let arrived = Some(Assembly::new(longest_value));
        let backoff = Backoff::default();
        let state = Mutex::new(State {
            newest: 0,
            agreed: 0,
            dialling: false,
            backoff,
            last_use: Time::default(),
            arrived,
        });
        Self(Arc::new(Inner {
            outbox,
            state,
            current: AtomicU64::new(0),
            received: AtomicU64::new(0),
            ended: AtomicBool::new(false),
            owes: AtomicBool::new(false),
            used: AtomicBool::new(false),
            rests: AtomicBool::new(false),
            changed: Event::new(),
        }))
    }

    pub(crate) fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }

    /// The number of the connection that there is, or 0.
    pub(crate) fn current(&self) -> u64 {
        self.0.current.load(Ordering::Acquire)
    }

    /// Bytes of the other side's stream that are here.
    pub(crate) fn received(&self) -> u64 {
        self.0.received.load(Ordering::Relaxed)
    }

    pub(crate) fn note_received(&self, bytes: u64) {
        self.0.received.store(bytes, Ordering::Relaxed);
    }

    /// The other side has said something that is more than about the connection.
    pub(crate) fn note_use(&self) {
        self.0.owes.store(true, Ordering::Release);
        self.0.used.store(true, Ordering::Release);
        self.0.rests.store(false, Ordering::Release);
    }

    /// Whether the other side is to be told what has arrived, since it was last asked.
    pub(crate) fn owes(&self) -> bool {
        self.0.owes.swap(false, Ordering::AcqRel)
    }

    /// Whether nothing has used the connection for so long. Said once, it counts from now again.
    pub(crate) fn is_idle(&self, now: Time, limit: Duration) -> bool {
        let used = self.0.outbox.was_used() | self.0.used.swap(false, Ordering::AcqRel);
        if used {
            self.0.rests.store(false, Ordering::Release);
        }
        let mut state = self.0.state.lock();
        let idle = !used && now.since(state.last_use) >= limit && self.0.outbox.is_quiet();
        if used || idle {
            state.last_use = now;
        }
        idle
    }

    /// One side has said that nothing uses the connection.
    pub(crate) fn rest(&self) {
        self.0.rests.store(true, Ordering::Release);
    }

    /// Whether the connection may end with nobody being gone.
    pub(crate) fn rests(&self) -> bool {
        self.0.rests.load(Ordering::Acquire)
    }

    /// Whether there is a connection that came after the one with this number.
    pub(crate) fn has_newer(&self, number: u64) -> bool {
        self.current() > number
    }

    /// Makes the connection with this number the one that counts. False if it is not the newest, or if
    /// there is one that came after `unless_after`.
    pub(crate) fn begin(&self, number: u64, unless_after: Option<u64>) -> bool {
        let mut state = self.0.state.lock();
        let overtaken = unless_after.is_some_and(|began| self.has_newer(began));
        if self.is_over() || overtaken || number <= state.newest {
            return false;
        }
        state.newest = number;
        self.0.used.store(true, Ordering::Release);
        self.0.rests.store(false, Ordering::Release);
        self.0.current.store(number, Ordering::Release);
        self.0.outbox.set_connected(true);
        drop(state);
        self.0.changed.notify(usize::MAX);
        true
    }

    /// Both sides know that the connection with this number counts.
    pub(crate) fn agreed(&self, number: u64) {
        self.0.state.lock().agreed = number;
        self.0.changed.notify(usize::MAX);
    }

    /// The connection with this number is no more.
    pub(crate) fn end(&self, number: u64) {
        let state = self.0.state.lock();
        let was = self.0.current.compare_exchange(number, 0, Ordering::AcqRel, Ordering::Relaxed);
        if was.is_ok() {
            self.0.outbox.set_connected(false);
        }
        drop(state);
        if was.is_ok() {
            self.0.changed.notify(usize::MAX);
        }
    }

    /// There will be no more connections. The one that there is may say its last words.
    pub(crate) fn end_all(&self) {
        let _state = self.0.state.lock();
        self.0.ended.store(true, Ordering::Release);
    }

    /// Whether there will be no more connections.
    pub(crate) fn is_over(&self) -> bool {
        self.0.ended.load(Ordering::Acquire)
    }

    /// Whether the caller is to make a connection now: there is none, and nobody else does.
    pub(crate) fn begin_dialling(&self) -> bool {
        let mut state = self.0.state.lock();
        let wanted = !self.is_over() && !state.dialling && self.current() == 0;
        state.dialling |= wanted;
        wanted
    }

    /// Whether the caller need not go on with that: there is a connection, or none will be.
    pub(crate) fn end_dialling(&self) -> bool {
        let mut state = self.0.state.lock();
        let done = self.is_over() || self.current() != 0;
        state.dialling &= !done;
        done
    }

    /// Before the next attempt to make one.
    pub(crate) fn pause(&self, random: u64) -> Duration {
        self.0.state.lock().backoff.next(random)
    }

    /// A connection has held for a while.
    pub(crate) fn has_held(&self) {
        self.0.state.lock().backoff.reset();
    }

    /// Done when this connection does not count any more.
    pub(crate) async fn ended(&self, number: u64) {
        self.until(|| self.current() != number).await;
    }

    /// Done when there is a connection that both sides know of.
    pub(crate) async fn connected(&self) {
        self.until(|| {
            let current = self.current();
            current != 0 && self.0.state.lock().agreed == current
        })
        .await;
    }

    /// Takes what has arrived, for the connection with this number to go on with: the one before has put it back by
    /// then. `None` if it does not count any more.
    pub(crate) async fn take_arrived(&self, number: u64) -> Option<Arrived> {
        let mut taken = None;
        self.until(|| {
            let mut state = self.0.state.lock();
            let counts = self.current() == number;
            taken = if counts { state.arrived.take() } else { None };
            taken.is_some() || !counts
        })
        .await;
        taken.map(|assembly| Arrived { session: self.clone(), assembly: Some(assembly) })
    }

    async fn until(&self, mut is: impl FnMut() -> bool) {
        loop {
            let changed = self.0.changed.listen();
            if is() {
                return;
            }
            changed.await;
        }
    }
}

/// What has arrived, in the hands of a connection. Dropped, it is put back.
pub(crate) struct Arrived {
    session: Session,
    assembly: Option<Assembly>,
}

impl Arrived {
    pub(crate) fn assembly(&mut self) -> &mut Assembly {
        self.assembly.as_mut().expect("it is put back by the drop alone")
    }
}

impl Drop for Arrived {
    fn drop(&mut self) {
        self.session.0.state.lock().arrived = self.assembly.take();
        self.session.0.changed.notify(usize::MAX);
    }
}
