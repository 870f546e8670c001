//! Memory for messages and handlers: blocks of a few sizes, cached by thread.
//!
//! A message is allocated where it is sent and freed where it was handled, so that the blocks of a
//! busy pair of threads pile up on one side. Each thread has a magazine a size; a full one gives half of
//! its blocks to a shared store, an empty one takes them from there: one lock for [`BATCH`] blocks.
//! The store cuts blocks out of pages. It keeps a limited number of free blocks; those above go back to
//! their page, which is freed when it has got all of its own.
//! With `--cfg actors_plain_alloc` every block comes from the allocator and goes back at once, for
//! tools that look for misused memory.

use std::{
    alloc::{Layout, alloc, dealloc, handle_alloc_error},
    cell::{Cell, UnsafeCell},
    mem::MaybeUninit,
    ptr::NonNull,
    sync::atomic::{AtomicUsize, Ordering},
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

static STORE: [Mutex<Store>; SIZES.len()] = [const { Mutex::new(Store::new()) }; SIZES.len()];

/// Free blocks of one size, and the page that more are cut from.
struct Store {
    batches: Vec<[NonNull<u8>; BATCH]>,
    page: Option<NonNull<Page>>,
    /// Blocks cut from the page.
    cut: usize,
}

// SAFETY: blocks and page are plain memory, owned by the store.
unsafe impl Send for Store {}

/// The head of a page; blocks follow. Pages are aligned to their size, so that a block finds its own.
#[repr(C, align(64))]
struct Page {
    returned: AtomicUsize,
}

const PAGE: Layout = match Layout::from_size_align(64 << 10, 64 << 10) {
    Ok(layout) => layout,
    Err(_) => panic!("a power of two"),
};

const fn blocks_of(class: usize) -> usize {
    (PAGE.size() - size_of::<Page>()) / SIZES[class]
}

impl Store {
    const fn new() -> Self {
        Self { batches: Vec::new(), page: None, cut: 0 }
    }

    fn cut(&mut self, class: usize) -> NonNull<u8> {
        let page = self.page.filter(|_| self.cut < blocks_of(class)).unwrap_or_else(|| {
            let page = fresh(PAGE).cast::<Page>();
            // SAFETY: the page is fresh, large enough and aligned.
            unsafe { page.write(Page { returned: AtomicUsize::new(0) }) };
            self.cut = 0;
            page
        });
        self.page = Some(page);
        let offset = size_of::<Page>() + self.cut * SIZES[class];
        self.cut += 1;
        // SAFETY: the block lies within the page.
        unsafe { page.cast::<u8>().add(offset) }
    }
}

/// Gives a block back to its page, for good.
///
/// # Safety
/// The block is free, was cut from a page of this class, and is given back once.
unsafe fn give_back(block: NonNull<u8>, class: usize) {
    let page = block.as_ptr().map_addr(|addr| addr & !(PAGE.size() - 1)).cast::<Page>();
    // SAFETY: pages are aligned to their size and live until they have all of their blocks.
    let returned = unsafe { (*page).returned.fetch_add(1, Ordering::AcqRel) } + 1;
    if returned == blocks_of(class) {
        // SAFETY: no block of it is in use, and the store has cut all: it looks at it no more.
        unsafe { dealloc(page.cast(), PAGE) };
    }
}

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
        let is_open = self.open();
        let mut store = STORE[shape.class].lock();
        if !is_open {
            return store.cut(shape.class);
        }
        if let Some(blocks) = store.batches.pop() {
            drop(store);
            for block in &blocks[1..] {
                self.push(*block);
            }
            return blocks[0];
        }
        let mut blocks: [_; BATCH] = std::array::from_fn(|_| store.cut(shape.class));
        drop(store);
        // The lowest address is taken first.
        blocks.reverse();
        for block in &blocks[..BATCH - 1] {
            self.push(*block);
        }
        blocks[BATCH - 1]
    }

    #[cold]
    fn spill(&self, shape: Shape, block: NonNull<u8>) {
        let free = |block: NonNull<u8>| {
            // SAFETY: the block is free, and blocks of this class are cut from pages.
            unsafe { give_back(block, shape.class) }
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
        if store.batches.len() * BATCH * shape.size() < STORED {
            return store.batches.push(blocks);
        }
        drop(store);
        blocks.into_iter().for_each(free);
    }
}

/// Gives back the blocks of a thread that ends.
struct AtExit;

impl Drop for AtExit {
    fn drop(&mut self) {
        CACHE.with(|cache| {
            for (class, magazine) in cache.iter().enumerate() {
                magazine.capacity.set(0);
                while let Some(block) = magazine.pop() {
                    // SAFETY: blocks in a magazine are free, and cut from pages.
                    unsafe { give_back(block, class) };
                }
            }
        });
    }
}
