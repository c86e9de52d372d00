//! `/partner/orders`: partner companies order with a key; model and fields come in one form.

use axum::{
    extract::{DefaultBodyLimit, Multipart, State, multipart::MultipartRejection},
    http::{HeaderMap, HeaderName, StatusCode, header},
};
use catalogue::{Action, Service};
use common::{
    FailureContext as _,
    auth::{By, Caller, Partner},
    domain::{
        Change, Model, NewOrder, Order, OrderId,
        OrderStatus::{FileUploaded, Initiated, Submitted},
        Owner,
    },
    http::{ApiError, Path, Problem, Rejection, answers::Guarded, no_longer_than},
    idempotency::{Attempt, Begun},
    journal::{self, Entry},
    messaging::MessageType,
    model_store::StoredModel,
    telemetry::{Record, Subject, TraceContext},
};
use serde::{Deserialize, Serialize};
use sqlx::{Postgres, Transaction};
use utoipa::ToSchema;
use utoipa_axum::{router::OpenApiRouter, routes};

use super::partner_form::{self, Form};
use crate::{
    Mes,
    orders::{self, Arrival, MesOrder, NewChange},
    pricing::{self, PriceStatus},
};

pub(super) fn routes(upload_limit: u64) -> OpenApiRouter<Mes> {
    let limit = usize::try_from(partner_form::longest(upload_limit)).unwrap_or(usize::MAX);
    OpenApiRouter::new()
        .routes(routes!(post_partner_order))
        .layer(DefaultBodyLimit::max(limit))
        .routes(routes!(get_partner_order))
}

/// An order as the partner whose it is sees it.
#[derive(Clone, Debug, Serialize, Deserialize, ToSchema)]
struct PartnerOrder {
    #[serde(flatten)]
    order: Order,
    /// How far the calculation of its price is.
    price_status: PriceStatus,
    /// Why its price could not be calculated.
    price_failure: Option<String>,
    /// Every change of its status, the oldest first.
    history: Vec<Change>,
}

impl PartnerOrder {
    fn of(order: MesOrder, history: Vec<Change>) -> Self {
        Self { order: order.order, price_status: order.price_status, price_failure: order.price_failure, history }
    }
}

type Accepted = (StatusCode, [(HeaderName, String); 1], axum::Json<PartnerOrder>);

/// Place an order
///
/// The price is calculated afterwards; ask for the order until `price_status` is `CALCULATED` or `FAILED`.
#[utoipa::path(
    post, path = "/partner/orders", tag = "partner orders",
    params(("Idempotency-Key" = Option<String>, Header, description = "Makes a repeated request return the first answer")),
    request_body(content = partner_form::Schema, content_type = "multipart/form-data"),
    responses(
        Guarded,
        (status = 202, description = "The order is placed, its price is queued", body = PartnerOrder,
         headers(("Location" = String, description = "Where the order is"))),
        (status = 400, description = "The form can't be read, or didn't arrive whole", body = Problem, content_type = "application/problem+json"),
        (status = 408, description = "The form came too slowly", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The first request with this Idempotency-Key is under way", body = Problem, content_type = "application/problem+json"),
        (status = 413, description = "The model is too large", body = Problem, content_type = "application/problem+json"),
        (status = 415, description = "No form, or not a kind of model that we know", body = Problem, content_type = "application/problem+json"),
        (status = 422, description = "A part is missing, unknown or makes no sense; or this Idempotency-Key was used for another order", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn post_partner_order(
    State(mes): State<Mes>,
    partner: By<Partner>,
    headers: HeaderMap,
    form: Result<Multipart, MultipartRejection>,
) -> Result<Accepted, ApiError> {
    let form = form.map_err(|refused| partner_form::refused(&refused, &headers))?;
    no_longer_than(partner_form::longest(mes.core.upload_limit), &headers)?;
    let form = Form::receive(&mes.core, form)
        .await
        .map_err(|error| error.during(Action::OrderModelUploaded, Subject::owner(Owner::Partner(partner.account))))?;

    let order = place(&mes, &partner, &headers, &form).await?;
    let location = format!("/partner/orders/{}", order.order.id);
    Ok((StatusCode::ACCEPTED, [(header::LOCATION, location)], axum::Json(order)))
}

/// What makes two requests the same.
#[derive(Serialize)]
struct Request<'a> {
    fields: &'a NewOrder,
    filename: &'a str,
    model_sha256: &'a str,
}

/// Places the order, unless an earlier request with the same key has done so; gives what that one was answered then.
async fn place(mes: &Mes, partner: &Caller, headers: &HeaderMap, form: &Form) -> Result<PartnerOrder, ApiError> {
    let mut subject = Subject::owner(Owner::Partner(partner.account));
    let (transaction, order, entries) = match store(mes, partner, headers, form, &mut subject).await {
        Ok(Placed::Now(transaction, order, entries)) => (transaction, order, entries),
        // Without an order, nobody will ever ask for this model.
        Ok(Placed::Before(order)) => {
            form.discard(&mes.core).await;
            return Ok(order);
        }
        Err(error) => {
            form.discard(&mes.core).await;
            return Err(error.during(Action::OrderCreated, subject));
        }
    };
    // A commit that fails may have worked all the same, so from here on the model stays.
    let committed = transaction.commit().await.failure("storing a partner's order");
    committed.map_err(|failure| ApiError::from(failure).during(Action::OrderCreated, subject))?;

    mes.core.journal.write(entries);
    mes.core.outbox_written.notify_one();
    mes.prices.wake();
    Ok(order)
}

enum Placed {
    /// As soon as the transaction is committed.
    Now(Transaction<'static, Postgres>, PartnerOrder, Vec<Entry>),
    /// By an earlier request with the same key.
    Before(PartnerOrder),
}

/// One transaction: the order with its first three statuses, its price's job and the message to the CRM.
async fn store(
    mes: &Mes,
    partner: &Caller,
    headers: &HeaderMap,
    form: &Form,
    subject: &mut Subject,
) -> Result<Placed, ApiError> {
    let request = Request { fields: &form.fields, filename: &form.model.filename, model_sha256: &form.model.sha256 };
    let attempt = Attempt::of(partner.account, headers, &request)?;
    let begun = match &attempt {
        Some(attempt) => attempt.begin(&mes.core.database).await?,
        None => Begun::First(mes.core.database.begin().await.failure("storing a partner's order")?),
    };
    let mut transaction = match begun {
        Begun::First(transaction) => transaction,
        Begun::Repeated(first) => return Ok(Placed::Before(first)),
    };

    let (id, now) = orders::number_partner_order(&mut transaction).await?;
    let owner = Owner::Partner(partner.account);
    *subject = Subject::order(&id, owner);
    let actor = partner.actor().to_string();
    let entries = first_records(subject, &form.model, &form.stored);
    let [created, _, with_model, submitted, _] = &entries;
    let history = [(Initiated, created), (FileUploaded, with_model), (Submitted, submitted)].map(|(status, entry)| {
        (Change { status, at: now, actor: actor.clone(), service: Service::MesApi }, Some(entry.id()))
    });
    let order = Order {
        id,
        status: Submitted,
        owner,
        material: form.fields.material,
        quantity: form.fields.quantity,
        comment: form.fields.comment.clone(),
        model: Some(form.model.clone()),
        price: None,
        created_at: now,
        updated_at: now,
    };
    let arrival = Arrival {
        order: &order,
        model_key: &form.stored.key,
        price_status: PriceStatus::Queued,
        history: history.iter().map(|(change, event_id)| NewChange { change, event_id: *event_id }).collect(),
    };
    orders::insert(&mut transaction, &[arrival]).await?;
    pricing::queue(&mut transaction, [(&order.id, TraceContext::current())]).await?;
    journal::keep(&mut transaction, &entries).await?;
    let (order, history) = orders::tell(&mut transaction, MessageType::OrderPartnerSubmitted, &order.id).await?;
    let order = PartnerOrder::of(order, history);
    if let Some(attempt) = &attempt {
        attempt.keep(&mut transaction, &order).await?;
    }
    Ok(Placed::Now(transaction, order, entries.into()))
}

/// A partner's order comes with its model and is placed at once.
fn first_records(subject: &Subject, model: &Model, stored: &StoredModel) -> [Entry; 5] {
    let of = |action| Record::success(action, subject.clone());
    let changed = |from, to| of(Action::OrderStatusChanged).status(from, to).of_change();
    [
        of(Action::OrderCreated).in_status(Initiated).of_change(),
        of(Action::OrderModelUploaded).file(stored.bytes, model.format.extension()).of_change(),
        changed(Initiated, FileUploaded),
        changed(FileUploaded, Submitted),
        pricing::changed(subject.clone(), PriceStatus::NONE, PriceStatus::Queued).of_change(),
    ]
}

/// See an order of one's own
#[utoipa::path(
    get, path = "/partner/orders/{id}", tag = "partner orders",
    params(("id" = OrderId, Path)),
    responses(
        Guarded,
        (status = 200, description = "The order", body = PartnerOrder),
        (status = 404, description = "No such order, or it is somebody else's", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn get_partner_order(
    State(mes): State<Mes>,
    partner: By<Partner>,
    Path(id): Path<OrderId>,
) -> Result<axum::Json<PartnerOrder>, ApiError> {
    let mut connection = mes.core.database.acquire().await.failure("reading an order")?;
    let stored = orders::find(&mut connection, &id).await?;
    let own = stored.filter(|stored| stored.order.order.owner == Owner::Partner(partner.account));
    let order = own.ok_or_else(Rejection::no_such_order)?.order;
    let history = orders::history(&mut connection, &id).await?;
    Ok(axum::Json(PartnerOrder::of(order, history)))
}
