use std::collections::BTreeSet;

use super::ChildKey;

/// A set of children, in the order of their start. Most rounds have one child: that takes no memory.
#[derive(Clone, Debug, Default)]
pub(super) enum Keys {
    #[default]
    None,
    One(ChildKey),
    Many(BTreeSet<ChildKey>),
}

impl Keys {
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = ChildKey> {
        let (one, many) = match self {
            Self::None => (None, None),
            Self::One(key) => (Some(*key), None),
            Self::Many(keys) => (None, Some(keys)),
        };
        one.into_iter().chain(many.into_iter().flatten().copied())
    }

    pub(super) fn first(&self) -> Option<ChildKey> {
        self.iter().next()
    }

    pub(super) fn last(&self) -> Option<ChildKey> {
        self.iter().next_back()
    }

    pub(super) fn len(&self) -> usize {
        match self {
            Self::None => 0,
            Self::One(_) => 1,
            Self::Many(keys) => keys.len(),
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.first().is_none()
    }

    pub(super) fn contains(&self, key: ChildKey) -> bool {
        match self {
            Self::None => false,
            Self::One(one) => *one == key,
            Self::Many(keys) => keys.contains(&key),
        }
    }

    pub(super) fn insert(&mut self, key: ChildKey) {
        match self {
            Self::None => *self = Self::One(key),
            Self::One(one) if *one == key => {}
            Self::One(one) => *self = Self::Many(BTreeSet::from([*one, key])),
            Self::Many(keys) => drop(keys.insert(key)),
        }
    }

    pub(super) fn remove(&mut self, key: ChildKey) {
        match self {
            Self::One(one) if *one == key => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Many(keys) => drop(keys.remove(&key)),
        }
    }

    pub(super) fn retain(&mut self, mut keep: impl FnMut(ChildKey) -> bool) {
        match self {
            Self::One(one) if !keep(*one) => *self = Self::None,
            Self::None | Self::One(_) => {}
            Self::Many(keys) => keys.retain(|&key| keep(key)),
        }
    }
}

impl Extend<ChildKey> for Keys {
    fn extend<I: IntoIterator<Item = ChildKey>>(&mut self, keys: I) {
        keys.into_iter().for_each(|key| self.insert(key));
    }
}

impl FromIterator<ChildKey> for Keys {
    fn from_iter<I: IntoIterator<Item = ChildKey>>(keys: I) -> Self {
        let mut set = Self::None;
        set.extend(keys);
        set
    }
}
