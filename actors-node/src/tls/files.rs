//! Certificates and keys from files.

use std::path::Path;

use futures_rustls::rustls::{
    RootCertStore,
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error, PemObject},
    },
};

use super::TlsError;

pub(super) fn authorities(file: &Path) -> Result<RootCertStore, TlsError> {
    let mut roots = RootCertStore::empty();
    for certificate in certificates(file)? {
        roots.add(certificate).map_err(|error| malformed(file, &error.to_string()))?;
    }
    Ok(roots)
}

/// At least one.
pub(super) fn certificates(file: &Path) -> Result<Vec<CertificateDer<'static>>, TlsError> {
    let pem = read(file)?;
    let certificates: Result<Vec<_>, Error> = CertificateDer::pem_slice_iter(&pem).collect();
    match certificates {
        Ok(certificates) if certificates.is_empty() => {
            Err(TlsError::NoCertificate { file: file.to_owned() })
        }
        Ok(certificates) => Ok(certificates),
        Err(error) => Err(malformed(file, &error.to_string())),
    }
}

pub(super) fn key(file: &Path) -> Result<PrivateKeyDer<'static>, TlsError> {
    PrivateKeyDer::from_pem_slice(&read(file)?).map_err(|error| match error {
        Error::NoItemsFound => TlsError::NoKey { file: file.to_owned() },
        error => malformed(file, &error.to_string()),
    })
}

fn read(file: &Path) -> Result<Vec<u8>, TlsError> {
    let read = std::fs::read(file);
    read.map_err(|error| TlsError::Read { file: file.to_owned(), error: error.to_string() })
}

fn malformed(file: &Path, error: &str) -> TlsError {
    TlsError::Malformed { file: file.to_owned(), error: error.to_owned() }
}
