use std::{io, path::PathBuf};

use futures_rustls::rustls::{AlertDescription, CertificateError, Error};

use crate::hand_shake::{CertificateFault, HandShakeError};

/// Why certificates cannot be used.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum TlsError {
    /// The file cannot be read.
    #[error("cannot read {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: String,
    },
    /// The file is not PEM, or what it holds is not what it says.
    #[error("{} does not hold what it should: {error}", file.display())]
    Malformed {
        /// The file.
        file: PathBuf,
        /// What is wrong.
        error: String,
    },
    /// The file holds no certificate.
    #[error("{} holds no certificate", file.display())]
    NoCertificate {
        /// The file.
        file: PathBuf,
    },
    /// The file holds no key.
    #[error("{} holds no private key", file.display())]
    NoKey {
        /// The file.
        file: PathBuf,
    },
    /// Certificate and key cannot be used: they do not belong together, say.
    #[error("cannot use the certificate {} with the key {}: {error}", certificate.display(), key.display())]
    Unusable {
        /// The file with the certificate.
        certificate: PathBuf,
        /// The file with the key.
        key: PathBuf,
        /// What is wrong.
        error: String,
    },
}

/// What TLS found wrong with a connection, if that has ended it.
pub(crate) fn fault(error: &io::Error) -> Option<HandShakeError> {
    let error = error.get_ref()?.downcast_ref::<Error>()?;
    Some(match error {
        Error::InvalidCertificate(error) => HandShakeError::Certificate(certificate_fault(error)),
        Error::NoCertificatesPresented => HandShakeError::Certificate(CertificateFault::Missing),
        Error::AlertReceived(alert) if is_about_certificates(*alert) => {
            HandShakeError::CertificateRefused(format!("{alert:?}"))
        }
        error => HandShakeError::Tls(error.to_string()),
    })
}

fn certificate_fault(error: &CertificateError) -> CertificateFault {
    match error {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            CertificateFault::UnknownAuthority
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            CertificateFault::Expired
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            CertificateFault::NotYetValid
        }
        error => CertificateFault::Other(error.to_string()),
    }
}

const fn is_about_certificates(alert: AlertDescription) -> bool {
    matches!(
        alert,
        AlertDescription::BadCertificate
            | AlertDescription::UnsupportedCertificate
            | AlertDescription::CertificateRevoked
            | AlertDescription::CertificateExpired
            | AlertDescription::CertificateUnknown
            | AlertDescription::CertificateRequired
            | AlertDescription::UnknownCA
            | AlertDescription::DecryptError
    )
}
