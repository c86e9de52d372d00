//! Accounts: creating and disabling them, and creating API keys.

use secrecy::SecretString;
use time::OffsetDateTime;

use super::{
    password::{Hasher, HasherError, WeakPassword},
    token::Token,
};
use crate::{
    database::Database,
    domain::{AccountId, CustomerId, Role},
    failure::{ErrorType, Failure, FailureContext as _},
    problem::{ApiError, ProblemCode, Rejection},
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
    /// No account has this login.
    #[error("no account has this login")]
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

/// Creates an account that logs in with a password.
///
/// # Errors
///
/// If the login is taken or unusable, the password weak, or something of ours fails.
pub async fn create(
    database: &Database,
    hasher: &Hasher,
    login: &str,
    password: SecretString,
    role: Role,
) -> Result<AccountId, AccountError> {
    check_login(login)?;
    let hash = hasher.hash(password).await??;
    let id = AccountId::new();
    let inserted = sqlx::query!(
        "INSERT INTO accounts (id, login, password_hash, role) VALUES ($1, $2, $3, $4)",
        id.uuid(),
        login,
        hash,
        role.name()
    );
    match inserted.execute(database.pool()).await {
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("accounts_login_is_unique") => {
            Err(AccountError::LoginTaken)
        }
        result => Ok(result.map(|_| id).failure("storing an account")?),
    }
}

/// Disables an account and ends all its sessions. Returns when it was disabled.
///
/// # Errors
///
/// If no account has the login, or the database fails.
pub async fn disable(database: &Database, login: &str) -> Result<OffsetDateTime, AccountError> {
    let row = sqlx::query_scalar!(
        r#"WITH disabled AS (UPDATE accounts SET disabled_at = coalesce(disabled_at, now()) WHERE login = $1
                             RETURNING id, disabled_at),
                ended AS (DELETE FROM sessions USING disabled WHERE account_id = disabled.id)
           SELECT disabled_at AS "disabled_at!" FROM disabled"#,
        login
    );
    row.fetch_optional(database.pool()).await.failure("disabling an account")?.ok_or(AccountError::Unknown)
}

/// Creates a key of a partner or carrier, and the account if there is none of this name. With `rotate`, all its earlier keys
/// end at once.
///
/// # Errors
///
/// If the name can't be used or belongs to another role, or something of ours fails.
pub async fn create_key(
    database: &Database,
    name: &str,
    role: Role,
    rotate: bool,
) -> Result<(AccountId, Token), AccountError> {
    check_login(name)?;
    let key = Token::new_key().map_err(|error| Failure::new(ErrorType::Internal, "making a key", error))?;
    let mut transaction = database.pool().begin().await.failure("storing a key")?;
    let account = sqlx::query_scalar!(
        "INSERT INTO accounts (id, login, role) VALUES ($1, $2, $3)
         ON CONFLICT (login) DO UPDATE SET role = excluded.role WHERE accounts.role = excluded.role RETURNING id",
        AccountId::new().uuid(),
        name,
        role.name()
    );
    let account = account.fetch_optional(&mut *transaction).await.failure("storing a key")?;
    let account = account.ok_or(AccountError::LoginTaken)?;
    if rotate {
        sqlx::query!("DELETE FROM api_keys WHERE account_id = $1", account)
            .execute(&mut *transaction)
            .await
            .failure("ending a key")?;
    }
    sqlx::query!("INSERT INTO api_keys (key_sha256, account_id) VALUES ($1, $2)", &key.sha256(), account)
        .execute(&mut *transaction)
        .await
        .failure("storing a key")?;
    transaction.commit().await.failure("storing a key")?;
    Ok((account.into(), key))
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
