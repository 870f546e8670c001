//! What waits for a connection, and in which order it goes. Pure.
//!
//! Long values are cut into parts. Between two parts goes all that is short and need not wait for them:
//! so nothing waits for another's transfer. What goes to one actor goes in order, whatever its length.

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, VecDeque};

use actors_core::ActorId;

use crate::{
    encoded::{Batch, Encoded},
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
    exits: Vec<(ActorId, Encoded)>,
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
    encoded: Encoded,
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
            return self.push_value(lane, from, pieces::encode(frame).into());
        }
        let start = self.ready.len();
        pieces::append_whole(&mut self.ready, frame);
        if self.ready.len() - start <= pieces::WHOLE_HEADER + LONGEST_VALUE {
            self.bytes += self.ready.len() - start;
        } else {
            let value = self.ready.split_off(start).split_off(pieces::WHOLE_HEADER);
            self.push_value(lane, from, value.into());
        }
    }

    /// [`push`](Self::push) for a frame that was encoded before.
    pub(crate) fn push_value(&mut self, lane: Lane, from: Option<ActorId>, encoded: Encoded) {
        if let (Lane::After(actor), true) = (lane, self.has_to_wait(lane)) {
            self.bytes += encoded.len();
            return self.exits.push((actor, encoded));
        }
        if encoded.len() <= LONGEST_VALUE && !self.has_to_wait(lane) {
            return self.append(&encoded);
        }
        self.bytes += encoded.len();
        let stream = match lane {
            Lane::Actor(actor) | Lane::Start(actor) | Lane::Ahead(actor) => Stream::Actor(actor),
            Lane::Free | Lane::After(_) => {
                self.alone += 1;
                Stream::Alone(self.alone)
            }
        };
        let starts = matches!(lane, Lane::Start(_));
        let value = Value { encoded, sent: 0, transfer: None, from, starts };
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
    pub(crate) fn next(&mut self, batch: &mut Batch) {
        std::mem::swap(&mut batch.bytes, &mut self.ready);
        self.bytes -= batch.bytes.len();
        self.next_part(batch);
    }

    fn next_part(&mut self, batch: &mut Batch) {
        while self.active.len() < TRANSFERS
            && let Some(stream) = self.waiting.pop_front()
        {
            self.active.push_back(stream);
        }
        let Some(stream) = self.active.pop_front() else { return };
        let Some(queue) = self.streams.get_mut(&stream) else { return };
        let Some(value) = queue.front_mut() else { return };
        self.bytes -= value.append_part(&mut self.transfers, batch);
        if value.sent < value.encoded.len() {
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
        for (of, exit) in std::mem::take(&mut self.exits) {
            if of == actor {
                self.bytes -= exit.len();
                self.push_value(Lane::Free, None, exit);
            } else {
                self.exits.push((of, exit));
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

    fn append(&mut self, value: &Encoded) {
        let before = self.ready.len();
        pieces::begin_value(&mut self.ready, value.len());
        value.copy_to(&mut self.ready);
        self.bytes += self.ready.len() - before;
    }
}

impl Value {
    /// Bytes of the value that went.
    fn append_part(&mut self, transfers: &mut u32, batch: &mut Batch) -> usize {
        let (sent, total) = (self.sent, self.encoded.len());
        let length = (total - sent).min(LONGEST_VALUE);
        match self.transfer {
            _ if length == total => pieces::begin_value(&mut batch.bytes, length),
            Some(transfer) => pieces::begin_part(&mut batch.bytes, transfer, length),
            None => {
                *transfers = transfers.wrapping_add(1);
                self.transfer = Some(*transfers);
                pieces::begin_first_part(&mut batch.bytes, *transfers, total, length);
            }
        }
        self.sent += length;
        self.encoded.append(sent..self.sent, batch);
        length
    }
}
