//! A customer's orders.

use axum::{body::Body, extract::State, http::HeaderMap, response::IntoResponse};
use common::{
    Core,
    auth::{By, Customer},
    domain::{NewOrder, NewStatus, Order, OrderId, OrderStatus},
    http::{
        ApiError, Cursor, Json, ModelFile, ModelQuery, Page, PageQuery, Path, Problem, Query,
        answers::{Guarded, JsonBody},
        no_longer_than,
    },
};
use serde::Deserialize;
use shop_orders::{
    OrderDetails,
    commands::{self, Viewer},
    store::{self, Filter},
};
use utoipa::IntoParams;
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::App;

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
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer", pattern = "^[ -~]{1,255}$")),
    responses(
        JsonBody, Guarded,
        (status = 201, description = "The order, in `INITIATED`", body = Order, headers(("Location", description = "The order's path"))),
        (status = 409, description = "The first request with this key is under way", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A field is out of bounds, or the key was used for another order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_order(
    State(App { core, creations }): State<App>,
    customer: By<Customer>,
    headers: HeaderMap,
    Json(new): Json<NewOrder>,
) -> Result<impl IntoResponse, ApiError> {
    let order =
        commands::create(&core, &creations, Viewer::customer(*customer), customer.account, new, &headers).await?;
    Ok(commands::created(order))
}

/// Which orders a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// Only those in this status.
    status: Option<OrderStatus>,
}

/// The caller's orders, newest first
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(OrdersQuery, PageQuery),
    responses(
        Guarded,
        (status = 200, description = "One page of them", body = Page<Order>),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A parameter is out of bounds", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_orders(
    State(core): State<Core>,
    customer: By<Customer>,
    Query(query): Query<OrdersQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Order>>, ApiError> {
    let (limit, after) = page.read()?;
    let filter = Filter { status: query.status, customer: Some(customer.account) };
    let orders = store::list(&core.database, filter, limit, after.as_ref()).await?;
    Ok(axum::Json(Page::of(orders, limit, Cursor::newest)))
}

/// One of the caller's orders, with its history
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042")),
    responses(
        Guarded,
        (status = 200, description = "The order", body = OrderDetails),
        (status = 404, description = "No such order, or somebody else's", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_order(
    State(core): State<Core>,
    customer: By<Customer>,
    Path(id): Path<OrderId>,
) -> Result<axum::Json<OrderDetails>, ApiError> {
    Ok(axum::Json(commands::show(&core, Viewer::customer(*customer), &id).await?))
}

/// Upload the 3D model
///
/// The body is the file as it is. Until the order is submitted, another upload replaces the model.
#[utoipa::path(
    put, path = "/orders/{id}/model", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042"), ModelQuery),
    request_body(content = ModelFile, content_type = "application/octet-stream", description = "The file"),
    responses(
        Guarded,
        (status = 200, description = "The order, in `FILE_UPLOADED`, with its model", body = Order),
        (status = 400, description = "The query can't be read, or the file didn't arrive whole", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The file came too slowly", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order, or somebody else's", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order is submitted already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not a format that we know, or not what its name says", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file is empty, or its name can't be used", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_model(
    State(core): State<Core>,
    customer: By<Customer>,
    Path(id): Path<OrderId>,
    Query(query): Query<ModelQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<Order>, ApiError> {
    no_longer_than(core.upload_limit, &headers)?;
    let visitor = Viewer::customer(*customer);
    let order = commands::upload_model(&core, visitor, &id, &query.filename, body.into_data_stream()).await?;
    Ok(axum::Json(order))
}

/// Place the order
///
/// Customers set `SUBMITTED`.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042")), request_body = NewStatus,
    responses(
        JsonBody, Guarded,
        (status = 200, description = "The order in its new status", body = Order),
        (status = 404, description = "No such order, or somebody else's", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order may not go there", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such status", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn set_status(
    State(core): State<Core>,
    customer: By<Customer>,
    Path(id): Path<OrderId>,
    Json(new): Json<NewStatus>,
) -> Result<axum::Json<Order>, ApiError> {
    Ok(axum::Json(commands::set_status(&core, Viewer::customer(*customer), &id, new.status).await?))
}
