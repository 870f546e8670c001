//! Encrypted connections between nodes that show each other certificates.

#[cfg(feature = "test-authority")]
mod authority;
mod duplex;
mod error;
mod files;
#[cfg(all(test, feature = "test-authority"))]
mod tests;
mod verifier;

use std::{fmt, path::Path, sync::Arc};

use actors_core::host::Stream;
use futures_rustls::{
    TlsAcceptor, TlsConnector, TlsStream,
    rustls::{
        ClientConfig, RootCertStore, ServerConfig,
        client::{Resumption, verify_server_name},
        crypto::{CryptoProvider, ring},
        pki_types::{CertificateDer, PrivateKeyDer, ServerName},
        server::{ParsedCertificate, WebPkiClientVerifier},
    },
};

#[cfg(feature = "test-authority")]
pub use authority::{CertificateFiles, TestAuthority};
pub use error::TlsError;
pub(crate) use error::fault;

use self::{duplex::Duplex, verifier::AnyNode};
use crate::hand_shake::{self, CertificateFault, HandShakeError, Role};

/// The certificate of a node, and the authority whose certificates it takes.
///
/// TLS 1.3, with certificates on both sides. A certificate is for the *name* of a node: it has it as a
/// DNS name among its subject alternative names. The addresses of nodes do not matter.
#[derive(Clone)]
pub struct Tls {
    client: Arc<ClientConfig>,
    server: Arc<ServerConfig>,
    own: CertificateDer<'static>,
}

impl Tls {
    /// From files in PEM: the certificates of the authorities that are trusted; the certificate of this
    /// node, followed by those between it and the authority, if any; and its key.
    ///
    /// # Errors
    /// [`TlsError`], with the file.
    pub fn from_pem_files(
        authorities: impl AsRef<Path>,
        certificate: impl AsRef<Path>,
        key: impl AsRef<Path>,
    ) -> Result<Self, TlsError> {
        let (certificate, key) = (certificate.as_ref(), key.as_ref());
        let roots = Arc::new(files::authorities(authorities.as_ref())?);
        let chain = files::certificates(certificate)?;
        let unusable = |error: &dyn fmt::Display| TlsError::Unusable {
            certificate: certificate.to_owned(),
            key: key.to_owned(),
            error: error.to_string(),
        };
        Self::from_parts(roots, chain, files::key(key)?, &unusable)
    }

    fn from_parts(
        roots: Arc<RootCertStore>,
        chain: Vec<CertificateDer<'static>>,
        key: PrivateKeyDer<'static>,
        unusable: &dyn Fn(&dyn fmt::Display) -> TlsError,
    ) -> Result<Self, TlsError> {
        let own = chain.first().ok_or_else(|| unusable(&"there is no certificate"))?.clone();
        let provider: Arc<CryptoProvider> = Arc::new(ring::default_provider());
        let verifier = WebPkiClientVerifier::builder_with_provider(roots.clone(), provider.clone())
            .build()
            .map_err(|error| unusable(&error))?;
        let mut server = ServerConfig::builder_with_provider(provider.clone())
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .with_client_cert_verifier(verifier)
            .with_single_cert(chain.clone(), key.clone_key())
            .map_err(|error| unusable(&error))?;
        let algorithms = provider.signature_verification_algorithms;
        let mut client = ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .map_err(|error| unusable(&error))?
            .dangerous()
            .with_custom_certificate_verifier(Arc::new(AnyNode { roots, algorithms }))
            .with_client_auth_cert(chain, key)
            .map_err(|error| unusable(&error))?;
        // Every connection shows its certificates: one that has expired meanwhile is found.
        server.send_tls13_tickets = 0;
        client.resumption = Resumption::disabled();
        client.enable_sni = false;
        Ok(Self { client: Arc::new(client), server: Arc::new(server), own })
    }

    /// Whether the certificate is that of a node of this name.
    pub(crate) fn names(&self, name: &str) -> bool {
        names(&self.own, name)
    }

    /// Encrypts a stream: both sides have shown their certificates then.
    pub(crate) async fn secure(
        &self,
        stream: Stream,
        role: Role,
    ) -> Result<(Stream, Certified), HandShakeError> {
        let peer = stream.peer.clone();
        let duplex = Duplex::of(stream);
        let (stream, binding) = match role {
            Role::Dialler => {
                // Whose certificate it is, is seen when the other side has told its name.
                let name = ServerName::try_from("node").map_err(|_| broken("no name"))?;
                let connector = TlsConnector::from(self.client.clone());
                let stream = connector.connect(name, duplex).await?;
                let binding = stream.get_ref().1.export_keying_material([0; 32], BINDING, None);
                (TlsStream::Client(stream), binding)
            }
            Role::Acceptor => {
                let acceptor = TlsAcceptor::from(self.server.clone());
                let stream = match acceptor.accept(duplex).into_fallible().await {
                    Ok(stream) => stream,
                    Err((error, duplex)) => {
                        hand_shake::end(&mut duplex.into_stream()).await;
                        return Err(error.into());
                    }
                };
                let binding = stream.get_ref().1.export_keying_material([0; 32], BINDING, None);
                (TlsStream::Server(stream), binding)
            }
        };
        let binding = binding.map_err(|error| HandShakeError::Tls(error.to_string()))?;
        let shown = stream.get_ref().1.peer_certificates().and_then(|chain| chain.first());
        let missing = || HandShakeError::Certificate(CertificateFault::Missing);
        let certificate = shown.ok_or_else(missing)?.clone().into_owned();
        let (read, write) = futures_lite::io::split(stream);
        let stream = Stream { read: Box::new(read), write: Box::new(write), peer };
        Ok((stream, Certified { certificate, binding }))
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Tls(…)")
    }
}

/// What is known of the other side of an encrypted connection.
pub(crate) struct Certified {
    certificate: CertificateDer<'static>,
    binding: [u8; 32],
}

impl Certified {
    /// Bytes that only the two ends of this connection have.
    pub(crate) const fn binding(&self) -> &[u8] {
        &self.binding
    }

    /// Whether the other side may have this name.
    pub(crate) fn names(&self, name: &str) -> bool {
        names(&self.certificate, name)
    }
}

fn names(certificate: &CertificateDer<'_>, name: &str) -> bool {
    let Ok(name) = ServerName::try_from(name) else { return false };
    ParsedCertificate::try_from(certificate)
        .is_ok_and(|certificate| verify_server_name(&certificate, &name).is_ok())
}

fn broken(why: &str) -> HandShakeError {
    HandShakeError::Tls(why.to_owned())
}

const BINDING: &[u8] = b"EXPORTER-actors-node";
