//! Copying and checksumming in one pass: each block is still in the cache when it is summed.

use crc32fast::Hasher;

/// Bytes copied and summed at a time; half of a usual first-level cache.
const BLOCK: usize = 16 * 1024;

/// Calls `copy` for each block of `bytes`, in order, and gives their CRC-32.
pub(crate) fn copy_summed(bytes: &[u8], mut copy: impl FnMut(&[u8])) -> u32 {
    let mut hasher = Hasher::new();
    for block in bytes.chunks(BLOCK) {
        copy(block);
        hasher.update(block);
    }
    hasher.finalize()
}

/// The CRC-32 (ISO-HDLC, as in zlib) of `bytes`.
pub(crate) fn crc32(bytes: &[u8]) -> u32 {
    crc32fast::hash(bytes)
}
