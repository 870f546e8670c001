//! checkpointing-framework
