//! What waits for a connection, and in which order it goes. Pure.
//!
//! Long values are cut into parts. Between two parts goes all that is short and need not wait for them:
//! so nothing waits for another's transfer. What goes to one actor goes in order, whatever its length.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use actors_core::ActorId;

use crate::{
    pieces::{self, LONGEST_VALUE, TRANSFERS},
    wire::{Frame, Lane},
};

#[derive(Default)]
pub(crate) struct Lanes {
    /// Pieces that go next, in this order.
    ready: Vec<u8>,
    /// What waits behind a long value: never empty ones.
    streams: BTreeMap<Stream, VecDeque<Value>>,
    /// Those that have their turn, part by part: not more than the other side takes.
    active: VecDeque<Stream>,
    waiting: VecDeque<Stream>,
    /// Exits of actors whose messages are still waiting.
    exits: Vec<(ActorId, Vec<u8>)>,
    /// Of all transfers so far.
    transfers: u32,
    alone: u64,
    bytes: usize,
}

/// Values that go one after the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Stream {
    Actor(ActorId),
    Alone(u64),
}

struct Value {
    bytes: Vec<u8>,
    sent: usize,
    transfer: Option<u32>,
    from: Option<ActorId>,
    starts: bool,
}

impl Lanes {
    /// Bytes that wait.
    pub(crate) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Queues a frame; `from` is the actor that sends it.
    pub(crate) fn push(&mut self, frame: &Frame, from: Option<ActorId>) {
        let lane = frame.lane();
        if self.has_to_wait(lane) {
            return self.push_value(lane, from, pieces::encode(frame));
        }
        let start = self.ready.len();
        pieces::append_whole(&mut self.ready, frame);
        if self.ready.len() - start <= pieces::WHOLE_HEADER + LONGEST_VALUE {
            self.bytes += self.ready.len() - start;
        } else {
            let value = self.ready.split_off(start).split_off(pieces::WHOLE_HEADER);
            self.push_value(lane, from, value);
        }
    }

    /// [`push`](Self::push) for a frame that was encoded before.
    pub(crate) fn push_value(&mut self, lane: Lane, from: Option<ActorId>, bytes: Vec<u8>) {
        self.bytes += bytes.len();
        if let (Lane::After(actor), true) = (lane, self.has_to_wait(lane)) {
            return self.exits.push((actor, bytes));
        }
        if bytes.len() <= LONGEST_VALUE && !self.has_to_wait(lane) {
            self.bytes -= bytes.len();
            return self.append(&bytes);
        }
        let stream = match lane {
            Lane::Actor(actor) | Lane::Start(actor) | Lane::Ahead(actor) => Stream::Actor(actor),
            Lane::Free | Lane::After(_) => {
                self.alone += 1;
                Stream::Alone(self.alone)
            }
        };
        let starts = matches!(lane, Lane::Start(_));
        let value = Value { bytes, sent: 0, transfer: None, from, starts };
        let queue = self.streams.entry(stream).or_default();
        if queue.is_empty() {
            self.waiting.push_back(stream);
        }
        queue.push_back(value);
    }

    /// Nothing that waits counts any more; what is ready does.
    pub(crate) fn give_up_transfers(&mut self) {
        *self = Self { ready: std::mem::take(&mut self.ready), ..Self::default() };
        self.bytes = self.ready.len();
    }

    /// Takes what is to be written next into an empty batch: all that is short, and one part, so that no flood of short
    /// frames holds a long one up. Nothing is left when it stays empty.
    pub(crate) fn next(&mut self, batch: &mut Vec<u8>) {
        std::mem::swap(batch, &mut self.ready);
        self.bytes -= batch.len();
        self.next_part(batch);
    }

    fn next_part(&mut self, batch: &mut Vec<u8>) {
        while self.active.len() < TRANSFERS
            && let Some(stream) = self.waiting.pop_front()
        {
            self.active.push_back(stream);
        }
        let Some(stream) = self.active.pop_front() else { return };
        let Some(queue) = self.streams.get_mut(&stream) else { return };
        let Some(value) = queue.front_mut() else { return };
        self.bytes -= value.append_part(&mut self.transfers, batch);
        if value.sent < value.bytes.len() {
            return self.active.push_back(stream);
        }
        let from = queue.pop_front().and_then(|value| value.from);
        if queue.is_empty() {
            self.streams.remove(&stream);
        } else {
            self.active.push_back(stream);
        }
        if let Some(actor) = from {
            self.release_exits(actor);
        }
    }

    /// All that the actor has sent has gone: so may its exit.
    fn release_exits(&mut self, actor: ActorId) {
        if self.has_to_wait(Lane::After(actor)) {
            return;
        }
        for (of, bytes) in std::mem::take(&mut self.exits) {
            if of == actor {
                self.bytes -= bytes.len();
                self.push_value(Lane::Free, None, bytes);
            } else {
                self.exits.push((of, bytes));
            }
        }
    }

    fn has_to_wait(&self, lane: Lane) -> bool {
        let stream = |actor| self.streams.get(&Stream::Actor(actor));
        match lane {
            Lane::Free => false,
            Lane::Actor(actor) | Lane::Start(actor) => stream(actor).is_some(),
            // A kill goes ahead of messages, but not of the start that it is for.
            Lane::Ahead(actor) => stream(actor).is_some_and(|q| q.iter().any(|v| v.starts)),
            Lane::After(actor) => self.streams.values().flatten().any(|v| v.from == Some(actor)),
        }
    }

    fn append(&mut self, value: &[u8]) {
        let before = self.ready.len();
        pieces::append_value(&mut self.ready, value);
        self.bytes += self.ready.len() - before;
    }
}

impl Value {
    /// Bytes of the value that went.
    fn append_part(&mut self, transfers: &mut u32, batch: &mut Vec<u8>) -> usize {
        let rest = &self.bytes[self.sent..];
        if self.sent == 0 && rest.len() <= LONGEST_VALUE {
            pieces::append_value(batch, rest);
            self.sent = self.bytes.len();
            return self.sent;
        }
        let part = &rest[..rest.len().min(LONGEST_VALUE)];
        match self.transfer {
            Some(transfer) => pieces::append_part(batch, transfer, part),
            None => {
                *transfers = transfers.wrapping_add(1);
                self.transfer = Some(*transfers);
                pieces::append_first_part(batch, *transfers, self.bytes.len(), part);
            }
        }
        self.sent += part.len();
        part.len()
    }
}
