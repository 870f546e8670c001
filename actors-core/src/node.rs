//! What travels in a mailbox: a node with anything that can be done to an actor, in one block of memory.

use std::{
    any::Any,
    mem::{ManuallyDrop, forget},
    ptr::{NonNull, null_mut},
};

use crate::{
    Actor, CallError, GroupEpoch,
    mailbox::Linked,
    pool::Shape,
    run::{Step, Turn},
    shared::Shared,
    sync::AtomicPtr,
};

/// Something that can be done to an actor.
pub(crate) trait Payload<A: Actor>: Send + Sized + 'static {
    /// A message of the user's: counted, fenced by the group's epoch, a dead letter if refused.
    const MESSAGE: bool;

    /// Does it, in the actor's turn.
    fn run(self, turn: &mut Turn<'_, A>) -> Step;

    /// It will not be done; its asker hears why.
    fn refuse(self, error: CallError);

    /// The group epoch of its sender.
    fn epoch(&self) -> Option<GroupEpoch> {
        None
    }

    /// The user's message, if it is one.
    fn message(&self) -> Option<&dyn Any> {
        None
    }

    /// What a crash report calls it.
    fn name() -> &'static str;
}

/// The head of a node. What follows it in memory is known to `ops` only.
#[repr(C)]
pub(crate) struct Node<A: Actor> {
    next: AtomicPtr<Self>,
    ops: &'static Ops<A>,
}

pub(crate) struct Ops<A: Actor> {
    pub(crate) what: What,
    shape: Shape,
    run: unsafe fn(NonNull<Node<A>>, &mut Turn<'_, A>) -> Step,
    refuse: unsafe fn(NonNull<Node<A>>, CallError),
    epoch: unsafe fn(NonNull<Node<A>>) -> Option<GroupEpoch>,
    message: unsafe fn(NonNull<Node<A>>) -> OfUser,
}

/// A message of the user's, if there is one.
type OfUser = Option<NonNull<dyn Any>>;

/// For reports.
pub(crate) struct What {
    /// A message of the user's: a dead letter if it is not handled to its end.
    pub(crate) message: bool,
    pub(crate) name: fn() -> &'static str,
}

#[repr(C)]
struct Full<A: Actor, P> {
    head: Node<A>,
    payload: ManuallyDrop<P>,
}

impl<A: Actor, P: Payload<A>> Full<A, P> {
    const SHAPE: Shape = Shape::of::<Self>();
    const OPS: &'static Ops<A> = &Ops {
        what: What { message: P::MESSAGE, name: P::name },
        shape: Self::SHAPE,
        // SAFETY: `ops` of a node is that of its payload's type, and the caller's duty is that the
        // payload is there; it is moved out once.
        run: |node, turn| unsafe { Self::take(node) }.run(turn),
        // SAFETY: as for `run`.
        refuse: |node, error| unsafe { Self::take(node) }.refuse(error),
        // SAFETY: as for `run`; the payload stays.
        epoch: |node| unsafe { node.cast::<Self>().as_ref() }.payload.epoch(),
        message: |node| {
            // SAFETY: as for `epoch`.
            unsafe { node.cast::<Self>().as_ref() }.payload.message().map(NonNull::from)
        },
    };

    /// # Safety
    /// The node is a `Full<A, P>` whose payload was not taken yet.
    unsafe fn take(node: NonNull<Node<A>>) -> P {
        // SAFETY: as the caller says.
        unsafe { ManuallyDrop::take(&mut (*node.cast::<Self>().as_ptr()).payload) }
    }
}

impl<A: Actor> Node<A> {
    pub(crate) const fn ops(&self) -> &'static Ops<A> {
        self.ops
    }

    /// Does what the node says.
    ///
    /// # Safety
    /// The payload was not taken yet; from now on it is.
    #[inline]
    pub(crate) unsafe fn run(node: NonNull<Self>, turn: &mut Turn<'_, A>) -> Step {
        // SAFETY: as the caller says.
        unsafe { (node.as_ref().ops.run)(node, turn) }
    }

    /// # Safety
    /// As for [`run`](Self::run).
    pub(crate) unsafe fn refuse(node: NonNull<Self>, error: CallError) {
        // SAFETY: as the caller says.
        unsafe { (node.as_ref().ops.refuse)(node, error) }
    }

    /// # Safety
    /// The payload was not taken yet.
    pub(crate) unsafe fn epoch(node: NonNull<Self>) -> Option<GroupEpoch> {
        // SAFETY: as the caller says.
        unsafe { (node.as_ref().ops.epoch)(node) }
    }

    /// The user's message in it, if it has one.
    ///
    /// # Safety
    /// The payload was not taken yet, and is not as long as the message is borrowed.
    pub(crate) unsafe fn message<'a>(node: NonNull<Self>) -> Option<&'a dyn Any> {
        // SAFETY: as the caller says.
        unsafe { (node.as_ref().ops.message)(node).map(|message| message.as_ref()) }
    }

    /// Moves the payload into a block of its own: the node stays in its queue, empty.
    ///
    /// # Safety
    /// As for [`run`](Self::run).
    pub(crate) unsafe fn detach(node: NonNull<Self>) -> Letter<A> {
        // SAFETY: as the caller says.
        let ops = unsafe { node.as_ref() }.ops;
        let block = ops.shape.allocate().cast::<Self>();
        // SAFETY: both blocks have this shape, and the payload is moved: nobody takes it from the
        // old one again. `next` is written anew.
        unsafe {
            let head = size_of::<Self>();
            let bytes = ops.shape.size() - head;
            let (from, to) = (node.cast::<u8>().add(head), block.cast::<u8>().add(head));
            block.write(Self { next: AtomicPtr::new(null_mut()), ops });
            from.copy_to_nonoverlapping(to, bytes);
        }
        Letter(Shared::new(block))
    }
}

// SAFETY: `next` is a field that only the mailbox touches.
unsafe impl<A: Actor> Linked for Node<A> {
    fn next(&self) -> &AtomicPtr<Self> {
        &self.next
    }

    unsafe fn free(node: NonNull<Self>) {
        // SAFETY: the node is ours and its payload taken; its block has the shape in `ops`.
        unsafe {
            let shape = node.as_ref().ops.shape;
            shape.release(node.cast());
        }
    }
}

/// A node in nobody's queue, with its payload.
///
/// It may go to another thread: payloads are `Send`, and the letter owns its own.
pub(crate) struct Letter<A: Actor>(Shared<Node<A>>);

impl<A: Actor> Letter<A> {
    #[inline]
    pub(crate) fn new<P: Payload<A>>(payload: P) -> Self {
        let block = Full::<A, P>::SHAPE.allocate().cast::<Full<A, P>>();
        let head = Node { next: AtomicPtr::new(null_mut()), ops: Full::<A, P>::OPS };
        // SAFETY: the block is fresh and has this type's shape.
        unsafe { block.write(Full { head, payload: ManuallyDrop::new(payload) }) };
        Self(Shared::new(block.cast()))
    }

    #[inline]
    pub(crate) fn into_node(self) -> NonNull<Node<A>> {
        let node = self.0.get();
        forget(self);
        node
    }

    pub(crate) fn ops(&self) -> &'static Ops<A> {
        // SAFETY: the letter owns the node.
        unsafe { self.0.get().as_ref() }.ops
    }

    pub(crate) fn epoch(&self) -> Option<GroupEpoch> {
        // SAFETY: a letter has its payload.
        unsafe { Node::epoch(self.0.get()) }
    }

    /// The user's message in it, if it has one.
    pub(crate) fn message(&self) -> Option<&dyn Any> {
        // SAFETY: a letter has its payload, as long as it is borrowed.
        unsafe { Node::message(self.0.get()) }
    }

    pub(crate) fn run(self, turn: &mut Turn<'_, A>) -> Step {
        let block = Block(self.into_node());
        // SAFETY: a letter has its payload; only the block is left to free.
        unsafe { Node::run(block.0, turn) }
    }

    pub(crate) fn refuse(self, error: CallError) {
        let block = Block(self.into_node());
        // SAFETY: as in `run`.
        unsafe { Node::refuse(block.0, error) }
    }
}

impl<A: Actor> Drop for Letter<A> {
    fn drop(&mut self) {
        let block = Block(self.0.get());
        // SAFETY: as in `run`.
        unsafe { Node::refuse(block.0, CallError::NoReply) }
    }
}

/// Frees the block of an emptied node, also when its payload panicked.
struct Block<A: Actor>(NonNull<Node<A>>);

impl<A: Actor> Drop for Block<A> {
    fn drop(&mut self) {
        // SAFETY: the node is ours and its payload was taken.
        unsafe { Node::free(self.0) }
    }
}
