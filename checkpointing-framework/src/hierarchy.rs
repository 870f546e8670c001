use std::{fmt, path::PathBuf};

use serde::{Deserialize, Serialize};

/// Where the states of a level are kept.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Scheme {
    /// In the memory of the member's own node. Survives the crash of an actor.
    Memory,
    /// In the memory of another node: of the hosts in a ring, the next one. Survives the loss of a
    /// node, unless the next one is lost with it.
    Partner,
    /// In a directory. Survives everything that the directory does.
    Directory(PathBuf),
}

/// One level of a hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Level {
    /// Where.
    pub scheme: Scheme,
    /// Every so many versions; 0 is never.
    pub every: u64,
}

/// The levels that the states of a group are kept at, nearest first.
///
/// ```
/// # use checkpointing_framework::Hierarchy;
/// let hierarchy = Hierarchy::new()
///     .memory(50)
///     .partner(200)
///     .directory("checkpoints", 2_000)
///     .validate()?;
/// assert_eq!(hierarchy.due(400), Some(2));
/// assert_eq!(hierarchy.due(4_000), Some(3));
/// assert_eq!(hierarchy.due(30), None);
/// # Ok::<(), checkpointing_framework::HierarchyError>(())
/// ```
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Hierarchy {
    levels: Vec<Level>,
}

/// The number of [`Scheme::Memory`].
pub const MEMORY: u8 = 1;
/// The number of [`Scheme::Partner`].
pub const PARTNER: u8 = 2;
/// The number of the last level.
pub const LAST: u8 = 3;

impl Scheme {
    /// The number of the level: higher ones survive more.
    pub const fn number(&self) -> u8 {
        match self {
            Self::Memory => MEMORY,
            Self::Partner => PARTNER,
            Self::Directory(_) => LAST,
        }
    }
}

impl Hierarchy {
    /// No level yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds [`Scheme::Memory`], every so many versions.
    pub fn memory(self, every: u64) -> Self {
        self.level(Scheme::Memory, every)
    }

    /// Adds [`Scheme::Partner`].
    pub fn partner(self, every: u64) -> Self {
        self.level(Scheme::Partner, every)
    }

    /// Adds [`Scheme::Directory`].
    pub fn directory(self, path: impl Into<PathBuf>, every: u64) -> Self {
        self.level(Scheme::Directory(path.into()), every)
    }

    /// Adds a level.
    pub fn level(mut self, scheme: Scheme, every: u64) -> Self {
        self.levels.push(Level { scheme, every });
        self
    }

    /// Checks the order, and leaves out levels that are never taken.
    ///
    /// # Errors
    /// A level twice, or after one that survives more.
    pub fn validate(mut self) -> Result<Self, HierarchyError> {
        for pair in self.levels.windows(2) {
            let (below, above) = (&pair[0].scheme, &pair[1].scheme);
            if below.number() == above.number() {
                return Err(HierarchyError::Twice(above.to_string()));
            }
            if below.number() > above.number() {
                return Err(HierarchyError::Order(above.to_string(), below.to_string()));
            }
        }
        self.levels.retain(|level| level.every > 0);
        Ok(self)
    }

    /// The levels.
    pub fn levels(&self) -> &[Level] {
        &self.levels
    }

    /// The highest level that is due at a version; `None` when none is.
    pub fn due(&self, version: u64) -> Option<u8> {
        self.schedule().due(version)
    }

    pub(crate) fn has(&self, number: u8) -> bool {
        self.levels.iter().any(|level| level.scheme.number() == number)
    }

    pub(crate) fn last_directory(&self) -> Option<&PathBuf> {
        self.levels.iter().find_map(|level| match &level.scheme {
            Scheme::Directory(path) => Some(path),
            _ => None,
        })
    }

    pub(crate) fn schedule(&self) -> Schedule {
        let levels = self.levels.iter().map(|level| (level.scheme.number(), level.every));
        Schedule { levels: levels.collect() }
    }
}

/// Which level is due when; what members need of the hierarchy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Schedule {
    levels: Vec<(u8, u64)>,
}

impl Schedule {
    pub(crate) fn due(&self, version: u64) -> Option<u8> {
        let due = self.levels.iter().rev().find(|(_, every)| version.is_multiple_of(*every));
        due.map(|(number, _)| *number)
    }

    pub(crate) fn highest_in_memory(&self) -> Option<u8> {
        self.levels.iter().rev().map(|(number, _)| *number).find(|number| *number < LAST)
    }
}

impl fmt::Display for Scheme {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Memory => f.write_str("memory"),
            Self::Partner => f.write_str("partner"),
            Self::Directory(path) => write!(f, "directory {}", path.display()),
        }
    }
}

/// A hierarchy that makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum HierarchyError {
    /// One scheme at two levels.
    #[error("level {0} is declared twice")]
    Twice(String),
    /// Levels must be ordered by what they survive.
    #[error("level {0} is declared after {1}, which survives more")]
    Order(String, String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_level_that_is_due_counts() {
        let hierarchy = Hierarchy::new().memory(50).partner(200).directory("d", 2_000);
        let due: Vec<_> = [1, 50, 200, 250, 2_000, 0].map(|v| hierarchy.due(v)).into();
        assert_eq!(due, [None, Some(1), Some(2), Some(1), Some(3), Some(3)]);
    }

    #[test]
    fn levels_that_are_off_are_left_out() {
        let hierarchy = Hierarchy::new().memory(0).partner(0).directory("d", 3).validate().unwrap();
        assert_eq!(hierarchy.levels().len(), 1);
        assert_eq!((hierarchy.due(3), hierarchy.due(4)), (Some(3), None));
        assert_eq!(Hierarchy::new().memory(0).validate().unwrap().due(0), None);
    }

    #[test]
    fn a_wrong_order_is_refused() {
        let twice = Hierarchy::new().memory(1).memory(2).validate();
        assert_eq!(twice, Err(HierarchyError::Twice("memory".into())));
        let order = Hierarchy::new().partner(1).memory(2).validate();
        assert_eq!(order, Err(HierarchyError::Order("memory".into(), "partner".into())));
    }
}
