//! What a customer in the shop and a seller in the CRM ask for alike: create an order, upload its model, set its status.
//!
//! Each works in one transaction, and writes its records after the commit and before the answer.

use axum::http::{HeaderMap, StatusCode};
use bytes::Bytes;
use catalogue::{Action, Service, field};
use common::{
    Batcher, Core, FailureContext as _,
    auth::Caller,
    crash,
    domain::{Change, NewOrder, Order, OrderId, OrderStatus, Owner, Trigger},
    http::{ApiError, Rejection, receive_model},
    idempotency::{Attempt, Begun},
    journal::{self, Entry},
    messaging::{self, MessageType},
    telemetry::{Record, Subject, identify},
};
use futures::Stream;
use time::OffsetDateTime;
use tracing::Span;
use uuid::Uuid;

use crate::{
    OrderDetails,
    store::{self, Creation, StoredOrder},
};

/// Somebody at the desk, and which orders they can see there.
#[derive(Clone, Copy, Debug)]
pub struct Viewer {
    /// Who it is.
    pub caller: Caller,
    /// Customers see their own orders only.
    pub only_of: Option<Uuid>,
}

impl Viewer {
    /// A customer, who sees no other customer's orders.
    #[must_use]
    pub const fn customer(caller: Caller) -> Self {
        Self { caller, only_of: Some(caller.account) }
    }

    /// A seller or the carrier, who see all.
    #[must_use]
    pub const fn unrestricted(caller: Caller) -> Self {
        Self { caller, only_of: None }
    }

    /// The order, unless it is hidden from this visitor: then it is as if there were none.
    fn sees(&self, found: Option<StoredOrder>) -> Result<StoredOrder, ApiError> {
        let visible = |found: &StoredOrder| match self.only_of {
            Some(customer) => found.order.owner == Owner::Customer(customer),
            None => true,
        };
        Ok(found.filter(visible).ok_or_else(Rejection::no_such_order)?)
    }

    /// What is known of an order before it is looked up.
    fn subject(&self, id: &OrderId) -> Subject {
        Subject { order: Some(id.clone()), customer: self.only_of, ..Subject::default() }
    }

    fn change(&self, status: OrderStatus, service: Service) -> Change {
        Change { status, at: now(), actor: self.caller.actor().to_string(), service }
    }
}

/// The time as the database keeps it, so that an order reads the same before and after it was stored.
fn now() -> OffsetDateTime {
    let now = OffsetDateTime::now_utc();
    now.replace_microsecond(now.microsecond()).unwrap_or(now)
}

/// Creates orders, those of all requests that came at the same time together.
pub type Creations = Batcher<Creation, Order>;

/// Creates orders in the service's database.
#[must_use]
pub fn creations(core: &Core) -> Creations {
    let (database, service) = (core.database.clone(), core.service);
    Batcher::new(move |creations: Vec<Creation>| {
        let database = database.clone();
        // They were checked before: what can fail now fails for each of them.
        async move { store::create(&database, service, &creations).await }
    })
}

/// Creates an order for a customer; with an `Idempotency-Key` in the headers, once.
///
/// # Errors
///
/// `422` for fields out of bounds, and what [`Attempt`] says.
pub async fn create(
    core: &Core,
    creations: &Creations,
    visitor: Viewer,
    customer: Uuid,
    new: NewOrder,
    headers: &HeaderMap,
) -> Result<Order, ApiError> {
    let subject = Subject::owner(Owner::Customer(customer));
    let created = async {
        new.check().map_err(|invalid| Rejection::invalid(invalid.to_string()))?;
        let actor = visitor.caller.actor();
        let attempt = Attempt::of(visitor.caller.account, headers, &(customer, &new))?;
        let begun = match &attempt {
            Some(attempt) => Some((attempt, attempt.begin(&core.database).await?)),
            None => None,
        };
        let placeholder = OrderId::placeholder();
        let entry = Record::success(Action::OrderCreated, Subject::order(&placeholder, Owner::Customer(customer)))
            .in_status(OrderStatus::Initiated)
            .of_change();
        let creation = Creation {
            customer,
            new,
            actor,
            placeholder: placeholder.clone(),
            event_id: entry.id(),
            line: entry.line().map(str::to_owned),
        };
        let order = match begun {
            None => creations.ask(creation).await?,
            Some((_, Begun::Repeated(order))) => return Ok((order, None)),
            Some((attempt, Begun::First(mut transaction))) => {
                let order = store::create(&mut *transaction, core.service, &[creation]).await?.remove(0);
                attempt.keep(&mut transaction, &order).await?;
                transaction.commit().await.failure("creating an order")?;
                order
            }
        };
        crash::point("create.committed");
        let entry = entry.about(&order.id, &placeholder);
        Ok((order, Some(entry)))
    };
    let (order, entry) = created.await.map_err(|error: ApiError| error.during(Action::OrderCreated, subject))?;
    identify(&Span::current(), field::ORDER_ID, &order.id);
    core.journal.write(entry);
    Ok(order)
}

/// An order with all that is known about it.
///
/// # Errors
///
/// `404` if there is none that the visitor can see.
pub async fn show(core: &Core, visitor: Viewer, id: &OrderId) -> Result<OrderDetails, ApiError> {
    identify(&Span::current(), field::ORDER_ID, id);
    let mut connection = core.database.acquire().await.failure("looking an order up")?;
    let found = visitor.sees(store::find(&mut *connection, id).await?)?;
    Ok(store::details(&mut connection, found).await?)
}

/// Uploads an order's model, or replaces it until the order is submitted.
///
/// # Errors
///
/// `404` if there is no such order, `409` if it is submitted, `413`, `415` or `422` for the file.
pub async fn upload_model<E>(
    core: &Core,
    visitor: Viewer,
    id: &OrderId,
    filename: &str,
    body: impl Stream<Item = Result<Bytes, E>> + Send + Unpin,
) -> Result<Order, ApiError>
where
    E: std::error::Error + Send + Sync + 'static,
{
    identify(&Span::current(), field::ORDER_ID, id);
    let mut subject = visitor.subject(id);
    let uploaded = async {
        // Before the upload, so that nobody sends 64 MiB to be told that it was in vain, and after it, because it counts.
        let found = visitor.sees(store::find(&core.database, id).await?)?;
        subject = Subject::order(id, found.order.owner);
        may_have_model(&found.order, core.service)?;
        let (model, stored) = receive_model(core, filename, body).await?;
        crash::point("upload.stored");
        let attached = attach(core, visitor, id, model, &stored.key).await;
        let superfluous = match &attached {
            Ok((_, _, replaced)) => replaced.as_deref(),
            Err(ApiError::Rejected(_)) => Some(stored.key.as_str()),
            // Whether it was committed may be unknown, and then the model may be the order's only one.
            Err(ApiError::Failed(..)) => None,
        };
        if let Some(key) = superfluous {
            // An orphan does no harm but take room.
            let _ = core.models.delete(key).await;
        }
        attached
    }
    .await;
    let (order, entries, _) = uploaded.map_err(|error| error.during(Action::OrderModelUploaded, subject))?;
    core.journal.write(entries);
    Ok(order)
}

/// Whether the order may get a model: its first one makes it `FILE_UPLOADED`, a further one replaces that.
fn may_have_model(order: &Order, service: Service) -> Result<(), ApiError> {
    if order.status == OrderStatus::FileUploaded {
        return Ok(());
    }
    Ok(order.status.change(OrderStatus::FileUploaded, Trigger::Upload, service)?)
}

/// Attaches a stored model. Gives the order, the records, and the key of the model that was replaced.
async fn attach(
    core: &Core,
    visitor: Viewer,
    id: &OrderId,
    model: common::domain::Model,
    key: &str,
) -> Result<(Order, Vec<Entry>, Option<String>), ApiError> {
    let mut transaction = core.database.begin().await.failure("attaching a model")?;
    let stored = visitor.sees(store::lock(&mut transaction, id).await?)?;
    let StoredOrder { mut order, model_key: replaced, status_since, .. } = stored;
    may_have_model(&order, core.service)?;
    let from = order.status;
    let subject = Subject::order(id, order.owner);
    let size = u64::try_from(model.bytes).unwrap_or_default();
    let uploaded = Record::success(Action::OrderModelUploaded, subject.clone()).file(size, model.format.extension());
    let mut entries = vec![uploaded.of_change()];
    store::attach_model(&mut transaction, &mut order, model, key).await?;
    if from != OrderStatus::FileUploaded {
        let change = visitor.change(OrderStatus::FileUploaded, core.service);
        let changed = Record::success(Action::OrderStatusChanged, subject).status(from, change.status);
        let changed = changed.stayed(change.at - status_since).of_change();
        store::advance(&mut transaction, &mut order, &change, changed.id()).await?;
        entries.push(changed);
    }
    journal::keep(&mut transaction, &entries).await?;
    transaction.commit().await.failure("attaching a model")?;
    crash::point("upload.committed");
    Ok((order, entries, replaced))
}

/// Takes an order one status on because somebody asks for it, and tells the MES where it has to know.
///
/// # Errors
///
/// `404` if there is no such order, `409` if it may not go there.
pub async fn set_status(core: &Core, visitor: Viewer, id: &OrderId, to: OrderStatus) -> Result<Order, ApiError> {
    identify(&Span::current(), field::ORDER_ID, id);
    let mut subject = visitor.subject(id);
    let changed = async {
        let mut transaction = core.database.begin().await.failure("changing an order's status")?;
        let stored = visitor.sees(store::lock(&mut transaction, id).await?)?;
        let StoredOrder { mut order, model_key, status_since, .. } = stored;
        subject = Subject::order(id, order.owner);
        let from = order.status;
        from.change(to, Trigger::Request, core.service)?;
        let change = visitor.change(to, core.service);
        let changed = Record::success(Action::OrderStatusChanged, subject.clone()).status(from, to);
        let entry = changed.stayed(change.at - status_since).of_change();
        store::advance(&mut transaction, &mut order, &change, entry.id()).await?;
        journal::keep(&mut transaction, std::slice::from_ref(&entry)).await?;
        if let Some(message_type) = message_of(to) {
            let facts = store::facts(&mut transaction, order.clone(), model_key).await?;
            messaging::write(&mut transaction, message_type, &facts).await?;
        }
        crash::point("status.changed");
        transaction.commit().await.failure("changing an order's status")?;
        crash::point("status.committed");
        Ok((order, entry))
    }
    .await;
    let (order, entry) = changed.map_err(|error: ApiError| error.during(Action::OrderStatusChanged, subject))?;
    core.outbox_written.notify_one();
    core.journal.write([entry]);
    crash::point("status.recorded");
    Ok(order)
}

/// What the MES is told when an order gets a status here.
const fn message_of(status: OrderStatus) -> Option<MessageType> {
    match status {
        OrderStatus::Submitted => Some(MessageType::OrderSubmitted),
        OrderStatus::ManufacturingApproved => Some(MessageType::OrderApproved),
        _ => None,
    }
}

/// The answer that tells of a new order.
pub fn created(order: Order) -> (StatusCode, [(axum::http::HeaderName, String); 1], axum::Json<Order>) {
    let location = [(axum::http::header::LOCATION, format!("/orders/{}", order.id))];
    (StatusCode::CREATED, location, axum::Json(order))
}
