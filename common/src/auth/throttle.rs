//! Failed logins, counted in the database, so that the count holds over restarts and replicas: for each login that was tried,
//! whether an account has it or not; apart from that for each address that an account has logged in from before; and for each
//! address over all logins.

use std::time::Duration;

use super::login_hash::LoginHash;
use crate::{
    database::Database,
    domain::AccountId,
    failure::{Failure, FailureContext as _},
};

/// Failures further apart than this are not in a row. Those of an address are counted for as long, from the first one on.
pub const WINDOW: Duration = Duration::from_secs(15 * 60);
/// From this failure on, there is a wait before the next attempt…
const DELAYED_FROM: i32 = 5;
/// … one second, then two, four, and so on up to this.
const LONGEST_DELAY: Duration = Duration::from_secs(30);
/// The first failure that is worth a warning.
pub const REPEATED_FROM: i32 = 3;

/// How long the next attempt still has to wait after so many failures, the last of them so long ago; if at all.
#[must_use]
pub fn delay(failures: i32, passed: Duration) -> Option<Duration> {
    let excess = u32::try_from(failures - DELAYED_FROM).ok()?;
    let delay = Duration::from_secs(1 << excess.min(16)).min(LONGEST_DELAY);
    delay.checked_sub(passed).filter(|rest| !rest.is_zero())
}

/// Failures, one more of them counted.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failures {
    /// Of the login in a row, from all addresses.
    pub(super) of_login: i32,
    /// Of the address in its window, over all logins.
    pub(super) of_source: i32,
}

/// Counts one more failure of a login, which came from an address.
pub(super) async fn failed(
    database: &Database,
    [login, source]: [&LoginHash; 2],
    account: Option<AccountId>,
    place: &str,
) -> Result<Failures, Failure> {
    let row = sqlx::query_as!(
        Failures,
        r#"WITH known AS (
               UPDATE login_sources SET failed_at = now(),
                   failures = CASE WHEN failed_at > now() - make_interval(secs => $2) THEN failures + 1 ELSE 1 END
               WHERE account_id = $1 AND source = $3),
           login AS (
               INSERT INTO login_failures AS counted (login_hash, failures, failed_at) VALUES ($4, 1, now())
               ON CONFLICT (login_hash) DO UPDATE SET failed_at = now(),
                   failures = CASE WHEN counted.failed_at > now() - make_interval(secs => $2)
                                   THEN counted.failures + 1 ELSE 1 END
               RETURNING failures),
           source AS (
               INSERT INTO login_failure_sources AS counted (source_hash, failures, since) VALUES ($5, 1, now())
               ON CONFLICT (source_hash) DO UPDATE SET
                   failures = CASE WHEN counted.since > now() - make_interval(secs => $2)
                                   THEN counted.failures + 1 ELSE 1 END,
                   since = CASE WHEN counted.since > now() - make_interval(secs => $2) THEN counted.since ELSE now() END
               RETURNING failures)
           SELECT login.failures AS "of_login!", source.failures AS "of_source!" FROM login, source"#,
        account.map(|account| account.uuid()),
        WINDOW.as_secs_f64(),
        place,
        login.bytes(),
        source.bytes()
    );
    row.fetch_one(database.pool()).await.failure("counting a failed login")
}

/// Starts the count anew after a login. From its address, the account doesn't wait for failures from elsewhere any more.
pub(super) async fn succeeded(
    database: &Database,
    login: &LoginHash,
    account: AccountId,
    place: &str,
) -> Result<(), Failure> {
    sqlx::query!(
        // A failure locks its rows in this order, too: the main statement's first.
        "WITH known AS (
             INSERT INTO login_sources (account_id, source) VALUES ($1, $2)
             ON CONFLICT (account_id, source) DO UPDATE SET failures = 0, failed_at = NULL, used_at = now())
         DELETE FROM login_failures WHERE login_hash = $3",
        account.uuid(),
        place,
        login.bytes()
    )
    .execute(database.pool())
    .await
    .failure("resetting the counts of failed logins")?;
    Ok(())
}

/// Deletes counts that a next failure doesn't add to.
pub(crate) async fn prune(database: &Database) -> Result<(), Failure> {
    let old = sqlx::query!(
        "WITH of_sources AS (DELETE FROM login_failure_sources WHERE since < now() - make_interval(secs => $1))
         DELETE FROM login_failures WHERE failed_at < now() - make_interval(secs => $1)",
        WINDOW.as_secs_f64()
    );
    old.execute(database.pool()).await.failure("deleting old counts of failed logins").map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_delay_grows_and_stays_bounded() {
        let delays: Vec<_> = (0..40).map(|failures| delay(failures, Duration::ZERO)).collect();
        assert!(delays[..5].iter().all(Option::is_none));
        assert_eq!(delays[5..8], [1, 2, 4].map(|seconds| Some(Duration::from_secs(seconds))));
        assert!(delays[11..].iter().all(|delay| *delay == Some(LONGEST_DELAY)));
    }

    #[test]
    fn a_delay_passes() {
        assert_eq!(delay(30, LONGEST_DELAY - Duration::from_secs(1)), Some(Duration::from_secs(1)));
        assert_eq!(delay(30, LONGEST_DELAY), None);
    }
}
