//! Keyed hashes of logins. People type passwords into the login field: what no account has is neither stored nor logged as
//! typed, yet the same text can be recognised again, by every replica.

use std::sync::Arc;

use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::Sha256;
use tokio::sync::OnceCell;

use crate::{
    database::Database,
    failure::{Failure, FailureContext as _},
};

/// What the log shows of a login that no account is known to have: the same text can be recognised again, and not be read.
#[must_use]
pub fn keyed_hash(key: &[u8], login: &str) -> String {
    LoginHash::new(key, login).short()
}

/// Hashes logins with one key.
#[derive(Clone)]
pub(super) struct LoginHasher {
    database: Database,
    key: Arc<OnceCell<SecretString>>,
}

/// The keyed hash of a login.
#[derive(Clone, Copy, Debug)]
pub(super) struct LoginHash([u8; 32]);

impl LoginHasher {
    /// With this key, or with the database's own. An empty one protects nothing and counts as none.
    pub(super) fn new(database: Database, key: Option<SecretString>) -> Self {
        let key = key.filter(|key| !key.expose_secret().is_empty());
        Self { database, key: Arc::new(OnceCell::new_with(key)) }
    }

    /// Hashes a login.
    pub(super) async fn hash(&self, login: &str) -> Result<LoginHash, Failure> {
        let key = self.key.get_or_try_init(|| self.stored_key()).await?;
        Ok(LoginHash::new(key.expose_secret().as_bytes(), login))
    }

    async fn stored_key(&self) -> Result<SecretString, Failure> {
        let key = sqlx::query_scalar!(r#"SELECT encode(key, 'hex') AS "key!" FROM login_hash_key"#);
        key.fetch_one(self.database.pool()).await.failure("reading the key of login hashes").map(SecretString::from)
    }
}

impl LoginHash {
    fn new(key: &[u8], login: &str) -> Self {
        let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
        mac.update(login.as_bytes());
        Self(mac.finalize().into_bytes().into())
    }

    /// What the database keeps.
    pub(super) const fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// What the log shows: enough to distinguish logins.
    pub(super) fn short(&self) -> String {
        self.0[..8].iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

#[cfg(test)]
mod tests {
    use sqlx::PgPool;

    use super::*;

    #[tokio::test]
    async fn an_empty_key_is_no_key() {
        let database = || Database::from(PgPool::connect_lazy("postgres://127.0.0.1/none").unwrap());
        let has_key = |key: &str| LoginHasher::new(database(), Some(key.into())).key.initialized();
        assert!(has_key("key"));
        assert!(!has_key(""));
    }

    #[test]
    fn a_hash_depends_on_the_login_and_on_the_key() {
        let short = |key: &str, login: &str| keyed_hash(key.as_bytes(), login);
        assert_eq!(short("key", "ada"), short("key", "ada"));
        assert_ne!(short("key", "ada"), short("key", "bob"));
        assert_ne!(short("key", "ada"), short("other key", "ada"));
        assert_eq!(short("key", "ada").len(), 16);
    }
}
