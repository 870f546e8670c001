use std::{any::type_name, borrow::Cow, fmt};

use bytemuck::Pod;
use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    Codec, MessagePack, PutError, RestoreError,
    checksum::{copy_summed, crc32},
    identity::Identity,
};

const _: () = assert!(
    cfg!(target_endian = "little"),
    "raw states are written as they lie in memory, which must be little-endian"
);

/// Which state of a key this is: a step or epoch that the caller chooses. The highest is the newest.
pub type Version = u64;

/// How the bytes of a [`Blob`] are to be read.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// The elements of a slice as they lie in memory, little-endian.
    Raw {
        /// The Rust type of an element.
        type_name: Cow<'static, str>,
        /// Bytes of an element.
        width: u32,
    },
    /// A value that serde wrote as MessagePack.
    MessagePack,
    /// A value that serde wrote with another [`Codec`].
    Encoded {
        /// The codec's name.
        codec: Cow<'static, str>,
    },
}

/// A captured state: bytes that nobody changes any more, what they are, and their CRC-32.
///
/// Cheap to clone. A blob may be of any size, empty too. The checksum is verified whenever the
/// state is read out of it.
///
/// ```
/// # use actors_checkpoint::Blob;
/// let heights = Blob::raw(&[1.5_f64, 2.5]);
/// assert_eq!(heights.to_vec::<f64>()?, [1.5, 2.5]);
/// assert!(heights.to_vec::<u64>().is_err());
///
/// let names = Blob::encode(&vec!["a", "b"])?;
/// assert_eq!(names.decode::<Vec<String>>()?, ["a", "b"]);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
#[derive(Clone, Serialize, Deserialize)]
pub struct Blob {
    kind: Kind,
    schema: u32,
    crc: u32,
    #[serde(with = "crate::chunked")]
    bytes: Bytes,
    /// Of the capture of these bytes. No part of the value.
    #[serde(skip, default)]
    identity: Identity,
}

impl Blob {
    /// Captures a slice of numbers, or of other plain data, as its raw bytes: one copy, summed on
    /// the way, through no codec.
    pub fn raw<T: Pod>(elements: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        let mut copy = Vec::with_capacity(bytes.len());
        let crc = copy_summed(bytes, |block| copy.extend_from_slice(block));
        Self::raw_of::<T>(copy.into(), crc)
    }

    /// Captures any value as MessagePack.
    ///
    /// # Errors
    /// [`PutError::Encode`] when the value does not serialise.
    pub fn encode<T: Serialize + ?Sized>(value: &T) -> Result<Self, PutError> {
        Self::encode_with::<MessagePack, T>(value)
    }

    /// Captures any value with a codec.
    ///
    /// # Errors
    /// [`PutError::Encode`] when the value does not serialise.
    pub fn encode_with<C: Codec, T: Serialize + ?Sized>(value: &T) -> Result<Self, PutError> {
        let mut bytes = Vec::new();
        encode::<C, T>(value, &mut bytes)?;
        Ok(Self::encoded::<C>(bytes.into()))
    }

    /// A blob of its parts, as a reader of files has them. The checksum is taken as given.
    pub fn from_parts(bytes: Bytes, kind: Kind, schema: u32, crc: u32) -> Self {
        Self { kind, schema, crc, bytes, identity: Identity::default() }
    }

    /// The same state under a schema version: a number that the owner of the type raises when its
    /// meaning changes. It starts as 0.
    pub const fn with_schema(mut self, schema: u32) -> Self {
        self.schema = schema;
        self
    }

    /// The elements of a raw state.
    ///
    /// # Errors
    /// [`RestoreError::WrongType`] when it holds other elements or a MessagePack value,
    /// [`RestoreError::Length`] when the bytes are not whole elements, [`RestoreError::Corrupt`].
    pub fn to_vec<T: Pod>(&self) -> Result<Vec<T>, RestoreError> {
        let width = as_width::<T>();
        match &self.kind {
            Kind::Raw { type_name: held, width: w } if held == type_name::<T>() && *w == width => {}
            _ => return Err(self.wrong_type(format!("raw {}", type_name::<T>()))),
        }
        if !self.bytes.len().is_multiple_of(size_of::<T>()) {
            return Err(RestoreError::Length { length: self.bytes.len() as u64, width });
        }
        let mut elements = vec![T::zeroed(); self.bytes.len() / size_of::<T>()];
        let mut rest = bytemuck::cast_slice_mut::<T, u8>(&mut elements);
        let crc = copy_summed(&self.bytes, |block| {
            let (to, after) = std::mem::take(&mut rest).split_at_mut(block.len());
            to.copy_from_slice(block);
            rest = after;
        });
        self.check(crc)?;
        Ok(elements)
    }

    /// The value of a MessagePack state.
    ///
    /// # Errors
    /// [`RestoreError::WrongType`] for a raw state, [`RestoreError::Corrupt`],
    /// [`RestoreError::Decode`] when the value is of another type.
    pub fn decode<T: DeserializeOwned>(&self) -> Result<T, RestoreError> {
        self.decode_with::<MessagePack, T>()
    }

    /// The value of a state of this codec.
    ///
    /// # Errors
    /// [`RestoreError::WrongType`] for a raw state or one of another codec, [`RestoreError::Corrupt`],
    /// [`RestoreError::Decode`] when the value is of another type.
    pub fn decode_with<C: Codec, T: DeserializeOwned>(&self) -> Result<T, RestoreError> {
        if self.kind != Kind::of_codec::<C>() {
            return Err(self.wrong_type(format!("{} {}", C::NAME, type_name::<T>())));
        }
        self.verify()?;
        C::decode(&self.bytes).map_err(|why| RestoreError::Decode {
            wanted: type_name::<T>().into(),
            why: why.to_string(),
        })
    }

    /// Compares the bytes with their checksum.
    ///
    /// # Errors
    /// [`RestoreError::Corrupt`].
    pub fn verify(&self) -> Result<(), RestoreError> {
        self.check(crc32(&self.bytes))
    }

    /// The bytes, unverified.
    pub const fn bytes(&self) -> &Bytes {
        &self.bytes
    }

    /// How many bytes.
    pub const fn len(&self) -> usize {
        self.bytes.len()
    }

    /// True for a state of zero bytes.
    pub const fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// How the bytes are to be read.
    pub const fn kind(&self) -> &Kind {
        &self.kind
    }

    /// The schema version.
    pub const fn schema(&self) -> u32 {
        self.schema
    }

    /// The CRC-32 (ISO-HDLC, as in zlib) that the bytes must have.
    pub const fn crc(&self) -> u32 {
        self.crc
    }

    /// Two blobs of one identity and schema are the same state. So may be those of two.
    pub(crate) const fn identity(&self) -> Identity {
        self.identity
    }

    /// Makes it known as the same capture as another one, of which it was read back.
    pub(crate) const fn identify(&mut self, identity: Identity) {
        self.identity = identity;
    }

    /// The same blob in memory of its own, so that it keeps no larger buffer alive.
    pub(crate) fn detached(&self) -> Self {
        Self { bytes: Bytes::copy_from_slice(&self.bytes), ..self.clone() }
    }

    /// Takes the room it needs from the buffer, which is empty.
    pub(crate) fn raw_into<T: Pod>(buffer: &mut BytesMut, elements: &[T]) -> Self {
        let bytes: &[u8] = bytemuck::cast_slice(elements);
        buffer.reserve(bytes.len());
        let crc = copy_summed(bytes, |block| buffer.extend_from_slice(block));
        Self::raw_of::<T>(buffer.split().freeze(), crc)
    }

    fn raw_of<T: Pod>(bytes: Bytes, crc: u32) -> Self {
        let kind = Kind::Raw { type_name: type_name::<T>().into(), width: as_width::<T>() };
        Self::from_parts(bytes, kind, 0, crc)
    }

    /// What a codec has written.
    pub(crate) fn encoded<C: Codec>(bytes: Bytes) -> Self {
        let crc = crc32(&bytes);
        Self::from_parts(bytes, Kind::of_codec::<C>(), 0, crc)
    }

    /// As [`raw_into`](Self::raw_into), of what a codec has written.
    pub(crate) fn encoded_into<C: Codec>(buffer: &mut BytesMut, bytes: &[u8]) -> Self {
        buffer.reserve(bytes.len());
        let crc = copy_summed(bytes, |block| buffer.extend_from_slice(block));
        Self::from_parts(buffer.split().freeze(), Kind::of_codec::<C>(), 0, crc)
    }

    fn check(&self, found: u32) -> Result<(), RestoreError> {
        if found == self.crc {
            return Ok(());
        }
        Err(RestoreError::Corrupt { expected: self.crc, found })
    }

    fn wrong_type(&self, wanted: String) -> RestoreError {
        RestoreError::WrongType { wanted, found: self.kind.to_string() }
    }
}

/// Appends what a codec writes.
pub(crate) fn encode<C: Codec, T: Serialize + ?Sized>(
    value: &T,
    to: &mut Vec<u8>,
) -> Result<(), PutError> {
    C::encode(value, to).map_err(|why| PutError::Encode(why.to_string()))
}

impl Kind {
    fn of_codec<C: Codec>() -> Self {
        match C::NAME {
            MessagePack::NAME => Self::MessagePack,
            codec => Self::Encoded { codec: codec.into() },
        }
    }
}

/// The size of an element; a type without one does not compile.
const fn as_width<T>() -> u32 {
    const { assert!(size_of::<T>() > 0 && size_of::<T>() <= u32::MAX as usize) };
    size_of::<T>() as u32
}

impl PartialEq for Blob {
    fn eq(&self, other: &Self) -> bool {
        let Self { kind, schema, crc, bytes, identity: _ } = self;
        (kind, *schema, *crc) == (&other.kind, other.schema, other.crc) && *bytes == other.bytes
    }
}

impl Eq for Blob {}

impl fmt::Debug for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Blob({}, {} B, crc {:08x})", self.kind, self.len(), self.crc)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Raw { type_name, width } => write!(f, "raw {type_name} of {width} B"),
            Self::MessagePack => f.write_str(MessagePack::NAME),
            Self::Encoded { codec } => f.write_str(codec),
        }
    }
}
