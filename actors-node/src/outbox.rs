//! Frames on their way to one peer: never waits, written in batches, kept until they have arrived.

mod line;
#[cfg(test)]
mod tests;

use std::sync::{
    Arc, OnceLock,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

use actors_core::{ActorId, remote::NotTaken};
use event_listener::{Event, EventListener};
use parking_lot::Mutex;

use self::line::Line;
pub(crate) use self::line::Writing;
use crate::{
    encoded::{Batch, Encoded},
    lanes::Lanes,
    pieces::{self, LONGEST_VALUE},
    unacknowledged::{Impossible, Rest, Unacknowledged},
    wire::Frame,
};

/// A buffer of up to this much is kept from batch to batch.
const KEPT_BUFFER: usize = 4 << 20;
/// The other side says what it has received when it is so much more than it last said.
pub(crate) const ACKNOWLEDGED_EVERY: u64 = 1 << 20;
/// So much may be on its way, or on its way back as received, and does not count as waiting: a low bound
/// would else wait for the next word of the other side.
const ON_THE_WAY: usize = 2 * ACKNOWLEDGED_EVERY as usize;

const WRITTEN_AT_ONCE: u64 = 192 << 10;

/// With so many questions under way each goes at once, and so do the answers. With more they go
/// together: that is less work for each.
pub(crate) const FEW: usize = 2;
/// Packets that may be on their way, unheard of.
const PACKETS: usize = 64;

/// The queue of one session. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

type Wanted = Box<dyn Fn() + Send + Sync>;

struct Inner {
    queue: Mutex<Queue>,
    /// The connection that there is. Locked before the queue.
    line: Mutex<Option<Line>>,
    /// Questions of the other side that are not answered.
    asked: AtomicUsize,
    /// Whether there is a connection, and who is told that one is wanted.
    connected: AtomicBool,
    wanted: OnceLock<Wanted>,
    changed: Event,
    room: Event,
    /// Messages are not taken while this many bytes wait.
    bound: usize,
}

struct Queue {
    lanes: Lanes,
    unacknowledged: Unacknowledged,
    /// An empty one for the next batch.
    spare: Batch,
    /// Bytes that a message may have.
    longest: usize,
    last: Option<Vec<u8>>,
    closed: bool,
    /// What was queued and is for more than the connection itself is not all written.
    uses: bool,
    /// The end of what was.
    used_to: u64,
    /// Something was queued for that since it was last asked.
    used: bool,
    /// Those that may be lost, since the other side last said what has arrived.
    packets: usize,
}

impl Outbox {
    /// For messages of up to `longest` bytes, which are not taken while more than `bound` bytes wait.
    pub(crate) fn new(longest: usize, bound: usize) -> Self {
        let queue = Mutex::new(Queue {
            lanes: Lanes::default(),
            unacknowledged: Unacknowledged::default(),
            spare: Batch::default(),
            longest,
            last: None,
            closed: false,
            uses: false,
            used_to: 0,
            used: false,
            packets: 0,
        });
        Self(Arc::new(Inner {
            queue,
            line: Mutex::new(None),
            asked: AtomicUsize::new(0),
            connected: AtomicBool::new(false),
            wanted: OnceLock::new(),
            changed: Event::new(),
            room: Event::new(),
            bound,
        }))
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
        let pushed = self.put(frame, from);
        self.0.changed.notify(1);
        pushed
    }

    /// [`push`](Self::push) for one that somebody waits for: it is written here if it can be.
    pub(crate) fn push_now(&self, frame: &Frame, from: Option<ActorId>) -> bool {
        let pushed = self.put(frame, from);
        if !pushed || !self.write_now() {
            self.0.changed.notify(1);
        }
        pushed
    }

    /// The other side asks.
    pub(crate) fn asked(&self) {
        self.0.asked.fetch_add(1, Ordering::Relaxed);
    }

    /// Answers it. Among many, answers go together.
    pub(crate) fn answer(&self, frame: &Frame) -> bool {
        match self.0.asked.fetch_sub(1, Ordering::Relaxed) {
            ..=FEW => self.push_now(frame, None),
            _ => self.push(frame, None),
        }
    }

    /// [`push`](Self::push) for a frame that is not needed any more: what is long in it is not copied.
    pub(crate) fn push_owned(&self, frame: Frame, from: Option<ActorId>) -> bool {
        if frame.weight() <= LONGEST_VALUE {
            return self.push(&frame, from);
        }
        let (lane, is_use) = (frame.lane(), frame.is_use());
        let value = Encoded::new(frame);
        let pushed = self.put_with(is_use, |lanes| lanes.push_value(lane, from, value));
        self.0.changed.notify(1);
        pushed
    }

    fn put(&self, frame: &Frame, from: Option<ActorId>) -> bool {
        // What is long is encoded while nobody waits for it.
        let encoded = (frame.weight() > LONGEST_VALUE).then(|| pieces::encode(frame));
        self.put_with(frame.is_use(), |lanes| match encoded {
            Some(value) => lanes.push_value(frame.lane(), from, value.into()),
            None => lanes.push(frame, from),
        })
    }

    fn put_with(&self, is_use: bool, put: impl FnOnce(&mut Lanes)) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return false;
        }
        queue.uses |= is_use;
        queue.used |= is_use;
        put(&mut queue.lanes);
        drop(queue);
        // A connection that ends looks for what is queued after it has said so.
        if is_use
            && !self.0.connected.load(Ordering::Acquire)
            && let Some(wanted) = self.0.wanted.get()
        {
            wanted();
        }
        true
    }

    /// Calls this when there is something to be said, and no connection.
    pub(crate) fn when_wanted(&self, wanted: impl Fn() + Send + Sync + 'static) {
        // The first counts: there is no other.
        let _ = self.0.wanted.set(Box::new(wanted));
    }

    pub(crate) fn set_connected(&self, connected: bool) {
        self.0.connected.store(connected, Ordering::Release);
    }

    /// Queues a frame that may be lost: it is, when too many went without a word of the other side.
    pub(crate) fn push_packet(&self, frame: &Frame) {
        let mut queue = self.0.queue.lock();
        queue.packets += 1;
        let takes = queue.packets <= PACKETS;
        drop(queue);
        if takes {
            self.push(frame, None);
        }
    }

    /// Whether all has arrived that is for more than the connection itself.
    pub(crate) fn is_quiet(&self) -> bool {
        let queue = self.0.queue.lock();
        !queue.uses && queue.unacknowledged.arrived() >= queue.used_to
    }

    /// Whether something was queued for more than the connection itself, since this was last asked.
    pub(crate) fn was_used(&self) -> bool {
        std::mem::take(&mut self.0.queue.lock().used)
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
        self.changing(|queue| {
            queue.packets = 0;
            queue.unacknowledged.acknowledge(received)
        })
    }

    /// A new connection begins where the other side says.
    ///
    /// # Errors
    /// It cannot go on there.
    pub(crate) fn resume(&self, at: u64) -> Result<(), Impossible> {
        self.changing(|queue| {
            queue.packets = 0;
            queue.unacknowledged.resume(at)
        })
    }

    #[cfg(test)]
    fn waiting(&self) -> usize {
        self.0.queue.lock().waiting()
    }

    /// Bytes that were written and have perhaps not arrived.
    pub(crate) fn unacknowledged(&self) -> usize {
        self.0.queue.lock().unacknowledged.bytes()
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
            // Where much waits, so much is written at once.
            while self.unacknowledged.end().saturating_sub(at) < WRITTEN_AT_ONCE
                && self.form_batch()
            {}
            self.unacknowledged.rest(at)
        });
        match next {
            Some(rest) => Next::Bytes(rest),
            None if self.closed => Next::End,
            None => Next::Wait,
        }
    }

    /// Whether nothing is to be written after this byte.
    fn is_dry(&self, at: u64) -> bool {
        self.lanes.bytes() == 0 && self.unacknowledged.rest(at).is_none() && !self.closed
    }

    /// False when nothing waits.
    fn form_batch(&mut self) -> bool {
        let mut batch = std::mem::take(&mut self.spare);
        if batch.bytes.capacity() == 0 {
            batch.bytes = self.unacknowledged.buffer();
        }
        self.lanes.next(&mut batch);
        if batch.is_empty()
            && self.closed
            && let Some(last) = self.last.take()
        {
            pieces::begin_value(&mut batch.bytes, last.len());
            batch.bytes.extend_from_slice(&last);
        }
        let formed = !batch.is_empty();
        self.unacknowledged.append(&mut batch.bytes);
        if let Some(shared) = batch.shared.take() {
            self.unacknowledged.share(shared);
            self.unacknowledged.append(&mut batch.rest);
        }
        if self.uses {
            self.used_to = self.unacknowledged.end();
            self.uses = self.lanes.bytes() > 0;
        }
        batch.bytes.shrink_to(KEPT_BUFFER);
        self.spare = batch;
        formed
    }
}
