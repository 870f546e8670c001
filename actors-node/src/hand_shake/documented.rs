//! The nodes whose hand-shake `docs/formats.md` shows.

use std::{io, sync::Arc};

use actors_core::{SystemId, host::Random};

use super::{Offer, Us};
use crate::{Member, Membership, Secret};

/// The longest message that they take, in bytes.
pub(crate) const LONGEST: usize = 1 << 20;

/// The side that was connected to.
pub(crate) fn acceptor() -> Us {
    us(1, "a", 2, &[])
}

/// The side that connects.
pub(crate) fn dialler() -> Us {
    us(2, "b", 1, &[("rack", "r1")])
}

fn us(id: u64, name: &str, byte: u8, tags: &[(&str, &str)]) -> Us {
    let tags = tags.iter().map(|(tag, value)| ((*tag).to_owned(), (*value).to_owned())).collect();
    let address = format!("127.0.0.1:400{id}");
    Us {
        cluster: "default".into(),
        member: Member { id: SystemId(id), name: name.into(), address, tags },
        longest: LONGEST as u64,
        secret: Secret::new("a secret of the cluster").expect("it is long enough"),
        tls: None,
        offer: Offer::ours(Membership::Each, false),
        random: Arc::new(Always(byte)),
    }
}

/// Not random at all: a hand-shake can be said again.
struct Always(u8);

impl Random for Always {
    fn next(&self) -> u64 {
        0
    }

    fn fill(&self, bytes: &mut [u8]) -> io::Result<()> {
        bytes.fill(self.0);
        Ok(())
    }
}
