//! Operators' orders.

use axum::{extract::State, http::StatusCode, response::Response};
use common::{
    domain::NewStatus,
    http::{AcceptLanguage, By, Json, ModelFile, Operator, OrderPath, Query, model_response},
    page::{Page, PageQuery, StatusQuery},
    problem::ApiError,
    state::Core,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    orders::{MesOrder, OrderDetails, commands},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list_orders))
        .routes(routes!(get_order))
        .routes(routes!(get_model))
        .routes(routes!(take_order))
        .routes(routes!(set_status))
        .routes(routes!(queue_price))
}

/// List orders, newest first
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(AcceptLanguage, StatusQuery, PageQuery),
    responses(
        (status = 200, description = "A page of orders", body = Page<MesOrder>),
    )
)]
async fn list_orders(
    State(core): State<Core>,
    _: By<Operator>,
    language: AcceptLanguage,
    Query(query): Query<StatusQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<MesOrder>>, ApiError> {
    Ok(language.json(commands::list_orders(&core, query.status, &page).await?))
}

/// See an order
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", params(AcceptLanguage, OrderPath),
    responses(
        (status = 200, description = "The order", body = OrderDetails),
    )
)]
async fn get_order(
    State(core): State<Core>,
    _: By<Operator>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<axum::Json<OrderDetails>, ApiError> {
    Ok(language.json(commands::get_order(&core, &id).await?))
}

/// Download an order's 3D model
#[utoipa::path(
    get, path = "/orders/{id}/model", tag = "orders", params(OrderPath),
    responses(
        (status = 200, description = "The file, as it was uploaded",
         content((ModelFile = "model/stl"), (ModelFile = "model/obj"), (ModelFile = "model/3mf"))),
    )
)]
async fn get_model(State(core): State<Core>, _: By<Operator>, OrderPath(id): OrderPath) -> Result<Response, ApiError> {
    let (model, key) = commands::get_model(&core, &id).await?;
    model_response(&core.models, &model, &key).await
}

/// Take an order
///
/// Assigns the caller and starts manufacturing. Of two at once, one gets the order.
#[utoipa::path(
    put, path = "/orders/{id}/operator", tag = "orders", params(AcceptLanguage, OrderPath),
    responses(
        (status = 200, description = "The order is the caller's, and in `MANUFACTURING_STARTED`", body = MesOrder),
        (status = 409, description = "It is taken, or not to be manufactured now"),
    )
)]
async fn take_order(
    State(app): State<App>,
    operator: By<Operator>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<axum::Json<MesOrder>, ApiError> {
    Ok(language.json(commands::take_order(&app, *operator, &id).await?))
}

/// Move an order on
///
/// `MANUFACTURING_COMPLETED`, `PACKAGING`, `SHIPPED`, one after the other, by the operator who has the order.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders", params(AcceptLanguage, OrderPath),
    request_body = NewStatus,
    responses(
        (status = 200, description = "The order in its new status", body = MesOrder),
        (status = 403, description = "Only for operators, and only for the one who has the order"),
        (status = 409, description = "The order may not go there"),
        (status = 422, description = "There is no such status"),
    )
)]
async fn set_status(
    State(core): State<Core>,
    operator: By<Operator>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
    Json(new): Json<NewStatus>,
) -> Result<axum::Json<MesOrder>, ApiError> {
    Ok(language.json(commands::set_status(&core, *operator, &id, new.status).await?))
}

/// Ask for a price again
///
/// Only after it has failed: the model is read anew, by the prices of today.
#[utoipa::path(
    post, path = "/orders/{id}/price", tag = "prices", params(AcceptLanguage, OrderPath),
    responses(
        (status = 202, description = "The calculation is queued", body = MesOrder),
        (status = 409, description = "The last calculation has not failed"),
    )
)]
async fn queue_price(
    State(app): State<App>,
    _: By<Operator>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<(StatusCode, axum::Json<MesOrder>), ApiError> {
    Ok((StatusCode::ACCEPTED, language.json(commands::queue_price(&app, &id).await?)))
}
