//! What has changed between two versions of a state, by blocks: the way to another node is longer than the
//! way through memory.
//!
//! Who sends keeps an [`Outline`] of what it sent last: a hash of each block. Who receives puts the changed
//! blocks into the version it has, and verifies the whole against its checksum.

use std::{collections::HashMap, ops::Range};

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};
use twox_hash::XxHash3_64;

use crate::{Blob, Key, Kind, Version, checksum::crc32};

/// Bytes that are compared, and sent, as one.
const BLOCK: usize = 4096;
/// Smaller states are sent whole.
const SMALLEST: usize = 8 * BLOCK;
/// States from this size are looked through beside the actor, which waits for it.
pub(crate) const LARGE: usize = 4 << 20;

/// A version that the other side should have: what it was, block by block.
#[derive(Clone, Debug)]
pub(crate) struct Outline {
    version: Version,
    crc: u32,
    blocks: Box<[u64]>,
}

/// A state as what is different from an older one.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub struct Delta {
    /// The version that it changes.
    base: Version,
    /// Its checksum.
    base_crc: u32,
    kind: Kind,
    schema: u32,
    crc: u32,
    length: u64,
    changed: Vec<(u64, Bytes)>,
}

impl Outline {
    /// `None` for a state that is sent whole.
    pub(crate) fn of(version: Version, blob: &Blob) -> Option<Self> {
        if blob.len() < SMALLEST {
            return None;
        }
        let blocks = blob.bytes().chunks(BLOCK).map(XxHash3_64::oneshot).collect();
        Some(Self { version, crc: blob.crc(), blocks })
    }

    /// From the state with this outline to the one with that; `None` if most of it has changed.
    pub(crate) fn to(&self, new: &Self, blob: &Blob) -> Option<Delta> {
        let mut changed: Vec<Range<usize>> = Vec::new();
        for (at, block) in new.blocks.iter().enumerate() {
            if self.blocks.get(at) == Some(block) {
                continue;
            }
            match changed.last_mut() {
                Some(run) if run.end == at => run.end = at + 1,
                _ => changed.push(at..at + 1),
            }
        }
        let blocks: usize = changed.iter().map(ExactSizeIterator::len).sum();
        if 2 * blocks > new.blocks.len() {
            return None;
        }
        let bytes = |run: Range<usize>| {
            let (start, end) = (run.start * BLOCK, blob.len().min(run.end * BLOCK));
            (start as u64, blob.bytes().slice(start..end))
        };
        Some(Delta {
            base: self.version,
            base_crc: self.crc,
            kind: blob.kind().clone(),
            schema: blob.schema(),
            crc: blob.crc(),
            length: blob.len() as u64,
            changed: changed.into_iter().map(bytes).collect(),
        })
    }
}

impl Delta {
    /// The version that it changes.
    pub(crate) const fn base(&self) -> Version {
        self.base
    }

    /// Bytes of states in it.
    pub(crate) fn bytes(&self) -> u64 {
        self.changed.iter().map(|(_, bytes)| bytes.len() as u64).sum()
    }

    /// The new state; `None` if this is not its base, or what comes out is not what was meant.
    pub(crate) fn apply(&self, base: &Blob) -> Option<Blob> {
        if base.crc() != self.base_crc {
            return None;
        }
        // What is beyond the base has changed.
        if self.length > base.len() as u64 + self.bytes() {
            return None;
        }
        let length = usize::try_from(self.length).ok()?;
        let mut bytes = BytesMut::with_capacity(length);
        bytes.extend_from_slice(&base.bytes()[..length.min(base.len())]);
        bytes.resize(length, 0);
        for (start, changed) in &self.changed {
            let start = usize::try_from(*start).ok()?;
            let end = start.checked_add(changed.len())?;
            bytes.get_mut(start..end)?.copy_from_slice(changed);
        }
        let bytes = bytes.freeze();
        let is_right = crc32(&bytes) == self.crc;
        is_right.then(|| Blob::from_parts(bytes, self.kind.clone(), self.schema, self.crc))
    }
}

/// What was sent last under each key, to one receiver.
#[derive(Debug, Default)]
pub(crate) struct Sent(HashMap<Key, Outline>);

impl Sent {
    /// Notes that this version is sent; gives what it is to the one before, if that is less.
    pub(crate) fn note(&mut self, key: &Key, new: Option<Outline>, blob: &Blob) -> Option<Delta> {
        let Some(new) = new else {
            self.0.remove(key);
            return None;
        };
        let delta = self.0.get(key).and_then(|old| old.to(&new, blob));
        self.0.insert(key.clone(), new);
        delta
    }

    /// There is another receiver, or other states.
    pub(crate) fn clear(&mut self) {
        self.0.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn state(seed: u64, length: usize) -> Vec<u8> {
        let mut bytes = vec![0; length];
        fastrand::Rng::with_seed(seed).fill(&mut bytes);
        bytes
    }

    fn between(old: &[u8], new: &[u8]) -> (Blob, Blob, Option<Delta>) {
        let (old, new) = (Blob::raw(old), Blob::raw(new));
        let outlines = (Outline::of(1, &old), Outline::of(2, &new));
        let (Some(from), Some(to)) = outlines else { return (old, new, None) };
        let delta = from.to(&to, &new);
        (old, new, delta)
    }

    #[test]
    fn what_has_changed_is_sent_and_nothing_else() {
        let old = state(1, 100 * BLOCK + 17);
        for changed in [vec![], vec![0], vec![5, 6, 7, 50], vec![99, 100]] {
            let mut new = old.clone();
            for block in &changed {
                new[block * BLOCK] ^= 1;
            }
            let (old, new, delta) = between(&old, &new);
            let delta = delta.expect("little has changed");
            assert!(delta.bytes() <= (changed.len() * BLOCK) as u64);
            assert_eq!(delta.apply(&old), Some(new));
        }
    }

    #[test]
    fn states_may_grow_and_shrink() {
        let old = state(1, 100 * BLOCK + 17);
        for length in [60 * BLOCK, 100 * BLOCK, 100 * BLOCK + 16, 100 * BLOCK + 18, 120 * BLOCK] {
            let mut new = old.clone();
            new.resize(length, 7);
            let (old, new, delta) = between(&old, &new);
            assert_eq!(delta.expect("little has changed").apply(&old), Some(new), "{length}");
        }
    }

    #[test]
    fn small_states_and_great_changes_are_sent_whole() {
        let small = state(1, SMALLEST - 1);
        assert!(between(&small, &small).2.is_none());
        let (old, new) = (state(1, 100 * BLOCK), state(2, 100 * BLOCK));
        assert!(between(&old, &new).2.is_none());
    }

    #[test]
    fn a_wrong_base_or_a_damaged_delta_makes_no_state() {
        let old = state(1, 100 * BLOCK);
        let mut new = old.clone();
        new[0] ^= 1;
        let (base, _, delta) = between(&old, &new);
        let delta = delta.expect("little has changed");
        assert_eq!(delta.apply(&Blob::raw(&state(3, 100 * BLOCK))), None);
        let beyond = Delta { changed: vec![(u64::MAX, Bytes::from_static(b"x"))], ..delta.clone() };
        assert_eq!(beyond.apply(&base), None);
        let other = Delta { changed: vec![(9, Bytes::from_static(b"x"))], ..delta.clone() };
        assert_eq!(other.apply(&base), None);
        for length in [delta.length + 1, u64::MAX] {
            let longer = Delta { length, ..delta.clone() };
            assert_eq!(longer.apply(&base), None);
        }
    }
}
