//! What operators can ask for.

use catalogue::{Action, Service};
use common::{
    auth::Caller,
    domain::{Model, OperatorId, OrderId, OrderStatus, Trigger},
    outbox::MessageType,
    page::{Cursor, Page, PageQuery},
    planted::{self, Bug},
    problem::{ApiError, ProblemCode, Rejection},
    state::Core,
    telemetry::{Record, Subject, TraceContext},
    unit_of_work::UnitOfWork,
};

use super::{
    order::{MesOrder, OrderDetails, StoredOrder},
    outbound,
    price_jobs::PriceQueue,
    price_status::{PriceStatus, changed},
    store,
};
use crate::app::App;

/// A page of orders, newest first.
pub(crate) async fn list_orders(
    core: &Core,
    status: Option<OrderStatus>,
    page: &PageQuery,
) -> Result<Page<MesOrder>, ApiError> {
    let (limit, after) = page.read()?;
    let mut connection = core.database.connection().await?;
    let orders = store::list(&mut connection, status, limit + 1, after).await?;
    Ok(Page::of(orders, limit, |order| Cursor::newest(&order.order)))
}

/// An order with its history.
pub(crate) async fn get_order(core: &Core, id: &OrderId) -> Result<OrderDetails, ApiError> {
    let mut connection = core.database.connection().await?;
    let order = store::find(&mut connection, id).await?.ok_or_else(Rejection::no_such_order)?.order;
    let history = store::history(&mut connection, &order.order).await?;
    Ok(OrderDetails { order, history })
}

/// An order's model, and its key in the model store.
pub(crate) async fn get_model(core: &Core, id: &OrderId) -> Result<(Model, String), ApiError> {
    let mut connection = core.database.connection().await?;
    let stored = store::find(&mut connection, id).await?.ok_or_else(Rejection::no_such_order)?;
    Ok((stored.model, stored.model_key))
}

/// Assigns an order to the caller and starts manufacturing. Of two at once, one gets the order.
///
/// # Errors
///
/// `404` if there is no such order, `409` if it is taken or not to be manufactured now.
pub(crate) async fn take_order(app: &App, operator: Caller, id: &OrderId) -> Result<MesOrder, ApiError> {
    let assigned = OperatorId::from(operator.account);
    let subject = Subject::just_order(id).with_operator(assigned);
    let mut unit = app.core.units.command("take", Action::OrderOperatorAssigned, subject).await?;
    let taken = take(&mut unit, operator, assigned, id).await;
    unit.finish(taken).await
}

async fn take(
    unit: &mut UnitOfWork,
    operator: Caller,
    assigned: OperatorId,
    id: &OrderId,
) -> Result<MesOrder, ApiError> {
    let stored = lock(unit, id, |subject| subject.with_operator(assigned)).await?;
    let (from, to) = (stored.status(), OrderStatus::ManufacturingStarted);
    if planted::has(Bug::TakeWithoutCondition) && from == to {
        let again = Record::of_change(Action::OrderOperatorAssigned, stored.subject().with_operator(assigned));
        store::assign(unit.record(again), id, assigned).await?;
        return Ok(store::find(unit.connection(), id).await?.ok_or_else(Rejection::no_such_order)?.order);
    }
    from.change(to, Trigger::Assignment, Service::MesApi)?;
    let subject = stored.subject().with_operator(assigned);
    store::assign(unit.record(Record::of_change(Action::OrderOperatorAssigned, subject)), id, assigned).await?;
    advance(unit, operator, &stored, to).await
}

/// Sets `MANUFACTURING_COMPLETED`, `PACKAGING` or `SHIPPED`, by the operator who has the order.
///
/// # Errors
///
/// `403` if another operator has the order, `404` if there is none, `409` if the status may not be set.
pub(crate) async fn set_status(
    core: &Core,
    operator: Caller,
    id: &OrderId,
    to: OrderStatus,
) -> Result<MesOrder, ApiError> {
    let mut unit = core.units.command("status", Action::OrderStatusChanged, Subject::just_order(id)).await?;
    let changed = change_status(&mut unit, operator, id, to).await;
    unit.finish(changed).await
}

async fn change_status(
    unit: &mut UnitOfWork,
    operator: Caller,
    id: &OrderId,
    to: OrderStatus,
) -> Result<MesOrder, ApiError> {
    let stored = lock(unit, id, |subject| subject).await?;
    if stored.order.operator_id.is_some_and(|assigned| assigned != operator.account.into()) {
        return Err(Rejection::new(ProblemCode::NotYourOrder, "Another operator has this order.").into());
    }
    stored.status().change(to, Trigger::Request, Service::MesApi)?;
    advance(unit, operator, &stored, to).await
}

/// Asks again for a price whose calculation failed.
///
/// # Errors
///
/// `404` if there is no such order, `409` if the last calculation has not failed.
pub(crate) async fn queue_price(app: &App, id: &OrderId) -> Result<MesOrder, ApiError> {
    let subject = Subject::just_order(id);
    let mut unit = app.core.units.command("price", Action::OrderPriceStatusChanged, subject).await?;
    let queued = queue(&mut unit, &app.prices, id).await;
    unit.finish(queued).await
}

async fn queue(unit: &mut UnitOfWork, prices: &PriceQueue, id: &OrderId) -> Result<MesOrder, ApiError> {
    let stored = lock(unit, id, |subject| subject).await?;
    let from = stored.order.price_status;
    if from != PriceStatus::Failed {
        let detail = format!("The price is {}; it can be asked for again only after FAILED.", from.name());
        return Err(Rejection::new(ProblemCode::PriceNotFailed, detail).into());
    }
    let queued = changed(stored.subject(), from.name(), PriceStatus::Queued);
    store::set_price(unit.record(queued), id, PriceStatus::Queued, None, None).await?;
    prices.queue(unit, [(id, TraceContext::current())]).await?;
    Ok(store::find(unit.connection(), id).await?.ok_or_else(Rejection::no_such_order)?.order)
}

/// Locks an order; a failure from then on is reported about the subject that it turns out to have.
async fn lock(
    unit: &mut UnitOfWork,
    id: &OrderId,
    subject: impl FnOnce(Subject) -> Subject,
) -> Result<StoredOrder, ApiError> {
    let stored = store::lock(unit.connection(), id).await?.ok_or_else(Rejection::no_such_order)?;
    unit.concerns(subject(stored.subject()));
    Ok(stored)
}

/// Sets a status whose change is allowed, with its record and its message.
async fn advance(
    unit: &mut UnitOfWork,
    operator: Caller,
    stored: &StoredOrder,
    to: OrderStatus,
) -> Result<MesOrder, ApiError> {
    let id = &stored.order.order.id;
    let record = Record::of_change(Action::OrderStatusChanged, stored.subject()).status(stored.status(), to);
    store::advance(unit.record(record), id, to, operator.actor()).await?;
    Ok(outbound::enqueue(unit, MessageType::OrderProgressed, id).await?.order)
}
