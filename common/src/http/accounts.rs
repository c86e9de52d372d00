//! What accounts that log in do about themselves: `PUT /accounts/me/password`, and their sessions below
//! `/accounts/me/sessions`.

use axum::{
    extract::{Path, State},
    http::StatusCode,
};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{caller::OwnSession, extract::Json};
use crate::{
    domain::SessionId,
    problem::{ApiError, Rejection},
    state::Core,
};

/// A change of the own password.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct PasswordChange {
    /// The password that the account has.
    #[schema(value_type = String, format = Password)]
    old_password: SecretString,
    /// The one that it gets.
    #[schema(value_type = String, format = Password)]
    new_password: SecretString,
}

/// An open session of the own account.
#[derive(Serialize, ToSchema)]
struct OpenSession {
    /// What it is ended by.
    id: SessionId,
    /// When it was opened.
    #[serde(with = "time::serde::rfc3339")]
    created_at: OffsetDateTime,
    /// When it was used last, to the minute.
    #[serde(with = "time::serde::rfc3339")]
    used_at: OffsetDateTime,
    /// When it ends at the latest.
    #[serde(with = "time::serde::rfc3339")]
    expires_at: OffsetDateTime,
    /// Whether it is this one.
    is_current: bool,
}

/// The open sessions of the own account.
#[derive(Serialize, ToSchema)]
struct OpenSessions {
    /// The newest first.
    items: Vec<OpenSession>,
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(change_password)).routes(routes!(list_sessions)).routes(routes!(end_session))
}

/// Change the own password
///
/// All other sessions of the account end at once.
#[utoipa::path(
    put, path = "/accounts/me/password", tag = "accounts", request_body = PasswordChange,
    responses(
        (status = 204, description = "The password is changed"),
        (status = 401, description = "No valid token, or the old password is wrong"),
        (status = 422, description = "A field is missing, unknown, or no text; or the new password is weak"),
        (status = 429, description = "Too many attempts; `Retry-After` says how many seconds to wait"),
    )
)]
async fn change_password(
    State(core): State<Core>,
    session: OwnSession,
    Json(change): Json<PasswordChange>,
) -> Result<StatusCode, ApiError> {
    let OwnSession { caller, token, source } = session;
    let PasswordChange { old_password, new_password } = change;
    core.auth.change_password(source, caller.account, &token, [old_password, new_password]).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// List the own sessions
#[utoipa::path(
    get, path = "/accounts/me/sessions", tag = "accounts",
    responses((status = 200, description = "The open sessions", body = OpenSessions))
)]
async fn list_sessions(State(core): State<Core>, session: OwnSession) -> Result<axum::Json<OpenSessions>, ApiError> {
    let sessions = core.auth.sessions.of_account(session.caller.account, &session.token).await?;
    let items = sessions.into_iter().map(|session| OpenSession {
        id: session.id,
        created_at: session.created_at,
        used_at: session.used_at,
        expires_at: session.expires_at,
        is_current: session.is_current,
    });
    Ok(axum::Json(OpenSessions { items: items.collect() }))
}

/// End one of the own sessions
///
/// Its token is dead at once.
#[utoipa::path(
    delete, path = "/accounts/me/sessions/{id}", tag = "accounts",
    params(("id" = String, Path, description = "The session's id")),
    responses(
        (status = 204, description = "The session is over"),
        (status = 404, description = "The account has no such session"),
    )
)]
async fn end_session(
    State(core): State<Core>,
    session: OwnSession,
    Path(id): Path<String>,
) -> Result<StatusCode, ApiError> {
    let OwnSession { caller, source, .. } = session;
    // An id that can't be read is that of no session.
    let ended = match id.parse() {
        Ok(id) => core.auth.sessions.end(id, caller.account, source).await?,
        Err(_) => false,
    };
    if ended { Ok(StatusCode::NO_CONTENT) } else { Err(Rejection::no_such_session().into()) }
}
