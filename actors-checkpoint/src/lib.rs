//! Checkpoints of actors: captured states at several levels, versioned, checksummed, and saved in
//! files that survive a crash at any byte.
//!
//! A [`Checkpointing`] actor holds the states of others in memory. Level 1 stands next to the actors
//! it serves, a level above it on another node or over a group, and so on upward; a checkpoint says
//! how high it is to go. A state is a [`Blob`]: a serde value as MessagePack, or an array of plain
//! data as raw bytes.
//!
//! ```
//! use actors_checkpoint::{CheckpointLink, Checkpointing, CheckpointingConfig, chkey};
//! use actors_core::System;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let system = System::new();
//! let levels = system.spawn(Checkpointing::new(CheckpointingConfig::level(1).keep(3)));
//! let heights = vec![1.0_f64; 1000];
//! system.block_on(async {
//!     levels.checkpoint_raw(chkey!(diffuse, "strip", 4), 120, &heights, 1).await?;
//!     let back = levels.restore_raw::<f64>(chkey!(diffuse, "strip", 4), 1).await?;
//!     assert_eq!(back, heights);
//!     Ok(())
//! })
//! # }
//! ```
//!
//! What is promised about versions, levels, loss and files is on one page:
//! `docs/semantics/checkpoint.md` in the repository; the file formats are in `docs/formats.md`.
//!
//! | part | what it is |
//! |---|---|
//! | [`Blob`], [`Capture`] | a captured state; capturing into buffers that are used again |
//! | [`Key`], [`chkey!`] | what a state is called |
//! | [`Checkpoint`](trait@Checkpoint), [`Codec`] | states with a schema, and upgrades from older ones; how they are encoded |
//! | [`Checkpointing`], [`CheckpointLink`] | the actor of a level; asking it |
//! | [`AutoCheckpoint`] | checkpoints every n messages or every t, without code in the actor |
//! | [`RestartFrom`] | restarts from checkpoints, up the levels when they repeat |
//! | [`Guard`], [`Server`], [`Memo`] | a variable, sequential code, a function: checkpointed |
//! | [`CheckpointEvent`] | what happened |
//! | [`message`] | the messages behind it, for those that name them; they cross nodes after [`export()`] |
//! | [`Store`] | what a level keeps, without any I/O |
//! | [`SnapshotDir`] | committed versions in a directory, without any actor |

mod auto;
mod blob;
mod capture;
mod checkpointing;
mod checksum;
mod chunked;
mod codec;
mod config;
mod delta;
mod error;
mod event;
mod export;
mod identity;
mod interval;
mod key;
mod link;
pub mod message;
mod request;
mod restart_from;
mod snapshot;
mod state;
mod store;
mod ways;

#[doc(inline)]
pub use actors_checkpoint_macros::Checkpoint;
pub use auto::AutoCheckpoint;
pub use blob::{Blob, Kind, Version};
pub use capture::Capture;
pub use checkpointing::Checkpointing;
pub use codec::{Codec, MessagePack};
pub use config::{CheckpointingArgs, CheckpointingConfig};
pub use delta::Delta;
pub use error::{
    BudgetExceeded, IntervalError, LoadError, PutError, RegisterError, RestoreError, SaveError,
    StoreError,
};
pub use event::CheckpointEvent;
pub use export::{EXPORT_NAME, export};
pub use interval::{Interval, IntervalChange, Intervals};
pub use key::Key;
pub use link::CheckpointLink;
pub use message::{
    BatchReport, Description, Entry, LoadReport, Reached, Refused, SaveReport, Skipped,
    UpdateReport,
};
pub use request::Request;
pub use restart_from::RestartFrom;
pub use snapshot::{Committed, Snapshot, SnapshotDir, SnapshotError, SnapshotProblem};
#[doc(hidden)]
pub use state::derived;
pub use state::{Checkpoint, Restored};
pub use store::{Evicted, EvictedFor, Store};
pub use ways::{Ask, Compute, Guard, GuardLink, Memo, Serve, Server};
