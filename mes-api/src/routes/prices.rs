//! `/orders/{id}/price`: asking again for a price that could not be calculated.

use axum::{extract::State, http::StatusCode};
use catalogue::Action;
use common::{
    FailureContext as _,
    auth::{By, Operator},
    domain::OrderId,
    http::{ApiError, Path, Problem, Rejection, answers::Guarded},
    journal,
    telemetry::{Subject, TraceContext},
};
use utoipa_axum::{router::OpenApiRouter, routes};

use crate::{
    Mes,
    orders::{self, MesOrder},
    pricing::{self, PriceStatus},
};

pub(super) fn routes() -> OpenApiRouter<Mes> {
    OpenApiRouter::new().routes(routes!(post_price))
}

/// Ask for a price again
///
/// Only after it has failed: the model is read anew, by the prices of today.
#[utoipa::path(
    post, path = "/orders/{id}/price", tag = "prices", params(("id" = OrderId, Path)),
    responses(
        Guarded,
        (status = 202, description = "The calculation is queued", body = MesOrder),
        (status = 404, description = "No such order", body = Problem, content_type = "application/problem+json"),
        (status = 409, description = "The last calculation has not failed", body = Problem, content_type = "application/problem+json"),
    )
)]
async fn post_price(
    State(mes): State<Mes>,
    _operator: By<Operator>,
    Path(id): Path<OrderId>,
) -> Result<(StatusCode, axum::Json<MesOrder>), ApiError> {
    let mut subject = Subject::just_order(&id);
    let queued = queue_again(&mes, &id, &mut subject).await;
    queued
        .map(|order| (StatusCode::ACCEPTED, axum::Json(order)))
        .map_err(|error| error.during(Action::OrderPriceStatusChanged, subject))
}

async fn queue_again(mes: &Mes, id: &OrderId, subject: &mut Subject) -> Result<MesOrder, ApiError> {
    let mut transaction = mes.core.database.begin().await.failure("queueing a price")?;
    let stored = orders::lock(&mut transaction, id).await?;
    let stored = stored.ok_or_else(Rejection::no_such_order)?;
    *subject = stored.subject();
    let from = stored.order.price_status;
    if from != PriceStatus::Failed {
        let detail = format!("The price is {}; it can be asked for again only after FAILED.", from.name());
        return Err(Rejection::conflict("price_not_failed", detail).into());
    }
    orders::set_price(&mut transaction, id, PriceStatus::Queued, None, None).await?;
    pricing::queue(&mut transaction, [(id, TraceContext::current())]).await?;
    let entry = pricing::changed(subject.clone(), from.name(), PriceStatus::Queued).of_change();
    journal::keep(&mut transaction, std::slice::from_ref(&entry)).await?;
    let queued = orders::find(&mut transaction, id).await?.ok_or_else(Rejection::no_such_order)?;
    transaction.commit().await.failure("queueing a price")?;

    mes.core.journal.write([entry]);
    mes.prices.wake();
    Ok(queued.order)
}
