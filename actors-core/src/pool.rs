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
/// Bytes in blocks of a size that the shared store keeps; more go back to the allocator.
const STORED: usize = 16 << 20;
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
        CACHE.with(|cache| {
            let magazine = &cache[self.class];
            magazine.pop().unwrap_or_else(|| magazine.refill(self))
        })
    }

    /// # Safety
    /// `block` comes from `allocate` of the same shape, and nobody uses it any more.
    #[inline]
    pub(crate) unsafe fn release(self, block: NonNull<u8>) {
        if self.class == NOT_POOLED {
            // SAFETY: as the caller says.
            return unsafe { dealloc(block.as_ptr(), self.layout) };
        }
        CACHE.with(|cache| {
            let magazine = &cache[self.class];
            if !magazine.push(block) {
                magazine.spill(self, block);
            }
        });
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
    /// Without a destructor: that makes its use a plain load.
    static CACHE: [Magazine; SIZES.len()] = const { [const { Magazine::new() }; SIZES.len()] };
    static AT_EXIT: AtExit = const { AtExit };
}

static STORE: [Mutex<Vec<Batch>>; SIZES.len()] = [const { Mutex::new(Vec::new()) }; SIZES.len()];

/// Blocks of one size that belong to nobody.
struct Batch([NonNull<u8>; BATCH]);

// SAFETY: the blocks are plain memory, owned by the batch.
unsafe impl Send for Batch {}

struct Magazine {
    len: Cell<usize>,
    /// Zero before its first use, and after the thread's end began.
    capacity: Cell<usize>,
    blocks: UnsafeCell<[MaybeUninit<NonNull<u8>>; 2 * BATCH]>,
}

impl Magazine {
    const fn new() -> Self {
        let blocks = UnsafeCell::new([MaybeUninit::uninit(); 2 * BATCH]);
        Self { len: Cell::new(0), capacity: Cell::new(0), blocks }
    }

    #[inline]
    fn pop(&self) -> Option<NonNull<u8>> {
        let len = self.len.get();
        if len == 0 {
            return None;
        }
        self.len.set(len - 1);
        // SAFETY: only this thread uses the magazine, no reference to `blocks` outlives a method,
        // and entries below `len`, which is at most the array's, were written by `push`.
        Some(unsafe { (*self.blocks.get()).get_unchecked(len - 1).assume_init() })
    }

    /// False when it is full.
    #[inline]
    fn push(&self, block: NonNull<u8>) -> bool {
        let len = self.len.get();
        if len == self.capacity.get() {
            return false;
        }
        // SAFETY: only this thread uses the magazine; `len` is below the capacity, which is at most
        // the array's length.
        unsafe { (*self.blocks.get()).get_unchecked_mut(len).write(block) };
        self.len.set(len + 1);
        true
    }

    /// False when the thread is about to end.
    fn open(&self) -> bool {
        if self.capacity.get() == 0 && AT_EXIT.try_with(|_| ()).is_ok() {
            self.capacity.set(2 * BATCH);
        }
        self.capacity.get() != 0
    }

    #[cold]
    fn refill(&self, shape: Shape) -> NonNull<u8> {
        crate::scheduler::expose_next();
        let batch = if self.open() { STORE[shape.class].lock().pop() } else { None };
        let Some(Batch(blocks)) = batch else { return fresh(shape.layout) };
        for block in &blocks[1..] {
            self.push(*block);
        }
        blocks[0]
    }

    #[cold]
    fn spill(&self, shape: Shape, block: NonNull<u8>) {
        let free = |block: NonNull<u8>| {
            // SAFETY: the block is free and has the layout of its class.
            unsafe { dealloc(block.as_ptr(), shape.layout) }
        };
        if !self.open() {
            return free(block);
        }
        if self.push(block) {
            return;
        }
        let mut blocks = [block; BATCH];
        blocks[1..].fill_with(|| self.pop().expect("the magazine is full"));
        let mut store = STORE[shape.class].lock();
        if store.len() * BATCH * shape.size() < STORED {
            return store.push(Batch(blocks));
        }
        drop(store);
        blocks.into_iter().for_each(free);
    }
}

/// Gives the blocks of a thread that ends back to the allocator.
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        CACHE.with(|cache| {
            for (class, magazine) in cache.iter().enumerate() {
                magazine.capacity.set(0);
                while let Some(block) = magazine.pop() {
                    // SAFETY: blocks in a magazine are free and have the layout of their class.
                    unsafe { dealloc(block.as_ptr(), of_class(class)) };
                }
            }
        });
    }
}
