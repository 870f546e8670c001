//! What an owner leaves to the next one, as bytes.

use std::collections::BTreeMap;

use actors_core::{ActorId, remote::Location};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};

/// Written by the owner alone, as often as it changes.
pub(crate) struct Tables(Mutex<Table>);

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Table {
    /// The program's own.
    #[serde(with = "serde_bytes")]
    note: Vec<u8>,
    /// Those that it supervises, by their ids.
    children: BTreeMap<String, Kept>,
}

/// A child, as the next owner needs it to find it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    /// The name that its type was exported under.
    pub(crate) export: String,
    pub(crate) actor: ActorId,
    pub(crate) location: Location,
    /// Of its newest life; written before that begins.
    pub(crate) incarnation: u32,
}

impl Tables {
    /// From what the owner before has kept. What cannot be read is as if it had kept nothing.
    pub(super) fn restored(bytes: &[u8]) -> Self {
        let table = match bytes {
            [] => Table::default(),
            bytes => rmp_serde::from_slice(bytes).unwrap_or_else(|error| {
                tracing::error!(%error, "what the last owner has kept cannot be read");
                Table::default()
            }),
        };
        Self(Mutex::new(table))
    }

    pub(super) fn to_bytes(&self) -> Vec<u8> {
        rmp_serde::to_vec(&*self.0.lock()).expect("nothing in it can fail to be written")
    }

    pub(crate) fn child(&self, id: &str) -> Option<Kept> {
        self.0.lock().children.get(id).cloned()
    }

    pub(crate) fn set_child(&self, id: &str, kept: Kept) {
        self.0.lock().children.insert(id.to_owned(), kept);
    }

    pub(crate) fn forget_child(&self, id: &str) {
        self.0.lock().children.remove(id);
    }

    pub(super) fn note(&self) -> Vec<u8> {
        self.0.lock().note.clone()
    }

    pub(super) fn set_note(&self, note: Vec<u8>) {
        self.0.lock().note = note;
    }
}
