//! Frames on their way to one peer: never waits, written in batches.

use std::sync::Arc;

use actors_core::{ActorId, host::WriteHalf, remote::NotTaken};
use event_listener::{Event, EventListener};
use futures_lite::AsyncWriteExt;
use parking_lot::Mutex;

use crate::{
    lanes::Lanes,
    pieces::{self, LONGEST_VALUE},
    wire::Frame,
};

/// A connection keeps a buffer of up to this much from batch to batch.
const KEPT_BUFFER: usize = 4 << 20;

/// The queue of one connection. Cheap to clone.
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
    /// Bytes that a message may have.
    longest: usize,
    last: Option<Vec<u8>>,
    closed: bool,
}

impl Outbox {
    /// For messages of up to `longest` bytes, which are not taken while more than `bound` bytes wait.
    pub(crate) fn new(longest: usize, bound: usize) -> Self {
        let queue = Queue { lanes: Lanes::default(), longest, last: None, closed: false };
        let queue = Mutex::new(queue);
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
    /// It is too long, or too much waits.
    pub(crate) fn takes(&self, bytes: usize) -> Result<(), NotTaken> {
        let queue = self.0.queue.lock();
        let limit = queue.longest;
        if bytes > limit {
            return Err(NotTaken::TooLong { bytes, limit });
        }
        if queue.lanes.bytes() > self.0.bound {
            return Err(NotTaken::Full);
        }
        Ok(())
    }

    /// Done when a message may be taken again.
    pub(crate) fn room(&self) -> Option<EventListener> {
        let room = self.0.room.listen();
        let queue = self.0.queue.lock();
        (!queue.closed && queue.lanes.bytes() > self.0.bound).then_some(room)
    }

    /// Whether what is not refused is more than any peer may leave unread.
    pub(crate) fn overflows(&self) -> bool {
        let queue = self.0.queue.lock();
        let most = self.0.bound.saturating_mul(2).saturating_add(queue.longest);
        !queue.closed && queue.lanes.bytes() > most
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

    /// Writes batches until the outbox is closed or the connection fails.
    pub(crate) async fn write_to(&self, write: &mut WriteHalf) -> std::io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let changed = self.0.changed.listen();
            let closed = self.next(&mut batch);
            if !batch.is_empty() {
                write.write_all(&batch).await?;
                write.flush().await?;
                batch.clear();
                batch.shrink_to(KEPT_BUFFER);
            } else if closed {
                return write.close().await;
            } else {
                changed.await;
            }
        }
    }

    /// Whether nothing will be queued any more.
    fn next(&self, batch: &mut Vec<u8>) -> bool {
        let mut queue = self.0.queue.lock();
        let before = queue.lanes.bytes();
        queue.lanes.next(batch);
        if batch.is_empty()
            && queue.closed
            && let Some(last) = queue.last.take()
        {
            pieces::append_value(batch, &last);
        }
        let (after, closed) = (queue.lanes.bytes(), queue.closed);
        drop(queue);
        if before > self.0.bound && after <= self.0.bound {
            self.0.room.notify(usize::MAX);
        }
        closed
    }
}
