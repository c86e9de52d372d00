//! Which orders were reported as stuck or overdue and have not moved since.

use std::collections::BTreeMap;

use catalogue::{Action, Service, action::Level, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, matching},
    period::Period,
    record::Record,
};

/// The newest reports that are looked at.
const REPORTS: usize = 10_000;
/// The orders per search for what came after their reports; Elasticsearch returns at most 65,536 groups.
const CHUNK: usize = 5_000;

/// An order that is stuck or overdue.
#[derive(Clone, Debug)]
pub struct StuckOrder {
    /// The order's number.
    pub order: String,
    /// The status that it is in.
    pub status: String,
    /// Which report: `order.stuck` or `order.overdue`.
    pub action: String,
    /// For how long by now, in hours: in this status, or since it was submitted.
    pub hours: f64,
    /// The report.
    pub report: Record,
    /// The order's newest warning or error beside these reports, if there is one.
    pub trouble: Option<Record>,
}

impl Logs {
    /// The orders that were reported in this period and still stand, the longest-waiting first: a search for the reports,
    /// and one for each 5,000 orders.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn stuck(&self, period: &Period) -> Result<Answer<Vec<StuckOrder>>, SearchError> {
        let reports = self.reports(period).await?;
        // The newest report of each kind for each order comes first.
        let mut newest = BTreeMap::new();
        for report in reports.value {
            let key = (report.text(field::ORDER_ID).to_owned(), report.text(field::EVENT_ACTION).to_owned());
            newest.entry(key).or_insert(report);
        }
        let mut orders: Vec<&str> = newest.keys().map(|(order, _)| order.as_str()).collect();
        orders.dedup();
        let mut partial = reports.partial;
        let mut since = BTreeMap::new();
        for chunk in orders.chunks(CHUNK) {
            let answer = self.last_moves(chunk).await?;
            partial |= answer.partial;
            since.extend(answer.value);
        }
        let now = OffsetDateTime::now_utc();
        let standing = newest.into_iter().filter_map(|((order, action), report)| {
            let (moved, trouble) = since.get(&order).cloned().unwrap_or_default();
            if moved.as_ref().is_some_and(|moved| is_over(&action, &report, moved)) {
                return None;
            }
            let since_report = report.time().map_or(0.0, |reported| (now - reported).as_seconds_f64() / 3600.0);
            let hours = report.number(field::ORDER_AGE_HOURS).unwrap_or_default() + since_report;
            let status = moved.as_ref().unwrap_or(&report).text(field::ORDER_STATUS).to_owned();
            Some(StuckOrder { order, status, action, hours, report, trouble })
        });
        let mut value: Vec<_> = standing.collect();
        value.sort_by(|one, other| other.hours.total_cmp(&one.hours));
        Ok(Answer { value, partial })
    }

    /// The newest reports.
    async fn reports(&self, period: &Period) -> Result<Answer<Vec<Record>>, SearchError> {
        let filters = vec![
            json!({ "terms": { field::EVENT_ACTION: [Action::OrderStuck.name(), Action::OrderOverdue.name()] } }),
            // A record without an order says that the CRM could not check.
            json!({ "exists": { "field": field::ORDER_ID } }),
        ];
        let query = json!({
            "size": REPORTS,
            "query": matching(filters, period),
            "sort": [{ field::TIME: { "order": "desc", "unmapped_type": "date_nanos" } }],
        });
        Ok(self.search(period, query).await?.map(crate::client::hits))
    }

    /// What CRM and shop recorded last about each order's status (what the MES did counts once the CRM knows), and its last
    /// trouble.
    async fn last_moves(&self, orders: &[&str]) -> Result<Answer<BTreeMap<String, Since>>, SearchError> {
        let last = |filter: Value| {
            let newest = json!({ "top_hits": { "size": 1, "sort": [{ field::TIME: "desc" }] } });
            json!({ "filter": filter, "aggs": { "newest": newest } })
        };
        let moved = json!({ "bool": { "filter": [
            { "term": { field::EVENT_ACTION: Action::OrderStatusChanged.name() } },
            { "term": { field::EVENT_OUTCOME: "success" } },
            { "terms": { field::NAME: [Service::ShopApi.name(), Service::CrmApi.name()] } },
        ] } });
        let trouble = json!({ "bool": {
            "filter": [{ "range": { field::LEVEL: { "gte": Level::Warn.number() } } }],
            "must_not": [
                { "terms": { field::EVENT_ACTION: [Action::OrderStuck.name(), Action::OrderOverdue.name()] } },
            ],
        } });
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "terms": { field::ORDER_ID: orders } })], &Period::whole()),
            "aggs": { "orders": {
                "terms": { "field": field::ORDER_ID, "size": orders.len() },
                "aggs": { "moved": last(moved), "trouble": last(trouble) },
            } },
        });
        let answer = self.search(&Period::whole(), query).await?;
        Ok(answer.map(|response| {
            let newest = |bucket: &Value, name: &str| {
                let source = &bucket[name]["newest"]["hits"]["hits"][0]["_source"];
                source.is_object().then(|| Record::new(source.clone()))
            };
            let order = |bucket: &Value| {
                Some((bucket["key"].as_str()?.to_owned(), (newest(bucket, "moved"), newest(bucket, "trouble"))))
            };
            buckets(&response["aggregations"], "orders").filter_map(order).collect()
        }))
    }
}

/// An order's last change of status, and its last trouble.
type Since = (Option<Record>, Option<Record>);

/// Whether a report no longer holds: a stuck order has moved on, an overdue one is closed.
fn is_over(action: &str, report: &Record, moved: &Record) -> bool {
    if action == Action::OrderOverdue.name() {
        return moved.text(field::ORDER_STATUS) == "CLOSED";
    }
    moved.time() > report.time()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stuck_order_is_no_longer_stuck_once_it_goes_on_and_an_overdue_one_once_it_is_closed() {
        let report = Record::new(json!({ field::TIME: "2026-02-03T04:05:06.000000001Z" }));
        let moved = |time: &str, status: &str| Record::new(json!({ field::TIME: time, field::ORDER_STATUS: status }));
        let (before, after) = ("2026-02-03T04:05:06Z", "2026-02-03T04:05:06.000000002Z");
        assert!(!is_over("order.stuck", &report, &moved(before, "SUBMITTED")));
        assert!(is_over("order.stuck", &report, &moved(after, "PRICE_CALCULATED")));
        assert!(!is_over("order.overdue", &report, &moved(after, "PRICE_CALCULATED")));
        assert!(is_over("order.overdue", &report, &moved(after, "CLOSED")));
    }
}
