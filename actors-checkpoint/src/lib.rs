//! actors-checkpoint
