//! actors-supervise
