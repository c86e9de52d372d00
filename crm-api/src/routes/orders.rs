//! Orders, all of them.

use axum::{
    body::Body,
    extract::State,
    http::{HeaderMap, StatusCode},
    response::{IntoResponse, Response},
};
use catalogue::Action;
use common::{
    Core,
    auth::{By, Seller, accounts},
    domain::{Material, NewOrder, NewStatus, Order, OrderId, OrderStatus, Owner},
    http::{
        ApiError, Cursor, Json, ModelFile, ModelQuery, Page, PageQuery, Path, Problem, Query, Rejection,
        answers::{Guarded, JsonBody},
        model_answer, no_longer_than,
    },
    telemetry::Subject,
};
use serde::Deserialize;
use shop_orders::{
    OrderDetails,
    commands::{self, Viewer},
    store::{self, Filter, StoredOrder},
};
use time::OffsetDateTime;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};
use uuid::Uuid;

use crate::App;

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
    customer_id: Uuid,
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
    params(("Idempotency-Key" = Option<String>, Header, description = "The same key and body again get the first answer", pattern = "^[ -~]{1,255}$")),
    responses(
        JsonBody, Guarded,
        (status = 201, description = "The order, in `INITIATED`", body = Order, headers(("Location", description = "The order's path"))),
        (status = 409, description = "The first request with this key is under way", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such customer, a field is out of bounds, or the key was used for another order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn create_order(
    State(App { core, creations, .. }): State<App>,
    seller: By<Seller>,
    headers: HeaderMap,
    Json(new): Json<NewOrderForCustomer>,
) -> Result<impl IntoResponse, ApiError> {
    let NewOrderForCustomer { customer_id, material, quantity, comment } = new;
    let known = accounts::is_customer(&core.database, customer_id).await.map_err(|failure| {
        ApiError::from(failure).during(Action::OrderCreated, Subject::owner(Owner::Customer(customer_id)))
    })?;
    if !known {
        return Err(
            Rejection::new(StatusCode::UNPROCESSABLE_ENTITY, "unknown_customer", "There is no such customer.").into()
        );
    }
    let new = NewOrder { material, quantity, comment };
    let order = commands::create(&core, &creations, Viewer::unrestricted(*seller), customer_id, new, &headers).await?;
    Ok(commands::created(order))
}

/// Which orders a list has.
#[derive(Debug, Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrdersQuery {
    /// Only those in this status.
    status: Option<OrderStatus>,
    /// Only this customer's.
    customer_id: Option<Uuid>,
    /// Only those that have been in their status for too long, the longest-waiting first.
    #[serde(default)]
    stuck: bool,
    /// Only those that have been on their way for too long since they were submitted, the longest-waiting first.
    #[serde(default)]
    overdue: bool,
}

/// Orders, newest first; stuck or overdue ones the longest-waiting first
///
/// Which are stuck and which are overdue are two questions: ask one of them at a time.
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
    State(App { core, deadlines, .. }): State<App>,
    _: By<Seller>,
    Query(query): Query<OrdersQuery>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<Order>>, ApiError> {
    let (limit, after) = page.read()?;
    let filter = Filter { status: query.status, customer: query.customer_id };
    let now = OffsetDateTime::now_utc();
    let page = match (query.stuck, query.overdue) {
        (false, false) => {
            let orders = store::list(&core.database, filter, limit, after.as_ref()).await?;
            Page::of(orders, limit, Cursor::newest)
        }
        (true, false) => {
            let stuck = store::stuck(&core.database, &deadlines.stuck(now), filter, limit, after.as_ref()).await?;
            waiting(stuck, limit, |order| Some(order.status_since))
        }
        (false, true) => match deadlines.overdue(now) {
            Some(since) => {
                let overdue = store::overdue(&core.database, since, filter, limit, after.as_ref()).await?;
                waiting(overdue, limit, |order| order.submitted_at)
            }
            None => Page { items: Vec::new(), next: None },
        },
        (true, true) => {
            return Err(Rejection::invalid("`stuck` and `overdue` can't be asked for together.".to_owned()).into());
        }
    };
    Ok(axum::Json(page))
}

/// A page of orders by how long each has been waiting: since when, `since` says.
fn waiting(
    orders: Vec<StoredOrder>,
    limit: i64,
    since: impl Fn(&StoredOrder) -> Option<OffsetDateTime>,
) -> Page<Order> {
    let cursor =
        |last: &StoredOrder| Cursor { at: since(last).unwrap_or(last.status_since), id: last.order.id.clone() };
    let Page { items, next } = Page::of(orders, limit, cursor);
    Page { items: items.into_iter().map(|waiting| waiting.order).collect(), next }
}

/// An order, with its history
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042")),
    responses(
        Guarded,
        (status = 200, description = "The order", body = OrderDetails),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_order(
    State(core): State<Core>,
    seller: By<Seller>,
    Path(id): Path<OrderId>,
) -> Result<axum::Json<OrderDetails>, ApiError> {
    Ok(axum::Json(commands::show(&core, Viewer::unrestricted(*seller), &id).await?))
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
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order is submitted already", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The file is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "Not a format that we know, or not what its name says", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "The file is empty, or its name can't be used", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_model(
    State(core): State<Core>,
    seller: By<Seller>,
    Path(id): Path<OrderId>,
    Query(query): Query<ModelQuery>,
    headers: HeaderMap,
    body: Body,
) -> Result<axum::Json<Order>, ApiError> {
    no_longer_than(core.upload_limit, &headers)?;
    let visitor = Viewer::unrestricted(*seller);
    let order = commands::upload_model(&core, visitor, &id, &query.filename, body.into_data_stream()).await?;
    Ok(axum::Json(order))
}

/// Download the 3D model
#[utoipa::path(
    get, path = "/orders/{id}/model", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042")),
    responses(
        Guarded,
        (status = 200, description = "The file",
         content((ModelFile = "model/stl"), (ModelFile = "model/obj"), (ModelFile = "model/3mf"))),
        (status = 404, description = "No such order, or it has no model yet", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_model(State(core): State<Core>, _: By<Seller>, Path(id): Path<OrderId>) -> Result<Response, ApiError> {
    let found = store::find(&core.database, &id).await?.ok_or_else(Rejection::no_such_order)?;
    let (model, key) = found.order.model.zip(found.model_key).ok_or_else(Rejection::no_model)?;
    model_answer(&core, &model, &key).await
}

/// Place, approve or close an order
///
/// Sellers set `SUBMITTED`, `MANUFACTURING_APPROVED` and `CLOSED`.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders",
    params(("id" = OrderId, Path, description = "The order's number", example = "A-100042")), request_body = NewStatus,
    responses(
        JsonBody, Guarded,
        (status = 200, description = "The order in its new status", body = Order),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order may not go there", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such status", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn set_status(
    State(core): State<Core>,
    seller: By<Seller>,
    Path(id): Path<OrderId>,
    Json(new): Json<NewStatus>,
) -> Result<axum::Json<Order>, ApiError> {
    Ok(axum::Json(commands::set_status(&core, Viewer::unrestricted(*seller), &id, new.status).await?))
}
