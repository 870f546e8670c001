//! The mailbox: a queue of intrusive nodes with many producers and one consumer, fused with the right to run.
//!
//! `head` is the newest node; null means *idle*. Whoever pushes into an idle mailbox gets the right to
//! consume, and schedules the actor. The consumer keeps the node it handled last as a stub, so that
//! `head` stays non-null while it works; it gives the right back by turning `head` from that stub to
//! null. Before there was any node, a mark ([`EMPTY`]) stands for the stub. A consumer that goes away without doing that (its actor is suspended, its handler waits) keeps
//! the right: producers queue and schedule nobody.
//!
//! A push is two steps, swap and link: between them the queue looks shorter than it is. A consumer
//! that meets this does not wait for the producer, which may be descheduled: it comes again later.

use std::ptr::{NonNull, null_mut};

use crate::{
    prefetch,
    sync::{AtomicPtr, Ordering},
};

#[cfg(all(test, actors_loom))]
pub(crate) mod model;

/// A node of a mailbox.
///
/// # Safety
/// `next` returns the same field at every call, which nothing else writes while the node is queued.
pub(crate) unsafe trait Linked: Sized {
    fn next(&self) -> &AtomicPtr<Self>;
    /// Frees the memory of a node; its content was taken out.
    ///
    /// # Safety
    /// The node is owned by the caller and handled.
    unsafe fn free(node: NonNull<Self>);
}

pub(crate) struct Mailbox<N> {
    head: AtomicPtr<N>,
    /// Where the consumer goes on. Written by the producer that ended an idle time, before it hands
    /// over the right to consume, and by consumers.
    cursor: AtomicPtr<N>,
}

/// Where the consumer is: at a node that was handled, or at one that was not yet; null before the
/// first.
pub(crate) struct Cursor<N> {
    node: *mut N,
    handled: bool,
}

impl<N> Clone for Cursor<N> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<N> Copy for Cursor<N> {}

pub(crate) enum Leave {
    /// The right is given back: the consumer must not touch the actor any more.
    Idle,
    /// A push is between its two steps: come again.
    Busy,
}

impl<N: Linked> Mailbox<N> {
    /// An empty mailbox whose right to consume is taken.
    pub(crate) fn taken() -> Self {
        let mailbox = Self::unused();
        mailbox.take();
        mailbox
    }

    /// A mailbox that nobody may push into before [`take`](Self::take).
    pub(crate) fn unused() -> Self {
        Self { head: AtomicPtr::new(null_mut()), cursor: AtomicPtr::new(null_mut()) }
    }

    /// Appends a node. True when the mailbox was idle: the right to consume is now the caller's.
    ///
    /// # Safety
    /// The node is valid, in no queue, and the mailbox's from now on.
    #[inline]
    #[must_use]
    pub(crate) unsafe fn push(&self, node: NonNull<N>) -> bool {
        // SAFETY: the node is ours until it is linked.
        unsafe { node.as_ref() }.next().store(null_mut(), Ordering::Relaxed);
        let previous = self.head.swap(node.as_ptr(), Ordering::AcqRel);
        if previous.addr() <= EMPTY {
            self.cursor.store(node.as_ptr(), Ordering::Release);
            return previous.is_null();
        }
        // SAFETY: a consumer frees a node only after it has seen its `next`, which is set here, or
        // after it turned `head` from that node to null, which this swap has made impossible.
        unsafe { &*previous }.next().store(node.as_ptr(), Ordering::Release);
        false
    }

    /// Where the last consumer left.
    ///
    /// # Safety
    /// The caller has the right to consume.
    #[inline]
    pub(crate) unsafe fn enter(&self) -> Cursor<N> {
        let tagged = self.cursor.load(Ordering::Acquire);
        let handled = tagged.addr() & HANDLED != 0;
        Cursor { node: tagged.map_addr(|addr| addr & !HANDLED), handled }
    }

    /// Leaves and keeps the right to consume, for a later consumer.
    ///
    /// # Safety
    /// The caller has the right to consume, and `cursor` is where it is.
    #[inline]
    pub(crate) unsafe fn pause(&self, cursor: &Cursor<N>) {
        if cursor.node.is_null() {
            // A producer writes it, or has written it.
            return;
        }
        let tag = if cursor.handled { HANDLED } else { 0 };
        self.cursor.store(cursor.node.map_addr(|addr| addr | tag), Ordering::Release);
    }

    /// The next node, whose content is the caller's to take; its memory is not. `None` when there is
    /// none, or none yet.
    ///
    /// # Safety
    /// The caller has the right to consume, and `cursor` is where it is.
    #[inline]
    pub(crate) unsafe fn next(&self, cursor: &mut Cursor<N>) -> Option<NonNull<N>> {
        if !cursor.handled {
            if cursor.node.is_null() {
                cursor.node = self.cursor.load(Ordering::Acquire);
            }
            let first = NonNull::new(cursor.node)?;
            cursor.handled = true;
            return Some(first);
        }
        // SAFETY: the stub is the consumer's until it frees it.
        let stub = unsafe { NonNull::new_unchecked(cursor.node) };
        // SAFETY: as above.
        let next = NonNull::new(unsafe { stub.as_ref() }.next().load(Ordering::Acquire))?;
        // Nodes of one sender often lie evenly: the list itself names only one to load at a time.
        let stride = next.addr().get().wrapping_sub(stub.addr().get());
        prefetch::to_read(next.as_ptr().wrapping_byte_add(stride.wrapping_mul(AHEAD)));
        // SAFETY: its `next` is set: no producer will touch the old stub again.
        unsafe { N::free(stub) };
        cursor.node = next.as_ptr();
        Some(next)
    }

    /// Whether [`next`](Self::next) has one.
    ///
    /// # Safety
    /// As for `next`.
    pub(crate) unsafe fn has_next(&self, cursor: &Cursor<N>) -> bool {
        // SAFETY: as the caller says.
        unsafe { self.count(cursor, 1) > 0 }
    }

    /// Gives the right to consume back, if there is nothing more.
    ///
    /// # Safety
    /// The caller has the right to consume, and `cursor` is where it is; it is used up by
    /// [`Leave::Idle`].
    #[inline]
    pub(crate) unsafe fn leave(&self, cursor: &Cursor<N>) -> Leave {
        debug_assert!(cursor.handled || cursor.node.is_null());
        let stub = if cursor.node.is_null() { empty() } else { cursor.node };
        match self.head.compare_exchange(stub, null_mut(), Ordering::AcqRel, Ordering::Relaxed) {
            Ok(_) => {
                if let Some(stub) = NonNull::new(cursor.node) {
                    // SAFETY: `head` no longer leads to it: no producer can reach it.
                    unsafe { N::free(stub) };
                }
                Leave::Idle
            }
            Err(_) => Leave::Busy,
        }
    }

    /// Takes the right to consume of a mailbox that was never used.
    pub(crate) fn take(&self) {
        self.head.store(empty(), Ordering::Release);
    }

    /// True while nobody has the right to consume.
    pub(crate) fn is_idle(&self) -> bool {
        self.head.load(Ordering::Acquire).is_null()
    }

    /// The nodes that are linked and not handled, up to `most`.
    ///
    /// # Safety
    /// The caller has the right to consume, and `cursor` is where it is.
    pub(crate) unsafe fn count(&self, cursor: &Cursor<N>, most: usize) -> usize {
        let mut node = cursor.node;
        if node.is_null() {
            node = self.cursor.load(Ordering::Acquire);
        }
        let mut count = usize::from(!cursor.handled && !node.is_null());
        while count < most && !node.is_null() {
            // SAFETY: nodes from the cursor on are freed by the consumer only.
            node = unsafe { &*node }.next().load(Ordering::Acquire);
            count += usize::from(!node.is_null());
        }
        count
    }
}

/// Nodes that are loaded ahead of the consumer.
const AHEAD: usize = 4;
const HANDLED: usize = 1;
/// The address that stands in `head` for a stub before there was any node.
const EMPTY: usize = 1;

const fn empty<N>() -> *mut N {
    std::ptr::without_provenance_mut(EMPTY)
}
