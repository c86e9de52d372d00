//! Health checks: alive, and ready with each dependency by name.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use axum::{
    Json,
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{failure::FailureContext as _, problem::ApiError, state::Core};

/// A check that takes longer counts as failed.
const TIMEOUT: Duration = Duration::from_secs(2);

/// Whether a dependency responds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Availability {
    /// It does.
    Up,
    /// It doesn't.
    Down,
}

/// How a service is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
enum Status {
    /// Everything works.
    Ok,
    /// A dependency is away, but orders still come in; what waits for it is done later.
    Degraded,
    /// Nothing works.
    Unavailable,
}

/// A service's health.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
struct Report {
    status: Status,
    #[serde(default)]
    dependencies: BTreeMap<String, Availability>,
}

pub(super) fn routes() -> OpenApiRouter<Core> {
    OpenApiRouter::new().routes(routes!(live)).routes(routes!(ready))
}

/// Is the process alive?
#[utoipa::path(get, path = "/health/live", tag = "health", responses((status = 200, description = "It is", body = Report)))]
async fn live() -> Json<Report> {
    Json(Report { status: Status::Ok, dependencies: BTreeMap::new() })
}

/// Can it do its work?
///
/// `degraded` is ready as well: without the broker or the model store, what doesn't need them goes on.
#[utoipa::path(
    get, path = "/health/ready", tag = "health",
    responses(
        (status = 200, description = "It can, perhaps not all of it", body = Report),
        (status = 503, description = "It can't", body = Report),
    )
)]
async fn ready(State(core): State<Core>) -> Response {
    let database = tokio::time::timeout(TIMEOUT, core.database.check());
    let models = tokio::time::timeout(TIMEOUT, core.models.check());
    let (database, models) = tokio::join!(database, models);
    let database = database.failure("asking the database").flatten();
    let state = |up| if up { Availability::Up } else { Availability::Down };

    let mut dependencies = BTreeMap::from([
        ("database".to_owned(), state(database.is_ok())),
        ("model_store".to_owned(), state(matches!(models, Ok(Ok(()))))),
    ]);
    if let Some(up) = core.health.broker_is_up() {
        dependencies.insert("rabbitmq".to_owned(), state(up));
    }
    let (code, status) = if dependencies["database"] == Availability::Down {
        (StatusCode::SERVICE_UNAVAILABLE, Status::Unavailable)
    } else if dependencies.values().any(|state| *state == Availability::Down) {
        (StatusCode::OK, Status::Degraded)
    } else {
        (StatusCode::OK, Status::Ok)
    };
    let mut response = (code, Json(Report { status, dependencies })).into_response();
    if let Err(failure) = database {
        // For the log: the response has its body.
        response.extensions_mut().insert(Arc::new(ApiError::from(failure)));
    }
    response
}
