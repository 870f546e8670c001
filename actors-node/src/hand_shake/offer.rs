//! What a side of a connection speaks, and what both do.

use std::fmt;

use super::HandShakeError;
use crate::Membership;

/// The first bytes of a connection, in both directions.
const MAGIC: [u8; 4] = *b"ACTN";
/// The lowest and the highest version of everything after the preamble that this build speaks.
const VERSIONS: Versions = Versions { lowest: 2, highest: 2 };
/// A feature that both sides have, or none: members are known by gossip.
const GOSSIP: u32 = 1;
/// And so this one: etcd says who is a member.
const ETCD: u32 = 2;

/// A range of versions of what nodes say to each other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Versions {
    /// The lowest.
    pub lowest: u16,
    /// The highest.
    pub highest: u16,
}

impl fmt::Display for Versions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { lowest, highest } = self;
        if lowest == highest { write!(f, "{lowest}") } else { write!(f, "{lowest} to {highest}") }
    }
}

/// What one side speaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Offer {
    pub(crate) versions: Versions,
    pub(crate) features: u32,
}

/// What both sides speak.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Agreed {
    pub(crate) version: u16,
    pub(crate) features: u32,
}

impl Offer {
    /// Of a node of this kind.
    pub(crate) const fn ours(membership: Membership, etcd: bool) -> Self {
        let features = match membership {
            Membership::Each if etcd => ETCD,
            Membership::Each => 0,
            Membership::Swim(_) => GOSSIP,
        };
        Self { versions: VERSIONS, features }
    }

    /// Bytes of a preamble.
    pub(crate) const BYTES: usize = 12;

    pub(crate) fn to_bytes(self) -> [u8; Self::BYTES] {
        let mut bytes = [0; Self::BYTES];
        bytes[..4].copy_from_slice(&MAGIC);
        bytes[4..6].copy_from_slice(&self.versions.lowest.to_le_bytes());
        bytes[6..8].copy_from_slice(&self.versions.highest.to_le_bytes());
        bytes[8..].copy_from_slice(&self.features.to_le_bytes());
        bytes
    }

    /// Tells from the first bytes whether there is an offer: a stranger may send no more than these.
    pub(crate) fn check_magic(magic: [u8; 4]) -> Result<(), HandShakeError> {
        if magic == MAGIC { Ok(()) } else { Err(HandShakeError::NotANode { said: magic }) }
    }

    pub(crate) fn from_bytes(bytes: &[u8; Self::BYTES]) -> Result<Self, HandShakeError> {
        let [a, b, c, d, l0, l1, h0, h1, features @ ..] = *bytes;
        Self::check_magic([a, b, c, d])?;
        let (lowest, highest) = (u16::from_le_bytes([l0, l1]), u16::from_le_bytes([h0, h1]));
        let versions = Versions { lowest, highest };
        Ok(Self { versions, features: u32::from_le_bytes(features) })
    }

    /// The highest version and all features that both have.
    pub(crate) fn agree(self, theirs: Self) -> Result<Agreed, HandShakeError> {
        let highest = self.versions.highest.min(theirs.versions.highest);
        let lowest = self.versions.lowest.max(theirs.versions.lowest);
        if lowest > highest {
            let (ours, theirs) = (self.versions, theirs.versions);
            return Err(HandShakeError::NoCommonVersion { ours, theirs });
        }
        if (self.features ^ theirs.features) & (GOSSIP | ETCD) != 0 {
            return Err(HandShakeError::OtherMembership);
        }
        Ok(Agreed { version: highest, features: self.features & theirs.features })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn offer(lowest: u16, highest: u16, features: u32) -> Offer {
        Offer { versions: Versions { lowest, highest }, features }
    }

    #[test]
    fn both_sides_agree_on_the_highest_version_and_the_features_of_both() {
        let agreed = offer(2, 4, 0b0110).agree(offer(3, 7, 0b1010)).unwrap();
        assert_eq!(agreed, Agreed { version: 4, features: 0b0010 });
        assert_eq!(offer(3, 7, 0b1010).agree(offer(2, 4, 0b0110)), Ok(agreed));
    }

    #[test]
    fn ranges_that_do_not_meet_are_told() {
        let error = offer(2, 3, 0).agree(offer(4, 5, 0)).unwrap_err();
        assert_eq!(error.to_string(), "it speaks version 4 to 5; this node speaks 2 to 3");
        assert!(offer(2, 3, 0).agree(offer(3, 2, 0)).is_err(), "the wrong way round");
    }

    /// NODE-24: a foreign peer is told by its first bytes.
    #[test]
    fn node_24_a_foreign_peer_is_told_apart() {
        let bytes = offer(2, 3, 5).to_bytes();
        assert_eq!(Offer::from_bytes(&bytes), Ok(offer(2, 3, 5)));
        for bit in 0..32 {
            let mut foreign = bytes;
            foreign[bit / 8] ^= 1 << (bit % 8);
            let error = Offer::from_bytes(&foreign).unwrap_err();
            assert!(matches!(error, HandShakeError::NotANode { .. }), "{error}");
        }
    }
}
