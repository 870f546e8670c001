//! All cells of a system, for those who want to see them all.

use std::sync::{Arc, Weak};

use parking_lot::Mutex;

use crate::cell::AnyCell;

/// In shards, so that threads that spawn rarely meet; in chunks, so that no growth copies or doubles.
pub(crate) struct Roster([Mutex<Shard>; SHARDS]);

const SHARDS: usize = 16;
const CHUNK: usize = 512;
/// So many serial numbers in a row belong to one thread: see [`Worker`](crate::scheduler::Worker).
pub(crate) const RUN: u64 = 1024;

#[derive(Default)]
struct Shard {
    chunks: Vec<Vec<Option<Weak<dyn AnyCell>>>>,
    free: Vec<u32>,
}

impl Roster {
    /// The slot that the cell has from now on.
    pub(crate) fn insert(&self, serial: u64, cell: Weak<dyn AnyCell>) -> u32 {
        let mut shard = self.shard(serial).lock();
        if let Some(slot) = shard.free.pop() {
            shard.chunks[slot as usize / CHUNK][slot as usize % CHUNK] = Some(cell);
            return slot;
        }
        if shard.chunks.last().is_none_or(|chunk| chunk.len() == CHUNK) {
            shard.chunks.push(Vec::with_capacity(CHUNK));
        }
        let chunks = shard.chunks.len();
        let chunk = shard.chunks.last_mut().expect("there is one");
        chunk.push(Some(cell));
        u32::try_from((chunks - 1) * CHUNK + chunk.len() - 1)
            .expect("fewer than 2³² actors a shard")
    }

    pub(crate) fn remove(&self, serial: u64, slot: u32) {
        let mut shard = self.shard(serial).lock();
        let cell = shard.chunks[slot as usize / CHUNK][slot as usize % CHUNK].take();
        shard.free.push(slot);
        drop(shard);
        drop(cell);
    }

    pub(crate) fn cells(&self) -> Vec<Arc<dyn AnyCell>> {
        let mut cells = Vec::new();
        for shard in &self.0 {
            let shard = shard.lock();
            cells.extend(shard.chunks.iter().flatten().flatten().filter_map(Weak::upgrade));
        }
        cells
    }

    const fn shard(&self, serial: u64) -> &Mutex<Shard> {
        &self.0[(serial / RUN) as usize % SHARDS]
    }
}

impl Default for Roster {
    fn default() -> Self {
        Self([const { Mutex::new(Shard { chunks: Vec::new(), free: Vec::new() }) }; SHARDS])
    }
}
