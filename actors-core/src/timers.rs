//! The timers of a system: one queue, one task that sleeps until the next is due.

use std::{
    collections::BTreeMap,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::Arc,
    time::Duration,
};

use event_listener::Event;
use parking_lot::Mutex;

use crate::{
    ext::{drop_guarded, drop_payload},
    host::{Clock, Executor, Host, Time},
};

/// Cheap to clone.
#[derive(Clone)]
pub(crate) struct Timers(Arc<Queue>);

struct Queue {
    clock: Arc<dyn Clock>,
    executor: Arc<dyn Executor>,
    state: Mutex<State>,
    /// An earlier timer than the one slept for was set.
    earlier: Event,
}

#[derive(Default)]
struct State {
    due: BTreeMap<Key, Action>,
    next: u64,
    driven: bool,
}

/// When, and which of those.
pub(crate) type Key = (Time, u64);

/// What a timer does; it must not block.
///
/// It returns after how long it is to be done again, if it is.
pub(crate) struct Action(pub(crate) Box<dyn FnMut() -> Option<Duration> + Send>);

impl Timers {
    pub(crate) fn new(host: &Host) -> Self {
        Self(Arc::new(Queue {
            clock: host.clock.clone(),
            executor: host.executor.clone(),
            state: Mutex::default(),
            earlier: Event::new(),
        }))
    }

    pub(crate) fn set_after(&self, delay: Duration, action: Action) -> Key {
        self.set_at(self.0.clock.now() + delay, action)
    }

    pub(crate) fn set_at(&self, at: Time, action: Action) -> Key {
        let mut state = self.0.state.lock();
        state.next += 1;
        let key = (at, state.next);
        self.insert(&mut state, key, action);
        key
    }

    fn insert(&self, state: &mut State, key: Key, action: Action) {
        let is_first = state.due.first_key_value().is_none_or(|(first, _)| key < *first);
        state.due.insert(key, action);
        if !std::mem::replace(&mut state.driven, true) {
            let timers = self.clone();
            self.0.executor.spawn(Box::pin(async move { timers.drive().await }));
        } else if is_first {
            self.0.earlier.notify(1);
        }
    }

    pub(crate) fn cancel(&self, key: Key) {
        let cancelled = self.0.state.lock().due.remove(&key);
        drop(cancelled);
    }

    /// Fires what is due until nothing is set any more.
    async fn drive(self) {
        loop {
            let earlier = self.0.earlier.listen();
            let now = self.0.clock.now();
            let Some(wait) = self.fire(now) else { return };
            if !wait.is_zero() {
                futures_lite::future::or(self.0.clock.sleep(wait), earlier).await;
            }
        }
    }

    /// Fires what is due; how long until the next is, if there is one.
    fn fire(&self, now: Time) -> Option<Duration> {
        loop {
            let mut state = self.0.state.lock();
            let Some(first) = state.due.first_entry() else {
                state.driven = false;
                return None;
            };
            let at = first.key().0;
            if at > now {
                return Some(at.since(now));
            }
            let (key, mut action) = first.remove_entry();
            drop(state);
            match catch_unwind(AssertUnwindSafe(|| action.0())) {
                Ok(Some(period)) => {
                    self.0.state.lock().due.insert((now + period, key.1), action);
                }
                Ok(None) => {}
                Err(payload) => {
                    tracing::error!("a timer's message panicked: the timer ends");
                    drop_payload(payload);
                    drop_guarded(action);
                }
            }
        }
    }
}
