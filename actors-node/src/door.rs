//! The place before the hand-shake is done: room for so many, and a word in the log now and then.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use actors_core::host::Time;
use event_listener::Event;
use parking_lot::Mutex;

/// Connections in the hand-shake at once.
pub(crate) const ROOM: usize = 64;
/// A peer that is refused is logged no more often.
const QUIET: Duration = Duration::from_secs(60);
/// Addresses that are remembered for that.
const REMEMBERED: usize = 1024;

#[derive(Default)]
pub(crate) struct Door {
    inside: Mutex<Inside>,
    left: Event,
    log: Mutex<Log>,
}

impl Door {
    /// Lets one in. When the room is full, of those that came from the address with the most the one
    /// that waits longest has to go first: many from one place do not keep others out.
    pub(crate) async fn enter(self: &Arc<Self>, peer: &str) -> Pass {
        loop {
            let left = self.left.listen();
            if let Some((id, call)) = self.inside.lock().enter(host(peer)) {
                return Pass { door: self.clone(), id, call };
            }
            left.await;
        }
    }

    /// Whether to log that this peer was refused, and how many refusals of its address were not logged
    /// before.
    pub(crate) fn note(&self, peer: &str, now: Time) -> Option<u64> {
        self.log.lock().note(host(peer), now)
    }
}

/// The right to be in the hand-shake.
pub(crate) struct Pass {
    door: Arc<Door>,
    id: u64,
    call: Arc<Event>,
}

impl Pass {
    /// Done when another is to have the place.
    pub(crate) async fn called_out(&self) {
        loop {
            let called = self.call.listen();
            if self.door.inside.lock().waiting.get(&self.id).is_none_or(|one| one.called_out) {
                return;
            }
            called.await;
        }
    }
}

impl Drop for Pass {
    fn drop(&mut self) {
        self.door.inside.lock().waiting.remove(&self.id);
        self.door.left.notify(1);
    }
}

#[derive(Default)]
struct Inside {
    next: u64,
    waiting: BTreeMap<u64, Waiting>,
}

struct Waiting {
    host: String,
    called_out: bool,
    call: Arc<Event>,
}

impl Inside {
    fn enter(&mut self, host: &str) -> Option<(u64, Arc<Event>)> {
        if self.waiting.len() >= ROOM {
            self.call_out();
            return None;
        }
        self.next += 1;
        let (host, call) = (host.to_owned(), Arc::new(Event::new()));
        self.waiting.insert(self.next, Waiting { host, called_out: false, call: call.clone() });
        Some((self.next, call))
    }

    /// One at a time: it makes room for one.
    fn call_out(&mut self) {
        if self.waiting.values().any(|one| one.called_out) {
            return;
        }
        let mut counts = BTreeMap::<&str, usize>::new();
        for one in self.waiting.values() {
            *counts.entry(&one.host).or_default() += 1;
        }
        let most = counts.into_iter().max_by_key(|(_, count)| *count).map(|(h, _)| h.to_owned());
        let oldest = self.waiting.values_mut().find(|one| Some(&one.host) == most.as_ref());
        if let Some(oldest) = oldest {
            oldest.called_out = true;
            oldest.call.notify(1);
        }
    }
}

#[derive(Default)]
struct Log(BTreeMap<String, (Time, u64)>);

impl Log {
    fn note(&mut self, host: &str, now: Time) -> Option<u64> {
        if let Some((logged, silent)) = self.0.get_mut(host)
            && now.since(*logged) < QUIET
        {
            *silent += 1;
            return None;
        }
        let before = self.0.insert(host.to_owned(), (now, 0));
        if self.0.len() > REMEMBERED {
            self.forget(now);
        }
        Some(before.map_or(0, |(_, silent)| silent))
    }

    /// Those that may be logged anyway; all if none is: then they are logged again.
    fn forget(&mut self, now: Time) {
        self.0.retain(|_, (logged, _)| now.since(*logged) < QUIET);
        if self.0.len() > REMEMBERED {
            self.0.clear();
        }
    }
}

/// The address without the port: the next connection has another.
fn host(peer: &str) -> &str {
    peer.rsplit_once(':').map_or(peer, |(host, _)| host)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(secs: u64) -> Time {
        Time::from_start(Duration::from_secs(secs))
    }

    #[test]
    fn a_crowd_from_one_place_makes_room_for_others() {
        let mut inside = Inside::default();
        let friend = inside.enter("friend").unwrap().0;
        let crowd: Vec<u64> = (1..ROOM).map(|_| inside.enter("crowd").unwrap().0).collect();
        for gone in crowd.iter().take(10) {
            assert!(inside.enter("new").is_none(), "it is full");
            assert!(inside.enter("new").is_none(), "and nobody has gone yet");
            let called: Vec<u64> = inside
                .waiting
                .iter()
                .filter(|(_, one)| one.called_out)
                .map(|(id, _)| *id)
                .collect();
            assert_eq!(called, [*gone]);
            inside.waiting.remove(gone);
            inside.enter("crowd").unwrap();
        }
        assert!(inside.waiting.contains_key(&friend));
    }

    #[test]
    fn a_peer_that_is_refused_again_and_again_is_logged_once_a_minute() {
        let door = Door::default();
        let logged: Vec<Option<u64>> =
            (0..180).map(|s| door.note(&format!("10.0.0.1:{s}"), at(s))).collect();
        assert_eq!((logged[0], logged[60], logged[120]), (Some(0), Some(59), Some(59)));
        assert_eq!(logged.iter().flatten().count(), 3);
        assert_eq!(door.note("10.0.0.2:1", at(180)), Some(0), "another has its own line");
    }

    #[test]
    fn the_memory_of_who_was_logged_is_bounded() {
        let mut log = Log::default();
        for n in 0..10 * REMEMBERED {
            log.note(&n.to_string(), at(0));
            assert!(log.0.len() <= REMEMBERED + 1);
        }
    }
}
