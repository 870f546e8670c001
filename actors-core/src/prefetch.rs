//! Hints to the processor's caches. They read nothing, and no address is wrong.

/// The line of `address` will be read soon.
#[inline]
pub(crate) fn to_read<T>(address: *const T) {
    #[cfg(all(target_arch = "x86_64", not(actors_loom)))]
    // SAFETY: a prefetch of any address has no effect but on time.
    unsafe {
        use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};
        _mm_prefetch::<_MM_HINT_T0>(address.cast());
    }
    #[cfg(not(all(target_arch = "x86_64", not(actors_loom))))]
    let _ = address;
}
