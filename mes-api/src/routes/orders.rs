//! `/orders`: what operators see and do.

use axum::{extract::State, http::StatusCode, response::Response};
use catalogue::{Action, Service};
use common::{
    FailureContext as _,
    auth::{By, Caller, Operator},
    domain::{Change, NewStatus, OrderId, OrderStatus, Trigger},
    http::{
        ApiError, Cursor, Json, ModelFile, Page, PageQuery, Path, Problem, Query, Rejection,
        answers::{Guarded, JsonBody},
        model_answer,
    },
    journal,
    messaging::MessageType,
    telemetry::{Record, Subject},
};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Mes,
    orders::{self, MesOrder},
};

pub(super) fn routes() -> OpenApiRouter<Mes> {
    OpenApiRouter::new()
        .routes(routes!(list_orders))
        .routes(routes!(get_order))
        .routes(routes!(get_model))
        .routes(routes!(put_operator))
        .routes(routes!(post_status))
}

/// Which orders are asked for.
#[derive(Deserialize, IntoParams)]
#[into_params(parameter_in = Query)]
struct OrderFilter {
    /// Only those that stand here.
    status: Option<OrderStatus>,
}

/// An order with all that happened to it.
#[derive(Serialize, ToSchema)]
struct OrderWithHistory {
    #[serde(flatten)]
    order: MesOrder,
    /// Every change of its status, the oldest first.
    history: Vec<Change>,
}

/// List orders, newest first
#[utoipa::path(
    get, path = "/orders", tag = "orders", params(OrderFilter, PageQuery),
    responses(
        Guarded,
        (status = 200, description = "A page of orders", body = Page<MesOrder>),
        (status = 400, description = "The query can't be read", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "`limit` or `after` makes no sense", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn list_orders(
    State(mes): State<Mes>,
    _operator: By<Operator>,
    Query(filter): Query<OrderFilter>,
    Query(page): Query<PageQuery>,
) -> Result<axum::Json<Page<MesOrder>>, ApiError> {
    let (limit, after) = page.read()?;
    let mut connection = mes.core.database.acquire().await.failure("listing orders")?;
    let orders = orders::list(&mut connection, filter.status, limit + 1, after).await?;
    Ok(axum::Json(Page::of(orders, limit, |order| Cursor::newest(&order.order))))
}

/// See an order
#[utoipa::path(
    get, path = "/orders/{id}", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        Guarded,
        (status = 200, description = "The order", body = OrderWithHistory),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_order(
    State(mes): State<Mes>,
    _operator: By<Operator>,
    Path(id): Path<OrderId>,
) -> Result<axum::Json<OrderWithHistory>, ApiError> {
    let mut connection = mes.core.database.acquire().await.failure("reading an order")?;
    let stored = orders::find(&mut connection, &id).await?;
    let order = stored.ok_or_else(Rejection::no_such_order)?.order;
    let history = orders::history(&mut connection, &id).await?;
    Ok(axum::Json(OrderWithHistory { order, history }))
}

/// Download an order's 3D model
#[utoipa::path(
    get, path = "/orders/{id}/model", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        Guarded,
        (status = 200, description = "The file, as it was uploaded",
         content((ModelFile = "model/stl"), (ModelFile = "model/obj"), (ModelFile = "model/3mf"))),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_model(
    State(mes): State<Mes>,
    _operator: By<Operator>,
    Path(id): Path<OrderId>,
) -> Result<Response, ApiError> {
    let mut connection = mes.core.database.acquire().await.failure("reading an order")?;
    let stored = orders::find(&mut connection, &id).await?;
    let stored = stored.ok_or_else(Rejection::no_such_order)?;
    // A download may take long; it needs no connection to the database.
    drop(connection);
    model_answer(&mes.core, &stored.model, &stored.model_key).await
}

/// Take an order
///
/// Assigns the caller and starts manufacturing. Of two at once, one gets the order.
#[utoipa::path(
    put, path = "/orders/{id}/operator", tag = "orders", params(("id" = OrderId, Path)),
    responses(
        Guarded,
        (status = 200, description = "The order is the caller's, and in `MANUFACTURING_STARTED`", body = MesOrder),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "It is taken, or not to be manufactured now", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn put_operator(
    State(mes): State<Mes>,
    operator: By<Operator>,
    Path(id): Path<OrderId>,
) -> Result<axum::Json<MesOrder>, ApiError> {
    let mut subject = Subject::just_order(&id).with_operator(operator.account);
    let taken = take(&mes, &operator, &id, &mut subject).await;
    taken.map(axum::Json).map_err(|error| error.during(Action::OrderOperatorAssigned, subject))
}

async fn take(mes: &Mes, operator: &Caller, id: &OrderId, subject: &mut Subject) -> Result<MesOrder, ApiError> {
    let mut transaction = mes.core.database.begin().await.failure("assigning an operator")?;
    let stored = orders::lock(&mut transaction, id).await?;
    let stored = stored.ok_or_else(Rejection::no_such_order)?;
    *subject = stored.subject().with_operator(operator.account);
    let (from, to) = (stored.status(), OrderStatus::ManufacturingStarted);
    from.change(to, Trigger::Assignment, Service::MesApi)?;
    orders::assign(&mut transaction, id, operator.account).await?;
    let assigned = Record::success(Action::OrderOperatorAssigned, subject.clone()).of_change();
    let changed = Record::success(Action::OrderStatusChanged, stored.subject()).status(from, to).of_change();
    orders::advance(&mut transaction, id, to, operator.actor(), changed.id()).await?;
    let entries = [assigned, changed];
    journal::keep(&mut transaction, &entries).await?;
    let (order, _) = orders::tell(&mut transaction, MessageType::OrderProgressed, id).await?;
    transaction.commit().await.failure("assigning an operator")?;

    mes.core.journal.write(entries);
    mes.core.outbox_written.notify_one();
    Ok(order)
}

/// Move an order on
///
/// `MANUFACTURING_COMPLETED`, `PACKAGING`, `SHIPPED`, one after the other, by the operator who has the order.
#[utoipa::path(
    post, path = "/orders/{id}/status", tag = "orders", params(("id" = OrderId, Path)),
    request_body = NewStatus,
    responses(
        JsonBody, Guarded,
        (status = 200, description = "The order in its new status", body = MesOrder),
        (status = 403, description = "Only for operators, and only for the one who has the order", body = Problem, content_type = "application/problem+json"),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The order may not go there", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "There is no such status", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn post_status(
    State(mes): State<Mes>,
    operator: By<Operator>,
    Path(id): Path<OrderId>,
    Json(change): Json<NewStatus>,
) -> Result<axum::Json<MesOrder>, ApiError> {
    let mut subject = Subject::just_order(&id);
    let moved = move_on(&mes, &operator, &id, change.status, &mut subject).await;
    moved.map(axum::Json).map_err(|error| error.during(Action::OrderStatusChanged, subject))
}

async fn move_on(
    mes: &Mes,
    operator: &Caller,
    id: &OrderId,
    to: OrderStatus,
    subject: &mut Subject,
) -> Result<MesOrder, ApiError> {
    let mut transaction = mes.core.database.begin().await.failure("changing an order's status")?;
    let stored = orders::lock(&mut transaction, id).await?;
    let stored = stored.ok_or_else(Rejection::no_such_order)?;
    *subject = stored.subject();
    if stored.order.operator_id.is_some_and(|assigned| assigned != operator.account) {
        let detail = "Another operator has this order.";
        return Err(Rejection::new(StatusCode::FORBIDDEN, "not_your_order", detail).into());
    }
    let from = stored.status();
    from.change(to, Trigger::Request, Service::MesApi)?;
    let entry = Record::success(Action::OrderStatusChanged, subject.clone()).status(from, to).of_change();
    orders::advance(&mut transaction, id, to, operator.actor(), entry.id()).await?;
    journal::keep(&mut transaction, std::slice::from_ref(&entry)).await?;
    let (order, _) = orders::tell(&mut transaction, MessageType::OrderProgressed, id).await?;
    transaction.commit().await.failure("changing an order's status")?;

    mes.core.journal.write([entry]);
    mes.core.outbox_written.notify_one();
    Ok(order)
}
