//! Knowledge of the secret, proved and checked without sending it.

use hmac::{Hmac, KeyInit, Mac};
use serde_bytes::ByteArray;
use sha2::{Digest, Sha256};

use crate::Secret;

/// Bytes of challenges and proofs.
pub(crate) type Bytes32 = ByteArray<32>;

/// Who proves. A proof of one is none of the other: what one side has sent is of no use to who sends it
/// back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Dialler,
    Acceptor,
}

impl Role {
    const fn label(self) -> &'static [u8] {
        match self {
            Self::Dialler => b"actors-node dialler",
            Self::Acceptor => b"actors-node acceptor",
        }
    }
}

/// Everything that was said on a connection, in order: a proof is over all of it, so over both offers,
/// both identities and both challenges.
#[derive(Clone, Default)]
pub(crate) struct Transcript(Sha256);

impl Transcript {
    /// What one side has said.
    pub(crate) fn add(&mut self, said: &[u8]) {
        // With its length: what is said cannot be cut otherwise.
        self.0.update((said.len() as u64).to_le_bytes());
        self.0.update(said);
    }

    pub(crate) fn prove(&self, role: Role, secret: &Secret) -> Bytes32 {
        let proof: [u8; 32] = self.mac(role, secret).finalize().into_bytes().into();
        ByteArray::new(proof)
    }

    /// Whether the proof is that of this role; in the same time whatever it is.
    pub(crate) fn verify(&self, role: Role, secret: &Secret, proof: &Bytes32) -> bool {
        self.mac(role, secret).verify_slice(&proof[..]).is_ok()
    }

    fn mac(&self, role: Role, secret: &Secret) -> Hmac<Sha256> {
        let mut mac = <Hmac<Sha256> as KeyInit>::new_from_slice(secret.bytes())
            .expect("HMAC takes keys of any length");
        mac.update(role.label());
        mac.update(&self.0.clone().finalize());
        mac
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn transcript(said: &[&[u8]]) -> Transcript {
        let mut transcript = Transcript::default();
        said.iter().for_each(|said| transcript.add(said));
        transcript
    }

    #[test]
    fn a_proof_holds_for_one_role_one_secret_and_one_conversation() {
        let secret = Secret::new([1; 32]).unwrap();
        let said = transcript(&[b"hello", b"challenge"]);
        let proof = said.prove(Role::Dialler, &secret);
        assert!(said.verify(Role::Dialler, &secret, &proof));
        assert!(!said.verify(Role::Acceptor, &secret, &proof), "reflected");
        assert!(!said.verify(Role::Dialler, &Secret::new([2; 32]).unwrap(), &proof));
        for other in
            [&[&b"hello"[..], b"challengf"][..], &[b"hellochallenge"], &[b"hell", b"ochallenge"]]
        {
            assert!(!transcript(other).verify(Role::Dialler, &secret, &proof));
        }
        for bit in 0..256 {
            let mut wrong = proof;
            wrong[bit / 8] ^= 1 << (bit % 8);
            assert!(!said.verify(Role::Dialler, &secret, &wrong), "bit {bit}");
        }
    }
}
