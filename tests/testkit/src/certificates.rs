//! Certification authorities of a test, and the certificates that they issue.

use std::{fs, path::Path, sync::Arc};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, KeyUsagePurpose};
use time::{Duration, OffsetDateTime};
use tokio_rustls::{
    TlsAcceptor,
    rustls::{
        ServerConfig,
        pki_types::{CertificateDer, PrivateKeyDer},
    },
};
use uuid::Uuid;

/// The only name that a certificate here is for.
const NAME: &str = "127.0.0.1";

/// An authority that no system trusts by itself.
#[derive(Debug)]
pub struct Authority(CertifiedIssuer<'static, KeyPair>);

/// A server's certificate with its key.
#[derive(Debug)]
pub struct Certificate {
    certificate: rcgen::Certificate,
    key: KeyPair,
}

impl Authority {
    /// A new one.
    ///
    /// # Panics
    ///
    /// If the library fails; so with everything here.
    #[must_use]
    pub fn create() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
        // Of two with one name, the trusted one would be taken for the issuer of the other's certificates.
        params.distinguished_name.push(DnType::CommonName, format!("authority {}", Uuid::now_v7()));
        Self(CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key")).expect("a certificate"))
    }

    /// A certificate that is valid until then, and from a month before on.
    ///
    /// # Panics
    ///
    /// If the library fails.
    #[must_use]
    pub fn issues(&self, until: OffsetDateTime) -> Certificate {
        let mut params = CertificateParams::new([NAME.to_owned()]).expect("a name");
        (params.not_before, params.not_after) = (until - Duration::days(30), until);
        let key = KeyPair::generate().expect("a key");
        Certificate { certificate: params.signed_by(&key, &self.0).expect("a certificate"), key }
    }

    /// Its certificate in PEM.
    #[must_use]
    pub fn pem(&self) -> String {
        self.0.pem()
    }

    /// Writes this authority's certificate and a server's, as the runner takes them.
    ///
    /// # Panics
    ///
    /// If the folder takes no files.
    pub fn write(&self, server: &Certificate, folder: &Path) {
        for (name, content) in [
            ("ca.pem", self.pem()),
            ("server.pem", server.certificate.pem()),
            ("server-key.pem", server.key.serialize_pem()),
        ] {
            fs::write(folder.join(name), content).expect("a file");
        }
    }
}

impl Certificate {
    /// The certificate and its key in PEM, one after the other.
    #[must_use]
    pub fn pem(&self) -> String {
        self.certificate.pem() + &self.key.serialize_pem()
    }

    /// What ends TLS with it. Who speaks HTTP may choose the version.
    ///
    /// # Panics
    ///
    /// If the library fails.
    #[must_use]
    pub fn acceptor(&self) -> TlsAcceptor {
        let chain: Vec<CertificateDer<'static>> = vec![self.certificate.der().clone()];
        let key = PrivateKeyDer::try_from(self.key.serialize_der()).expect("a key");
        let config = ServerConfig::builder().with_no_client_auth().with_single_cert(chain, key);
        let mut config = config.expect("the key fits the certificate");
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        TlsAcceptor::from(Arc::new(config))
    }
}
