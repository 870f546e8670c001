//! A connection whose two ends do not trust each other yet: small frames, each remembered.

use std::io;

use actors_core::host::Stream;
use futures_lite::{AsyncReadExt, AsyncWriteExt};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Agreed, CertificateFault, HandShakeError, Offer, Us,
    proof::{Bytes32, Role, Transcript},
};
use crate::{Secret, tls::Certified};

/// The longest frame of a hand-shake, in bytes.
pub(crate) const LONGEST: usize = 4096;

pub(crate) struct Line {
    stream: Stream,
    certified: Option<Certified>,
    transcript: Transcript,
    agreed: Agreed,
}

impl Line {
    /// Encrypts the stream if this node has certificates, and exchanges preambles.
    pub(super) async fn open(us: &Us, stream: Stream, role: Role) -> Result<Self, HandShakeError> {
        let (mut stream, certified) = match &us.tls {
            Some(tls) => {
                let (stream, certified) = tls.secure(stream, role).await?;
                (stream, Some(certified))
            }
            None => (stream, None),
        };
        let ours = us.offer;
        let own = ours.to_bytes();
        stream.write.write_all(&own).await?;
        stream.write.flush().await?;
        let mut theirs = [0; Offer::BYTES];
        let (magic, rest) = theirs.split_at_mut(4);
        stream.read.read_exact(magic).await?;
        Offer::check_magic([magic[0], magic[1], magic[2], magic[3]])?;
        stream.read.read_exact(rest).await?;
        let agreed = ours.agree(Offer::from_bytes(&theirs)?)?;
        let mut transcript = Transcript::default();
        let (dialler, acceptor) = match role {
            Role::Dialler => (own, theirs),
            Role::Acceptor => (theirs, own),
        };
        transcript.add(&dialler);
        transcript.add(&acceptor);
        // The proofs are for this encrypted connection and no other.
        certified.iter().for_each(|certified| transcript.add(certified.binding()));
        Ok(Self { stream, certified, transcript, agreed })
    }

    pub(super) const fn agreed(&self) -> Agreed {
        self.agreed
    }

    pub(super) async fn send(&mut self, value: &impl Serialize) -> Result<(), HandShakeError> {
        let bytes = rmp_serde::to_vec(value).map_err(io::Error::other)?;
        self.transcript.add(&bytes);
        write(&mut self.stream, &bytes).await
    }

    pub(super) async fn receive<T: DeserializeOwned>(&mut self) -> Result<T, HandShakeError> {
        let frame = read(&mut self.stream, LONGEST).await?;
        self.transcript.add(&frame);
        decode(&frame)
    }

    /// Whether the certificate of the other side, if it needs one, is that of a node of this name.
    pub(super) fn check_name(&self, name: &str) -> Result<(), HandShakeError> {
        match &self.certified {
            Some(certified) if !certified.names(name) => {
                Err(HandShakeError::Certificate(CertificateFault::WrongName(name.to_owned())))
            }
            _ => Ok(()),
        }
    }

    /// Proves that this side knows the secret and has heard all that was said so far.
    pub(super) fn prove(&self, role: Role, secret: &Secret) -> Bytes32 {
        self.transcript.prove(role, secret)
    }

    /// What to check the next proof against: taken before the frame that it comes in.
    pub(super) fn so_far(&self) -> Transcript {
        self.transcript.clone()
    }

    pub(super) fn into_stream(self) -> Stream {
        self.stream
    }

    pub(super) async fn end(mut self) {
        end(&mut self.stream).await;
    }
}

/// Ends a connection so that what was said last arrives: a socket that is closed with bytes unread takes
/// back what it has sent.
pub(crate) async fn end(stream: &mut Stream) {
    if stream.write.close().await.is_ok() {
        let mut rest = [0; 256];
        for _ in 0..LONGEST / rest.len() {
            if !matches!(stream.read.read(&mut rest).await, Ok(1..)) {
                break;
            }
        }
    }
}

/// Sends a value to who is trusted already.
pub(crate) async fn send(
    stream: &mut Stream,
    value: &impl Serialize,
) -> Result<(), HandShakeError> {
    write(stream, &rmp_serde::to_vec(value).map_err(io::Error::other)?).await
}

/// Receives a value, of any length up to this one, from who is trusted already.
pub(crate) async fn receive<T: DeserializeOwned>(
    stream: &mut Stream,
    longest: usize,
) -> Result<T, HandShakeError> {
    decode(&read(stream, longest).await?)
}

async fn write(stream: &mut Stream, value: &[u8]) -> Result<(), HandShakeError> {
    let length = u32::try_from(value.len()).map_err(io::Error::other)?;
    let mut frame = length.to_le_bytes().to_vec();
    frame.extend_from_slice(value);
    stream.write.write_all(&frame).await?;
    Ok(stream.write.flush().await?)
}

async fn read(stream: &mut Stream, longest: usize) -> Result<Vec<u8>, HandShakeError> {
    let mut length = [0; 4];
    stream.read.read_exact(&mut length).await?;
    let bytes = u32::from_le_bytes(length) as usize;
    if bytes > longest {
        return Err(HandShakeError::TooLong { bytes, limit: longest });
    }
    let mut frame = vec![0; bytes];
    stream.read.read_exact(&mut frame).await?;
    Ok(frame)
}

/// Decodes the value of a frame, all of it.
pub(crate) fn decode<T: DeserializeOwned>(frame: &[u8]) -> Result<T, HandShakeError> {
    let malformed = |error: String| HandShakeError::Malformed(error);
    let mut rest = frame;
    let value = rmp_serde::from_read(&mut rest).map_err(|error| malformed(error.to_string()))?;
    match rest.len() {
        0 => Ok(value),
        more => Err(malformed(format!("{more} bytes after the value"))),
    }
}
