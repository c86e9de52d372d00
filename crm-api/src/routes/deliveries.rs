//! Deliveries: the carrier reports that the customer has the jewel.

use axum::extract::State;
use common::{
    domain::{Order, OrderId, OrderStatus},
    http::{AcceptLanguage, By, Carrier, Json},
    problem::ApiError,
    state::Core,
};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, orders::commands};

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
    params(AcceptLanguage),
    responses(
        (status = 200, description = "The order, in `CLOSED`", body = Order),
        (status = 404, description = "No such order"),
        (status = 409, description = "The order isn't on its way"),
        (status = 422, description = "This is no order's number"),
    )
)]
async fn confirm_delivery(
    State(core): State<Core>,
    carrier: By<Carrier>,
    language: AcceptLanguage,
    Json(delivery): Json<Delivery>,
) -> Result<axum::Json<Order>, ApiError> {
    Ok(language.json(commands::set_status(&core, *carrier, &delivery.order_id, OrderStatus::Closed).await?))
}
