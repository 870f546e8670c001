//! Frames on their way to one peer: never waits, written in batches.

use std::sync::{
    Arc,
    atomic::{AtomicU64, Ordering},
};

use actors_core::host::WriteHalf;
use event_listener::Event;
use futures_lite::AsyncWriteExt;
use parking_lot::Mutex;

use crate::wire::{Frame, KEPT_BUFFER, append_frame};

/// The queue of one connection. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Outbox(Arc<Inner>);

struct Inner {
    longest: AtomicU64,
    queue: Mutex<Queue>,
    changed: Event,
}

#[derive(Default)]
struct Queue {
    bytes: Vec<u8>,
    closed: bool,
}

impl Outbox {
    /// For messages of up to so many bytes.
    pub(crate) fn new(longest: u64) -> Self {
        Self(Arc::new(Inner {
            longest: AtomicU64::new(longest),
            queue: Mutex::default(),
            changed: Event::new(),
        }))
    }

    /// The other side takes messages of up to so many bytes.
    pub(crate) fn limit(&self, longest: u64) {
        self.0.longest.fetch_min(longest, Ordering::Relaxed);
    }

    /// Bytes that a message may have.
    pub(crate) fn longest(&self) -> usize {
        usize::try_from(self.0.longest.load(Ordering::Relaxed)).unwrap_or(usize::MAX)
    }

    /// Queues a frame. False when the connection is gone.
    pub(crate) fn push(&self, frame: &[u8]) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return false;
        }
        queue.bytes.extend_from_slice(frame);
        drop(queue);
        self.0.changed.notify(1);
        true
    }

    /// As [`push`](Self::push), encoding the frame in its place.
    pub(crate) fn push_frame(&self, frame: &Frame) -> bool {
        let mut queue = self.0.queue.lock();
        if queue.closed {
            return false;
        }
        append_frame(&mut queue.bytes, frame);
        drop(queue);
        self.0.changed.notify(1);
        true
    }

    /// Writes what is queued and ends the stream.
    pub(crate) fn close(&self) {
        self.0.queue.lock().closed = true;
        self.0.changed.notify(usize::MAX);
    }

    /// Writes batches until the outbox is closed or the connection fails.
    pub(crate) async fn write_to(&self, write: &mut WriteHalf) -> std::io::Result<()> {
        let mut batch = Vec::new();
        loop {
            let changed = self.0.changed.listen();
            let closed = {
                let mut queue = self.0.queue.lock();
                std::mem::swap(&mut batch, &mut queue.bytes);
                queue.closed
            };
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
}
