//! `/partner/orders`: partner companies order with a key; model and fields come in one form.

use axum::{
    extract::{DefaultBodyLimit, Request, State},
    http::StatusCode,
};
use catalogue::Action;
use common::{
    domain::Owner,
    http::{AcceptLanguage, By, Idempotency, Located, OrderPath, Partner, located},
    problem::ApiError,
    state::Core,
    telemetry::Subject,
};
use utoipa_axum::{router::OpenApiRouter, routes};

use super::partner_form::{self, Form};
use crate::{
    app::App,
    orders::{PartnerOrder, partner_commands as commands},
};

pub(super) fn routes(upload_limit: u64) -> OpenApiRouter<App> {
    let limit = usize::try_from(partner_form::longest(upload_limit)).unwrap_or(usize::MAX);
    OpenApiRouter::new().routes(routes!(place_order)).layer(DefaultBodyLimit::max(limit)).routes(routes!(get_order))
}

/// Place an order
///
/// The price is calculated afterwards; ask for the order until `price_status` is `CALCULATED` or `FAILED`.
#[utoipa::path(
    post, path = "/partner/orders", tag = "partner orders",
    params(AcceptLanguage, Idempotency),
    request_body(content = partner_form::Schema, content_type = "multipart/form-data"),
    responses(
        (status = 202, description = "The order is placed, its price is queued", body = PartnerOrder,
         headers(("Location" = String, description = "Where the order is"))),
        (status = 400, description = "The form can't be read, or didn't arrive whole"),
        (status = 408, description = "The form came too slowly"),
        (status = 409, description = "The first request with this Idempotency-Key is under way"),
        (status = 413, description = "The model is too large"),
        (status = 415, description = "No form, or not a kind of model that we know"),
        (status = 422, description = "A part is missing, unknown or makes no sense; or this Idempotency-Key was used for another order"),
    )
)]
async fn place_order(
    State(app): State<App>,
    partner: By<Partner>,
    language: AcceptLanguage,
    Idempotency(key): Idempotency,
    form: Request,
) -> Result<Located<PartnerOrder>, ApiError> {
    let form = Form::of(form, &app.core.models).await?;
    let subject = Subject::owner(Owner::Partner(partner.account.into()));
    let new = form.receive(&app.core).await;
    let new = new.map_err(|error| error.during(Action::OrderModelUploaded, subject))?;
    let order = commands::place_order(&app, *partner, &new, key).await?;
    Ok(located(StatusCode::ACCEPTED, format!("/partner/orders/{}", order.order.id), language.say(order)))
}

/// Get one of the caller's orders
#[utoipa::path(
    get, path = "/partner/orders/{id}", tag = "partner orders",
    params(AcceptLanguage, OrderPath),
    responses(
        (status = 200, description = "The order", body = PartnerOrder),
        (status = 404, description = "No such order, or it is another partner's"),
    )
)]
async fn get_order(
    State(core): State<Core>,
    partner: By<Partner>,
    language: AcceptLanguage,
    OrderPath(id): OrderPath,
) -> Result<axum::Json<PartnerOrder>, ApiError> {
    Ok(language.json(commands::get_order(&core, *partner, &id).await?))
}
