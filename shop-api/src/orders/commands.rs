//! What customers can ask for: each sees their own orders only.

use bytes::Bytes;
use common::{
    auth::Caller,
    domain::{ModelUnit, NewOrder, Order, OrderId, OrderStatus},
    idempotency::IdempotencyKey,
    model_store::BodyError,
    page::{Cursor, Page, PageQuery},
    problem::ApiError,
    state::Core,
};
use futures::Stream;
use shop_orders::{
    OrderDetails, Viewer, commands,
    store::{self, Filter},
};

use crate::app::App;

/// Creates an order.
pub(crate) async fn create_order(
    app: &App,
    customer: Caller,
    fields: NewOrder,
    key: Option<IdempotencyKey>,
) -> Result<Order, ApiError> {
    let viewer = Viewer::customer(customer);
    commands::create_order(&app.core, &app.creations, viewer, customer.account.into(), fields, key).await
}

/// A page of the customer's orders, newest first.
pub(crate) async fn list_orders(
    core: &Core,
    customer: Caller,
    status: Option<OrderStatus>,
    page: &PageQuery,
) -> Result<Page<Order>, ApiError> {
    let (limit, after) = page.read()?;
    let filter = Filter { status, customer: Some(customer.account.into()) };
    let mut connection = core.database.connection().await?;
    let orders = store::list(&mut *connection, filter, limit, after.as_ref()).await?;
    Ok(Page::of(orders, limit, Cursor::newest))
}

/// An order with its history.
pub(crate) async fn get_order(core: &Core, customer: Caller, id: &OrderId) -> Result<OrderDetails, ApiError> {
    commands::get_order(core, Viewer::customer(customer), id).await
}

/// Uploads an order's model.
pub(crate) async fn put_model(
    core: &Core,
    customer: Caller,
    id: &OrderId,
    filename: &str,
    unit: Option<ModelUnit>,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
) -> Result<Order, ApiError> {
    commands::put_model(core, Viewer::customer(customer), id, filename, unit, body).await
}

/// Submits an order.
pub(crate) async fn set_status(
    core: &Core,
    customer: Caller,
    id: &OrderId,
    to: OrderStatus,
) -> Result<Order, ApiError> {
    commands::set_status(core, Viewer::customer(customer), id, to).await
}
