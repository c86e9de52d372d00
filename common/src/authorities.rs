//! The certification authorities of one's own that a service trusts, beside those that are trusted everywhere.

use std::sync::Arc;

use anyhow::{Context as _, ensure};
use rustls::{
    RootCertStore,
    pki_types::{CertificateDer, pem::PemObject as _},
};

/// Certification authorities whose certificates are trusted in TLS connections to other servers: PostgreSQL, RabbitMQ,
/// Elasticsearch, S3, an OTLP receiver. Those of the system or of the library are trusted as well.
#[derive(Clone, Debug, Default)]
pub struct Authorities(Arc<str>);

impl Authorities {
    /// Reads a file of certificates in PEM, which may be several; none without a path.
    ///
    /// # Errors
    ///
    /// If the file can't be read, or one of its certificates can't be used; a connection would only fail later otherwise.
    pub fn read(path: &str) -> anyhow::Result<Self> {
        if path.is_empty() {
            return Ok(Self::default());
        }
        let pem = std::fs::read_to_string(path).context("the file can't be read")?;
        let mut store = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem.as_bytes()) {
            let certificate = certificate.context("this is no PEM")?;
            store.add(certificate).context("a certificate can't be used")?;
        }
        ensure!(!store.is_empty(), "there is no certificate in it");
        Ok(Self(pem.into()))
    }

    /// Their certificates in PEM; empty if there are none.
    #[must_use]
    pub fn pem(&self) -> &str {
        &self.0
    }

    /// Their certificates in PEM, if there are any.
    #[must_use]
    pub fn if_any(&self) -> Option<&str> {
        Some(self.pem()).filter(|pem| !pem.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_that_can_not_be_used_is_refused_with_the_reason() {
        assert_eq!(Authorities::read("").expect("none").if_any(), None);
        let path = std::env::temp_dir().join(format!("alexandrite-authorities-{}", std::process::id()));
        let complaint = |content: &str| {
            std::fs::write(&path, content).expect("a file");
            let refused = Authorities::read(path.to_str().expect("UTF-8")).expect_err("it is wrong");
            format!("{refused:#}")
        };
        let complaints = [
            ("", "no certificate"),
            ("a certificate", "no certificate"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n", "no PEM"),
            ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "can't be used"),
        ];
        for (content, reason) in complaints {
            assert!(complaint(content).contains(reason), "{content}: {}", complaint(content));
        }
        std::fs::remove_file(&path).expect("the file goes");
        assert!(
            format!("{:#}", Authorities::read("/nowhere/ca.pem").expect_err("it is away")).contains("can't be read")
        );
    }
}
