use std::{any::type_name, fmt};

use bytemuck::Pod;
use serde::{Serialize, de::DeserializeOwned};

use crate::{Blob, Capture, Codec, PutError, RestoreError, Version};

/// A state that knows how it is captured and restored, and reads what older programs have written.
///
/// Derived for serde types. When the meaning of a type changes, its schema number is raised, and the old
/// type stays, to be read and turned into the new one:
///
/// ```
/// use actors_checkpoint::{Capture, Checkpoint};
/// use serde::{Deserialize, Serialize};
///
/// #[derive(Serialize, Deserialize, Checkpoint)]
/// struct OldCounter {
///     count: u32,
/// }
///
/// #[derive(Serialize, Deserialize, Checkpoint)]
/// #[checkpoint(schema = 1, from = OldCounter)]
/// struct Counter {
///     count: u64,
///     since: u64,
/// }
///
/// impl From<OldCounter> for Counter {
///     fn from(old: OldCounter) -> Self {
///         Self { count: old.count.into(), since: 0 }
///     }
/// }
///
/// let written = Capture::default().state(&OldCounter { count: 7 })?;
/// let counter = Counter::restore(&written)?;
/// assert_eq!(counter.count, 7);
/// # Ok::<(), Box<dyn std::error::Error>>(())
/// ```
///
/// Numbers and texts are states, too. A vector of plain data is captured raw. A type with large arrays and little else can implement this by
/// hand.
pub trait Checkpoint: Sized + Send + 'static {
    /// The state as it is now, in one of the buffers of `into`.
    ///
    /// # Errors
    /// [`PutError::Encode`].
    fn capture(&self, into: &mut Capture) -> Result<Blob, PutError>;

    /// The state that was captured, by this type or one that it has replaced.
    ///
    /// # Errors
    /// [`RestoreError::Schema`] when it is of a schema that this program does not know,
    /// [`RestoreError::Upgrade`], and those of [`Blob::decode`].
    fn restore(blob: &Blob) -> Result<Self, RestoreError>;
}

impl<T: Pod + Send> Checkpoint for Vec<T> {
    fn capture(&self, into: &mut Capture) -> Result<Blob, PutError> {
        Ok(into.raw(self))
    }

    fn restore(blob: &Blob) -> Result<Self, RestoreError> {
        blob.to_vec()
    }
}

macro_rules! serde_states {
    ($($state:ty),*) => {
        $(impl Checkpoint for $state {
            fn capture(&self, into: &mut Capture) -> Result<Blob, PutError> {
                into.encode(self)
            }

            fn restore(blob: &Blob) -> Result<Self, RestoreError> {
                blob.decode()
            }
        })*
    };
}

serde_states!(bool, u8, u16, u32, u64, i8, i16, i32, i64, f32, f64, String);

/// A state that was restored, and where it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Restored<S> {
    /// The state.
    pub state: S,
    /// Its version.
    pub version: Version,
    /// The level that had it.
    pub level: u8,
    /// Newer versions that could not be read, newest first.
    pub passed_over: Vec<(Version, RestoreError)>,
}

/// What the derive expands to.
#[doc(hidden)]
pub mod derived {
    use super::{
        Blob, Capture, Checkpoint, Codec, DeserializeOwned, PutError, RestoreError, Serialize, fmt,
        type_name,
    };

    pub fn capture<C: Codec, S: Serialize>(
        state: &S,
        schema: u32,
        into: &mut Capture,
    ) -> Result<Blob, PutError> {
        Ok(into.encode_with::<C, _>(state)?.with_schema(schema))
    }

    pub fn restore<C: Codec, S: DeserializeOwned>(
        blob: &Blob,
        schema: u32,
    ) -> Result<S, RestoreError> {
        if blob.schema() == schema {
            return blob.decode_with::<C, S>();
        }
        Err(RestoreError::Schema {
            wanted: type_name::<S>().into(),
            known: schema,
            found: blob.schema(),
        })
    }

    /// As [`restore`]; what is older is for `Old`.
    pub fn restore_or_upgrade<C, S, Old>(blob: &Blob, schema: u32) -> Result<S, RestoreError>
    where
        C: Codec,
        S: DeserializeOwned + TryFrom<Old, Error: fmt::Display>,
        Old: Checkpoint,
    {
        if blob.schema() >= schema {
            return restore::<C, S>(blob, schema);
        }
        let old = Old::restore(blob)?;
        S::try_from(old).map_err(|why| RestoreError::Upgrade {
            wanted: type_name::<S>().into(),
            from: blob.schema(),
            to: schema,
            why: why.to_string(),
        })
    }
}
