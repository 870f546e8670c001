//! Frames on their way to one peer: never waits, written in batches, kept until they have arrived.

#[cfg(test)]
mod tests;

use std::{io, sync::Arc};

use actors_core::{ActorId, host::WriteHalf, remote::NotTaken};
use event_listener::{Event, EventListener};
use futures_lite::AsyncWriteExt;
use parking_lot::Mutex;

use crate::{
    lanes::Lanes,
    pieces::{self, LONGEST_VALUE},
    unacknowledged::{Impossible, Rest, Unacknowledged},
    wire::Frame,
};

/// A buffer of up to this much is kept from batch to batch.
const KEPT_BUFFER: usize = 4 << 20;
/// The other side says what it has received when it is so much more than it last said.
pub(crate) const ACKNOWLEDGED_EVERY: u64 = 256 << 10;
/// So much may be on its way, or on its way back as received, and does not count as waiting: a low bound
/// would else wait for the next word of the other side.
const ON_THE_WAY: usize = 2 * ACKNOWLEDGED_EVERY as usize;

/// The queue of one session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

struct Inner {
    queue: Mutex<Queue>,
    changed: Event,
    room: Event,
    /// Messages are not taken while this many bytes wait.
    bound: usize,
}

struct Queue {
    lanes: Lanes,
    unacknowledged: Unacknowledged,
    /// An empty buffer for the next batch.
    spare: Vec<u8>,
    /// Bytes that a message may have.
    longest: usize,
    last: Option<Vec<u8>>,
    closed: bool,
}

impl Outbox {
    /// For messages of up to `longest` bytes, which are not taken while more than `bound` bytes wait.
    pub(crate) fn new(longest: usize, bound: usize) -> Self {
        let queue = Mutex::new(Queue {
            lanes: Lanes::default(),
            unacknowledged: Unacknowledged::default(),
            spare: Vec::new(),
            longest,
            last: None,
            closed: false,
        });
        Self(Arc::new(Inner { queue, changed: Event::new(), room: Event::new(), bound }))
    }

    /// The other side takes messages of up to so many bytes.
    pub(crate) fn limit(&self, longest: u64) {
        let mut queue = self.0.queue.lock();
        queue.longest = queue.longest.min(usize::try_from(longest).unwrap_or(usize::MAX));
    }

    /// Bytes that a message may have.
    pub(crate) fn longest(&self) -> usize {
        self.0.queue.lock().longest
    }

    /// Whether a message of so many bytes is taken.
    ///
    /// # Errors
    /// It is too long, too much waits, or the session is over.
    pub(crate) fn takes(&self, bytes: usize) -> Result<(), NotTaken> {
        let queue = self.0.queue.lock();
        if queue.closed {
            return Err(NotTaken::NoConnection);
        }
        let limit = queue.longest;
        if bytes > limit {
            return Err(NotTaken::TooLong { bytes, limit });
        }
        if queue.waiting() > self.0.bound {
            return Err(NotTaken::Full);
        }
        Ok(())
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.0.queue.lock().closed
    }

    /// Done when a message may be taken again.
    pub(crate) fn room(&self) -> Option<EventListener> {
        let room = self.0.room.listen();
        let queue = self.0.queue.lock();
        (!queue.closed && queue.waiting() > self.0.bound).then_some(room)
    }

    /// Whether what is not refused is more than any peer may leave unread.
    pub(crate) fn overflows(&self) -> bool {
        let queue = self.0.queue.lock();
        let most = self.0.bound.saturating_mul(2).saturating_add(queue.longest);
        !queue.closed && queue.waiting() > most
    }

    /// Queues a frame that an actor sends, or none. False when the connection is gone.
    pub(crate) fn push(&self, frame: &Frame, from: Option<ActorId>) -> bool {
        // What is long is encoded while nobody waits for it.
        let encoded = (frame.weight() > LONGEST_VALUE).then(|| pieces::encode(frame));
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return false;
        }
        match encoded {
            Some(value) => queue.lanes.push_value(frame.lane(), from, value),
            None => queue.lanes.push(frame, from),
        }
        drop(queue);
        self.0.changed.notify(1);
        true
    }

    /// Writes what is queued, then this, and ends the stream.
    pub(crate) fn close_after(&self, frame: &Frame) {
        self.0.queue.lock().last = Some(pieces::encode(frame));
        self.close();
    }

    /// Writes what is short of what is queued, then this, and ends the stream.
    pub(crate) fn close_with(&self, frame: &Frame) {
        let mut queue = self.0.queue.lock();
        queue.lanes.give_up_transfers();
        queue.last = Some(pieces::encode(frame));
        drop(queue);
        self.close();
    }

    /// Writes what is queued and ends the stream.
    pub(crate) fn close(&self) {
        self.0.queue.lock().closed = true;
        self.0.changed.notify(usize::MAX);
        self.0.room.notify(usize::MAX);
    }

    /// The other side has so much of the stream.
    ///
    /// # Errors
    /// It cannot have that.
    pub(crate) fn acknowledge(&self, received: u64) -> Result<(), Impossible> {
        self.changing(|queue| queue.unacknowledged.acknowledge(received))
    }

    /// A new connection begins where the other side says.
    ///
    /// # Errors
    /// It cannot go on there.
    pub(crate) fn resume(&self, at: u64) -> Result<(), Impossible> {
        self.changing(|queue| queue.unacknowledged.resume(at))
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.0.queue.lock().waiting()
    }

    /// Bytes that were written and have perhaps not arrived.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.0.queue.lock().unacknowledged.bytes()
    }

    /// Writes the stream from this byte on until the outbox is closed or the connection fails.
    pub(crate) async fn write_to(&self, write: &mut WriteHalf, mut at: u64) -> io::Result<()> {
        loop {
            let changed = self.0.changed.listen();
            match self.changing(|queue| queue.next(at)) {
                Next::Bytes(rest) => {
                    write.write_all(rest.bytes()).await?;
                    write.flush().await?;
                    at = rest.end;
                }
                Next::Wait => changed.await,
                Next::End => return write.close().await,
            }
        }
    }

    /// Does what may make room, and tells who waits for it.
    fn changing<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.0.queue.lock();
        let before = queue.waiting();
        let result = change(&mut queue);
        let after = queue.waiting();
        drop(queue);
        if before > self.0.bound && after <= self.0.bound {
            self.0.room.notify(usize::MAX);
        }
        result
    }
}

enum Next {
    Bytes(Rest),
    Wait,
    /// Nothing will come any more.
    End,
}

impl Queue {
    /// Bytes that wait for the connection, or that it may have lost.
    fn waiting(&self) -> usize {
        self.lanes.bytes() + self.unacknowledged.bytes().saturating_sub(ON_THE_WAY)
    }

    /// What was said before and is to be said again, else the next batch.
    fn next(&mut self, at: u64) -> Next {
        let said_before = self.unacknowledged.rest(at);
        let next = said_before.or_else(|| {
            self.form_batch();
            self.unacknowledged.rest(at)
        });
        match next {
            Some(rest) => Next::Bytes(rest),
            None if self.closed => Next::End,
            None => Next::Wait,
        }
    }

    fn form_batch(&mut self) {
        let mut batch = std::mem::take(&mut self.spare);
        if batch.capacity() == 0 {
            batch = self.unacknowledged.buffer();
        }
        self.lanes.next(&mut batch);
        if batch.is_empty()
            && self.closed
            && let Some(last) = self.last.take()
        {
            pieces::append_value(&mut batch, &last);
        }
        self.unacknowledged.append(&mut batch);
        batch.shrink_to(KEPT_BUFFER);
        self.spare = batch;
    }
}
