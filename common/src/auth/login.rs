//! `POST /sessions` and `DELETE /sessions/current`.

use std::sync::Arc;

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use catalogue::Action;
use hmac::{Hmac, KeyInit as _, Mac as _};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use sha2::Sha256;
use time::OffsetDateTime;
use tracing::Level;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use super::{Admitted, Role, Token, caller, password::HasherError, session, throttle};
use crate::{
    Core,
    failure::{ErrorType, Failure, FailureContext as _},
    http::{
        ApiError, Json, Problem, Rejection, RequestInfo,
        answers::{Guarded, JsonBody, Unexpected},
    },
    telemetry::{Record, Subject},
};

/// What somebody logs in with.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Credentials {
    /// The account's login.
    #[schema(example = "ada", max_length = 128)]
    pub login: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// An open session.
#[derive(Serialize, ToSchema)]
pub struct Session {
    /// Send it as `Authorization: Bearer TOKEN`. It is told only here.
    pub token: String,
    /// When it ends at the latest; it ends earlier if it isn't used.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The account.
    pub account_id: Uuid,
    /// What it may do.
    pub role: Role,
}

/// The routes.
pub fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(create_session)).routes(routes!(delete_session))
}

/// Log in
#[utoipa::path(
    post, path = "/sessions", tag = "sessions", request_body = Credentials,
    responses(
        JsonBody, Unexpected,
        (status = 201, description = "The session is open", body = Session),
        (status = 401, description = "No enabled account has this login and password", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is missing, unknown, or no text", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many attempts; `Retry-After` says how many seconds to wait", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_session(
    State(core): State<Core>,
    _: Admitted,
    Extension(request): Extension<Arc<RequestInfo>>,
    Json(credentials): Json<Credentials>,
) -> Result<(StatusCode, axum::Json<Session>), ApiError> {
    // A failure of ours on the way is a failed login as well.
    log_in(&core, &request, credentials)
        .await
        .map(|session| (StatusCode::CREATED, axum::Json(session)))
        .map_err(|error| error.during(Action::LoginFailed, Subject::default()))
}

async fn log_in(core: &Core, request: &RequestInfo, credentials: Credentials) -> Result<Session, ApiError> {
    let row = sqlx::query!(
        r#"SELECT id, password_hash AS "password_hash!", role AS "role: Role", disabled_at,
                  CASE WHEN known.account_id IS NULL THEN accounts.failures ELSE known.failures END AS "failures!",
                  CASE WHEN known.account_id IS NULL THEN accounts.failed_at ELSE known.failed_at END AS failed_at
           FROM accounts LEFT JOIN login_sources AS known ON known.account_id = id AND known.source = $2
           WHERE login = $1 AND password_hash IS NOT NULL"#,
        // PostgreSQL's text has no NUL, so no login has one either.
        credentials.login.replace('\0', "\u{fffd}"),
        request.source.to_string()
    );
    let account = row.fetch_optional(&core.database).await.failure("looking an account up")?;
    let now = OffsetDateTime::now_utc();
    if let Some(delay) = account.as_ref().and_then(|account| throttle::delay(account.failures, account.failed_at, now))
    {
        return Err(Rejection::too_many_attempts(delay).into());
    }

    let hash = account.as_ref().map(|account| account.password_hash.clone());
    let fits = core.hasher.verify(credentials.password, hash).await.map_err(|error| match error {
        HasherError::Busy => ApiError::from(Rejection::busy()),
        HasherError::Failure(failure) => failure.into(),
    })?;
    let account = match account {
        Some(account) if fits && account.disabled_at.is_none() => account,
        other => {
            report_failure(core, request, other.map(|account| account.id), &credentials.login).await?;
            return Err(Rejection::wrong_credentials().into());
        }
    };

    throttle::succeeded(&core.database, account.id, request.source).await?;
    request.identify_user(account.id);
    let token = Token::new_session().map_err(|error| Failure::new(ErrorType::Internal, "making a token", error))?;
    let expires_at = session::open(&core.database, account.id, &token, core.session_limits).await?;
    Ok(Session { token: token.expose().to_owned(), expires_at, account_id: account.id, role: account.role })
}

/// Counts and records a wrong login. Unknown, disabled and wrong look the same to the client.
async fn report_failure(core: &Core, request: &RequestInfo, account: Option<Uuid>, login: &str) -> Result<(), Failure> {
    let failures = match account {
        Some(account) => Some(throttle::failed(&core.database, account, request.source).await?),
        None => None,
    };
    let repeated = failures.filter(|failures| *failures >= throttle::REPEATED_FROM);
    let hash = account.is_none().then(|| keyed_hash(&core.login_hash_key, login));

    let (action, level) = match repeated {
        Some(_) => (Action::LoginFailedRepeatedly, Level::WARN),
        None => (Action::LoginFailed, Level::INFO),
    };
    let mut record = Record::success(action, Subject::default())
        .unsuccessful()
        .level(level)
        .user(account)
        .source_ip(request.source_network);
    if let Some(failures) = repeated {
        record = record.failures(failures);
    }
    if let Some(hash) = &hash {
        record = record.user_hash(hash);
    }
    record.write();
    Ok(())
}

/// People type passwords into the login field: what nobody is called never appears as typed, yet the same text can be
/// recognised again.
fn keyed_hash(key: &[u8], login: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of every length");
    mac.update(login.as_bytes());
    let hash = mac.finalize().into_bytes();
    hash[..8].iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Log out
///
/// The token is dead at once.
#[utoipa::path(
    delete, path = "/sessions/current", tag = "sessions",
    responses(
        Guarded,
        (status = 204, description = "The session is over"),
    )
)]
async fn delete_session(
    State(core): State<Core>,
    Extension(request): Extension<Arc<RequestInfo>>,
    headers: HeaderMap,
) -> Result<StatusCode, ApiError> {
    let token = caller::token(&headers).filter(|token| !token.is_key()).ok_or_else(Rejection::unauthenticated)?;
    let caller = session::holder(&core, &token).await?;
    request.identify_user(caller.ok_or_else(Rejection::unauthenticated)?.account);
    session::close(&core.database, &token).await?;
    Ok(StatusCode::NO_CONTENT)
}
