//! `/search` and `/orders/{id}`.

use axum::{
    extract::Path,
    http::StatusCode,
    response::{IntoResponse as _, Redirect, Response},
};
use catalogue::Action;
use common::{
    domain::OrderId,
    telemetry::{Record, Subject},
};
use questions::{Answer, Found, Period, Trail, order_numbers};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    parameters::Parameters,
    visit::{self, Visit},
};
use crate::pages::{self, parts::escaped, trail::Filters};

/// The records of an order at most; an order that goes well has about 40.
const RECORDS: usize = 2_000;
/// The last requests for an order's number at most.
const REQUESTS: usize = 200;

/// What is looked for.
#[derive(Default, Deserialize)]
pub(super) struct Search {
    #[serde(default)]
    q: String,
}

/// Leads to what the text means.
pub(super) async fn search(visit: Visit, Parameters(Search { q: text }): Parameters<Search>) -> Response {
    let found = match visit.logs().find(&text).await {
        Ok(found) => found,
        Err(error) => return visit.no_answer(&error),
    };
    let text = text.trim();
    match found.value {
        Found::Order(number) => Redirect::to(&format!("/orders/{}", escaped(&number))).into_response(),
        Found::Either(orders) => {
            visit::html(StatusCode::OK, &pages::found::either(&visit.context, text, &orders, found.partial))
        }
        Found::Several { meaning, orders, records, is_cut } => {
            let page = pages::found::several(&visit.context, text, meaning, &orders, &records, is_cut, found.partial);
            visit::html(StatusCode::OK, &page)
        }
        Found::Nothing => {
            visit::html(StatusCode::NOT_FOUND, &pages::found::nothing(&visit.context, text, found.partial))
        }
    }
}

/// An order's page.
pub(super) async fn order(
    visit: Visit,
    Path(typed): Path<String>,
    Parameters(filters): Parameters<Filters>,
) -> Response {
    let Ok(number) = typed.parse::<OrderId>() else {
        return match order_numbers(&typed).as_slice() {
            [number] => Redirect::to(&format!("/orders/{}", escaped(number))).into_response(),
            _ => {
                let page = pages::order::unknown(&visit.context, &typed, &Trail::default(), &filters, false);
                visit::html(StatusCode::NOT_FOUND, &page)
            }
        };
    };
    let logs = visit.logs();
    let whole = Period::whole();
    let trail_and_spans = async {
        let trail = logs.trail(number.as_str(), &whole, RECORDS).await?;
        let spans = logs.spans(&trail.value.records).await?;
        // They are asked for only where the page shows them.
        let requests = if filters.shows_requests() || trail.value.records.is_empty() {
            logs.requests(number.as_str(), &whole, REQUESTS).await?
        } else {
            Answer::default()
        };
        Ok((trail, spans, requests))
    };
    let last_hour = Period::last("1h").unwrap_or_default();
    let found = tokio::try_join!(trail_and_spans, logs.usual_stays(), logs.last_heard(&last_hour));
    let ((trail, spans, requests), usual, heard) = match found {
        Ok(found) => found,
        Err(error) => return visit.no_order(&error, &number),
    };
    let record = Record::notice(Action::OrderLookedUp, Subject::just_order(&number));
    record.user(Some(visit.session.account)).write();
    let partial = [trail.partial, spans.partial, requests.partial, usual.partial, heard.partial].contains(&true);
    if trail.value.records.is_empty() {
        let page = pages::order::unknown(&visit.context, number.as_str(), &requests.value, &filters, partial);
        return visit::html(StatusCode::NOT_FOUND, &page);
    }
    let order = pages::order::Order {
        number: number.as_str(),
        records: &trail.value.records,
        is_cut: trail.value.is_cut,
        requests: &requests.value,
        usual: &usual.value,
        spans: &spans.value,
        heard: &heard.value,
        partial,
        now: OffsetDateTime::now_utc(),
    };
    visit::html(StatusCode::OK, &pages::order::order(&visit.context, &order, &filters))
}
