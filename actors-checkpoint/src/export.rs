use actors_core::System;

use crate::{
    Checkpointing, CheckpointingArgs,
    message::{
        All, Best, Describe, Get, Inventory, Load, Protect, Pull, Put, PutDelta, PutMany, Register,
        Reset, Rollback, Save, SetIntervals, SetParent, Unregister, Update,
    },
};

/// The name that [`Checkpointing`] actors are exported under.
pub const EXPORT_NAME: &str = "checkpointing";

/// Lets [`Checkpointing`] actors be reached from other nodes, and be started there from
/// [`CheckpointingArgs`] under [`EXPORT_NAME`]. Both nodes call it.
///
/// One that is restarted on its node goes on with the states, parent and children it had.
///
/// ```
/// # use actors_core::System;
/// let system = System::new();
/// actors_checkpoint::export(&system);
/// ```
pub fn export(system: &System) {
    let _ = system
        .export::<Checkpointing>(EXPORT_NAME)
        .message::<Put>("put")
        .message::<PutDelta>("put-delta")
        .message::<PutMany>("put-many")
        .message::<Get>("get")
        .message::<Best>("best")
        .message::<Inventory>("inventory")
        .message::<All>("all")
        .message::<Register>("register")
        .message::<Unregister>("unregister")
        .message::<SetParent>("set-parent")
        .message::<Update>("update")
        .message::<Pull>("pull")
        .message::<Save>("save")
        .message::<Load>("load")
        .message::<Reset>("reset")
        .message::<Protect>("protect")
        .message::<Rollback>("rollback")
        .message::<SetIntervals>("set-intervals")
        .message::<Describe>("describe")
        .constructor(|args: CheckpointingArgs, birth| async move {
            Ok(Checkpointing::reborn(args.into(), birth.last))
        });
}
