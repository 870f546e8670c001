//! What a writer knows of where states lie, and what of it the next version refers to.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use super::record::{Place, state_length};
use crate::{Blob, Key, Version, identity::Identity};

type Entry = (Key, Version, Blob);

/// A record of fewer bytes than this is not referred to: it is written again for as much.
const WORTH_A_REFERENCE: u64 = 128;
/// A version refers to this many files at most. Beyond it the smallest are copied, down to `FEW`: not one by one,
/// or each commit would copy.
const MOST: usize = 16;
const FEW: usize = MOST / 2;

/// States that this process has written, or has read and verified, and where they lie.
#[derive(Debug, Default)]
pub(super) struct Places {
    /// One for each place, and for each capture, that a state of this key and version has.
    known: HashMap<(Key, Version), Vec<Known>>,
    /// Files of which something could not be read: nothing is said to lie there, whole or not.
    distrusted: BTreeSet<Version>,
}

#[derive(Clone, Copy, Debug)]
struct Known {
    identity: Identity,
    schema: u32,
    place: Place,
}

impl Known {
    fn new(blob: &Blob, place: Place) -> Self {
        Self { identity: blob.identity(), schema: blob.schema(), place }
    }

    fn is(&self, blob: &Blob) -> bool {
        self.identity == blob.identity() && self.schema == blob.schema()
    }
}

impl Places {
    /// What a version that was committed now has. The rest is forgotten.
    pub(super) fn write(&mut self, entries: &[Entry], places: &[Place]) {
        self.known.clear();
        for ((key, version, blob), place) in entries.iter().zip(places) {
            if place.length >= WORTH_A_REFERENCE {
                let all = self.known.entry((key.clone(), *version)).or_default();
                all.push(Known::new(blob, *place));
            }
        }
    }

    /// What was loaded. A state from a place that is known is one that was there before.
    pub(super) fn load(&mut self, entries: &mut [Entry], places: &[Place]) {
        for ((key, version, blob), place) in entries.iter_mut().zip(places) {
            if place.length < WORTH_A_REFERENCE || self.distrusted.contains(&place.file) {
                continue;
            }
            let all = self.known.entry((key.clone(), *version)).or_default();
            match all.iter().find(|known| known.place == *place) {
                Some(known) => blob.identify(known.identity),
                None => all.push(Known::new(blob, *place)),
            }
        }
    }

    /// Forgets those in other files.
    pub(super) fn keep_in(&mut self, is_good: impl Fn(Version) -> bool) {
        self.known.retain(|_, all| {
            all.retain(|known| is_good(known.place.file));
            !all.is_empty()
        });
        self.distrusted.retain(|file| is_good(*file));
    }

    pub(super) fn distrust(&mut self, damaged: Version) {
        self.keep_in(|file| file != damaged);
        self.distrusted.insert(damaged);
    }

    /// What another one knew.
    pub(super) fn add(&mut self, others: Self) {
        for (of, more) in others.known {
            let all = self.known.entry(of).or_default();
            all.extend(
                more.into_iter().filter(|known| !self.distrusted.contains(&known.place.file)),
            );
        }
        others.distrusted.into_iter().for_each(|file| self.distrust(file));
    }

    pub(super) fn is_empty(&self) -> bool {
        self.known.is_empty()
    }

    /// Where just this state lies, if a reference to it is worth it.
    fn find(&self, key: &Key, version: Version, blob: &Blob) -> Option<Place> {
        if state_length(key, blob) < WORTH_A_REFERENCE {
            return None;
        }
        let all = self.known.get(&(key.clone(), version))?;
        Some(all.iter().find(|known| known.is(blob))?.place)
    }
}

/// For each state of a version where it lies already, or nothing if it is to be written.
#[derive(Debug, Default)]
pub(super) struct Plan {
    pub(super) known: Vec<Option<Place>>,
    /// States that are written though they lie somewhere already.
    pub(super) compacted: usize,
}

impl Plan {
    /// Refers to all that is known.
    pub(super) fn new(entries: &[Entry], places: &Places) -> Self {
        let find = |(key, version, blob): &_| places.find(key, *version, blob);
        let known = match places.is_empty() {
            true => vec![None; entries.len()],
            false => entries.iter().map(find).collect(),
        };
        Self { known, compacted: 0 }
    }

    pub(super) fn referred(&self) -> usize {
        self.known.iter().flatten().count()
    }

    /// The files that are referred to.
    pub(super) fn files(&self) -> BTreeSet<Version> {
        self.known.iter().flatten().map(|place| place.file).collect()
    }

    /// Writes again what keeps a file that is mostly of no use, and what keeps too many files. Gives the
    /// plan without it, should there be no room, if that differs.
    pub(super) fn compact(&mut self, length: impl Fn(Version) -> u64) -> Option<Self> {
        let emptied = self.to_empty(length);
        if emptied.is_empty() {
            return None;
        }
        let before = Self { known: self.known.clone(), compacted: 0 };
        for known in &mut self.known {
            if known.is_some_and(|place| emptied.contains(&place.file)) {
                *known = None;
                self.compacted += 1;
            }
        }
        Some(before)
    }

    fn to_empty(&self, length: impl Fn(Version) -> u64) -> BTreeSet<Version> {
        let mut live: BTreeMap<Version, u64> = BTreeMap::new();
        for place in self.known.iter().flatten() {
            *live.entry(place.file).or_default() += place.length;
        }
        let (sparse, dense): (Vec<_>, Vec<_>) =
            live.into_iter().partition(|(file, live)| live.saturating_mul(2) < length(*file));
        let mut emptied: BTreeSet<Version> = sparse.into_iter().map(|(file, _)| file).collect();
        if dense.len() > MOST {
            let mut dense = dense;
            dense.sort_by_key(|(file, live)| (*live, *file));
            let smallest = dense[..dense.len() - FEW].iter();
            emptied.extend(smallest.map(|(file, _)| *file));
        }
        emptied
    }
}
