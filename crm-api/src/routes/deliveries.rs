//! Deliveries: the carrier says that the customer has the jewel.

use axum::extract::State;
use common::{
    Core,
    auth::{By, Carrier},
    domain::{Order, OrderId, OrderStatus},
    http::{
        ApiError, Json, Problem,
        answers::{Guarded, JsonBody},
    },
};
use serde::Deserialize;
use shop_orders::commands::{self, Viewer};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

/// A delivery that has happened.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Delivery {
    /// The order that was delivered.
    order_id: OrderId,
}

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(confirm_delivery))
}

/// Confirm a delivery
///
/// Closes a shipped order. The caller is the carrier, by its key.
#[utoipa::path(
    post, path = "/deliveries", tag = "deliveries", request_body = Delivery,
    responses(
        JsonBody, Guarded,
        (status = 200, description = "The order, in `CLOSED`", body = Order),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order isn't on its way", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "This is no order's number", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn confirm_delivery(
    State(core): State<Core>,
    carrier: By<Carrier>,
    Json(delivery): Json<Delivery>,
) -> Result<axum::Json<Order>, ApiError> {
    let visitor = Viewer::unrestricted(*carrier);
    Ok(axum::Json(commands::set_status(&core, visitor, &delivery.order_id, OrderStatus::Closed).await?))
}
