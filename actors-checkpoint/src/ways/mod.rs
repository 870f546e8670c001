//! Small actors around state of one's own, with checkpoints built in.

mod guard;
mod memo;
mod server;

pub use guard::{Guard, GuardLink};
pub use memo::{Compute, Memo};
pub use server::{Ask, Serve, Server};
