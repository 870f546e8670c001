//! Who may join: two nodes agree on a version, tell who they are and prove that they know the secret of
//! their cluster, before anything else is said.
//!
//! The frames are written down in `docs/formats.md`.

#[cfg(any(test, fuzzing))]
pub(crate) mod documented;
mod error;
mod line;
mod offer;
mod proof;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use actors_core::host::{Random, Stream};
use serde::{Deserialize, Serialize};

pub use error::{CertificateFault, HandShakeError};
pub use offer::Versions;

pub(crate) use offer::{Agreed, Offer};
pub(crate) use proof::Role;

#[cfg(feature = "tls")]
pub(crate) use line::end;
pub(crate) use line::{LONGEST, receive, send};

use self::{line::Line, proof::Bytes32};
use crate::{Member, NodeError, Secret, tls::Tls, wire::Refusal};

/// A hand-shake takes no longer.
pub(crate) const DEADLINE: Duration = Duration::from_secs(5);

/// This node, as it shows itself to another.
pub(crate) struct Us {
    pub(crate) cluster: String,
    pub(crate) member: Member,
    /// The longest message that it takes, in bytes.
    pub(crate) longest: u64,
    pub(crate) secret: Secret,
    pub(crate) tls: Option<Tls>,
    pub(crate) offer: Offer,
    pub(crate) random: Arc<dyn Random>,
}

/// The first frame, from the side that dialled.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Hello {
    pub(crate) cluster: String,
    pub(crate) member: Member,
    /// The longest message that it takes, in bytes.
    pub(crate) longest: u64,
    pub(crate) challenge: Bytes32,
}

/// The answer to it.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Answer {
    Challenge { member: Member, longest: u64, challenge: Bytes32 },
    Refused(Refusal),
}

/// The dialling side knows the secret.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Proof {
    pub(crate) proof: Bytes32,
}

/// The last one: the accepting side knows it too.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) enum Welcome {
    Accepted { proof: Bytes32 },
    Refused(Refusal),
}

/// A connection to a node that has proved who it is.
pub(crate) struct Connected {
    pub(crate) stream: Stream,
    pub(crate) member: Member,
    /// The longest message that it takes, in bytes.
    pub(crate) longest: u64,
    pub(crate) agreed: Agreed,
}

impl Us {
    /// Whether it fits into a hand-shake, and there is randomness for one.
    pub(crate) fn check(&self) -> Result<(), NodeError> {
        let hello = self.hello().map_err(|error| NodeError::System(error.to_string()))?;
        let bytes = rmp_serde::to_vec(&hello).map_or(usize::MAX, |hello| hello.len());
        let name = &self.member.name;
        if self.tls.as_ref().is_some_and(|tls| !tls.names(name)) {
            return Err(NodeError::Certificate { name: name.clone() });
        }
        match bytes {
            ..=LONGEST => Ok(()),
            bytes => Err(NodeError::TooLong { bytes, limit: LONGEST }),
        }
    }

    pub(crate) fn hello(&self) -> Result<Hello, HandShakeError> {
        let (cluster, member) = (self.cluster.clone(), self.member.clone());
        Ok(Hello { cluster, member, longest: self.longest, challenge: self.challenge()? })
    }

    /// Drawn anew each time: an old proof answers no new challenge.
    fn challenge(&self) -> Result<Bytes32, HandShakeError> {
        let mut challenge = Bytes32::new([0; 32]);
        self.random.fill(&mut challenge[..])?;
        Ok(challenge)
    }
}

/// The node that was dialled, as it says: it has not proved that yet.
pub(crate) struct Host {
    line: Line,
    pub(crate) member: Member,
    longest: u64,
}

/// The side that connected, up to the name of the other side.
pub(crate) async fn dial(us: &Us, stream: Stream) -> Result<Host, HandShakeError> {
    let mut line = Line::open(us, stream, Role::Dialler).await?;
    line.send(&us.hello()?).await?;
    let (member, longest) = match line.receive().await? {
        Answer::Challenge { member, longest, challenge: _ } => (member, longest),
        Answer::Refused(refusal) => return Err(HandShakeError::Refused(refusal)),
    };
    if member.id == us.member.id {
        return Err(HandShakeError::Refused(Refusal::Itself));
    }
    line.check_name(&member.name)?;
    Ok(Host { line, member, longest })
}

impl Host {
    /// Both prove that they know the secret.
    pub(crate) async fn enter(mut self, us: &Us) -> Result<Connected, HandShakeError> {
        let proof = self.line.prove(Role::Dialler, &us.secret);
        self.line.send(&Proof { proof }).await?;
        let said = self.line.so_far();
        match self.line.receive().await? {
            Welcome::Refused(refusal) => Err(HandShakeError::Refused(refusal)),
            Welcome::Accepted { proof } if said.verify(Role::Acceptor, &us.secret, &proof) => {
                let agreed = self.line.agreed();
                let Self { line, member, longest } = self;
                Ok(Connected { stream: line.into_stream(), member, longest, agreed })
            }
            Welcome::Accepted { .. } => Err(HandShakeError::WrongSecret),
        }
    }
}

/// A node at the door that knows the secret, and waits for an answer.
pub(crate) struct Guest {
    line: Line,
    pub(crate) member: Member,
    pub(crate) longest: u64,
}

/// The side that was connected to, up to the proof of the other side.
pub(crate) async fn accept(us: &Us, stream: Stream) -> Result<Guest, HandShakeError> {
    let mut line = Line::open(us, stream, Role::Acceptor).await?;
    match hear(us, &mut line).await {
        Ok(Hello { member, longest, .. }) => Ok(Guest { line, member, longest }),
        Err(error) => {
            line.end().await;
            Err(error)
        }
    }
}

async fn hear(us: &Us, line: &mut Line) -> Result<Hello, HandShakeError> {
    let hello: Hello = line.receive().await?;
    let refusal = if hello.cluster != us.cluster {
        Some(Refusal::OtherCluster)
    } else if hello.member.id == us.member.id {
        Some(Refusal::Itself)
    } else {
        None
    };
    if let Some(refusal) = refusal {
        line.send(&Answer::Refused(refusal.clone())).await?;
        return Err(HandShakeError::Refused(refusal));
    }
    if let Err(error) = line.check_name(&hello.member.name) {
        line.send(&Answer::Refused(Refusal::WrongName)).await?;
        return Err(error);
    }
    let challenge = us.challenge()?;
    let (member, longest) = (us.member.clone(), us.longest);
    line.send(&Answer::Challenge { member, longest, challenge }).await?;
    let said = line.so_far();
    let Proof { proof } = line.receive().await?;
    if said.verify(Role::Dialler, &us.secret, &proof) {
        return Ok(hello);
    }
    line.send(&Welcome::Refused(Refusal::WrongSecret)).await?;
    Err(HandShakeError::WrongSecret)
}

impl Guest {
    pub(crate) async fn welcome(mut self, us: &Us) -> Result<Connected, HandShakeError> {
        let proof = self.line.prove(Role::Acceptor, &us.secret);
        self.line.send(&Welcome::Accepted { proof }).await?;
        let agreed = self.line.agreed();
        let Self { line, member, longest } = self;
        Ok(Connected { stream: line.into_stream(), member, longest, agreed })
    }

    pub(crate) async fn refuse(mut self, refusal: Refusal) -> HandShakeError {
        match self.line.send(&Welcome::Refused(refusal.clone())).await {
            Ok(()) => self.line.end().await,
            Err(error) => return error,
        }
        HandShakeError::Refused(refusal)
    }
}
