use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};

/// An authority that signs the certificates of nodes, for tests and first steps: its key lives as long as
/// it does, and the keys of nodes are written readable for the user.
pub struct TestAuthority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

/// The files of a node, in PEM.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate of the authority.
    pub authority: PathBuf,
    /// The certificate of the node.
    pub certificate: PathBuf,
    /// Its key.
    pub key: PathBuf,
}

impl TestAuthority {
    /// A new authority with a key of its own.
    ///
    /// # Errors
    /// When there is no randomness for a key.
    pub fn new() -> io::Result<Self> {
        let mut of = CertificateParams::default();
        of.distinguished_name.push(DnType::CommonName, "actors test authority");
        of.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        of.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let issuer = CertifiedIssuer::self_signed(of, key).map_err(io::Error::other)?;
        Ok(Self { issuer })
    }

    /// Writes `authority.pem`, `NAME.pem` and `NAME.key` for a node of that name, without an end.
    ///
    /// # Errors
    /// When a file cannot be written, or the name cannot be in a certificate.
    pub fn issue(&self, directory: impl AsRef<Path>, name: &str) -> io::Result<CertificateFiles> {
        self.write(directory.as_ref(), name, params(name)?)
    }

    /// As [`issue`](Self::issue), with a certificate that was good in the year 2000.
    ///
    /// # Errors
    /// As `issue`.
    pub fn issue_expired(
        &self,
        directory: impl AsRef<Path>,
        name: &str,
    ) -> io::Result<CertificateFiles> {
        let mut of = params(name)?;
        of.not_before = date_time_ymd(2000, 1, 1);
        of.not_after = date_time_ymd(2000, 12, 31);
        self.write(directory.as_ref(), name, of)
    }

    fn write(
        &self,
        directory: &Path,
        name: &str,
        of: CertificateParams,
    ) -> io::Result<CertificateFiles> {
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let signed = of.signed_by(&key, &self.issuer).map_err(io::Error::other)?;
        let files = CertificateFiles {
            authority: directory.join("authority.pem"),
            certificate: directory.join(format!("{name}.pem")),
            key: directory.join(format!("{name}.key")),
        };
        fs::write(&files.authority, self.issuer.pem())?;
        fs::write(&files.certificate, signed.pem())?;
        fs::write(&files.key, key.serialize_pem())?;
        Ok(files)
    }
}

/// For both sides of a connection.
fn params(name: &str) -> io::Result<CertificateParams> {
    let mut of = CertificateParams::new([name.to_owned()]).map_err(io::Error::other)?;
    of.distinguished_name.push(DnType::CommonName, name);
    of.extended_key_usages =
        vec![ExtendedKeyUsagePurpose::ServerAuth, ExtendedKeyUsagePurpose::ClientAuth];
    Ok(of)
}

impl fmt::Debug for TestAuthority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TestAuthority")
    }
}
