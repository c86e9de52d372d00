//! `POST /sessions` and `DELETE /sessions/current`.

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use time::OffsetDateTime;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::{admission::Admitted, caller::OwnSession, extract::Json, request::RequestInfo};
use crate::{
    auth::{Caller, LoggedIn},
    domain::{AccountId, Role},
    problem::ApiError,
    state::Core,
};

/// What a person logs in with.
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
pub(super) struct Session {
    /// Send it as `Authorization: Bearer TOKEN`. It is shown only here.
    pub token: String,
    /// When it ends at the latest; it ends earlier if it isn't used.
    #[serde(with = "time::serde::rfc3339")]
    pub expires_at: OffsetDateTime,
    /// The account.
    pub account_id: AccountId,
    /// What it may do.
    pub role: Role,
}

/// The routes.
pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(create_session)).routes(routes!(delete_session))
}

/// Log in
#[utoipa::path(
    post, path = "/sessions", tag = "sessions", request_body = Credentials,
    responses(
        (status = 201, description = "The session is open", body = Session),
        (status = 401, description = "No enabled account has this login and password"),
        (status = 422, description = "A field is missing, unknown, or no text"),
        (status = 429, description = "Too many attempts; `Retry-After` says how many seconds to wait"),
    )
)]
async fn create_session(
    State(core): State<Core>,
    _: Admitted,
    Extension(request): Extension<Arc<RequestInfo>>,
    Json(credentials): Json<Credentials>,
) -> Result<(StatusCode, axum::Json<Session>), ApiError> {
    let Credentials { login, password } = credentials;
    let opened = core.auth.log_in(request.source, &login, password).await?;
    request.identify(Caller { account: opened.account, role: opened.role });
    let LoggedIn { token, expires_at, account, role } = opened;
    let session = Session { token: token.expose().to_owned(), expires_at, account_id: account, role };
    Ok((StatusCode::CREATED, axum::Json(session)))
}

/// Log out
///
/// The token is dead at once.
#[utoipa::path(
    delete, path = "/sessions/current", tag = "sessions",
    responses(
        (status = 204, description = "The session is over"),
    )
)]
async fn delete_session(State(core): State<Core>, session: OwnSession) -> Result<StatusCode, ApiError> {
    let OwnSession { caller, token, source } = session;
    core.auth.sessions.log_out(&token, caller.account, source).await?;
    Ok(StatusCode::NO_CONTENT)
}
