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
    let wait = app.failures.delay(&hash).or_else(|| app.rate_limit.admit(source.address).err());
    if let Some(wait) = wait {
        let record = Record::notice(Action::Throttled, Subject::default()).level(Level::WARN).unsuccessful();
        record.user_hash(Some(hash)).source_ip(source.network).write();
        return Err(NotAdmitted::Wait(wait));
    }
    // A colon ends the login in HTTP's basic authentication: none has one.
    let logs = app.elasticsearch.as_account(login, password.clone());
    let identity = if login.contains(':') { Err(SearchError::Unauthenticated) } else { logs.identity().await };
    let identity = match identity {
        Ok(identity) => identity,
        Err(SearchError::Unauthenticated) => {
            report_failure(app, source, hash);
            return Err(NotAdmitted::Wrong);
        }
        Err(error) => return Err(NotAdmitted::Undecided(error)),
    };
    let account = account(&identity.login);
    if !identity.roles.iter().any(|role| role == ROLE) {
        return Err(NotAdmitted::Role(account));
    }
    app.failures.succeeded(&hash);
    let session = Session { login: identity.login, account, password };
    let token = app
        .sessions
        .open(&session)
        .map_err(|error| NotAdmitted::Failed(Failure::new(ErrorType::Internal, "making a session's token", error)))?;
    Record::notice(Action::LoginSucceeded, Subject::default()).user(Some(account)).source_ip(source.network).write();
    Ok((token, account))
}

/// Counts and records a failed login.
fn report_failure(app: &App, source: Source, hash: String) {
    let failures = app.failures.failed(&hash);
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
    use super::*;

    #[test]
    fn an_account_has_the_same_id_everywhere() {
        assert_eq!(account("ada"), account("ada"));
        assert_ne!(account("ada"), account("bob"));
        assert_eq!(account("ada").uuid().get_version_num(), 8);
    }
}
