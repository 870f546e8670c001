//! Where a supervisor is in its tree: what it is called in logs.

use std::{
    fmt,
    sync::{Arc, Weak},
};

use parking_lot::Mutex;

/// The place of one supervisor: its id, below the place of its parent. Shared by the supervisor, which
/// logs by it, and by its parent, which says where it is.
#[derive(Debug)]
pub(crate) struct Place(Mutex<State>);

#[derive(Debug)]
struct State {
    /// Its own, for as long as it is nobody's child.
    id: String,
    /// Its id as a child, and its parent. Weak: a supervisor does not keep its parent.
    child: Option<(String, Weak<Place>)>,
}

impl Place {
    pub(crate) fn set_id(&self, id: impl Into<String>) {
        self.0.lock().id = id.into();
    }

    /// It comes under `parent`, with this id.
    pub(crate) fn enter(&self, id: &str, parent: &Arc<Self>) {
        self.0.lock().child = Some((id.to_owned(), Arc::downgrade(parent)));
    }

    /// It is nobody's child any more.
    pub(crate) fn leave(&self) {
        self.0.lock().child = None;
    }

    /// `/web/sessions`
    pub(crate) fn path(&self) -> String {
        let (id, mut parent) = self.step();
        let mut ids = vec![id];
        while let Some(place) = parent
            && ids.len() < DEEPEST
        {
            let (id, above) = place.step();
            ids.push(id);
            parent = above;
        }
        ids.iter().rev().fold(String::new(), |path, id| path + "/" + id)
    }

    fn step(&self) -> (String, Option<Arc<Self>>) {
        let state = self.0.lock();
        match &state.child {
            Some((id, parent)) => (id.clone(), parent.upgrade()),
            None => (state.id.clone(), None),
        }
    }
}

impl Default for Place {
    fn default() -> Self {
        Self(Mutex::new(State { id: DEFAULT_ID.to_owned(), child: None }))
    }
}

/// The path of a supervisor or of its child, made only if it is logged.
pub(crate) struct Path<'a> {
    pub(crate) place: &'a Place,
    pub(crate) child: Option<&'a str>,
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.place.path())?;
        self.child.map_or(Ok(()), |child| write!(f, "/{child}"))
    }
}

const DEFAULT_ID: &str = "supervisor";
/// A chain that is read while it changes might have no end.
const DEEPEST: usize = 64;
