//! Logging in with an account at Elasticsearch, and the records of it.

use std::time::Duration;

use catalogue::Action;
use common::{
    auth::{Source, Token, keyed_hash, throttle},
    domain::AccountId,
    failure::{ErrorType, Failure},
    telemetry::{Record, Subject},
};
use questions::SearchError;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};
use tracing::Level;

use super::session::Session;
use crate::app::App;

/// The role of those who may use the page, at Elasticsearch.
pub(crate) const ROLE: &str = "support";

/// Why a login was refused.
#[derive(Debug)]
pub(crate) enum NotAdmitted {
    /// No active account has this login and password.
    Wrong,
    /// The account doesn't have the role.
    Role(AccountId),
    /// Too many failures, or too many logins at once: try again after so long.
    Wait(Duration),
    /// Elasticsearch didn't decide.
    Undecided(SearchError),
    /// A failure of the page itself.
    Failed(Failure),
}

/// Opens a session.
///
/// # Errors
///
/// [`NotAdmitted`].
pub(crate) async fn log_in(
    app: &App,
    source: Source,
    login: &str,
    password: SecretString,
) -> Result<(Token, AccountId), NotAdmitted> {
    let hash = keyed_hash(&app.login_hash_key, login);
    // An attempt that has to wait costs its address as much as any other.
    app.rate_limit.admit(source.address).map_err(|wait| throttled(source, &hash, wait))?;
    if let Some(wait) = app.failures.delay(&hash, source.address) {
        return Err(throttled(source, &hash, wait));
    }
    // A colon ends the login in HTTP's basic authentication: none has one.
    let logs = app.elasticsearch.as_account(login, password.clone());
    let identity = if login.contains(':') { Err(SearchError::Unauthenticated) } else { logs.identity().await };
    let identity = match identity {
        Ok(identity) => Some(identity),
        Err(SearchError::Unauthenticated) => None,
        Err(error) => return Err(NotAdmitted::Undecided(error)),
    };
    // Once more: attempts that are sent at once have all seen the same count before Elasticsearch decided.
    let settled = app.failures.settle(&hash, source.address, identity.is_some());
    let failures = settled.map_err(|wait| throttled(source, &hash, wait))?;
    let Some(identity) = identity else {
        record_failure(failures, source, hash);
        return Err(NotAdmitted::Wrong);
    };
    let account = account(&identity.login);
    if !identity.roles.iter().any(|role| role == ROLE) {
        return Err(NotAdmitted::Role(account));
    }
    let session = Session { login: identity.login, account, password };
    let token = app
        .sessions
        .open(&session)
        .map_err(|error| NotAdmitted::Failed(Failure::new(ErrorType::Internal, "making a session's token", error)))?;
    Record::notice(Action::LoginSucceeded, Subject::default()).user(Some(account)).source_ip(source.network).write();
    Ok((token, account))
}

/// Records an attempt that has to wait.
fn throttled(source: Source, hash: &str, wait: Duration) -> NotAdmitted {
    let record = Record::notice(Action::Throttled, Subject::default()).level(Level::WARN).unsuccessful();
    record.user_hash(Some(hash.to_owned())).source_ip(source.network).write();
    NotAdmitted::Wait(wait)
}

/// Records a failed login, which is so many in a row.
fn record_failure(failures: i32, source: Source, hash: String) {
    let record = if failures >= throttle::REPEATED_FROM {
        let repeated = Record::notice(Action::LoginFailedRepeatedly, Subject::default());
        repeated.level(Level::WARN).failures(u64::from(failures.unsigned_abs()))
    } else {
        Record::notice(Action::LoginFailed, Subject::default())
    };
    record.unsuccessful().user_hash(Some(hash)).source_ip(source.network).write();
}

/// An account's id for the log, which has no logins: made of the login, so that it is the same after a restart and at
/// every replica. It is a UUID of version 8 (RFC 9562), which is for such ids.
fn account(login: &str) -> AccountId {
    let hash = Sha256::new().chain_update("elasticsearch account ").chain_update(login).finalize();
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&hash[..16]);
    uuid::Builder::from_custom_bytes(bytes).into_uuid().into()
}

#[cfg(test)]
mod tests {
    use std::{net::IpAddr, num::NonZeroU32, sync::Arc};

    use axum::{Router, http::StatusCode};
    use common::auth::RateLimit;
    use questions::Elasticsearch;
    use tokio::{net::TcpListener, sync::Barrier, task::JoinSet};

    use super::*;
    use crate::auth::{Failures, Sessions};

    const MINUTE: Duration = Duration::from_secs(60);

    /// The page before this Elasticsearch, which an address may log in at `burst` times at once.
    fn app(elasticsearch: &str, burst: u32) -> App {
        App {
            elasticsearch: Elasticsearch::new(elasticsearch, MINUTE, "").unwrap(),
            sessions: Sessions::new(MINUTE, MINUTE),
            failures: Failures::default(),
            rate_limit: RateLimit::new(NonZeroU32::new(burst).unwrap(), NonZeroU32::MIN),
            login_hash_key: Arc::new([0; 32]),
            documents: None,
        }
    }

    fn office() -> Source {
        Source { address: IpAddr::from([192, 0, 2, 1]), network: IpAddr::from([192, 0, 2, 0]) }
    }

    /// An Elasticsearch that knows no account, and says so once it was asked so many times.
    async fn refusing(times: usize) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let asked = Arc::new(Barrier::new(times));
        let refuse = move || {
            let asked = Arc::clone(&asked);
            async move {
                asked.wait().await;
                StatusCode::UNAUTHORIZED
            }
        };
        tokio::spawn(async { axum::serve(listener, Router::new().fallback(refuse)).await });
        address
    }

    #[tokio::test]
    async fn guesses_that_are_sent_at_once_do_not_pass_the_delay() {
        const GUESSES: usize = 20;
        let app = app(&refusing(GUESSES).await, 100);
        let mut guesses = JoinSet::new();
        for guess in 0..GUESSES {
            let app = app.clone();
            guesses.spawn(async move { log_in(&app, office(), "ada", guess.to_string().into()).await.err() });
        }
        let refused = guesses.join_all().await;
        let wrong = refused.iter().filter(|refused| matches!(refused, Some(NotAdmitted::Wrong))).count();
        let waiting = refused.iter().filter(|refused| matches!(refused, Some(NotAdmitted::Wait(_)))).count();
        // On a slow machine, a delay or two pass between the responses.
        assert!((5..10).contains(&wrong) && wrong + waiting == GUESSES, "{refused:?}");
    }

    #[tokio::test]
    async fn an_attempt_that_has_to_wait_counts_for_the_rate_of_its_address() {
        let (app, source) = (app("http://192.0.2.9", 3), office());
        let hash = keyed_hash(&app.login_hash_key, "ada");
        while app.failures.settle(&hash, source.address, false).is_ok() {}
        for _ in 0..3 {
            let refused = log_in(&app, source, "ada", "guess".into()).await.unwrap_err();
            assert!(matches!(refused, NotAdmitted::Wait(_)), "{refused:?}");
        }
        assert!(app.rate_limit.admit(source.address).is_err());
    }

    #[test]
    fn an_account_has_the_same_id_everywhere() {
        assert_eq!(account("ada"), account("ada"));
        assert_ne!(account("ada"), account("bob"));
        assert_eq!(account("ada").uuid().get_version_num(), 8);
    }
}
