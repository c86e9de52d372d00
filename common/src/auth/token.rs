//! Secrets that we hand out: opaque, 256 bits from the operating system, kept only as hashes.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// A session's token or an API key, as the client holds it.
#[derive(Clone, Debug)]
pub struct Token(SecretString);

/// Distinguishes a key from a session's token, for people and for scanners of leaked secrets.
const KEY_PREFIX: &str = "alxkey_";

impl Token {
    /// A new token for a session.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn new_session() -> Result<Self, getrandom::Error> {
        let mut bytes = [0; 32];
        getrandom::fill(&mut bytes)?;
        Ok(Self(URL_SAFE_NO_PAD.encode(bytes).into()))
    }

    /// A new key for a partner or the carrier.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness to give.
    pub fn new_key() -> Result<Self, getrandom::Error> {
        Self::new_session().map(|token| Self(format!("{KEY_PREFIX}{}", token.expose()).into()))
    }

    /// What a client sent.
    #[must_use]
    pub fn received(text: &str) -> Self {
        Self(text.into())
    }

    /// Whether it claims to be a key rather than a session's token.
    #[must_use]
    pub fn is_key(&self) -> bool {
        self.expose().starts_with(KEY_PREFIX)
    }

    /// The secret itself, to be handed to its owner once.
    #[must_use]
    pub fn expose(&self) -> &str {
        self.0.expose_secret()
    }

    /// What the database keeps. A fast hash is right here: 256 random bits can't be guessed.
    #[must_use]
    pub fn sha256(&self) -> [u8; 32] {
        Sha256::digest(self.expose()).into()
    }
}
