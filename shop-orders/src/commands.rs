//! The use cases that shop and CRM have in common.

use std::time::Duration;

use bytes::Bytes;
use catalogue::{Action, Service, field};
use common::{
    crash,
    domain::{Change, CustomerId, Model, ModelUnit, NewOrder, Order, OrderId, OrderStatus, Owner, Trigger},
    idempotency::{IdempotencyKey, RepeatableRequest},
    model_store::BodyError,
    outbox::MessageType,
    planted::{self, Bug},
    problem::ApiError,
    state::Core,
    telemetry::{OfChange, Record, Subject, identify, metrics},
    unit_of_work::UnitOfWork,
};
use futures::Stream;
use time::OffsetDateTime;
use tracing::Span;

use crate::{
    creations::Creations,
    details::OrderDetails,
    store::{self, NewRow, StoredOrder},
    viewer::Viewer,
};

/// Creates an order for a customer; with an idempotency key, once.
///
/// # Errors
///
/// `422` for fields out of bounds, and what [`RepeatableRequest::first_response`] says.
pub async fn create_order(
    core: &Core,
    creations: &Creations,
    viewer: Viewer,
    customer: CustomerId,
    fields: NewOrder,
    key: Option<IdempotencyKey>,
) -> Result<Order, ApiError> {
    let owner = Owner::Customer(customer);
    let created = async {
        fields.check()?;
        let request =
            key.map(|key| RepeatableRequest::new(viewer.caller.account, key, &(customer, &fields))).transpose()?;
        let id = creations.next_number().await?;
        let record = Record::of_change(Action::OrderCreated, Subject::order(&id, owner));
        let record = record.in_status(OrderStatus::Initiated);
        let row = NewRow { id, customer, fields, actor: viewer.caller.actor() };
        let Some(request) = request else {
            return Ok(creations.create(row, record.pending()).await?);
        };
        let mut unit = core.units.begin("create").await?;
        let created = create_once(&mut unit, core.service, &request, row, record).await;
        unit.finish(created).await
    };
    let order = created.await.map_err(|error: ApiError| error.during(Action::OrderCreated, Subject::owner(owner)))?;
    identify(&Span::current(), field::ORDER_ID, &order.id);
    Ok(order)
}

/// Creates the order, unless an earlier request with the same key did: its response is returned then.
async fn create_once(
    unit: &mut UnitOfWork,
    service: Service,
    request: &RepeatableRequest,
    row: NewRow,
    record: Record<OfChange>,
) -> Result<Order, ApiError> {
    if let Some(first) = request.first_response(unit).await? {
        return Ok(first);
    }
    let order = store::create(unit.record(record), service, &[row]).await?.remove(0);
    request.store(unit, &order).await?;
    Ok(order)
}

/// An order with its history.
///
/// # Errors
///
/// `404` if there is none in the viewer's scope.
pub async fn get_order(core: &Core, viewer: Viewer, id: &OrderId) -> Result<OrderDetails, ApiError> {
    if let Some(order) = planted::recall(Bug::StaleReads, id.as_str(), Duration::from_secs(1)) {
        return Ok(order);
    }
    let mut connection = core.database.connection().await?;
    let found = viewer.sees(store::find(&mut *connection, id).await?)?;
    let details = store::details(&mut connection, found).await?;
    planted::remember(Bug::StaleReads, id.as_str(), &details);
    Ok(details)
}

/// Uploads an order's model, or replaces it until the order is submitted.
///
/// # Errors
///
/// `404` if there is no such order, `409` if it is submitted, `413`, `415` or `422` for the file.
pub async fn put_model(
    core: &Core,
    viewer: Viewer,
    id: &OrderId,
    filename: &str,
    unit: Option<ModelUnit>,
    body: impl Stream<Item = Result<Bytes, BodyError>> + Send + Unpin,
) -> Result<Order, ApiError> {
    let attempted = viewer.subject(id);
    let during = |subject: Subject| move |error: ApiError| error.during(Action::OrderModelUploaded, subject);
    // Before the upload, so that no client sends a model in vain. It is checked again under the lock.
    let found = find(core, viewer, id).await.map_err(during(attempted))?;
    let subject = found.subject();
    may_have_model(&found.order, core.service)?;
    let received = async {
        let turn = core.models.upload_turn().await?;
        core.models.receive(&turn, filename, body).await
    };
    let (mut model, stored) = received.await.map_err(during(subject.clone()))?;
    crash::point("upload", "stored");
    if let Err(error) = core.models.set_unit(&mut model, &stored, unit).await {
        core.models.discard(&stored.key).await;
        return Err(during(subject)(error));
    }

    let mut unit = core.units.command("upload", Action::OrderModelUploaded, subject).await?;
    let attached = attach_model(&mut unit, core.service, viewer, id, model, &stored.key).await;
    let attached = unit.finish(attached).await;
    if let Ok((Order { model: Some(model), .. }, _)) = &attached {
        metrics::uploaded(model.format.extension(), model.bytes.unsigned_abs());
    }
    let superfluous = match &attached {
        Ok((_, replaced)) => replaced.as_deref(),
        Err(ApiError::Rejected(_)) => Some(stored.key.as_str()),
        // Whether it was committed may be unknown, and then the model may be the order's only one.
        Err(ApiError::Failed(..)) => None,
    };
    if let Some(key) = superfluous {
        core.models.discard(key).await;
    }
    attached.map(|(order, _)| order)
}

async fn find(core: &Core, viewer: Viewer, id: &OrderId) -> Result<StoredOrder, ApiError> {
    let mut connection = core.database.connection().await?;
    Ok(viewer.sees(store::find(&mut *connection, id).await?)?)
}

/// Whether the order may get a model: its first one sets `FILE_UPLOADED`, a further one replaces that.
fn may_have_model(order: &Order, service: Service) -> Result<(), ApiError> {
    if order.status == OrderStatus::FileUploaded {
        return Ok(());
    }
    Ok(order.status.change(OrderStatus::FileUploaded, Trigger::Upload, service)?)
}

/// Attaches a stored model. Returns the order, and the key of the model that was replaced.
async fn attach_model(
    unit: &mut UnitOfWork,
    service: Service,
    viewer: Viewer,
    id: &OrderId,
    model: Model,
    key: &str,
) -> Result<(Order, Option<String>), ApiError> {
    let stored = lock(unit, viewer, id).await?;
    let subject = stored.subject();
    let StoredOrder { mut order, model_key: replaced, status_since, .. } = stored;
    may_have_model(&order, service)?;
    let size = u64::try_from(model.bytes).unwrap_or_default();
    let uploaded = Record::of_change(Action::OrderModelUploaded, subject.clone());
    let uploaded = unit.record(uploaded.file(size, model.format.extension()).unit(model.unit.map(ModelUnit::symbol)));
    store::attach_model(uploaded, &mut order, model, key).await?;
    if order.status != OrderStatus::FileUploaded {
        advance(unit, service, viewer, &mut order, status_since, OrderStatus::FileUploaded).await?;
    }
    Ok((order, replaced))
}

/// Sets the next status of an order because a caller asks for it, and sends it to the MES where that has to know.
///
/// # Errors
///
/// `404` if there is no such order, `409` if the status may not be set.
pub async fn set_status(core: &Core, viewer: Viewer, id: &OrderId, to: OrderStatus) -> Result<Order, ApiError> {
    let mut unit = core.units.command("status", Action::OrderStatusChanged, viewer.subject(id)).await?;
    let changed = change_status(&mut unit, core.service, viewer, id, to).await;
    unit.finish(changed).await
}

async fn change_status(
    unit: &mut UnitOfWork,
    service: Service,
    viewer: Viewer,
    id: &OrderId,
    to: OrderStatus,
) -> Result<Order, ApiError> {
    let StoredOrder { mut order, model_key, status_since, .. } = lock(unit, viewer, id).await?;
    order.status.change(to, Trigger::Request, service)?;
    advance(unit, service, viewer, &mut order, status_since, to).await?;
    if let Some(message_type) = message_of(to) {
        let facts = store::facts(unit.connection(), order.clone(), model_key).await?;
        unit.enqueue(message_type, &facts).await?;
    }
    Ok(order)
}

/// Locks an order that the viewer sees.
async fn lock(unit: &mut UnitOfWork, viewer: Viewer, id: &OrderId) -> Result<StoredOrder, ApiError> {
    let stored = viewer.sees(store::lock(unit.connection(), id).await?)?;
    unit.concerns(stored.subject());
    Ok(stored)
}

/// Sets a status whose change is allowed, with its record.
async fn advance(
    unit: &mut UnitOfWork,
    service: Service,
    viewer: Viewer,
    order: &mut Order,
    status_since: OffsetDateTime,
    to: OrderStatus,
) -> Result<(), ApiError> {
    let change = Change { status: to, at: now(), actor: viewer.caller.actor(), service };
    let changed = Record::of_change(Action::OrderStatusChanged, Subject::order(&order.id, order.owner));
    let changed = changed.status(order.status, to).stayed(change.at - status_since);
    store::advance(unit.record(changed), order, &change).await?;
    Ok(())
}

/// The time as the database stores it, so that an order reads the same before and after it was stored.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_microsecond(now.microsecond()).unwrap_or(now)
}

/// The message that the MES gets when an order gets a status here.
const fn message_of(status: OrderStatus) -> Option<MessageType> {
    match status {
        OrderStatus::Submitted => Some(MessageType::OrderSubmitted),
        OrderStatus::ManufacturingApproved => Some(MessageType::OrderApproved),
        _ => None,
    }
}
