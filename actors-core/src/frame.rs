//! A handler in hand: its future, and the [`Context`] it borrows, in one block of memory.

use std::{
    any::Any,
    marker::PhantomData,
    mem::forget,
    panic::{AssertUnwindSafe, catch_unwind},
    pin::Pin,
    ptr::NonNull,
    task::{Context as TaskContext, Poll},
};

use crate::{Actor, Context, StartError, cell::ActorCell, node::What, pool::Shape, shared::Shared};

/// What the end of a future means for its actor.
pub(crate) enum Flow {
    /// A handler or hook has ended.
    Handled,
    /// The state is made.
    Made,
    /// `init` has ended well.
    Up,
    /// The state was not made, or `init` has failed.
    Failed(Box<StartError>),
    /// `term` has ended.
    Over,
    /// It has panicked; its frame is still in hand.
    Crashed(Box<dyn Any + Send>),
}

/// What the output of a future means.
pub(crate) trait End<T>: 'static {
    fn flow(output: T) -> Flow;
}

/// A handler, whatever it returns.
pub(crate) struct Handled;

impl<T> End<T> for Handled {
    #[inline]
    fn flow(output: T) -> Flow {
        drop(output);
        Flow::Handled
    }
}

/// A hook that says itself.
pub(crate) struct Says;

impl End<Flow> for Says {
    fn flow(output: Flow) -> Flow {
        output
    }
}

/// Owns a future of the actor `A`, of any type.
///
/// It may go to another thread: `begin` takes futures that are `Send` only.
pub(crate) struct Frame<A: Actor>(Shared<Head<A>>);

#[repr(C)]
struct Head<A: Actor> {
    ops: &'static Ops<A>,
    during: &'static What,
    cx: Context<A>,
}

struct Ops<A: Actor> {
    shape: Shape,
    poll: unsafe fn(NonNull<Head<A>>, &mut TaskContext<'_>) -> Poll<Flow>,
    drop: unsafe fn(NonNull<Head<A>>),
}

#[repr(C)]
struct Whole<A: Actor, F, E> {
    head: Head<A>,
    future: F,
    end: PhantomData<E>,
}

impl<A: Actor> Frame<A> {
    /// Makes the future of a handler or hook and polls it once. While it is polled it is in `hand`, and
    /// it stays there if it is pending, or panics. A panic is caught next to the handler: each frame that
    /// it unwinds costs as much as several messages.
    ///
    /// # Safety
    /// The actor is there, only the caller may use it, and this stays so until the frame is dropped:
    /// what `make` borrows is borrowed for that long.
    #[inline]
    pub(crate) unsafe fn begin<F, E>(
        hand: &mut Option<Self>,
        cell: NonNull<ActorCell<A>>,
        during: &'static What,
        task: &mut TaskContext<'_>,
        make: impl FnOnce(&'static mut Context<A>) -> F,
    ) -> Poll<Flow>
    where
        F: Future + Send + 'static,
        E: End<F::Output>,
    {
        let shape = const { Shape::of::<Whole<A, F, E>>() };
        let block = shape.allocate().cast::<Whole<A, F, E>>();
        let free = Free(shape, block.cast());
        // SAFETY: the block is fresh and has this type's shape; the context lies in it, apart from the
        // future, and lives as long. The head has no destructor, should `make` panic.
        let future = unsafe {
            let whole = block.as_ptr();
            let head = Head { ops: Whole::<A, F, E>::OPS, during, cx: Context::new(cell) };
            (&raw mut (*whole).head).write(head);
            let cx = &mut (*whole).head.cx;
            (&raw mut (*whole).future).write(make(cx));
            &raw mut (*whole).future
        };
        forget(free);
        *hand = Some(Self(Shared::new(block.cast())));
        // SAFETY: the future is in its block, does not move, and only `hand` has it.
        let polled = contained(unsafe { Pin::new_unchecked(&mut *future) }, task);
        let output = match polled {
            Ok(Poll::Ready(output)) => output,
            Ok(Poll::Pending) => return Poll::Pending,
            Err(payload) => return Poll::Ready(Flow::Crashed(payload)),
        };
        forget(hand.take());
        let _free = Free(shape, block.cast());
        // SAFETY: out of `hand`, it is dropped here and nowhere else.
        unsafe { future.drop_in_place() };
        Poll::Ready(E::flow(output))
    }

    pub(crate) fn poll(&mut self, task: &mut TaskContext<'_>) -> Poll<Flow> {
        // SAFETY: the frame owns its block; `poll` is that of its future's type.
        unsafe { (self.0.get().as_ref().ops.poll)(self.0.get(), task) }
    }

    pub(crate) fn during(&self) -> &'static What {
        // SAFETY: the frame owns its block.
        unsafe { self.0.get().as_ref() }.during
    }

    pub(crate) fn into_raw(self) -> *mut () {
        let raw = self.0.get().as_ptr().cast();
        forget(self);
        raw
    }

    /// # Safety
    /// `raw` comes from [`into_raw`](Self::into_raw), once.
    pub(crate) unsafe fn from_raw(raw: NonNull<()>) -> Self {
        Self(Shared::new(raw.cast()))
    }
}

impl<A: Actor> Drop for Frame<A> {
    fn drop(&mut self) {
        // SAFETY: the frame owns its block, whose future is dropped here and nowhere else.
        unsafe {
            let head = self.0.get();
            let ops = head.as_ref().ops;
            let _free = Free(ops.shape, head.cast());
            (ops.drop)(head);
        }
    }
}

#[inline]
fn contained<F: Future>(
    future: Pin<&mut F>,
    task: &mut TaskContext<'_>,
) -> Result<Poll<F::Output>, Box<dyn Any + Send>> {
    catch_unwind(AssertUnwindSafe(|| future.poll(task)))
}

struct Free(Shape, NonNull<u8>);

impl Drop for Free {
    #[inline]
    fn drop(&mut self) {
        // SAFETY: the block was allocated with this shape, and there is no future in it.
        unsafe { self.0.release(self.1) }
    }
}

impl<A: Actor, F: Future, E: End<F::Output>> Whole<A, F, E>
where
    F: 'static,
{
    const OPS: &'static Ops<A> =
        &Ops { shape: Shape::of::<Self>(), poll: Self::poll, drop: Self::drop };

    unsafe fn poll(head: NonNull<Head<A>>, task: &mut TaskContext<'_>) -> Poll<Flow> {
        // SAFETY: `head` begins a `Self` that only its frame uses, and which does not move.
        let future = unsafe { Pin::new_unchecked(&mut (*head.cast::<Self>().as_ptr()).future) };
        match contained(future, task) {
            Ok(polled) => polled.map(E::flow),
            Err(payload) => Poll::Ready(Flow::Crashed(payload)),
        }
    }

    unsafe fn drop(head: NonNull<Head<A>>) {
        // SAFETY: as in `poll`; the frame drops it once.
        unsafe { (&raw mut (*head.cast::<Self>().as_ptr()).future).drop_in_place() }
    }
}
