//! Which capture some bytes come from. A checksum tells whether bytes are damaged, not whether they are others: bytes that
//! end in their own CRC-32 all have the same one.

use std::{
    cell::Cell,
    sync::atomic::{AtomicU64, Ordering},
};

/// A number that nothing else in this process has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Identity(u64);

impl Default for Identity {
    /// A new one.
    fn default() -> Self {
        thread_local!(static NEXT: Cell<u64> = const { Cell::new(0) });
        // Each thread takes many at a time: captures must not wait for each other's cache line.
        let next = match NEXT.get() {
            end if end.is_multiple_of(AT_A_TIME) => TAKEN.fetch_add(AT_A_TIME, Ordering::Relaxed),
            next => next,
        };
        NEXT.set(next + 1);
        Self(next)
    }
}

static TAKEN: AtomicU64 = AtomicU64::new(0);
const AT_A_TIME: u64 = 1 << 12;

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, thread};

    use super::*;

    #[test]
    fn no_two_are_the_same() {
        let take = || (0..3 * AT_A_TIME).map(|_| Identity::default().0).collect::<Vec<_>>();
        let threads: Vec<_> = (0..4).map(|_| thread::spawn(take)).collect();
        let taken = threads.into_iter().flat_map(|thread| thread.join().expect("it ends"));
        let mut seen = BTreeSet::new();
        assert!(taken.into_iter().all(|number| seen.insert(number)));
        assert_eq!(seen.len() as u64, 4 * 3 * AT_A_TIME);
    }
}
