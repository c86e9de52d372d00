//! What sellers and the carrier can ask for: they see all orders.

use bytes::Bytes;
use catalogue::Action;
use common::{
    auth::{Caller, accounts},
    domain::{CustomerId, Model, ModelUnit, NewOrder, Order, OrderId, OrderStatus, Owner},
    idempotency::IdempotencyKey,
    model_store::BodyError,
    page::{Cursor, Page, PageQuery},
    problem::{ApiError, ProblemCode, Rejection},
    state::Core,
    telemetry::Subject,
};
use futures::Stream;
use shop_orders::{
    OrderDetails, Viewer, commands,
    store::{self, Filter, StoredOrder},
};
use time::OffsetDateTime;

use crate::app::App;

/// Which orders a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Selection {
    /// All, newest first.
    All,
    /// Those that have been in their status for too long, the longest-waiting first.
    Stuck,
    /// Those that were submitted too long ago, the longest-waiting first.
    Overdue,
}

/// Creates an order for a customer.
pub(crate) async fn create_order(
    app: &App,
    seller: Caller,
    customer: CustomerId,
    fields: NewOrder,
    key: Option<IdempotencyKey>,
) -> Result<Order, ApiError> {
    let known = accounts::is_customer(&app.core.database, customer).await;
    let subject = Subject::owner(Owner::Customer(customer));
    let known = known.map_err(|failure| ApiError::from(failure).during(Action::OrderCreated, subject))?;
    if !known {
        return Err(Rejection::new(ProblemCode::UnknownCustomer, "There is no such customer.").into());
    }
    let viewer = Viewer::unrestricted(seller);
    commands::create_order(&app.core, &app.creations, viewer, customer, fields, key).await
}

/// A page of orders.
pub(crate) async fn list_orders(
    app: &App,
    selection: Selection,
    status: Option<OrderStatus>,
    customer: Option<CustomerId>,
    page: &PageQuery,
) -> Result<Page<Order>, ApiError> {
    let (limit, after) = page.read()?;
    let filter = Filter { status, customer };
    let now = OffsetDateTime::now_utc();
    let mut connection = app.core.database.connection().await?;
    let (connection, after) = (&mut *connection, after.as_ref());
    match selection {
        Selection::All => {
            let orders = store::list(connection, filter, limit, after).await?;
            Ok(Page::of(orders, limit, Cursor::newest))
        }
        Selection::Stuck => {
            let stuck = store::stuck(connection, &app.deadlines.stuck(now), filter, limit, after).await?;
            Ok(longest_waiting(stuck, limit, |order| Some(order.status_since)))
        }
        Selection::Overdue => {
            let Some(since) = app.deadlines.overdue(now) else {
                return Ok(Page { items: Vec::new(), next: None });
            };
            let overdue = store::overdue(connection, since, filter, limit, after).await?;
            Ok(longest_waiting(overdue, limit, |order| order.submitted_at))
        }
    }
}

/// A page of orders, sorted by the time since when each has been waiting.
fn longest_waiting(
    orders: Vec<StoredOrder>,
    limit: i64,
    since: impl Fn(&StoredOrder) -> Option<OffsetDateTime>,
) -> Page<Order> {
    let cursor =
        |last: &StoredOrder| Cursor { at: since(last).unwrap_or(last.status_since), id: last.order.id.clone() };
    let Page { items, next } = Page::of(orders, limit, cursor);
    Page { items: items.into_iter().map(|waiting| waiting.order).collect(), next }
}

/// An order with its history.
pub(crate) async fn get_order(core: &Core, seller: Caller, id: &OrderId) -> Result<OrderDetails, ApiError> {
    commands::get_order(core, Viewer::unrestricted(seller), id).await
}

/// Uploads an order's model.
pub(crate) async fn put_model(
    core: &Core,
    seller: Caller,
    id: &OrderId,
    filename: &str,
    unit: Option<ModelUnit>,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
) -> Result<Order, ApiError> {
    commands::put_model(core, Viewer::unrestricted(seller), id, filename, unit, body).await
}

/// An order's model, and its key in the model store.
pub(crate) async fn get_model(core: &Core, id: &OrderId) -> Result<(Model, String), ApiError> {
    let mut connection = core.database.connection().await?;
    let found = store::find(&mut *connection, id).await?.ok_or_else(Rejection::no_such_order)?;
    Ok(found.order.model.zip(found.model_key).ok_or_else(Rejection::no_model)?)
}

/// Submits, approves or closes an order.
pub(crate) async fn set_status(core: &Core, caller: Caller, id: &OrderId, to: OrderStatus) -> Result<Order, ApiError> {
    commands::set_status(core, Viewer::unrestricted(caller), id, to).await
}
