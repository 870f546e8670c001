use std::{fmt, io};

use serde::{Serialize, de::DeserializeOwned};

/// How a value becomes bytes. [`MessagePack`] unless told otherwise; another one is chosen per state, with
/// [`Blob::encode_with`](crate::Blob::encode_with) or `#[checkpoint(codec = …)]`.
///
/// ```
/// use std::io;
///
/// use actors_checkpoint::{Blob, Codec};
/// use serde::{Serialize, de::DeserializeOwned};
///
/// struct Json;
///
/// impl Codec for Json {
///     const NAME: &str = "json";
///     type Error = serde_json::Error;
///
///     fn encode<T: Serialize + ?Sized>(value: &T, to: &mut impl io::Write) -> Result<(), Self::Error> {
///         serde_json::to_writer(to, value)
///     }
///
///     fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error> {
///         serde_json::from_slice(bytes)
///     }
/// }
///
/// let blob = Blob::encode_with::<Json, _>(&("a", 1))?;
/// assert_eq!(&blob.bytes()[..], br#"["a",1]"#);
/// assert_eq!(blob.decode_with::<Json, (String, u8)>()?, ("a".into(), 1));
/// assert!(blob.decode::<(String, u8)>().is_err());
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
pub trait Codec: 'static {
    /// What states of it are known by, in memory, between nodes and in files. It must not change, and
    /// must not be that of another codec.
    const NAME: &'static str;
    /// What can go wrong.
    type Error: fmt::Display;

    /// Writes the value, to memory.
    ///
    /// # Errors
    /// The value does not serialise.
    fn encode<T: Serialize + ?Sized>(value: &T, to: &mut impl io::Write)
    -> Result<(), Self::Error>;

    /// The value that was encoded.
    ///
    /// # Errors
    /// The bytes are not those of such a value.
    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error>;
}

/// The default [`Codec`]: structs as arrays, without the names of their fields.
#[derive(Clone, Copy, Debug)]
pub struct MessagePack;

impl Codec for MessagePack {
    const NAME: &'static str = "MessagePack";
    type Error = Box<dyn std::error::Error>;

    fn encode<T: Serialize + ?Sized>(
        value: &T,
        to: &mut impl io::Write,
    ) -> Result<(), Self::Error> {
        Ok(rmp_serde::encode::write(to, value)?)
    }

    fn decode<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Self::Error> {
        Ok(rmp_serde::from_slice(bytes)?)
    }
}
