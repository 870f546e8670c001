//! Where an answer meets its asker: a pooled block that both share, freed by the last of the two.

use std::{
    marker::PhantomData,
    mem::{ManuallyDrop, MaybeUninit},
    ptr::NonNull,
    task::{Context, Poll, Waker},
};

use super::Answer;
use crate::{
    CallError,
    pool::Shape,
    sync::{AtomicU8, Ordering, UnsafeCell, spin_until},
};

/// Neither has come: no waker, no answer.
const EMPTY: u8 = 0;
/// The asker waits, and has left its waker.
const WAITING: u8 = 1;
/// The answer is there, and its answerer is taking the waker: a few instructions.
const WAKING: u8 = 2;
/// The answer is there; the block is the asker's.
const DONE: u8 = 3;
/// The asker is gone; the block is the answerer's.
const GONE: u8 = 4;
/// As `GONE`, for its time was over.
const LATE: u8 = 5;

/// | field | whose it is |
/// |---|---|
/// | `waker` | the asker's in `EMPTY`; the answerer's from `WAITING` to `DONE` |
/// | `answer` | the answerer's until `DONE`, then the asker's; the answerer's in `GONE` and `LATE` |
struct Slot<R> {
    state: AtomicU8,
    waker: UnsafeCell<MaybeUninit<Waker>>,
    answer: UnsafeCell<MaybeUninit<Answer<R>>>,
}

/// Puts the answer; dropped without one, it puts [`CallError::NoReply`].
pub(super) struct Answerer<R>(Block<R>);

/// Takes the answer, once.
pub(super) struct Asker<R>(Option<Block<R>>);

struct Block<R>(NonNull<Slot<R>>, PhantomData<Box<R>>);

// SAFETY: the answer goes from one side to the other, and each side is used by one thread at a time.
unsafe impl<R: Send> Send for Block<R> {}
// SAFETY: nothing can be done with a shared reference to either side.
unsafe impl<R: Send> Sync for Block<R> {}

pub(super) fn pair<R>() -> (Answerer<R>, Asker<R>) {
    let block = Block::<R>::SHAPE.allocate().cast();
    let slot = Slot {
        state: AtomicU8::new(EMPTY),
        waker: UnsafeCell::new(MaybeUninit::uninit()),
        answer: UnsafeCell::new(MaybeUninit::uninit()),
    };
    // SAFETY: the block is fresh and has this type's shape.
    unsafe { block.write(slot) };
    (Answerer(Block(block, PhantomData)), Asker(Some(Block(block, PhantomData))))
}

impl<R> Block<R> {
    const SHAPE: Shape = Shape::of::<Slot<R>>();

    const fn slot(&self) -> &Slot<R> {
        // SAFETY: each side gives up its block with the step after which the other may free it.
        unsafe { self.0.as_ref() }
    }
}

impl<R> Slot<R> {
    /// # Safety
    /// The waker is there and the caller's; from now on it is not there.
    unsafe fn take_waker(&self) -> Waker {
        // SAFETY: as the caller says.
        self.waker.with(|waker| unsafe { (*waker).assume_init_read() })
    }

    /// # Safety
    /// The answer is there and the caller's; from now on it is not there.
    unsafe fn take_answer(&self) -> Answer<R> {
        // SAFETY: as the caller says.
        self.answer.with(|answer| unsafe { (*answer).assume_init_read() })
    }

    fn turn(&self, from: u8, to: u8) -> bool {
        self.state.compare_exchange(from, to, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }
}

impl<R> Answerer<R> {
    /// The asker's time was over.
    #[inline]
    pub(super) fn is_late(&self) -> bool {
        self.0.slot().state.load(Ordering::Relaxed) == LATE
    }

    /// Puts the answer and wakes who waits for it. If the asker is gone, the answer is dropped.
    #[inline]
    pub(super) fn put(self, answer: Answer<R>) {
        // SAFETY: it is not used again.
        unsafe { ManuallyDrop::new(self).finish(answer) }
    }

    /// # Safety
    /// Called once, and last.
    #[inline]
    unsafe fn finish(&mut self, answer: Answer<R>) {
        let slot = self.0.slot();
        // SAFETY: before the state says so, nobody else touches the answer.
        slot.answer.with_mut(|place| unsafe { (*place).write(answer) });
        match slot.state.swap(WAKING, Ordering::AcqRel) {
            EMPTY => slot.state.store(DONE, Ordering::Release),
            WAITING => {
                // SAFETY: left there by the asker, which does not touch it before `DONE`.
                let waker = unsafe { slot.take_waker() };
                slot.state.store(DONE, Ordering::Release);
                waker.wake();
            }
            _gone => {
                let free = Free(&self.0);
                // SAFETY: put above; the asker is gone.
                drop(unsafe { slot.take_answer() });
                drop(free);
            }
        }
    }
}

impl<R> Drop for Answerer<R> {
    fn drop(&mut self) {
        // SAFETY: `put` does not come here.
        unsafe { self.finish(Err(CallError::NoReply)) }
    }
}

impl<R> Asker<R> {
    /// # Panics
    /// After it was ready.
    #[inline]
    pub(super) fn poll(&mut self, task: &Context<'_>) -> Poll<Answer<R>> {
        let slot = self.0.as_ref().expect("the answer was taken").slot();
        match slot.state.load(Ordering::Acquire) {
            EMPTY => {}
            WAITING => {
                // SAFETY: the waker is there, or was moved out as this looks: only its two pointers
                // are compared.
                let stays = slot.waker.with(|waker| unsafe {
                    let waker = ManuallyDrop::new(waker.read());
                    waker.assume_init_ref().will_wake(task.waker())
                });
                if stays {
                    return Poll::Pending;
                }
                if !slot.turn(WAITING, EMPTY) {
                    return Poll::Ready(self.take());
                }
                // SAFETY: back in `EMPTY` it is ours.
                drop(unsafe { slot.take_waker() });
            }
            _put => return Poll::Ready(self.take()),
        }
        let waker = task.waker().clone();
        // SAFETY: in `EMPTY` nobody else touches it, and there is none.
        slot.waker.with_mut(|place| unsafe { (*place).write(waker) });
        if slot.turn(EMPTY, WAITING) {
            return Poll::Pending;
        }
        // SAFETY: written above, and the answerer has found none.
        drop(unsafe { slot.take_waker() });
        Poll::Ready(self.take())
    }

    /// Its time is over: it lets go, and the answerer can see why.
    pub(super) fn expire(&mut self) {
        self.let_go(LATE);
        self.0 = None;
    }

    /// Leaves the block to the answerer, or frees it after the answer. It is not used again.
    fn let_go(&mut self, how: u8) {
        let Some(block) = &self.0 else { return };
        let slot = block.slot();
        if slot.state.load(Ordering::Acquire) == WAITING && slot.turn(WAITING, EMPTY) {
            // SAFETY: back in `EMPTY` it is ours.
            drop(unsafe { slot.take_waker() });
        }
        if !slot.turn(EMPTY, how) {
            drop(self.take());
        }
    }

    /// The answer, which is there or about to be.
    fn take(&mut self) -> Answer<R> {
        let block = self.0.take().expect("it is there until it is taken");
        let is_done = || block.slot().state.load(Ordering::Acquire) == DONE;
        if !is_done() {
            spin_until(is_done);
        }
        let _free = Free(&block);
        // SAFETY: `DONE`, and taken once.
        unsafe { block.slot().take_answer() }
    }
}

impl<R> Drop for Asker<R> {
    fn drop(&mut self) {
        self.let_go(GONE);
    }
}

/// Frees a block whose other side is gone, also when its answer panics as it is dropped.
struct Free<'a, R>(&'a Block<R>);

impl<R> Drop for Free<'_, R> {
    fn drop(&mut self) {
        // SAFETY: whoever makes this has the block alone, and leaves it.
        unsafe {
            self.0.0.drop_in_place();
            Block::<R>::SHAPE.release(self.0.0.cast());
        }
    }
}
