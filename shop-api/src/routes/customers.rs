//! Customers: their accounts.

use axum::{extract::State, http::StatusCode};
use common::{
    Core,
    auth::{
        Admitted, Role,
        accounts::{self, AccountError},
        login::Credentials,
    },
    http::{
        ApiError, Json, Problem, Rejection,
        answers::{JsonBody, Unexpected},
    },
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::App;

/// A new customer.
#[derive(Serialize, ToSchema)]
struct NewCustomer {
    /// The account.
    customer_id: Uuid,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_customer))
}

/// Register
#[utoipa::path(
    post, path = "/customers", tag = "customers", request_body = Credentials,
    responses(
        JsonBody, Unexpected,
        (status = 201, description = "The account exists; log in with `POST /sessions`", body = NewCustomer),
        (status = 409, description = "The login is taken", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The login can't be used, or the password is weak", body = Problem, content_type = "application/problem+json"),
        (status = 429, description = "Too many at once; `Retry-After` says how many seconds to wait", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_customer(
    State(core): State<Core>,
    _: Admitted,
    Json(credentials): Json<Credentials>,
) -> Result<(StatusCode, axum::Json<NewCustomer>), ApiError> {
    let Credentials { login, password } = credentials;
    let customer_id = accounts::create(&core.database, &core.hasher, &login, password, Role::Customer).await;
    let customer_id = customer_id.map_err(|error| match error {
        AccountError::Failure(failure) => ApiError::from(failure),
        AccountError::LoginTaken => Rejection::conflict("login_taken", "This login is taken.").into(),
        AccountError::Busy => Rejection::busy().into(),
        AccountError::WeakPassword(weak) => {
            Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, "weak_password", weak.to_string()).into()
        }
        AccountError::InvalidLogin | AccountError::Unknown => Rejection::invalid(error.to_string()).into(),
    })?;
    Ok((StatusCode::CREATED, axum::Json(NewCustomer { customer_id })))
}
