//! Sessions, in memory only. The page has to ask Elasticsearch with the employee's password, and keeps it encrypted by a
//! key that only the employee's cookie has: the page's memory alone opens nothing.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use aws_lc_rs::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use common::{auth::Token, domain::AccountId};
use secrecy::{ExposeSecret as _, SecretString};
use sha2::{Digest as _, Sha256};

/// Open sessions at most; the one that was idle for longest makes room.
const MOST: usize = 10_000;

/// The open sessions.
#[derive(Clone)]
pub(crate) struct Sessions {
    open: Arc<Mutex<HashMap<[u8; 32], Entry>>>,
    idle: Duration,
    whole: Duration,
}

/// A session of an employee who is logged in.
#[derive(Clone)]
pub(crate) struct Session {
    /// The employee's account at Elasticsearch.
    pub(crate) login: String,
    /// The same for the log.
    pub(crate) account: AccountId,
    /// The account's password.
    pub(crate) password: SecretString,
}

struct Entry {
    login: String,
    account: AccountId,
    sealed_password: Vec<u8>,
    opened: Instant,
    used: Instant,
}

impl Sessions {
    pub(crate) fn new(idle: Duration, whole: Duration) -> Self {
        Self { open: Arc::default(), idle, whole }
    }

    /// Opens a session and returns its token, for the cookie.
    ///
    /// # Errors
    ///
    /// If the operating system has no randomness.
    pub(crate) fn open(&self, session: &Session) -> Result<Token, getrandom::Error> {
        let token = Token::new_session()?;
        let now = Instant::now();
        let entry = Entry {
            login: session.login.clone(),
            account: session.account,
            sealed_password: seal(&token, session.password.expose_secret()),
            opened: now,
            used: now,
        };
        let mut open = self.lock();
        open.retain(|_, entry| self.is_open(entry, now));
        if open.len() >= MOST
            && let Some(idlest) = open.iter().min_by_key(|(_, entry)| entry.used).map(|(id, _)| *id)
        {
            open.remove(&idlest);
        }
        open.insert(token.sha256(), entry);
        Ok(token)
    }

    /// The session of this token, which is used with that. None if it has ended.
    pub(crate) fn holder(&self, token: &Token) -> Option<Session> {
        let now = Instant::now();
        let mut open = self.lock();
        let entry = open.get_mut(&token.sha256())?;
        if !self.is_open(entry, now) {
            open.remove(&token.sha256());
            return None;
        }
        entry.used = now;
        let password = unseal(token, entry.sealed_password.clone())?;
        Some(Session { login: entry.login.clone(), account: entry.account, password })
    }

    /// Ends a session.
    pub(crate) fn close(&self, token: &Token) {
        self.lock().remove(&token.sha256());
    }

    fn is_open(&self, entry: &Entry, now: Instant) -> bool {
        now - entry.used < self.idle && now - entry.opened < self.whole
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<[u8; 32], Entry>> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The key that a token stands for. Not its hash, which names the session.
fn key(token: &Token) -> LessSafeKey {
    let bytes = Sha256::new().chain_update("password").chain_update(token.expose()).finalize();
    LessSafeKey::new(UnboundKey::new(&AES_256_GCM, &bytes).expect("a SHA-256 has the key's length"))
}

/// A key encrypts one password in its life, so that its nonce never comes twice.
fn nonce() -> Nonce {
    Nonce::assume_unique_for_key([0; NONCE_LEN])
}

fn seal(token: &Token, password: &str) -> Vec<u8> {
    let mut bytes = password.as_bytes().to_vec();
    key(token).seal_in_place_append_tag(nonce(), Aad::empty(), &mut bytes).expect("a password is short enough");
    bytes
}

fn unseal(token: &Token, mut sealed: Vec<u8>) -> Option<SecretString> {
    let password = key(token).open_in_place(nonce(), Aad::empty(), &mut sealed).ok()?;
    Some(std::str::from_utf8(password).ok()?.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session() -> Session {
        Session { login: "ada".to_owned(), account: AccountId::new(), password: "correct horse".into() }
    }

    #[test]
    fn the_password_comes_back_with_the_token_alone() {
        let sessions = Sessions::new(Duration::from_secs(60), Duration::from_secs(60));
        let token = sessions.open(&session()).unwrap();
        let kept = sessions.lock().values().next().unwrap().sealed_password.clone();
        assert!(!kept.windows(7).any(|part| part == b"correct"));
        assert!(unseal(&Token::new_session().unwrap(), kept).is_none());
        assert_eq!(sessions.holder(&token).unwrap().password.expose_secret(), "correct horse");
    }

    #[test]
    fn a_session_ends_when_it_is_closed_idle_or_old() {
        let sessions = Sessions::new(Duration::from_secs(60), Duration::from_secs(60));
        let token = sessions.open(&session()).unwrap();
        sessions.close(&token);
        assert!(sessions.holder(&token).is_none());
        for (idle, whole) in [(0, 60), (60, 0)] {
            let sessions = Sessions::new(Duration::from_secs(idle), Duration::from_secs(whole));
            let token = sessions.open(&session()).unwrap();
            assert!(sessions.holder(&token).is_none(), "{idle} {whole}");
        }
    }
}
