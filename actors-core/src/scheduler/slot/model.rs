//! Every interleaving of a slot's owner with a raid. Loom knows no barrier on other threads; a fence on
//! both sides stands for it.

use loom::{sync::Arc, thread};

use super::Slot;
use crate::sync::explore;

/// CORE 36: what is in the slot is run once, by its owner or by who has taken it away.
#[test]
fn core_36_a_raid_races_with_the_owner() {
    explore(|| {
        let slot = Arc::new(Slot::<usize>::new());
        // SAFETY: this thread is the owner, here and below.
        assert_eq!(unsafe { slot.replace(Some(1)) }, None);
        let raided = slot.clone();
        // SAFETY: it is the only raider.
        let raider = thread::spawn(move || unsafe { raided.raid() });
        // SAFETY: as above.
        let first = unsafe { slot.replace(Some(2)) };
        // SAFETY: as above.
        let second = unsafe { slot.replace(None) };
        let raided = raider.join().unwrap();
        let mut all: Vec<_> = [first, second, raided].into_iter().flatten().collect();
        all.sort_unstable();
        assert_eq!(all, [1, 2]);
    });
}
