//! Passwords: Argon2id on blocking threads, on half of the machine's cores, so that a flood of logins leaves the other half
//! to other requests.

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use argon2::{
    Algorithm, Argon2, Block, Params, Version,
    password_hash::{
        self,
        phc::{Output, ParamsString, PasswordHash, Salt},
    },
};
use secrecy::{ExposeSecret as _, SecretString};
use tokio::sync::Semaphore;

use crate::failure::{ErrorType, Failure, FailureContext as _};

/// How long a login waits for its turn before it is refused.
const LONGEST_WAIT: Duration = Duration::from_secs(2);

/// Hashes and verifies with OWASP's minimum for Argon2id: 19 MiB, two passes, one lane
/// (<https://cheatsheetseries.owasp.org/cheatsheets/Password_Storage_Cheat_Sheet.html>).
#[derive(Clone)]
pub struct Hasher {
    turns: Arc<Semaphore>,
    /// What earlier turns have worked in.
    memories: Arc<Mutex<Vec<Memory>>>,
    /// Verified against where there is no account, so that it takes as long as if there were one.
    decoy: Arc<str>,
}

/// The memory of one hash, 19 MiB. It is reused: allocated anew by each blocking thread, it would stay in the allocator's
/// arena of that thread.
type Memory = Vec<Block>;

/// What was asked for could not be done.
#[derive(Debug)]
pub enum HasherError {
    /// Too many at once.
    Busy,
    /// A failure of ours.
    Failure(Failure),
}

/// What this system's users think of first, beside their own login (`docs/SECURITY.md` lists the same words).
const OWN_WORDS: [&str; 12] = [
    "alexandrite",
    "jewellery",
    "jewelry",
    "jewel",
    "customer",
    "seller",
    "operator",
    "partner",
    "carrier",
    "support",
    "order",
    "3dmodel",
];

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

    /// Whether the password of this login will do: neither too short nor too long, and not among the first million guesses of
    /// somebody who knows the login and this system.
    ///
    /// # Errors
    ///
    /// If it won't.
    pub fn check(password: &str, login: &str) -> Result<(), Self> {
        let bounded = (Self::SHORTEST..=Self::LONGEST).contains(&password.chars().count());
        let known = [&[login], &OWN_WORDS[..]].concat();
        let strong = || zxcvbn::zxcvbn(password, &known).score() >= zxcvbn::Score::Two;
        if bounded && strong() { Ok(()) } else { Err(Self) }
    }
}

impl Hasher {
    /// A hasher for half of this machine's cores.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness for a salt.
    pub fn new() -> Result<Self, Failure> {
        let cores = std::thread::available_parallelism().map_or(2, usize::from);
        // Its memory isn't reused: a service without logins shouldn't hold it.
        let decoy = hash(b"the password of no account", &mut Memory::new())?.into();
        Ok(Self { turns: Arc::new(Semaphore::new((cores / 2).max(1))), memories: Arc::default(), decoy })
    }

    /// Hashes a new password of this login into a PHC string, unless it is weak.
    ///
    /// # Errors
    ///
    /// If no turn came in time, or hashing failed.
    pub async fn hash(&self, password: SecretString, login: &str) -> Result<Result<String, WeakPassword>, HasherError> {
        let login = login.to_owned();
        self.in_turn(move |memory| {
            let password = password.expose_secret();
            match WeakPassword::check(password, &login) {
                Ok(()) => hash(password.as_bytes(), memory).map(Ok),
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
        self.in_turn(move |memory| {
            let known = hash.is_some();
            let hash = hash.as_deref().unwrap_or(&decoy);
            let fits = fits(password.expose_secret().as_bytes(), hash, memory)
                .map_err(|error| Failure::new(ErrorType::Internal, "reading a password's hash", error))?;
            Ok(fits && known)
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Memory) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, HasherError> {
        let turn = tokio::time::timeout(LONGEST_WAIT, Arc::clone(&self.turns).acquire_owned());
        let Ok(Ok(turn)) = turn.await else {
            return Err(HasherError::Busy);
        };
        let memories = Arc::clone(&self.memories);
        let done = tokio::task::spawn_blocking(move || {
            // Held until the work ends, even if the client has gone.
            let _turn = turn;
            let memories = || memories.lock().unwrap_or_else(PoisonError::into_inner);
            let mut memory = memories().pop().unwrap_or_default();
            let result = work(&mut memory);
            memories().push(memory);
            result
        });
        done.await.failure("hashing a password").flatten().map_err(HasherError::Failure)
    }
}

fn hash(password: &[u8], memory: &mut Memory) -> Result<String, Failure> {
    phc(password, memory).map_err(|error| Failure::new(ErrorType::Internal, "hashing a password", error))
}

/// A new hash with a salt of its own, as a PHC string.
fn phc(password: &[u8], memory: &mut Memory) -> password_hash::Result<String> {
    let (argon2, salt) = (Argon2::default(), Salt::generate());
    let output = derive(&argon2, password, &salt, memory)?;
    let hash = PasswordHash {
        algorithm: Algorithm::default().ident(),
        version: Some(Version::default().into()),
        params: ParamsString::try_from(argon2.params())?,
        salt: Some(salt),
        hash: Some(output),
    };
    Ok(hash.to_string())
}

/// Whether the password belongs to this PHC string. The comparison takes the same time whatever differs.
fn fits(password: &[u8], hash: &str, memory: &mut Memory) -> password_hash::Result<bool> {
    let hash = PasswordHash::new(hash)?;
    let (Some(salt), Some(expected)) = (hash.salt, hash.hash) else {
        return Err(password_hash::Error::PasswordInvalid);
    };
    let algorithm = Algorithm::try_from(hash.algorithm.as_str())?;
    let version = hash.version.map(Version::try_from).transpose()?.unwrap_or_default();
    let argon2 = Argon2::new(algorithm, version, Params::try_from(&hash)?);
    Ok(derive(&argon2, password, &salt, memory)? == expected)
}

fn derive(argon2: &Argon2<'_>, password: &[u8], salt: &[u8], memory: &mut Memory) -> password_hash::Result<Output> {
    let blocks = argon2.params().block_count();
    if memory.len() < blocks {
        memory.resize(blocks, Block::default());
    }
    let mut output = [0; Params::DEFAULT_OUTPUT_LEN];
    argon2.hash_password_into_with_memory(password, salt, &mut output, memory)?;
    Ok(Output::new(&output)?)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_fits_its_own_hash_and_no_other() {
        let hasher = Hasher::new().unwrap();
        let hash = hasher.hash("correct horse".into(), "ada").await.ok().unwrap().unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{hash}");
        assert!(matches!(hasher.verify("correct horse".into(), Some(hash.clone())).await, Ok(true)));
        assert!(matches!(hasher.verify("wrong horse".into(), Some(hash)).await, Ok(false)));
        assert!(matches!(hasher.verify("the password of no account".into(), None).await, Ok(false)));
    }

    #[tokio::test]
    async fn many_logins_take_no_more_memory_than_run_at_once() {
        let hasher = Hasher::new().unwrap();
        let logins = (0..10).map(|_| hasher.verify("wrong horse".into(), None));
        assert!(futures::future::join_all(logins).await.into_iter().all(|fits| matches!(fits, Ok(false))));
        let memories = hasher.memories.lock().unwrap();
        assert!((1..=hasher.turns.available_permits()).contains(&memories.len()), "{}", memories.len());
    }

    #[tokio::test]
    async fn a_hash_that_the_library_made_by_itself_is_verified() {
        let made = password_hash::PasswordHasher::hash_password(&Argon2::default(), b"correct horse").unwrap();
        let hasher = Hasher::new().unwrap();
        assert!(matches!(hasher.verify("correct horse".into(), Some(made.to_string())).await, Ok(true)));
        assert!(hasher.verify("correct horse".into(), Some("$argon2id$v=19$m=19456".to_owned())).await.is_err());
    }

    #[test]
    fn short_long_and_well_known_passwords_are_weak() {
        for weak in ["", "short", "password123", "aaaaaaaaaaaaaaaa", "qwertyuiop", &"long enough, really. ".repeat(10)]
        {
            assert_eq!(WeakPassword::check(weak, "ada"), Err(WeakPassword), "{weak}");
        }
        assert_eq!(WeakPassword::check("four words in a row", "ada"), Ok(()));
    }

    #[test]
    fn the_login_and_the_words_of_this_system_are_weak() {
        for weak in
            ["ada.lovelace.1815", "Ada.Lovelace.1815!", "Alexandrite", "alexandrite2026", "jewelleryOrder", "support1"]
        {
            assert_eq!(WeakPassword::check(weak, "ada.lovelace.1815"), Err(WeakPassword), "{weak}");
        }
        for strong in ["ada.lovelace.1815", "seller-local-only", "operator-local-only"] {
            assert_eq!(WeakPassword::check(strong, "seller"), Ok(()), "{strong}");
        }
    }

    #[tokio::test]
    async fn every_character_of_a_long_password_counts_and_none_is_required() {
        let hasher = Hasher::new().unwrap();
        let long: String = "зелёный 緑 green ".chars().cycle().take(WeakPassword::LONGEST).collect();
        let hash = hasher.hash(long.clone().into(), "ada").await.ok().unwrap().unwrap();
        assert!(matches!(hasher.verify(long.clone().into(), Some(hash.clone())).await, Ok(true)));
        let cut = long.chars().take(WeakPassword::LONGEST - 1).collect::<String>();
        for other in [cut, long.to_uppercase(), format!("{long} ")] {
            assert!(matches!(hasher.verify(other.into(), Some(hash.clone())).await, Ok(false)));
        }
        for plain in ["only small letters here", "8361 5520 1947 0263"] {
            assert_eq!(WeakPassword::check(plain, "ada"), Ok(()), "{plain}");
        }
    }
}
