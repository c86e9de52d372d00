//! Accounts: creating, disabling and enabling them, their roles and their API keys; each change with its record.

use catalogue::Action;
use secrecy::SecretString;
use time::OffsetDateTime;

use super::{
    password::{Hasher, HasherError, WeakPassword},
    source::Source,
    token::Token,
};
use crate::{
    database::Database,
    domain::{AccountId, CustomerId, Role},
    failure::{ErrorType, Failure, FailureContext as _},
    problem::{ApiError, ProblemCode, Rejection},
    telemetry::{OfChange, Record, Subject},
    unit_of_work::{UnitOfWork, Units},
};

/// Why an account was not changed.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Another account has this login.
    #[error("this login is taken")]
    LoginTaken,
    /// The login can't be used.
    #[error("a login has 3 to 128 characters, none of them a control character or a blank at its ends")]
    InvalidLogin,
    /// The password is too easy to guess.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// More at once than can be hashed.
    #[error("too many password requests at once")]
    Busy,
    /// No account of this kind has this login.
    #[error("no account of this kind has this login")]
    Unknown,
    /// A failure of ours.
    #[error(transparent)]
    Failure(#[from] Failure),
}

impl From<HasherError> for AccountError {
    fn from(error: HasherError) -> Self {
        match error {
            HasherError::Busy => Self::Busy,
            HasherError::Failure(failure) => Self::Failure(failure),
        }
    }
}

impl From<AccountError> for ApiError {
    fn from(error: AccountError) -> Self {
        let rejection = match error {
            AccountError::Failure(failure) => return failure.into(),
            AccountError::LoginTaken => Rejection::new(ProblemCode::LoginTaken, "This login is taken."),
            AccountError::Busy => Rejection::busy(),
            AccountError::WeakPassword(weak) => Rejection::new(ProblemCode::WeakPassword, weak.to_string()),
            AccountError::InvalidLogin | AccountError::Unknown => Rejection::invalid(error.to_string()),
        };
        rejection.into()
    }
}

/// The record of a change of an account.
pub(super) fn changed(action: Action, account: AccountId) -> Record<OfChange> {
    Record::of_change(action, Subject::default()).user(Some(account))
}

/// Creates an account that logs in with a password. `source` is where the request comes from, if it is one.
///
/// # Errors
///
/// If the login is taken or unusable, the password weak, or something of ours fails.
pub async fn create(
    units: &Units,
    hasher: &Hasher,
    login: &str,
    password: SecretString,
    role: Role,
    source: Option<Source>,
) -> Result<AccountId, AccountError> {
    check_login(login)?;
    let hash = hasher.hash(password, login).await.inspect_err(|error| {
        if let (HasherError::Busy, Some(source)) = (error, source) {
            source.record_throttled();
        }
    })??;
    let id = AccountId::new();
    let mut unit = units.begin("account").await?;
    let inserted = sqlx::query!(
        "INSERT INTO accounts (id, login, password_hash, role) VALUES ($1, $2, $3, $4)",
        id.uuid(),
        login,
        hash,
        role.name()
    );
    match inserted.execute(unit.connection()).await {
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("accounts_login_is_unique") => {
            return Err(AccountError::LoginTaken);
        }
        result => result.failure("storing an account")?,
    };
    let record = changed(Action::AccountRegistered, id).role(role);
    unit.record(match source {
        Some(source) => record.source_ip(source.network),
        None => record,
    });
    unit.commit().await?;
    Ok(id)
}

/// An account that is locked until the unit of work ends.
struct Locked {
    id: AccountId,
    role: Role,
    disabled_at: Option<OffsetDateTime>,
}

async fn lock(unit: &mut UnitOfWork, login: &str) -> Result<Locked, AccountError> {
    let row = sqlx::query_as!(
        Locked,
        r#"SELECT id AS "id: AccountId", role AS "role: Role", disabled_at FROM accounts WHERE login = $1 FOR UPDATE"#,
        login
    );
    let row = row.fetch_optional(unit.connection()).await.failure("looking an account up")?;
    row.ok_or(AccountError::Unknown)
}

/// Disables an account and ends all its sessions. Returns when it was disabled.
///
/// # Errors
///
/// If no account has the login, or the database fails.
pub async fn disable(units: &Units, login: &str) -> Result<OffsetDateTime, AccountError> {
    let mut unit = units.begin("account").await?;
    let account = lock(&mut unit, login).await?;
    let row = sqlx::query_scalar!(
        r#"WITH ended AS (DELETE FROM sessions WHERE account_id = $1)
           UPDATE accounts SET disabled_at = coalesce(disabled_at, now()) WHERE id = $1
           RETURNING disabled_at AS "disabled_at!""#,
        account.id.uuid()
    );
    let disabled_at = row.fetch_one(unit.connection()).await.failure("disabling an account")?;
    if account.disabled_at.is_none() {
        unit.record(changed(Action::AccountDisabled, account.id));
    }
    unit.commit().await?;
    Ok(disabled_at)
}

/// Enables an account that was disabled.
///
/// # Errors
///
/// If no account has the login, or the database fails.
pub async fn enable(units: &Units, login: &str) -> Result<AccountId, AccountError> {
    let mut unit = units.begin("account").await?;
    let account = lock(&mut unit, login).await?;
    if account.disabled_at.is_some() {
        sqlx::query!("UPDATE accounts SET disabled_at = NULL WHERE id = $1", account.id.uuid())
            .execute(unit.connection())
            .await
            .failure("enabling an account")?;
        unit.record(changed(Action::AccountEnabled, account.id));
    }
    unit.commit().await?;
    Ok(account.id)
}

/// Gives an account another role; its open sessions have the new one at once.
///
/// # Errors
///
/// If no account has the login, if it or the role has keys instead of a password, or if the database fails.
pub async fn set_role(units: &Units, login: &str, role: Role) -> Result<AccountId, AccountError> {
    let mut unit = units.begin("account").await?;
    let account = lock(&mut unit, login).await?;
    if account.role.has_keys() || role.has_keys() {
        return Err(AccountError::Unknown);
    }
    if account.role != role {
        sqlx::query!("UPDATE accounts SET role = $2 WHERE id = $1", account.id.uuid(), role.name())
            .execute(unit.connection())
            .await
            .failure("changing an account's role")?;
        unit.record(changed(Action::AccountRoleChanged, account.id).role(role));
    }
    unit.commit().await?;
    Ok(account.id)
}

/// Creates a key of a partner or carrier, and the account if there is none of this name. With `rotate`, all its earlier keys
/// end at once.
///
/// # Errors
///
/// If the name can't be used or belongs to another role, or something of ours fails.
pub async fn create_key(
    units: &Units,
    name: &str,
    role: Role,
    rotate: bool,
) -> Result<(AccountId, Token), AccountError> {
    check_login(name)?;
    let key = Token::new_key().map_err(|error| Failure::new(ErrorType::Internal, "making a key", error))?;
    let mut unit = units.begin("account").await?;
    let account = sqlx::query!(
        r#"INSERT INTO accounts (id, login, role) VALUES ($1, $2, $3)
           ON CONFLICT (login) DO UPDATE SET role = excluded.role WHERE accounts.role = excluded.role
           RETURNING id AS "id: AccountId", xmax = 0 AS "is_new!""#,
        AccountId::new().uuid(),
        name,
        role.name()
    );
    let account = account.fetch_optional(unit.connection()).await.failure("storing a key")?;
    let account = account.ok_or(AccountError::LoginTaken)?;
    if account.is_new {
        unit.record(changed(Action::AccountRegistered, account.id).role(role));
    }
    if rotate {
        delete_keys(&mut unit, account.id).await?;
    }
    sqlx::query!("INSERT INTO api_keys (key_sha256, account_id) VALUES ($1, $2)", &key.sha256(), account.id.uuid())
        .execute(unit.connection())
        .await
        .failure("storing a key")?;
    unit.record(changed(Action::AccountKeyCreated, account.id));
    unit.commit().await?;
    Ok((account.id, key))
}

/// Withdraws all keys of a partner or carrier. Returns how many there were.
///
/// # Errors
///
/// If there is none of this name, or the database fails.
pub async fn withdraw_keys(units: &Units, name: &str) -> Result<u64, AccountError> {
    let mut unit = units.begin("account").await?;
    let account = lock(&mut unit, name).await?;
    let withdrawn = delete_keys(&mut unit, account.id).await?;
    unit.commit().await?;
    Ok(withdrawn)
}

async fn delete_keys(unit: &mut UnitOfWork, account: AccountId) -> Result<u64, Failure> {
    let deleted = sqlx::query!("DELETE FROM api_keys WHERE account_id = $1", account.uuid());
    let deleted = deleted.execute(unit.connection()).await.failure("withdrawing keys")?.rows_affected();
    if deleted > 0 {
        unit.record(changed(Action::AccountKeyWithdrawn, account));
    }
    Ok(deleted)
}

fn check_login(login: &str) -> Result<(), AccountError> {
    let length = login.chars().count();
    let usable = (3..=128).contains(&length) && login.trim() == login && !login.chars().any(char::is_control);
    if usable { Ok(()) } else { Err(AccountError::InvalidLogin) }
}

/// Whether a customer's account with this id exists and is enabled.
///
/// # Errors
///
/// If the database fails.
pub async fn is_customer(database: &Database, id: CustomerId) -> Result<bool, Failure> {
    let row = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM accounts WHERE id = $1 AND role = 'customer' AND disabled_at IS NULL) AS "exists!""#,
        id.uuid()
    );
    row.fetch_one(database.pool()).await.failure("looking a customer up")
}
