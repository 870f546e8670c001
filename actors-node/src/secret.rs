use std::{fmt, path::Path, path::PathBuf, sync::Arc};

/// The secret of a cluster: who knows it may join. Every node of the cluster is given the same.
///
/// It is compared by a challenge and never sent. It keeps strangers out; it does not encrypt, and who
/// can alter what travels can take over a connection after the hand-shake: that needs TLS.
///
/// An observer of a hand-shake can try out guesses: a secret is drawn at random
/// (`head -c 32 /dev/urandom | base64`), not thought up.
#[derive(Clone)]
pub struct Secret(Arc<[u8]>);

impl Secret {
    /// The shortest secret that is taken, in bytes.
    pub const SHORTEST: usize = 16;

    /// A secret of these bytes.
    ///
    /// # Errors
    /// [`SecretError::TooShort`] under [`Secret::SHORTEST`] bytes.
    pub fn new(bytes: impl AsRef<[u8]>) -> Result<Self, SecretError> {
        Self::checked(bytes.as_ref(), None)
    }

    /// The content of a file, without the white space at its ends.
    ///
    /// # Errors
    /// [`SecretError`], with the name of the file.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self, SecretError> {
        let file = path.as_ref();
        let content = std::fs::read(file).map_err(|error| SecretError::Read {
            file: file.to_owned(),
            error: error.to_string(),
        })?;
        Self::checked(content.trim_ascii(), Some(file))
    }

    fn checked(bytes: &[u8], file: Option<&Path>) -> Result<Self, SecretError> {
        if bytes.len() < Self::SHORTEST {
            let from = file.map_or_else(|| "the secret".to_owned(), |f| f.display().to_string());
            return Err(SecretError::TooShort { from, bytes: bytes.len() });
        }
        Ok(Self(bytes.into()))
    }

    /// What nodes without a secret have in common: it is known to all.
    pub(crate) fn none() -> Self {
        Self(Arc::default())
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// Why there is no secret.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SecretError {
    /// Too easily guessed.
    #[error("{from} has {bytes} bytes; a secret has at least {}", Secret::SHORTEST)]
    TooShort {
        /// The file, or "the secret".
        from: String,
        /// What it has.
        bytes: usize,
    },
    /// The file cannot be read.
    #[error("cannot read the secret from {}: {error}", file.display())]
    Read {
        /// The file.
        file: PathBuf,
        /// What the system said.
        error: String,
    },
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_is_easily_guessed_is_refused() {
        let error = Secret::new("let me in").unwrap_err();
        assert_eq!(error, SecretError::TooShort { from: "the secret".into(), bytes: 9 });
        assert!(Secret::new([7; Secret::SHORTEST]).is_ok());
    }

    #[test]
    fn a_secret_is_read_from_a_file_without_its_line_end() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("secret");
        let missing = Secret::from_file(&file).unwrap_err();
        assert!(missing.to_string().contains("secret"), "{missing}");
        std::fs::write(&file, "0123456789abcdef\n").unwrap();
        assert_eq!(Secret::from_file(&file).unwrap().bytes(), b"0123456789abcdef");
        std::fs::write(&file, "0123456789\n").unwrap();
        let short = Secret::from_file(&file).unwrap_err();
        assert!(short.to_string().contains(&file.display().to_string()), "{short}");
    }

    #[test]
    fn a_secret_does_not_get_into_logs() {
        let secret = Secret::new("0123456789abcdef").unwrap();
        assert_eq!(format!("{secret:?}"), "Secret(…)");
    }
}
