//! Whom a failure takes along.

/// Which children are restarted when one has failed.
///
/// ```text
///                 a   b ✗  c   d
/// OneForOne           b
/// OneForAll       a   b   c   d
/// RestForOne          b   c   d
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Strategy {
    /// The failed child alone.
    #[default]
    OneForOne,
    /// All children.
    OneForAll,
    /// The failed child and those started after it.
    RestForOne,
}

/// When a supervisor shuts down because its [significant](crate::ChildSpec::significant) children
/// have ended by themselves, without a restart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum AutoShutdown {
    /// It does not; a spec may not be significant then.
    #[default]
    Never,
    /// With the first of them.
    AnySignificant,
    /// With the last of them.
    AllSignificant,
}
