//! Customers: their accounts.

use std::sync::Arc;

use axum::{Extension, extract::State, http::StatusCode};
use common::{
    domain::CustomerId,
    http::{Admitted, Credentials, Json, RequestInfo},
    problem::ApiError,
    state::Core,
};
use serde::Serialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, customers::commands};

/// A new customer.
#[derive(Serialize, ToSchema)]
struct NewCustomer {
    /// The account.
    customer_id: CustomerId,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(create_customer))
}

/// Register
#[utoipa::path(
    post, path = "/customers", tag = "customers", request_body = Credentials,
    responses(
        (status = 201, description = "The account exists; log in with `POST /sessions`", body = NewCustomer),
        (status = 409, description = "The login is taken"),
        (status = 422, description = "The login can't be used, or the password is weak"),
        (status = 429, description = "Too many at once; `Retry-After` says how many seconds to wait"),
    )
)]
async fn create_customer(
    State(core): State<Core>,
    _: Admitted,
    Extension(request): Extension<Arc<RequestInfo>>,
    Json(credentials): Json<Credentials>,
) -> Result<(StatusCode, axum::Json<NewCustomer>), ApiError> {
    let Credentials { login, password } = credentials;
    let customer_id = commands::register(&core, request.source, &login, password).await?;
    Ok((StatusCode::CREATED, axum::Json(NewCustomer { customer_id })))
}
