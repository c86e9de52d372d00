//! Orders, all of them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::Response,
};
use common::{
    domain::{CustomerId, Material, NewOrder, NewStatus, Order, OrderStatus},
    http::{
        AcceptLanguage, By, Idempotency, Json, Located, ModelFile, ModelQuery, OrderPath, Query, Seller, body_stream,
        check_length, located, model_response,
    },
    page::{Page, PageQuery},
    problem::{ApiError, Rejection},
    state::Core,
};
use serde::Deserialize;
use shop_orders::OrderDetails;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    app::App,
    orders::commands::{self, Selection},
};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(create_order, list_orders))
        .routes(routes!(get_order))
        .routes(routes!(put_model, get_model))
        .routes(routes!(set_status))
}

/// An order for a customer.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct NewOrderForCustomer {
    /// The customer's account.
    customer_id: CustomerId,
    /// What the jewel is made of.
    material: Material,
    /// How many pieces.
    #[schema(minimum = 1, maximum = 1000)]
    quantity: i32,
    /// Anything that matters.
    #[serde(default)]
    #[schema(max_length = 2000)]
    comment: Option<String>,
}

/// Create an order for a customer
#[utoipa::path(
    post, path = "/orders", tag = "orders", request_body = NewOrderForCustomer,
    params(AcceptLanguage, Idempotency),
    responses(
        (status = 201, description = "The order, in `INITIATED`", body = Order, headers(("Location", description = "The order's path"))),
        (status = 409, description = "The first request with this key is under way"),
        (status = 422, description = "There is no such customer, a field is out of bounds, or the key was used for another order"),
    )
)]
async fn create_order(
    State(app): State<App>,
    seller: By<Seller>,
    language: AcceptLanguage,
    Idempotency(key): Idempotency,
    Json(new): Json<NewOrderForCustomer>,
) -> Result<Located<Order>, ApiError> {
    let NewOrderForCustomer { customer_id, material, quantity, comment } = new;
    let fields = NewOrder { material, quantity, comment };
    let order = commands::create_order(&app, *seller, customer_id, fields, key).await?;
    Ok(located(StatusCode::CREATED, format!("/orders/{}", order.id), language.say(order)))
}

/// Which orders a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// Only those in this status.
    status: Option<OrderStatus>,
    /// Only this customer's.
    customer_id: Option<CustomerId>,
    /// Only those that have been in their status for too long, the longest-waiting first.
    #[serde(default)]
    stuck: bool,
    /// Only those that have been on their way for too long since they were submitted, the longest-waiting first.
    #[serde(default)]
    overdue: bool,
}

/// Orders, newest first; stuck or overdue ones the longest-waiting first
///
/// `stuck` and `overdue` exclude each other.
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(AcceptLanguage, OrdersQuery, PageQuery),
    responses(
        (status = 200, description = "One page of them", body = Page<Order>),
    )
)]
async fn list_orders(
    State(app): State<App>,
    _: By<Seller>,
    language: AcceptLanguage,
    Query(query): Query<OrdersQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Order>>, ApiError> {
    let selection = match (query.stuck, query.overdue) {
        (false, false) => Selection::All,
        (true, false) => Selection::Stuck,
        (false, true) => Selection::Overdue,
        (true, true) => return Err(Rejection::invalid("`stuck` and `overdue` can't be asked for together.").into()),
    };
    Ok(language.json(commands::list_orders(&app, selection, query.status, query.customer_id, &page).await?))
}

/// An order, with its history
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders",
    params(AcceptLanguage, OrderPath),
    responses(
        (status = 200, description = "The order", body = OrderDetails),
    )
)]
async fn get_order(
    State(core): State<Core>,
    seller: By<Seller>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<axum::Json<OrderDetails>, ApiError> {
    Ok(language.json(commands::get_order(&core, *seller, &id).await?))
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
        (status = 409, description = "The order is submitted already"),
    )
)]
async fn put_model(
    State(core): State<Core>,
    seller: By<Seller>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
    Query(query): Query<ModelQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<Order>, ApiError> {
    check_length(&core.models, &headers)?;
    Ok(language.json(commands::put_model(&core, *seller, &id, &query.filename, query.unit, body_stream(body)).await?))
}

/// Download the 3D model
#[utoipa::path(
    get, path = "/orders/{id}/model", tag = "orders",
    params(OrderPath),
    responses(
        (status = 200, description = "The file",
         content((ModelFile = "model/stl"), (ModelFile = "model/obj"), (ModelFile = "model/3mf"))),
        (status = 404, description = "No such order, or it has no model yet"),
    )
)]
async fn get_model(State(core): State<Core>, _: By<Seller>, OrderPath(id): OrderPath) -> Result<Response, ApiError> {
    let (model, key) = commands::get_model(&core, &id).await?;
    model_response(&core.models, &model, &key).await
}

/// Place, approve or close an order
///
/// Sellers set `SUBMITTED`, `MANUFACTURING_APPROVED` and `CLOSED`.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders",
    params(AcceptLanguage, OrderPath), request_body = NewStatus,
    responses(
        (status = 200, description = "The order in its new status", body = Order),
        (status = 409, description = "The order may not go there"),
        (status = 422, description = "There is no such status"),
    )
)]
async fn set_status(
    State(core): State<Core>,
    seller: By<Seller>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
    Json(new): Json<NewStatus>,
) -> Result<axum::Json<Order>, ApiError> {
    Ok(language.json(commands::set_status(&core, *seller, &id, new.status).await?))
}
