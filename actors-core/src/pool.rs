//! Memory for messages and handlers: blocks of a few sizes, cached by thread.
//!
//! A message is allocated where it is sent and freed where it was handled, so that the blocks of a
//! busy pair of threads pile up on one side. Each thread has a magazine a size; a full one gives half of
//! its blocks to a shared store, an empty one takes them from there: one lock for [`BATCH`] blocks.
//! With `--cfg actors_plain_alloc` every block comes from the allocator and goes back at once, for
//! tools that look for misused memory.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    cell::{Cell, UnsafeCell},
    mem::MaybeUninit,
    ptr::NonNull,
};

use parking_lot::Mutex;

const SIZES: [usize; 10] = [32, 48, 64, 96, 128, 192, 256, 384, 512, 1024];
const ALIGN: usize = 16;
const BATCH: usize = 32;
/// Batches of a size that the shared store keeps; more go back to the allocator.
const STORED: usize = 256;
const NOT_POOLED: usize = SIZES.len();

/// The size of a block.
#[derive(Clone, Copy)]
pub(crate) struct Shape {
    layout: Layout,
    class: usize,
}

impl Shape {
    pub(crate) const fn of<T>() -> Self {
        let layout = Layout::new::<T>();
        let mut class = 0;
        if cfg!(actors_plain_alloc) || layout.align() > ALIGN {
            return Self { layout, class: NOT_POOLED };
        }
        while class < SIZES.len() {
            if layout.size() <= SIZES[class] {
                return Self { layout: of_class(class), class };
            }
            class += 1;
        }
        Self { layout, class: NOT_POOLED }
    }

    pub(crate) const fn size(self) -> usize {
        self.layout.size()
    }

    /// A block for a value of this shape. Aborts when memory is exhausted, as `Box` does.
    #[inline]
    pub(crate) fn allocate(self) -> NonNull<u8> {
        if self.class == NOT_POOLED {
            return fresh(self.layout);
        }
        CACHE.try_with(|cache| cache.take(self)).unwrap_or_else(|_| fresh(self.layout))
    }

    /// # Safety
    /// `block` comes from `allocate` of the same shape, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn release(self, block: NonNull<u8>) {
        if self.class == NOT_POOLED {
            // SAFETY: as the caller says.
            return unsafe { dealloc(block.as_ptr(), self.layout) };
        }
        if CACHE.try_with(|cache| cache.put(self, block)).is_err() {
            // SAFETY: as the caller says; pooled blocks are allocated with the layout of their class.
            unsafe { dealloc(block.as_ptr(), self.layout) };
        }
    }
}

const fn of_class(class: usize) -> Layout {
    match Layout::from_size_align(SIZES[class], ALIGN) {
        Ok(layout) => layout,
        Err(_) => panic!("the sizes are multiples of the alignment"),
    }
}

#[cold]
fn fresh(layout: Layout) -> NonNull<u8> {
    // SAFETY: no shape has size zero: every block begins with a header.
    let block = unsafe { alloc(layout) };
    NonNull::new(block).unwrap_or_else(|| handle_alloc_error(layout))
}

thread_local! {
    static CACHE: Cache = const { Cache([const { Magazine::new() }; SIZES.len()]) };
}

static STORE: [Mutex<Vec<Batch>>; SIZES.len()] = [const { Mutex::new(Vec::new()) }; SIZES.len()];

/// Blocks of one size that belong to nobody.
struct Batch([NonNull<u8>; BATCH]);

// SAFETY: the blocks are plain memory, owned by the batch.
unsafe impl Send for Batch {}

struct Cache([Magazine; SIZES.len()]);

struct Magazine {
    len: Cell<usize>,
    blocks: UnsafeCell<[MaybeUninit<NonNull<u8>>; 2 * BATCH]>,
}

impl Cache {
    #[inline]
    fn take(&self, shape: Shape) -> NonNull<u8> {
        let magazine = &self.0[shape.class];
        magazine.pop().unwrap_or_else(|| magazine.refill(shape))
    }

    #[inline]
    fn put(&self, shape: Shape, block: NonNull<u8>) {
        let magazine = &self.0[shape.class];
        if magazine.len.get() == 2 * BATCH {
            magazine.spill(shape);
        }
        magazine.push(block);
    }
}

impl Magazine {
    const fn new() -> Self {
        Self { len: Cell::new(0), blocks: UnsafeCell::new([MaybeUninit::uninit(); 2 * BATCH]) }
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let len = self.len.get().checked_sub(1)?;
        self.len.set(len);
        // SAFETY: only this thread uses the magazine, no reference to `blocks` outlives a method,
        // and entries below the old length were written by `push`.
        Some(unsafe { (*self.blocks.get())[len].assume_init() })
    }

    #[inline]
    fn push(&self, block: NonNull<u8>) {
        let len = self.len.get();
        // SAFETY: only this thread uses the magazine; the index is checked.
        unsafe { (*self.blocks.get())[len].write(block) };
        self.len.set(len + 1);
    }

    #[cold]
    fn refill(&self, shape: Shape) -> NonNull<u8> {
        crate::scheduler::expose_next();
        let batch = STORE[shape.class].lock().pop();
        let Some(Batch(blocks)) = batch else { return fresh(shape.layout) };
        for block in &blocks[1..] {
            self.push(*block);
        }
        blocks[0]
    }

    #[cold]
    fn spill(&self, shape: Shape) {
        let blocks = [(); BATCH].map(|()| self.pop().expect("the magazine is full"));
        let mut store = STORE[shape.class].lock();
        if store.len() < STORED {
            return store.push(Batch(blocks));
        }
        drop(store);
        for block in blocks {
            // SAFETY: blocks in a magazine are free and have the layout of their class.
            unsafe { dealloc(block.as_ptr(), shape.layout) };
        }
    }
}

impl Drop for Cache {
    fn drop(&mut self) {
        for (class, magazine) in self.0.iter().enumerate() {
            while let Some(block) = magazine.pop() {
                // SAFETY: as in `spill`.
                unsafe { dealloc(block.as_ptr(), of_class(class)) };
            }
        }
    }
}
