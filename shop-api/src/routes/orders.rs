//! A customer's orders.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
};
use common::{
    domain::{NewOrder, NewStatus, Order},
    http::{
        AcceptLanguage, By, Customer, Idempotency, Json, Located, ModelFile, ModelQuery, OrderPath, Query, body_stream,
        check_length, located,
    },
    page::{Page, PageQuery, StatusQuery},
    problem::ApiError,
    state::Core,
};
use shop_orders::OrderDetails;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{app::App, orders::commands};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_order, list_orders))
        .routes(routes!(get_order))
        .routes(routes!(put_model))
        .routes(routes!(set_status))
}

/// Create an order
#[utoipa::path(
    post, path = "/orders", tag = "orders", request_body = NewOrder,
    params(AcceptLanguage, Idempotency),
    responses(
        (status = 201, description = "The order, in `INITIATED`", body = Order, headers(("Location", description = "The order's path"))),
        (status = 409, description = "The first request with this key is under way"),
        (status = 422, description = "A field is out of bounds, or the key was used for another order"),
    )
)]
async fn create_order(
    State(app): State<App>,
    customer: By<Customer>,
    language: AcceptLanguage,
    Idempotency(key): Idempotency,
    Json(fields): Json<NewOrder>,
) -> Result<Located<Order>, ApiError> {
    let order = commands::create_order(&app, *customer, fields, key).await?;
    Ok(located(StatusCode::CREATED, format!("/orders/{}", order.id), language.say(order)))
}

/// The caller's orders, newest first
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(AcceptLanguage, StatusQuery, PageQuery),
    responses(
        (status = 200, description = "One page of them", body = Page<Order>),
    )
)]
async fn list_orders(
    State(core): State<Core>,
    customer: By<Customer>,
    language: AcceptLanguage,
    Query(query): Query<StatusQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Order>>, ApiError> {
    Ok(language.json(commands::list_orders(&core, *customer, query.status, &page).await?))
}

/// One of the caller's orders, with its history
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders",
    params(AcceptLanguage, OrderPath),
    responses(
        (status = 200, description = "The order", body = OrderDetails),
        (status = 404, description = "No such order, or another customer's"),
    )
)]
async fn get_order(
    State(core): State<Core>,
    customer: By<Customer>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<axum::Json<OrderDetails>, ApiError> {
    Ok(language.json(commands::get_order(&core, *customer, &id).await?))
}

/// Upload the 3D model
///
/// The body is the file as it is. Until the order is submitted, another upload replaces the model.
#[utoipa::path(
    put, path = "/orders/{id}/model", tag = "orders",
    params(AcceptLanguage, OrderPath, ModelQuery),
    request_body(content = ModelFile, content_type = "application/octet-stream", description = "The file"),
    responses(
        (status = 200, description = "The order, in `FILE_UPLOADED`, with its model", body = Order),
        (status = 404, description = "No such order, or another customer's"),
        (status = 409, description = "The order is submitted already"),
    )
)]
async fn put_model(
    State(core): State<Core>,
    customer: By<Customer>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
    Query(query): Query<ModelQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<Order>, ApiError> {
    check_length(&core.models, &headers)?;
    Ok(language.json(commands::put_model(&core, *customer, &id, &query.filename, query.unit, body_stream(body)).await?))
}

/// Place the order
///
/// Customers set `SUBMITTED`.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders",
    params(AcceptLanguage, OrderPath), request_body = NewStatus,
    responses(
        (status = 200, description = "The order in its new status", body = Order),
        (status = 404, description = "No such order, or another customer's"),
        (status = 409, description = "The order may not go there"),
        (status = 422, description = "There is no such status"),
    )
)]
async fn set_status(
    State(core): State<Core>,
    customer: By<Customer>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
    Json(new): Json<NewStatus>,
) -> Result<axum::Json<Order>, ApiError> {
    Ok(language.json(commands::set_status(&core, *customer, &id, new.status).await?))
}
