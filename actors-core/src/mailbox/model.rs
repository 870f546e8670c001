//! Every interleaving of a few threads at one mailbox.

use std::{ptr::NonNull, sync::Mutex};

use loom::{
    cell::UnsafeCell,
    sync::Arc,
    thread::{self, yield_now},
};

use super::{Cursor, Leave, Linked, Mailbox};
use crate::sync::{AtomicPtr, explore};

/// Who sent it, and as which of his.
type Content = (usize, usize);

pub(crate) struct Node {
    next: AtomicPtr<Self>,
    /// Read by whoever touches the node, and written by who frees it: loom tells when the two race.
    freed: UnsafeCell<bool>,
    content: UnsafeCell<Content>,
}

impl Node {
    /// The consumer reads what it was sent.
    pub(crate) fn content(&self) -> Content {
        // SAFETY: loom checks it.
        self.content.with(|content| unsafe { *content })
    }
}

// SAFETY: `next` is a field that only the mailbox touches.
unsafe impl Linked for Node {
    fn next(&self) -> &AtomicPtr<Self> {
        // SAFETY: loom checks it.
        self.freed.with(|freed| assert!(!unsafe { *freed }, "a freed node was touched"));
        &self.next
    }

    unsafe fn free(node: NonNull<Self>) {
        // SAFETY: nodes live as long as their `Nodes`; loom checks the rest.
        unsafe {
            node.as_ref().freed.with_mut(|freed| {
                assert!(!*freed, "a node was freed twice");
                *freed = true;
            });
        }
    }
}

/// Keeps all nodes to the end, to see what becomes of them.
pub(crate) struct Nodes(Mutex<Vec<NonNull<Node>>>);

// SAFETY: the pointers are used by the mailbox only, and loom checks how.
unsafe impl Send for Nodes {}
// SAFETY: as above.
unsafe impl Sync for Nodes {}

impl Nodes {
    pub(crate) const fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    pub(crate) fn make(&self, content: Content) -> NonNull<Node> {
        let next = AtomicPtr::new(std::ptr::null_mut());
        let node = Node { next, freed: UnsafeCell::new(false), content: UnsafeCell::new(content) };
        let node = NonNull::from(Box::leak(Box::new(node)));
        self.0.lock().expect("no panic").push(node);
        node
    }
}

impl Drop for Nodes {
    fn drop(&mut self) {
        for node in self.0.get_mut().expect("no panic").drain(..) {
            // SAFETY: it comes from a box, and all threads of the model have ended.
            let node = unsafe { Box::from_raw(node.as_ptr()) };
            // SAFETY: as above.
            let freed = node.freed.with(|freed| unsafe { *freed });
            assert!(freed || std::thread::panicking(), "a node was not freed");
        }
    }
}

/// A mailbox and what its consumers, one after the other, have taken out.
struct Queue {
    mailbox: Mailbox<Node>,
    /// Written by whoever has the right to consume: loom tells when there are two.
    taken: UnsafeCell<Vec<Content>>,
    nodes: Nodes,
}

// SAFETY: loom checks the access to `taken`.
unsafe impl Sync for Queue {}
// SAFETY: as above.
unsafe impl Send for Queue {}

impl Queue {
    /// Nobody has the right to consume.
    fn idle() -> Arc<Self> {
        Self::over(Mailbox::unused(), Nodes::new())
    }

    /// The caller has the right to consume.
    fn taken() -> Arc<Self> {
        Self::over(Mailbox::taken(), Nodes::new())
    }

    fn over(mailbox: Mailbox<Node>, nodes: Nodes) -> Arc<Self> {
        Arc::new(Self { mailbox, taken: UnsafeCell::new(Vec::new()), nodes })
    }

    /// True: the right to consume is the caller's.
    fn push(&self, sender: usize, number: usize) -> bool {
        // SAFETY: the node is fresh.
        unsafe { self.mailbox.push(self.nodes.make((sender, number))) }
    }

    /// Sends `count` messages, and consumes whenever the right to is given.
    fn send(&self, sender: usize, count: usize) {
        for number in 0..count {
            if self.push(sender, number) {
                self.consume();
            }
        }
    }

    /// Consumes until the mailbox is idle. The right to is the caller's.
    fn consume(&self) {
        while !self.turn() {
            yield_now();
        }
    }

    /// One turn: true when the right was given back, false when it was kept for a later turn.
    fn turn(&self) -> bool {
        // SAFETY (of all): the right is the caller's; loom checks it.
        let mut cursor = unsafe { self.mailbox.enter() };
        while self.take(&mut cursor) {}
        match unsafe { self.mailbox.leave(&cursor) } {
            Leave::Idle => true,
            Leave::Busy => {
                unsafe { self.mailbox.pause(&cursor) };
                false
            }
        }
    }

    fn take(&self, cursor: &mut Cursor<Node>) -> bool {
        // SAFETY: the right is the caller's; loom checks it.
        let Some(node) = (unsafe { self.mailbox.next(cursor) }) else { return false };
        // SAFETY: as above.
        let content = unsafe { node.as_ref() }.content();
        self.taken.with_mut(|taken| unsafe { &mut *taken }.push(content));
        true
    }

    /// At the end: all that was sent is there, in the order of each sender.
    fn assert_all(&self, sent: &[usize]) {
        assert!(self.mailbox.is_idle());
        let taken = self.taken.with(|taken| unsafe { &*taken }.clone());
        assert_eq!(taken.len(), sent.iter().sum::<usize>(), "{taken:?}");
        for (sender, count) in sent.iter().enumerate() {
            let from_it = taken.iter().filter(|(from, _)| *from == sender).map(|(_, n)| *n);
            assert!(from_it.eq(0..*count), "{taken:?}");
        }
    }
}

fn spawn(queue: &Arc<Queue>, f: impl FnOnce(&Queue) + 'static) -> thread::JoinHandle<()> {
    let queue = queue.clone();
    thread::spawn(move || f(&queue))
}

/// CORE 14: nothing is lost, the messages of each sender stay in order, and one thread at a time
/// has the right to consume, which goes from sender to sender.
#[test]
fn core_14_the_right_to_consume_goes_round() {
    explore(|| {
        let queue = Queue::idle();
        let senders = [0, 1].map(|sender| spawn(&queue, move |queue| queue.send(sender, 2)));
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        queue.assert_all(&[2, 2]);
    });
}

/// CORE 14: the same while a consumer works that had the right from the beginning.
#[test]
fn core_14_a_consumer_and_two_senders() {
    explore(|| {
        let queue = Queue::taken();
        let senders = [2, 1].into_iter().enumerate();
        let senders = senders
            .map(|(sender, count)| spawn(&queue, move |queue| queue.send(sender, count)))
            .collect::<Vec<_>>();
        queue.consume();
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        queue.assert_all(&[2, 1]);
    });
}

/// A consumer pauses anywhere, and hands over to another thread, which sees all that is there.
#[test]
fn a_later_consumer_goes_on_where_one_has_paused() {
    explore(|| {
        let queue = Queue::taken();
        let sender = spawn(&queue, |queue| queue.send(0, 3));
        let first = spawn(&queue, |queue| {
            // SAFETY (of both): the right is this thread's, until it is joined.
            let mut cursor = unsafe { queue.mailbox.enter() };
            let _more = queue.take(&mut cursor) && queue.take(&mut cursor);
            unsafe { queue.mailbox.pause(&cursor) };
        });
        first.join().unwrap();
        queue.consume();
        sender.join().unwrap();
        queue.assert_all(&[3]);
    });
}

/// CORE 35: while an actor is suspended nobody gets the right to run it by sending, and its next life
/// gets all, in order.
#[test]
fn core_35_senders_to_the_suspended_only_queue() {
    explore(|| {
        let queue = Queue::taken();
        let senders = [0, 1].map(|sender| {
            spawn(&queue, move |queue| {
                for number in 0..2 {
                    assert!(
                        !queue.push(sender, number),
                        "the right of a suspended actor was given"
                    );
                }
            })
        });
        // Between two lives the length is counted, and senders go on.
        // SAFETY: the right is with nobody, and nobody begins.
        assert!(unsafe { queue.mailbox.count(&queue.mailbox.enter(), usize::MAX) } <= 5);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        queue.consume();
        queue.assert_all(&[2, 2]);
    });
}

/// CORE 35: the next life begins while senders go on.
#[test]
fn core_35_a_life_begins_while_senders_send() {
    explore(|| {
        let queue = Queue::taken();
        // SAFETY (of both): the right is ours, and kept.
        let cursor = unsafe { queue.mailbox.enter() };
        unsafe { queue.mailbox.pause(&cursor) };
        let senders = [0, 1].map(|sender| spawn(&queue, move |queue| queue.send(sender, 1)));
        let next = spawn(&queue, Queue::consume);
        senders.into_iter().for_each(|sender| sender.join().unwrap());
        next.join().unwrap();
        queue.assert_all(&[1, 1]);
    });
}
