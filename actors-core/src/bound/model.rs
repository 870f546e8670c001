//! Every interleaving of senders with the consumer that makes room for them.

use loom::{sync::Arc, thread};

use super::{Bound, Waiting};
use crate::sync::explore;

/// CORE 15: a sender that finds no room either is seen to wait, or finds room as it looks once more.
#[test]
fn core_15_who_waits_for_room_is_seen() {
    explore(|| {
        let bound = Arc::new(Bound::of(1));
        assert!(bound.enter());
        let sender = {
            let bound = bound.clone();
            thread::spawn(move || {
                let waiting = Waiting::on(&bound);
                let enters = bound.enter();
                std::mem::forget(waiting);
                enters
            })
        };
        bound.leave();
        let is_seen = bound.is_waited_for();
        let enters = sender.join().unwrap();
        assert!(enters || is_seen, "nobody wakes the sender");
    });
}

/// CORE 15: two senders and one place.
#[test]
fn core_15_no_more_enter_than_there_is_room_for() {
    explore(|| {
        let bound = Arc::new(Bound::of(2));
        assert!(bound.enter());
        let other = {
            let bound = bound.clone();
            thread::spawn(move || bound.enter())
        };
        let own = bound.enter();
        let other = other.join().unwrap();
        assert!(!(own && other), "three have entered");
        assert_eq!(bound.len(), 1 + usize::from(own) + usize::from(other));
    });
}

/// CORE 15: the consumer is never counted ahead of the senders.
#[test]
fn core_15_room_is_made_while_senders_come() {
    explore(|| {
        let bound = Arc::new(Bound::of(1));
        assert!(bound.enter());
        let sender = {
            let bound = bound.clone();
            thread::spawn(move || bound.enter())
        };
        bound.leave();
        let entered = usize::from(sender.join().unwrap());
        assert_eq!(bound.len(), entered);
        assert_eq!(bound.enter(), entered == 0);
    });
}
