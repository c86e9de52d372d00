//! Passwords: Argon2id on blocking threads, as many at once as there are cores, so that a flood of logins costs the
//! other requests nothing but their share of the processor.

use std::{sync::Arc, time::Duration};

use argon2::{
    Argon2,
    password_hash::{PasswordHasher as _, PasswordVerifier as _, phc::PasswordHash},
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::fault::{ErrorType, Fault, FaultContext as _};

/// How long a login waits for its turn before it is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Hashes and verifies with OWASP's minimum for Argon2id: 19 MiB, two passes, one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    /// Verified against where there is no account, so that it takes as long as if there were one.
    decoy: Arc<str>,
}

/// What was asked for could not be done.
#[derive(Debug)]
pub enum HasherError {
    /// Too many at once.
    Busy,
    /// A failure of ours.
    Fault(Fault),
}

/// The password is too easy to guess.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "this password is too short or too easy to guess: take {} to {} characters, such as a few words that don't belong together",
    WeakPassword::SHORTEST,
    WeakPassword::LONGEST
)]
pub struct WeakPassword;

impl WeakPassword {
    /// The least number of characters (NIST SP 800-63B-4 §3.1.1.2).
    pub const SHORTEST: usize = 8;
    /// The most, so that hashing stays bounded.
    pub const LONGEST: usize = 128;

    /// Whether the password will do: neither too short nor too long, and not among the first million guesses.
    ///
    /// # Errors
    ///
    /// If it won't.
    pub fn check(password: &str) -> Result<(), Self> {
        let bounded = (Self::SHORTEST..=Self::LONGEST).contains(&password.chars().count());
        let strong = || zxcvbn::zxcvbn(password, &[]).score() >= zxcvbn::Score::Two;
        if bounded && strong() { Ok(()) } else { Err(Self) }
    }
}

impl Hasher {
    /// A hasher for this machine's number of cores.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness for a salt.
    pub fn new() -> Result<Self, Fault> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        Ok(Self { turns: Arc::new(Semaphore::new(cores)), decoy: hash(b"nobody's password")?.into() })
    }

    /// Hashes a new password into a PHC string, unless it is weak.
    ///
    /// # Errors
    ///
    /// If no turn came in time, or hashing failed.
    pub async fn hash(&self, password: SecretString) -> Result<Result<String, WeakPassword>, HasherError> {
        self.in_turn(move || {
            let password = password.expose_secret();
            match WeakPassword::check(password) {
                Ok(()) => hash(password.as_bytes()).map(Ok),
                Err(weak) => Ok(Err(weak)),
            }
        })
        .await
    }

    /// Whether the password belongs to the hash; with no hash, no, after the same time.
    ///
    /// # Errors
    ///
    /// If no turn came in time, or the hash can't be read.
    pub async fn verify(&self, password: SecretString, hash: Option<String>) -> Result<bool, HasherError> {
        let decoy = Arc::clone(&self.decoy);
        self.in_turn(move || {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&decoy);
            let hash = PasswordHash::new(hash)
                .map_err(|error| Fault::new(ErrorType::Internal, "reading a password's hash", error))?;
            Ok(Argon2::default().verify_password(password.expose_secret().as_bytes(), &hash).is_ok() && known)
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, Fault> + Send + 'static,
    ) -> Result<T, HasherError> {
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            return Err(HasherError::Busy);
        };
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work ends, even if the client has gone.
            let _turn = turn;
            work()
        });
        done.await.fault("hashing a password").flatten().map_err(HasherError::Fault)
    }
}

fn hash(password: &[u8]) -> Result<String, Fault> {
    let hash = Argon2::default().hash_password(password);
    hash.map(|hash| hash.to_string()).map_err(|error| Fault::new(ErrorType::Internal, "hashing a password", error))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let hasher = Hasher::new().unwrap();
        let hash = hasher.hash("correct horse".into()).await.ok().unwrap().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches!(hasher.verify("correct horse".into(), Some(hash.clone())).await, Ok(true)));
        assert!(matches!(hasher.verify("wrong horse".into(), Some(hash)).await, Ok(false)));
        assert!(matches!(hasher.verify("nobody's password".into(), None).await, Ok(false)));
    }

    #[test]
    fn short_long_and_well_known_passwords_are_weak() {
        for weak in ["", "short", "password123", "aaaaaaaaaaaaaaaa", "qwertyuiop", &"long enough, really. ".repeat(10)]
        {
            assert_eq!(WeakPassword::check(weak), Err(WeakPassword), "{weak}");
        }
        assert_eq!(WeakPassword::check("four words in a row"), Ok(()));
    }
}
