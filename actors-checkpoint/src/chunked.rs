//! The bytes of a state in serde: a sequence of byte strings, since one of MessagePack ends at
//! 2³² − 1 bytes. A state below [`CHUNK`] is a single one and is not copied together.

use std::fmt;

use bytes::{Bytes, BytesMut};
use serde::{
    Deserializer, Serializer,
    de::{SeqAccess, Visitor},
    ser::SerializeSeq,
};

/// Bytes in one string, at most.
const CHUNK: usize = 1 << 30;

pub(crate) fn serialize<S: Serializer>(bytes: &Bytes, serializer: S) -> Result<S::Ok, S::Error> {
    serialize_by(CHUNK, bytes, serializer)
}

pub(crate) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Bytes, D::Error> {
    deserializer.deserialize_seq(Chunks)
}

fn serialize_by<S: Serializer>(
    chunk: usize,
    bytes: &Bytes,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    let mut seq = serializer.serialize_seq(Some(bytes.len().div_ceil(chunk)))?;
    for start in (0..bytes.len()).step_by(chunk) {
        let end = bytes.len().min(start + chunk);
        seq.serialize_element(&bytes.slice(start..end))?;
    }
    seq.end()
}

struct Chunks;

impl<'de> Visitor<'de> for Chunks {
    type Value = Bytes;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a sequence of byte strings")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Bytes, A::Error> {
        let Some(first) = seq.next_element::<Bytes>()? else { return Ok(Bytes::new()) };
        let Some(second) = seq.next_element::<Bytes>()? else { return Ok(first) };
        let mut whole = BytesMut::from(first);
        whole.extend_from_slice(&second);
        while let Some(next) = seq.next_element::<Bytes>()? {
            whole.extend_from_slice(&next);
        }
        Ok(whole.freeze())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct By(usize, Bytes);

    impl serde::Serialize for By {
        fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            serialize_by(self.0, &self.1, serializer)
        }
    }

    #[test]
    fn ckpt_15_states_beyond_one_byte_string_are_chunked() {
        for length in [0, 1, 2, 3, 4, 7, 8, 9] {
            let bytes = Bytes::from((0..length).collect::<Vec<u8>>());
            let encoded = rmp_serde::to_vec(&By(4, bytes.clone())).expect("bytes encode");
            let strings = length.div_ceil(4);
            assert_eq!(encoded[0], 0x90 | strings, "an array of {strings} byte strings");
            let decoded = deserialize(&mut rmp_serde::Deserializer::new(&encoded[..]));
            assert_eq!(decoded.expect("they decode"), bytes);
        }
    }
}
