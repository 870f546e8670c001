//! What nodes say to each other about who is there.
//!
//! The format is written down in `docs/formats.md`.

use std::{fmt, sync::Arc};

use actors_core::SystemId;
use serde::{
    Deserialize, Deserializer, Serialize,
    de::{Error, SeqAccess, Visitor},
};

use crate::Member;

/// A probe, an answer or news, and news beside.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Packet {
    pub(crate) what: What,
    pub(crate) updates: Updates,
}

/// The numbers are those of the sender of the question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum What {
    /// Are you there?
    Ping(u32),
    /// Is this one there? I cannot reach it.
    PingFor(u32, SystemId),
    /// I am; or it is.
    Ack(u32),
    /// I cannot reach it either.
    Nack(u32),
    /// Only news.
    News,
}

/// Something about one member.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Update {
    /// It is there, and has refuted so many suspicions.
    Alive(Arc<Member>, u32),
    /// Suspected, as of that number, by the second node.
    Suspect(SystemId, u32, SystemId),
    /// Declared dead.
    Dead(SystemId),
    /// It has left in order.
    Left(SystemId),
}

impl Update {
    /// Whom it is about.
    pub(super) fn subject(&self) -> SystemId {
        match self {
            Self::Alive(member, _) => member.id,
            Self::Suspect(id, ..) | Self::Dead(id) | Self::Left(id) => *id,
        }
    }
}

/// At most [`Updates::MOST`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub(crate) struct Updates(pub(super) Vec<Update>);

impl Updates {
    pub(crate) const MOST: usize = 64;
}

impl<'de> Deserialize<'de> for Updates {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_seq(Few)
    }
}

struct Few;

impl<'de> Visitor<'de> for Few {
    type Value = Updates;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "at most {} updates", Updates::MOST)
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut sequence: A) -> Result<Updates, A::Error> {
        let mut updates = Vec::new();
        while let Some(update) = sequence.next_element()? {
            if updates.len() == Updates::MOST {
                return Err(A::Error::invalid_length(updates.len() + 1, &self));
            }
            updates.push(update);
        }
        Ok(Updates(updates))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{pieces, vectors, wire::Frame};

    fn encoded(updates: usize) -> Vec<u8> {
        let updates = Updates(vec![Update::Dead(SystemId(7)); updates]);
        rmp_serde::to_vec(&Packet { what: What::News, updates }).unwrap()
    }

    #[test]
    fn a_packet_is_as_documented() {
        let member = Member {
            id: SystemId(3),
            name: "c".into(),
            address: "127.0.0.1:4003".into(),
            tags: std::collections::BTreeMap::new(),
        };
        let updates = vec![
            Update::Alive(Arc::new(member), 2),
            Update::Suspect(SystemId(4), 1, SystemId(2)),
            Update::Dead(SystemId(5)),
        ];
        let packet = Packet { what: What::PingFor(9, SystemId(4)), updates: Updates(updates) };
        let mut piece = Vec::new();
        pieces::append_whole(&mut piece, &Frame::Swim(packet));
        vectors::check("swim", &piece);
    }

    #[test]
    fn a_packet_with_more_news_than_any_has_is_refused() {
        let most: Packet = rmp_serde::from_slice(&encoded(Updates::MOST)).unwrap();
        assert_eq!(most.updates.0.len(), Updates::MOST);
        let error = rmp_serde::from_slice::<Packet>(&encoded(Updates::MOST + 1)).unwrap_err();
        assert_eq!(error.to_string(), "invalid length 65, expected at most 64 updates");
    }
}
