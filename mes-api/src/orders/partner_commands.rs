//! What partners can ask for: each sees their own orders only.

use catalogue::{Action, Service};
use common::{
    auth::Caller,
    domain::{
        Change, Model, ModelUnit, NewOrder, Order, OrderId,
        OrderStatus::{self, FileUploaded, Initiated, Submitted},
        Owner,
    },
    idempotency::{IdempotencyKey, RepeatableRequest},
    model_store::StoredModel,
    outbox::MessageType,
    problem::{ApiError, Rejection},
    state::Core,
    telemetry::{OfChange, Record, Subject, TraceContext, metrics},
    unit_of_work::UnitOfWork,
};
use serde::Serialize;

use super::{
    order::{OrderDetails, PartnerOrder},
    outbound,
    price_jobs::PriceQueue,
    price_status::{PriceStatus, changed},
    store::{self, Arrival, NewChange},
};
use crate::app::App;

/// A whole order of a partner, whose model is in the store.
#[derive(Debug)]
pub(crate) struct NewPartnerOrder {
    /// Its fields.
    pub(crate) fields: NewOrder,
    /// Its model.
    pub(crate) model: Model,
    /// Where that is.
    pub(crate) stored: StoredModel,
}

/// Everything that makes two requests the same.
#[derive(Serialize)]
struct Request<'a> {
    fields: &'a NewOrder,
    filename: &'a str,
    model_sha256: &'a str,
    /// Absent where requests had none yet, so that what they were stays the same.
    #[serde(skip_serializing_if = "Option::is_none")]
    unit: Option<ModelUnit>,
}

/// An order that was placed, or the response to an earlier request with the same key.
enum Placed {
    New(PartnerOrder),
    Repeated(PartnerOrder),
}

/// Places an order, unless an earlier request with the same key did: its response is returned then.
///
/// # Errors
///
/// `409` and `422` for a key that is in use or was used for another request.
pub(crate) async fn place_order(
    app: &App,
    partner: Caller,
    new: &NewPartnerOrder,
    key: Option<IdempotencyKey>,
) -> Result<PartnerOrder, ApiError> {
    let subject = Subject::owner(Owner::Partner(partner.account.into()));
    let mut has_this_model = false;
    let placed = async {
        let mut unit = app.core.units.command("partner", Action::OrderCreated, subject).await?;
        let placed = place(&mut unit, &app.prices, partner, new, key).await;
        // Also if the commit fails: it may be done all the same.
        has_this_model = matches!(placed, Ok(Placed::New(_)));
        unit.finish(placed).await
    };
    let placed = placed.await;
    if !has_this_model {
        app.core.models.discard(&new.stored.key).await;
    }
    match placed? {
        Placed::New(order) => {
            metrics::uploaded(new.model.format.extension(), new.stored.bytes);
            Ok(order)
        }
        Placed::Repeated(order) => Ok(order),
    }
}

/// One unit of work: the order with its first three statuses, its price's job and the message to the CRM.
async fn place(
    unit: &mut UnitOfWork,
    prices: &PriceQueue,
    partner: Caller,
    new: &NewPartnerOrder,
    key: Option<IdempotencyKey>,
) -> Result<Placed, ApiError> {
    let request = Request {
        fields: &new.fields,
        filename: &new.model.filename,
        model_sha256: &new.model.sha256,
        unit: new.model.unit.filter(|unit| *unit != ModelUnit::Millimetre),
    };
    let request = key.map(|key| RepeatableRequest::new(partner.account, key, &request)).transpose()?;
    if let Some(request) = &request
        && let Some(first) = request.first_response(unit).await?
    {
        return Ok(Placed::Repeated(first));
    }

    let (id, now) = store::number_partner_order(unit.connection()).await?;
    let owner = Owner::Partner(partner.account.into());
    let subject = Subject::order(&id, owner);
    unit.concerns(subject.clone());
    let (statuses, records): (Vec<_>, Vec<_>) = first_records(&subject, &new.model, &new.stored).into_iter().unzip();
    let recorded = unit.record_all(records);
    let change = |status| Change { status, at: now, actor: partner.actor(), service: Service::MesApi };
    let reported = statuses.into_iter().zip(recorded.event_ids());
    let history: Vec<_> = reported.filter_map(|(status, event)| Some((change(status?), event))).collect();
    let order = Order {
        id,
        status: Submitted,
        owner,
        material: new.fields.material,
        quantity: new.fields.quantity,
        comment: new.fields.comment.clone(),
        model: Some(new.model.clone()),
        price: None,
        created_at: now,
        updated_at: now,
    };
    let arrival = Arrival {
        order: &order,
        model_key: &new.stored.key,
        price_status: PriceStatus::Queued,
        history: history.iter().map(|(change, event)| NewChange { change, event_id: Some(*event) }).collect(),
    };
    store::insert(recorded, &[arrival]).await?;
    prices.queue(unit, [(&order.id, TraceContext::current())]).await?;
    let order = outbound::enqueue(unit, MessageType::OrderPartnerSubmitted, &order.id).await?.into();
    if let Some(request) = &request {
        request.store(unit, &order).await?;
    }
    Ok(Placed::New(order))
}

/// The first records, each with the status that it reports, if it reports one. A partner's order comes with its model and is
/// placed at once.
fn first_records(
    subject: &Subject,
    model: &Model,
    stored: &StoredModel,
) -> [(Option<OrderStatus>, Record<OfChange>); 5] {
    let of = |action| Record::of_change(action, subject.clone());
    let uploaded = of(Action::OrderModelUploaded)
        .file(stored.bytes, model.format.extension())
        .unit(model.unit.map(ModelUnit::symbol));
    [
        (Some(Initiated), of(Action::OrderCreated).in_status(Initiated)),
        (None, uploaded),
        (Some(FileUploaded), of(Action::OrderStatusChanged).status(Initiated, FileUploaded)),
        (Some(Submitted), of(Action::OrderStatusChanged).status(FileUploaded, Submitted)),
        (None, changed(subject.clone(), PriceStatus::NONE, PriceStatus::Queued)),
    ]
}

/// An order of the partner's own, with its history.
///
/// # Errors
///
/// `404` if there is none, or it is another partner's.
pub(crate) async fn get_order(core: &Core, partner: Caller, id: &OrderId) -> Result<PartnerOrder, ApiError> {
    let mut connection = core.database.connection().await?;
    let stored = store::find(&mut connection, id).await?;
    let own = stored.filter(|stored| stored.order.order.owner == Owner::Partner(partner.account.into()));
    let order = own.ok_or_else(Rejection::no_such_order)?.order;
    let history = store::history(&mut connection, &order.order).await?;
    Ok(OrderDetails { order, history }.into())
}
