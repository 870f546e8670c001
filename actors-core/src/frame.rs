//! A handler in hand: its future, and the [`Context`] it borrows, in one block of memory.

use std::{
    pin::Pin,
    ptr::NonNull,
    task::{Context as TaskContext, Poll},
};

use crate::{Actor, Context, StartError, cell::ActorCell, pool::Shape, run::During};

/// What the end of a future means for its actor.
pub(crate) enum Flow {
    /// A handler or hook has ended.
    Handled,
    /// The state is made, or not: see the extension.
    Made,
    /// `init` has ended well.
    Up,
    /// `init` has failed.
    Failed(Box<StartError>),
    /// `term` has ended.
    Over,
}

/// Owns a future of the actor `A`, of any type.
pub(crate) struct Frame<A: Actor>(NonNull<Head<A>>);

// SAFETY: `Frame::new` takes futures that are `Send` only, and the context may be used from anywhere.
unsafe impl<A: Actor> Send for Frame<A> {}

struct Head<A: Actor> {
    shape: Shape,
    poll: unsafe fn(NonNull<Self>, &mut TaskContext<'_>) -> Poll<Flow>,
    drop: unsafe fn(NonNull<Self>),
    during: During<A>,
    cx: Context<A>,
}

#[repr(C)]
struct Whole<A: Actor, F> {
    head: Head<A>,
    future: F,
}

impl<A: Actor> Frame<A> {
    /// Makes the future of a handler or hook.
    ///
    /// # Safety
    /// The actor is there, only the caller may use it, and this stays so until the frame is dropped:
    /// `make` gets both references for that long.
    #[inline]
    pub(crate) unsafe fn new<F>(
        cell: NonNull<ActorCell<A>>,
        during: During<A>,
        make: impl FnOnce(&'static mut Context<A>) -> F,
    ) -> Self
    where
        F: Future<Output = Flow> + Send + 'static,
    {
        let shape = const { Shape::of::<Whole<A, F>>() };
        let block = shape.allocate().cast::<Whole<A, F>>();
        let head = Head {
            shape,
            poll: poll::<A, F>,
            drop: drop_future::<A, F>,
            during,
            cx: Context::new(cell),
        };
        let free = Free(shape, block.cast());
        // SAFETY: the block is fresh and has this type's shape; the context lies in it, apart from the
        // future, and lives as long. The head has no destructor, should `make` panic.
        unsafe {
            let whole = block.as_ptr();
            (&raw mut (*whole).head).write(head);
            let cx = &mut *(&raw mut (*whole).head.cx);
            (&raw mut (*whole).future).write(make(cx));
        }
        std::mem::forget(free);
        Self(block.cast())
    }

    pub(crate) fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Flow> {
        // SAFETY: the frame owns its block; `poll` is that of its future's type.
        unsafe { (self.0.as_ref().poll)(self.0, task) }
    }

    pub(crate) fn during(&self) -> During<A> {
        // SAFETY: the frame owns its block.
        unsafe { self.0.as_ref() }.during
    }

    pub(crate) fn into_raw(self) -> *mut () {
        let raw = self.0.as_ptr().cast();
        std::mem::forget(self);
        raw
    }

    /// # Safety
    /// `raw` comes from [`into_raw`](Self::into_raw), once.
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(raw.cast())
    }
}

impl<A: Actor> Drop for Frame<A> {
    fn drop(&mut self) {
        // SAFETY: the frame owns its block, whose future is dropped here and nowhere else.
        unsafe {
            let head = self.0.as_ref();
            let _free = Free(head.shape, self.0.cast());
            (head.drop)(self.0);
        }
    }
}

struct Free(Shape, NonNull<u8>);

impl Drop for Free {
    fn drop(&mut self) {
        // SAFETY: the block was allocated with this shape, and there is no future in it.
        unsafe { self.0.release(self.1) }
    }
}

unsafe fn poll<A: Actor, F: Future<Output = Flow>>(
    head: NonNull<Head<A>>,
    task: &mut TaskContext<'_>,
) -> Poll<Flow> {
    // SAFETY: `head` begins a `Whole<A, F>` that only its frame uses, and which does not move.
    let future = unsafe { Pin::new_unchecked(&mut (*head.cast::<Whole<A, F>>().as_ptr()).future) };
    future.poll(task)
}

unsafe fn drop_future<A: Actor, F>(head: NonNull<Head<A>>) {
    // SAFETY: as in `poll`; the frame drops it once.
    unsafe { (&raw mut (*head.cast::<Whole<A, F>>().as_ptr()).future).drop_in_place() }
}
