//! Making accounts, disabling them, and giving keys out.

use secrecy::SecretString;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::{Hasher, Role, Token, WeakPassword, password::HasherError};
use crate::failure::{ErrorType, Failure, FailureContext as _};

/// Why no account was made.
#[derive(Debug, thiserror::Error)]
pub enum AccountError {
    /// Somebody else is called that.
    #[error("this login is taken")]
    LoginTaken,
    /// The login can't be used.
    #[error("a login has 3 to 128 characters, none of them a control character or a blank at its ends")]
    InvalidLogin,
    /// The password is too easy to guess.
    #[error(transparent)]
    WeakPassword(#[from] WeakPassword),
    /// Too many at once.
    #[error("too many password requests at once")]
    Busy,
    /// No account has this login.
    #[error("no account has this login")]
    Unknown,
    /// A failure of ours.
    #[error(transparent)]
    Failure(#[from] Failure),
}

/// Makes an account that logs in with a password.
///
/// # Errors
///
/// If the login is taken or unusable, the password weak, or something of ours fails.
pub async fn create(
    database: &PgPool,
    hasher: &Hasher,
    login: &str,
    password: SecretString,
    role: Role,
) -> Result<Uuid, AccountError> {
    check_login(login)?;
    let hash = hasher.hash(password).await.map_err(|error| match error {
        HasherError::Busy => AccountError::Busy,
        HasherError::Failure(failure) => failure.into(),
    })??;
    let id = Uuid::now_v7();
    let inserted = sqlx::query!(
        "INSERT INTO accounts (id, login, password_hash, role) VALUES ($1, $2, $3, $4)",
        id,
        login,
        hash,
        role.name()
    );
    match inserted.execute(database).await {
        Err(sqlx::Error::Database(error)) if error.constraint() == Some("accounts_login_is_unique") => {
            Err(AccountError::LoginTaken)
        }
        result => Ok(result.map(|_| id).failure("storing an account")?),
    }
}

/// Disables an account and ends all its sessions; tells when it was disabled.
///
/// # Errors
///
/// If no account has the login, or the database fails.
pub async fn disable(database: &PgPool, login: &str) -> Result<OffsetDateTime, AccountError> {
    let row = sqlx::query_scalar!(
        r#"WITH disabled AS (UPDATE accounts SET disabled_at = coalesce(disabled_at, now()) WHERE login = $1
                             RETURNING id, disabled_at),
                ended AS (DELETE FROM sessions USING disabled WHERE account_id = disabled.id)
           SELECT disabled_at AS "disabled_at!" FROM disabled"#,
        login
    );
    row.fetch_optional(database).await.failure("disabling an account")?.ok_or(AccountError::Unknown)
}

/// Gives a key to a partner or carrier; makes the account if there is none of this name. With `rotate`, all its earlier keys
/// are dead at once.
///
/// # Errors
///
/// If the name can't be used or belongs to another role, or something of ours fails.
pub async fn give_key(database: &PgPool, name: &str, role: Role, rotate: bool) -> Result<(Uuid, Token), AccountError> {
    check_login(name)?;
    let key = Token::new_key().map_err(|error| Failure::new(ErrorType::Internal, "making a key", error))?;
    let mut transaction = database.begin().await.failure("storing a key")?;
    let account = sqlx::query_scalar!(
        "INSERT INTO accounts (id, login, role) VALUES ($1, $2, $3)
         ON CONFLICT (login) DO UPDATE SET role = excluded.role WHERE accounts.role = excluded.role RETURNING id",
        Uuid::now_v7(),
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
    Ok((account, key))
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
pub async fn is_customer(database: &PgPool, id: Uuid) -> Result<bool, Failure> {
    let row = sqlx::query_scalar!(
        r#"SELECT EXISTS (SELECT FROM accounts WHERE id = $1 AND role = 'customer' AND disabled_at IS NULL) AS "exists!""#,
        id
    );
    row.fetch_one(database).await.failure("looking a customer up")
}
