//! What a life began with.

/// Where the state came from that a life of a child began with.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum StateSource {
    /// The spec: its constructor, or the state that was given to it.
    Spec,
    /// The life before.
    LastState,
    /// A clone from [before](crate::ChildSpec::from_state_before) the message that failed.
    StateBefore,
    /// The restart source of the spec, by its [name](actors_core::supervision::RestartSource::name);
    /// `"restart_fn"` for [a function](crate::ChildSpec::restart_fn).
    RestartSource(&'static str),
    /// It ran already when it was [adopted](crate::ChildSpec::adopting).
    Adopted,
    /// Not known here: the child is on another node, or of a kind of its own.
    Unknown,
}
