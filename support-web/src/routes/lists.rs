//! The start page, errors, stuck orders, alerts and failed logins.

use axum::{extract::Path, http::StatusCode, response::Response};
use questions::{Period, SearchError};
use serde::Deserialize;
use time::OffsetDateTime;

use super::{
    parameters::Parameters,
    visit::{self, Visit},
};
use crate::pages::{self, errors::Asked, start::Glance};

/// The days of the page of alerts.
const ALERT_DAYS: u16 = 30;

/// A period, as a link or the form has it.
#[derive(Default, Deserialize)]
#[serde(default)]
pub(super) struct AskedPeriod {
    last: String,
    from: String,
    until: String,
}

impl AskedPeriod {
    /// The period, and how it was asked for: the last day unless that makes sense.
    fn read(self) -> (Period, Asked) {
        let Self { last, from, until } = self;
        let day = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        if let (true, Some(period)) =
            (!from.is_empty() || !until.is_empty(), Period::days(day(&from).as_deref(), day(&until).as_deref()))
        {
            return (period, Asked { last: String::new(), from, until });
        }
        let last = if Period::last(&last).is_some() { last } else { "24h".to_owned() };
        let period = Period::last(&last).unwrap_or_default();
        (period, Asked { last, from: String::new(), until: String::new() })
    }
}

/// Today at a glance.
pub(super) async fn start(visit: Visit) -> Response {
    let page = async {
        let logs = visit.logs();
        let [last_hour, last_week] = ["1h", "7d"].map(|age| Period::last(age).unwrap_or_default());
        let whole = Period::whole();
        let (statuses, stuck, errors, alerts, heard, new_orders) = tokio::try_join!(
            logs.statuses(),
            logs.stuck(&whole),
            logs.errors(&last_hour),
            logs.alerts(1),
            logs.last_heard(&last_week),
            logs.new_orders()
        )?;
        let partial =
            [statuses.partial, stuck.partial, errors.partial, alerts.partial, heard.partial, new_orders.partial];
        let glance = Glance {
            statuses: statuses.value,
            stuck: stuck.value,
            errors: errors.value,
            alerts: alerts.value,
            heard: heard.value,
            new_orders: new_orders.value,
            partial: partial.contains(&true),
            now: OffsetDateTime::now_utc(),
        };
        Ok::<_, SearchError>(pages::start::start(&visit.context, &glance))
    };
    visit.answer(page.await)
}

/// Failures by class.
pub(super) async fn errors(visit: Visit, Parameters(asked): Parameters<AskedPeriod>) -> Response {
    let (period, asked) = asked.read();
    let classes = visit.logs().errors(&period).await;
    visit.answer(classes.map(|found| pages::errors::errors(&visit.context, &asked, &found.value, found.partial)))
}

/// One class of failures.
pub(super) async fn class(
    visit: Visit,
    Path(class): Path<String>,
    Parameters(asked): Parameters<AskedPeriod>,
) -> Response {
    let (period, asked) = asked.read();
    let found = visit.logs().occurrences(&class, &period).await;
    visit.answer(found.map(|found| pages::errors::class(&visit.context, &class, &asked, &found.value, found.partial)))
}

/// Orders that stand too long.
pub(super) async fn stuck(visit: Visit) -> Response {
    let found = visit.logs().stuck(&Period::whole()).await;
    visit.answer(found.map(|found| pages::stuck::stuck(&visit.context, &found.value, found.partial)))
}

/// Alerts as they came in.
pub(super) async fn alerts(visit: Visit) -> Response {
    let found = visit.logs().alerts(ALERT_DAYS).await;
    visit.answer(found.map(|found| pages::alerts::alerts(&visit.context, ALERT_DAYS, &found.value, found.partial)))
}

/// Logins that failed again and again.
pub(super) async fn logins(visit: Visit) -> Response {
    let (logs, last_week) = (visit.logs(), Period::last("7d").unwrap_or_default());
    let found = tokio::try_join!(logs.failed_logins(&last_week), logs.failing_networks(&last_week));
    visit.answer(found.map(|(logins, networks)| {
        let partial = logins.partial || networks.partial;
        pages::alerts::logins(&visit.context, &logins.value, &networks.value, partial)
    }))
}

/// There is nothing at this path.
pub(super) async fn unknown_path(visit: Visit) -> Response {
    visit::html(StatusCode::NOT_FOUND, &pages::message::unknown_path(&visit.context))
}
