//! Versions that refer to records in the files of older ones, and what becomes of those files.

mod compaction;
mod crashes;
mod damage;
mod history;
mod lost_manifest;
mod sharing;
mod writers;
