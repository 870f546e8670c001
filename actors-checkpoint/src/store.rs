use std::collections::BTreeSet;

use indexmap::IndexMap;
use serde::{Deserialize, Serialize};

use crate::{Blob, BudgetExceeded, Key, StoreError, Version};

/// The versioned states of one level, in memory. It decides what is kept and does nothing else: no
/// clock, no file, no thread.
///
/// | what | kept |
/// |---|---|
/// | the newest version of a key | always |
/// | the newest version of a key at or below the [protected](Self::protect) one | always |
/// | versions that were [held](Self::put_held), above the protected one | always |
/// | the `keep` newest versions of a key | as far as the budget allows |
/// | older versions | no |
///
/// ```
/// # use actors_checkpoint::{Blob, Key, Store};
/// let mut store = Store::new(2, None);
/// for version in 1..=3 {
///     store.put("grid".into(), version, Blob::raw(&[version]))?;
/// }
/// assert_eq!(store.inventory(), [(Key::from("grid"), vec![2, 3])]);
/// # Ok::<(), actors_checkpoint::StoreError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Store {
    keep: usize,
    budget: Option<u64>,
    /// In the order in which they came, as far as none was removed: the same in every run.
    keys: IndexMap<Key, Versions>,
    /// What the budget may take, in the order in which it does; nothing without a budget.
    evictable: BTreeSet<(Version, Key)>,
    bytes: u64,
    floor: Option<Version>,
    changes: u64,
}

/// Oldest first.
#[derive(Clone, Debug, Default)]
struct Versions(Vec<(Version, Held)>);

#[derive(Clone, Debug)]
struct Held {
    blob: Blob,
    change: u64,
    /// Until a version at or above this one is protected.
    awaited: bool,
}

/// A version that is no longer in a store.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Evicted {
    /// The key.
    pub key: Key,
    /// Its version.
    pub version: Version,
    /// The bytes that became free.
    pub bytes: u64,
    /// Why.
    pub why: EvictedFor,
}

/// Why a version had to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EvictedFor {
    /// There are enough newer ones of its key.
    Retention,
    /// The memory budget was used up.
    Budget,
}

/// What is to go.
struct Victim {
    version: Version,
    key: Key,
    why: EvictedFor,
}

impl Store {
    /// A store that keeps the `keep` newest versions of each key, one at least, in up to `budget`
    /// bytes of states.
    pub fn new(keep: usize, budget: Option<u64>) -> Self {
        Self {
            keep: keep.max(1),
            budget,
            keys: IndexMap::new(),
            evictable: BTreeSet::new(),
            bytes: 0,
            floor: None,
            changes: 0,
        }
    }

    /// Stores a version of a key, in place of the same version if there is one. Gives what had to
    /// go: versions beyond `keep`, then, when over the budget, the oldest of any key.
    ///
    /// # Errors
    /// [`StoreError::Outdated`], [`StoreError::Budget`]; nothing changed.
    pub fn put(
        &mut self,
        key: Key,
        version: Version,
        blob: Blob,
    ) -> Result<Vec<Evicted>, StoreError> {
        self.put_version(key, version, blob, false)
    }

    /// As [`put`](Self::put), for a version that a group may commit: it is kept until one at or
    /// above it is [protected](Self::protect), since until then the group may go back to it.
    ///
    /// # Errors
    /// As `put`.
    pub fn put_held(
        &mut self,
        key: Key,
        version: Version,
        blob: Blob,
    ) -> Result<Vec<Evicted>, StoreError> {
        self.put_version(key, version, blob, true)
    }

    fn put_version(
        &mut self,
        key: Key,
        version: Version,
        blob: Blob,
        awaited: bool,
    ) -> Result<Vec<Evicted>, StoreError> {
        let change = self.changes + 1;
        let replaced = self.insert(&key, version, Held { blob, change, awaited });
        let victims = self.victims(&key, version);
        let victims = victims.inspect_err(|_| match replaced {
            Some(held) => drop(self.insert(&key, version, held)),
            None => drop(self.remove(&key, version)),
        })?;
        self.changes = change;
        Ok(self.evict(victims))
    }

    /// Refuses a version that is not newer than all that are held.
    pub(crate) fn refuse_old(&self, key: &Key, version: Version) -> Result<(), StoreError> {
        let Some(versions) = self.keys.get(key) else { return Ok(()) };
        let (oldest, newest) = (versions.numbers().next(), versions.numbers().last());
        match (oldest, newest) {
            (Some(oldest), Some(newest)) if newest >= version => {
                Err(StoreError::Outdated { version, oldest, newest })
            }
            _ => Ok(()),
        }
    }

    /// From now on the newest version of each key at or below `version` is kept until a higher one
    /// is protected: a level above has committed it. A lower `version` than the last is ignored.
    pub fn protect(&mut self, version: Version) -> Vec<Evicted> {
        if self.floor.is_some_and(|floor| floor >= version) {
            return Vec::new();
        }
        self.floor = Some(version);
        self.changes += 1;
        let mut victims = Vec::new();
        for key in self.keys.keys() {
            victims.extend(self.outdated(key));
        }
        self.index_all();
        self.evict(victims)
    }

    /// The state of a key at a version.
    pub fn get(&self, key: &Key, version: Version) -> Option<&Blob> {
        Some(&self.keys.get(key)?.get(version)?.blob)
    }

    /// The newest state of a key.
    pub fn newest(&self, key: &Key) -> Option<(Version, &Blob)> {
        let (version, held) = self.keys.get(key)?.newest()?;
        Some((*version, &held.blob))
    }

    /// The newest state of a key that is older than `version`.
    pub fn newest_below(&self, key: &Key, version: Version) -> Option<(Version, &Blob)> {
        let (version, held) = self.keys.get(key)?.below(version)?;
        Some((*version, &held.blob))
    }

    /// The keys in order, with their versions, oldest first.
    pub fn inventory(&self) -> Vec<(Key, Vec<Version>)> {
        let of = |(key, versions): (&Key, &Versions)| (key.clone(), versions.numbers().collect());
        let mut inventory: Vec<_> = self.keys.iter().map(of).collect();
        inventory.sort_unstable();
        inventory
    }

    /// Every version of every key.
    pub fn entries(&self) -> impl Iterator<Item = (&Key, Version, &Blob)> {
        self.keys.iter().flat_map(|(key, versions)| {
            versions.0.iter().map(move |(version, held)| (key, *version, &held.blob))
        })
    }

    /// The newest version of every key.
    pub fn newest_entries(&self) -> impl Iterator<Item = (&Key, Version, &Blob)> {
        self.newest_since(0)
    }

    /// As [`newest_entries`](Self::newest_entries), of what was stored after the change with the
    /// number `change`.
    pub fn newest_since(&self, change: u64) -> impl Iterator<Item = (&Key, Version, &Blob)> {
        self.keys.iter().filter_map(move |(key, versions)| {
            let (version, held) = versions.newest()?;
            (held.change > change).then_some((key, *version, &held.blob))
        })
    }

    /// Removes a key, gives how many versions it had.
    pub fn reset(&mut self, key: &Key) -> usize {
        let versions: Vec<Version> =
            self.keys.get(key).into_iter().flat_map(Versions::numbers).collect();
        for version in &versions {
            self.remove(key, *version);
        }
        self.changes += u64::from(!versions.is_empty());
        versions.len()
    }

    /// Removes every version above this one, all with `None`, and gives how many there were. A
    /// protection above it ends.
    pub fn rollback(&mut self, above: Option<Version>) -> usize {
        let Some(version) = above else { return self.reset_all() };
        let stale: Vec<(Key, Version)> = self
            .entries()
            .filter(|(_, held, _)| *held > version)
            .map(|(key, held, _)| (key.clone(), held))
            .collect();
        for (key, held) in &stale {
            self.remove(key, *held);
        }
        self.floor = self.floor.map(|floor| floor.min(version));
        self.index_all();
        self.changes += u64::from(!stale.is_empty());
        stale.len()
    }

    /// Removes everything, the protection too, and gives how many versions there were.
    pub fn reset_all(&mut self) -> usize {
        let held = self.keys.values().map(|versions| versions.0.len()).sum();
        let changes = self.changes + u64::from(held > 0);
        *self = Self { changes, ..Self::new(self.keep, self.budget) };
        held
    }

    /// Bytes of all states held.
    pub const fn bytes(&self) -> u64 {
        self.bytes
    }

    /// Bytes that the states may take.
    pub const fn budget(&self) -> Option<u64> {
        self.budget
    }

    /// How many keys.
    pub fn len(&self) -> usize {
        self.keys.len()
    }

    /// True without keys.
    pub fn is_empty(&self) -> bool {
        self.keys.is_empty()
    }

    /// The version that was last protected.
    pub const fn protected(&self) -> Option<Version> {
        self.floor
    }

    /// Counts the changes: two equal numbers, no change between them.
    pub const fn changes(&self) -> u64 {
        self.changes
    }

    /// What has to go after `version` of `key` came.
    fn victims(&self, key: &Key, version: Version) -> Result<Vec<Victim>, StoreError> {
        let mut victims: Vec<Victim> = self.outdated(key).collect();
        if victims.iter().any(|victim| victim.version == version) {
            let is_kept = |kept: &Version| victims.iter().all(|victim| victim.version != *kept);
            let versions = &self.keys[key];
            let oldest = versions.numbers().find(is_kept).expect("the newest is always kept");
            let newest = versions.numbers().last().unwrap_or(oldest);
            return Err(StoreError::Outdated { version, oldest, newest });
        }
        let Some(budget) = self.budget else { return Ok(victims) };
        let freed: u64 = victims.iter().map(|victim| self.bytes_of(key, victim.version)).sum();
        let mut over = (self.bytes - freed).saturating_sub(budget);
        for (v, k) in &self.evictable {
            // Its own turn to go, before those that are newer.
            let is_own = k == key && *v == version;
            if over == 0 || is_own {
                break;
            }
            if k == key && victims.iter().any(|gone| gone.key == *k && gone.version == *v) {
                continue;
            }
            over = over.saturating_sub(self.bytes_of(k, *v));
            victims.push(Victim { version: *v, key: k.clone(), why: EvictedFor::Budget });
        }
        if over > 0 {
            return Err(BudgetExceeded { budget, needed: over }.into());
        }
        Ok(victims)
    }

    fn outdated(&self, key: &Key) -> impl Iterator<Item = Victim> + use<> {
        let key = key.clone();
        let versions = self.beyond_keep(&key).into_iter();
        let why = EvictedFor::Retention;
        versions.map(move |version| Victim { version, key: key.clone(), why })
    }

    /// The versions of a key that are neither among the `keep` newest nor kept for the group.
    fn beyond_keep(&self, key: &Key) -> Vec<Version> {
        let Some(versions) = self.keys.get(key) else { return Vec::new() };
        if versions.0.len() <= self.keep {
            return Vec::new();
        }
        let protected = self.protected_of(versions);
        let old = versions.0.iter().rev().skip(self.keep);
        old.filter(|(version, held)| Some(*version) != protected && !self.awaits(*version, held))
            .map(|(version, _)| *version)
            .collect()
    }

    fn protected_of(&self, versions: &Versions) -> Option<Version> {
        let up_to = versions.0.partition_point(|(version, _)| Some(*version) <= self.floor);
        Some(versions.0[..up_to].last()?.0)
    }

    fn awaits(&self, version: Version, held: &Held) -> bool {
        held.awaited && self.floor.is_none_or(|floor| version > floor)
    }

    fn bytes_of(&self, key: &Key, version: Version) -> u64 {
        self.get(key, version).map_or(0, |blob| blob.len() as u64)
    }

    fn evict(&mut self, victims: Vec<Victim>) -> Vec<Evicted> {
        let removed = victims.into_iter().filter_map(|Victim { version, key, why }| {
            let held = self.remove(&key, version)?;
            Some(Evicted { key, version, bytes: held.blob.len() as u64, why })
        });
        removed.collect()
    }

    fn insert(&mut self, key: &Key, version: Version, held: Held) -> Option<Held> {
        self.bytes += held.blob.len() as u64;
        let replaced = match self.keys.get_mut(key) {
            Some(versions) => versions.insert(version, held),
            None => self.keys.entry(key.clone()).or_default().insert(version, held),
        };
        self.bytes -= replaced.as_ref().map_or(0, |held| held.blob.len() as u64);
        self.index(key);
        replaced
    }

    fn remove(&mut self, key: &Key, version: Version) -> Option<Held> {
        let versions = self.keys.get_mut(key)?;
        let held = versions.remove(version)?;
        if versions.0.is_empty() {
            self.keys.swap_remove(key);
        }
        self.bytes -= held.blob.len() as u64;
        if self.budget.is_some() {
            self.evictable.remove(&(version, key.clone()));
        }
        self.index(key);
        Some(held)
    }

    fn index_all(&mut self) {
        if self.budget.is_some() {
            let keys: Vec<Key> = self.keys.keys().cloned().collect();
            keys.iter().for_each(|key| self.index(key));
        }
    }

    /// Brings the index up to date after a key's versions, or what is protected, have changed.
    fn index(&mut self, key: &Key) {
        if self.budget.is_none() {
            return;
        }
        let Some(versions) = self.keys.get(key) else { return };
        let newest = versions.newest().map(|(version, _)| *version);
        let protected = self.protected_of(versions);
        for (version, held) in &versions.0 {
            let entry = (*version, key.clone());
            let kept = Some(*version) == newest || Some(*version) == protected;
            if kept || self.awaits(*version, held) {
                self.evictable.remove(&entry);
            } else {
                self.evictable.insert(entry);
            }
        }
    }
}

impl Versions {
    fn find(&self, version: Version) -> Result<usize, usize> {
        self.0.binary_search_by_key(&version, |(version, _)| *version)
    }

    fn get(&self, version: Version) -> Option<&Held> {
        Some(&self.0[self.find(version).ok()?].1)
    }

    fn newest(&self) -> Option<&(Version, Held)> {
        self.0.last()
    }

    fn below(&self, version: Version) -> Option<&(Version, Held)> {
        let (Ok(at) | Err(at)) = self.find(version);
        self.0[..at].last()
    }

    fn numbers(&self) -> impl Iterator<Item = Version> {
        self.0.iter().map(|(version, _)| *version)
    }

    /// Gives what was replaced.
    fn insert(&mut self, version: Version, held: Held) -> Option<Held> {
        match self.find(version) {
            Ok(at) => Some(std::mem::replace(&mut self.0[at].1, held)),
            Err(at) => {
                self.0.insert(at, (version, held));
                None
            }
        }
    }

    fn remove(&mut self, version: Version) -> Option<Held> {
        Some(self.0.remove(self.find(version).ok()?).1)
    }
}
