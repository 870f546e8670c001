use std::{borrow::Borrow, fmt, fmt::Write as _, sync::Arc};

use serde::{Deserialize, Serialize};

/// The name of a state: any string, or a function with its arguments as [`chkey!`](crate::chkey)
/// writes it. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Key(Arc<str>);

impl Key {
    /// A key with this name.
    pub fn new(name: impl Into<Arc<str>>) -> Self {
        Self(name.into())
    }

    /// The key of a call: `function(argument, argument)`, each argument as `Debug` writes it. The
    /// way to it is [`chkey!`](crate::chkey).
    pub fn of_call(function: &str, arguments: &[&dyn fmt::Debug]) -> Self {
        let mut name = String::from(function);
        name.push('(');
        for (i, argument) in arguments.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            write!(name, "{comma}{argument:?}").expect("writing to a String does not fail");
        }
        name.push(')');
        Self::new(name)
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The [`Key`] of a function called with some arguments: module path, function, arguments.
///
/// It is the same in every run and on every node as long as the function keeps its place and the
/// arguments print alike under `Debug`. (A `HashMap` does not: its order changes.)
///
/// ```
/// # use actors_checkpoint::chkey;
/// let key = chkey!(solve, 3, "fine");
/// assert_eq!(key.as_str(), concat!(module_path!(), "::solve(3, \"fine\")"));
/// assert_eq!(chkey!(Grid::relax).as_str(), concat!(module_path!(), "::Grid::relax()"));
/// ```
#[macro_export]
macro_rules! chkey {
    ($($function:ident)::+ $(, $argument:expr)* $(,)?) => {
        $crate::Key::of_call(
            ::core::concat!(::core::module_path!() $(, "::", ::core::stringify!($function))+),
            &[$(&$argument),*],
        )
    };
}

impl From<&str> for Key {
    fn from(name: &str) -> Self {
        Self::new(name)
    }
}

impl From<String> for Key {
    fn from(name: String) -> Self {
        Self::new(name)
    }
}

impl From<&Self> for Key {
    fn from(key: &Self) -> Self {
        key.clone()
    }
}

impl Borrow<str> for Key {
    fn borrow(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Key({:?})", &*self.0)
    }
}
