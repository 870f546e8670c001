//! actors-node
