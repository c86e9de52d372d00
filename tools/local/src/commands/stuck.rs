//! `stuck`: the orders that were reported as stuck or overdue and have not moved since.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context as _, Result};
use catalogue::{Action, Service, field};
use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::clients::elasticsearch::{Elasticsearch, short_time, text};
use crate::commands::log_flags::LogFlags;
use crate::terminal::{print, table};

/// The number of orders per search; Elasticsearch returns at most 65,536 groups.
const CHUNK: usize = 5_000;

/// Prints the table, the longest-waiting first.
pub(crate) async fn stuck(data: &Path, flags: &LogFlags) -> Result<()> {
    let elasticsearch = flags.open(data)?;
    let filters = flags.with_time(vec![
        json!({ "terms": { field::EVENT_ACTION: [Action::OrderStuck.name(), Action::OrderOverdue.name()] } }),
        // A record without an order says that the CRM could not check.
        json!({ "exists": { "field": field::ORDER_ID } }),
    ]);
    let reports = elasticsearch.records(&filters).await?;
    // The last report of each kind for each order: the records are sorted by time.
    let last: BTreeMap<(&str, &str), &Value> = reports
        .iter()
        .map(|report| ((text(report, field::ORDER_ID), text(report, field::EVENT_ACTION)), report))
        .collect();
    let mut orders: Vec<&str> = last.keys().map(|(order, _)| *order).collect();
    orders.dedup();
    let moves = last_moves(&elasticsearch, &orders).await?;
    let now = OffsetDateTime::now_utc();
    let mut rows = Vec::new();
    for ((order, action), report) in last {
        let went_on = moves.get(order);
        if went_on.is_some_and(|went_on| is_over(action, report, went_on)) {
            continue;
        }
        let reported = OffsetDateTime::parse(text(report, field::TIME), &Rfc3339)
            .with_context(|| format!("a report of {order} without a time"))?;
        let age =
            report[field::ORDER_AGE_HOURS].as_f64().unwrap_or_default() + (now - reported).as_seconds_f64() / 3600.0;
        let status = went_on.unwrap_or(report);
        rows.push((age, order, text(status, field::ORDER_STATUS), action, report));
    }
    if rows.is_empty() {
        print::out("No order is stuck or overdue.");
        return Ok(());
    }
    rows.sort_by(|one, other| other.0.total_cmp(&one.0));
    let mut table = table::with_header(["order", "status", "what", "for", "reported", "whose"]);
    for (age, order, status, action, report) in rows {
        let reported = short_time(text(report, field::TIME), 19);
        let what = action.trim_start_matches("order.");
        table.add_row([order, status, what, &waited(age), &reported, &customer_or_partner(report)]);
    }
    print::out(table);
    Ok(())
}

/// What the CRM and the shop recorded last about each order's status; what the MES did counts once the CRM knows.
async fn last_moves(elasticsearch: &Elasticsearch, orders: &[&str]) -> Result<BTreeMap<String, Value>> {
    let mut moves = BTreeMap::new();
    for chunk in orders.chunks(CHUNK) {
        let query = json!({
            "size": 0,
            "query": { "bool": { "filter": [
                { "term": { field::EVENT_ACTION: Action::OrderStatusChanged.name() } },
                { "term": { field::EVENT_OUTCOME: "success" } },
                { "terms": { field::NAME: [Service::ShopApi.name(), Service::CrmApi.name()] } },
                { "terms": { field::ORDER_ID: chunk } },
            ] } },
            "aggs": { "orders": {
                "terms": { "field": field::ORDER_ID, "size": chunk.len() },
                "aggs": { "last": { "top_hits": {
                    "size": 1, "sort": [{ field::TIME: "desc" }], "_source": [field::TIME, field::ORDER_STATUS],
                } } },
            } },
        });
        let mut response = elasticsearch.search(&query).await?;
        let Value::Array(groups) = response["aggregations"]["orders"]["buckets"].take() else { continue };
        for mut group in groups {
            let last = group["last"]["hits"]["hits"][0]["_source"].take();
            moves.insert(group["key"].as_str().unwrap_or_default().to_owned(), last);
        }
    }
    Ok(moves)
}

/// Whether a report no longer holds: a stuck order has moved on, an overdue one is closed.
fn is_over(action: &str, report: &Value, went_on: &Value) -> bool {
    if action == Action::OrderOverdue.name() {
        return text(went_on, field::ORDER_STATUS) == "CLOSED";
    }
    // Both are RFC 3339 in UTC with all digits of the nanosecond.
    text(went_on, field::TIME) > text(report, field::TIME)
}

/// A length of time in a unit that fits.
fn waited(hours: f64) -> String {
    match hours {
        ..1.0 => format!("{:.0} min", hours * 60.0),
        ..48.0 => format!("{hours:.1} h"),
        _ => format!("{:.1} d", hours / 24.0),
    }
}

fn customer_or_partner(report: &Value) -> String {
    let customer = text(report, field::CUSTOMER_ID);
    if customer.is_empty() {
        format!("partner {}", text(report, field::PARTNER_ID))
    } else {
        format!("customer {customer}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_order_is_no_longer_stuck_once_it_goes_on_and_an_overdue_one_once_it_is_closed() {
        let report = json!({ field::TIME: "2026-02-03T04:05:06.000000001Z" });
        let went_on = |time: &str, status: &str| json!({ field::TIME: time, field::ORDER_STATUS: status });
        let (before, after) = ("2026-02-03T04:05:06.000000000Z", "2026-02-03T04:05:06.000000002Z");
        assert!(!is_over("order.stuck", &report, &went_on(before, "SUBMITTED")));
        assert!(is_over("order.stuck", &report, &went_on(after, "PRICE_CALCULATED")));
        assert!(!is_over("order.overdue", &report, &went_on(after, "PRICE_CALCULATED")));
        assert!(is_over("order.overdue", &report, &went_on(after, "CLOSED")));
    }

    #[test]
    fn times_are_said_in_a_unit_that_fits() {
        assert_eq!([0.76, 3.04, 60.0].map(waited), ["46 min", "3.0 h", "2.5 d"]);
    }
}
