//! Which orders were reported as stuck or overdue and have not moved since.

use std::collections::BTreeMap;

use catalogue::{Action, ORDER_STATUSES, Service, action::Level, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, matching},
    period::Period,
    record::{NO_TROUBLE, Record},
};

/// The reports of one search; Elasticsearch returns no more documents at once.
const PAGE: usize = 10_000;
/// The newest reports that are looked at. If there are more, those that stand longest are missing, and the answer is partial.
const REPORTS: usize = 50_000;
/// The orders per search for what came after their reports; Elasticsearch returns at most 65,536 groups.
const CHUNK: usize = 5_000;
/// The fields of the records that are read.
const FIELDS: [&str; 9] = [
    field::TIME,
    field::EVENT_ACTION,
    field::ORDER_ID,
    field::ORDER_STATUS,
    field::ORDER_AGE_HOURS,
    field::CUSTOMER_ID,
    field::PARTNER_ID,
    field::ERROR_TYPE,
    field::ORDER_PRICE_STATUS,
];

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
    /// The report: its time, its action, the order's status, and whose it is.
    pub report: Record,
    /// The newest warning or error since the order moved last, if there is one, apart from these reports and what callers did:
    /// its time, action, class and price status.
    pub trouble: Option<Record>,
}

impl Logs {
    /// The orders that were reported in this period and still stand, the longest-waiting first: a search for each 10,000
    /// reports, and one for each 5,000 orders. Partial if there are more than 50,000 reports.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn stuck(&self, period: &Period) -> Result<Answer<Vec<StuckOrder>>, SearchError> {
        let Answer { value: (reports, is_cut), partial } = self.reports(period).await?;
        let mut partial = partial || is_cut;
        // The newest report of each kind for each order comes first.
        let mut newest = BTreeMap::new();
        for report in reports {
            let key = (report.text(field::ORDER_ID).to_owned(), report.text(field::EVENT_ACTION).to_owned());
            newest.entry(key).or_insert(report);
        }
        let mut orders: Vec<&str> = newest.keys().map(|(order, _)| order.as_str()).collect();
        orders.dedup();
        let mut since = BTreeMap::new();
        for chunk in orders.chunks(CHUNK) {
            let answer = self.last_moves(chunk).await?;
            partial |= answer.partial;
            since.extend(answer.value);
        }
        let now = OffsetDateTime::now_utc();
        let stuck = newest.into_iter().filter_map(|((order, _), report)| {
            let since = since.get(&order).cloned().unwrap_or_default();
            standing(order, report, since, now)
        });
        let mut value: Vec<_> = stuck.collect();
        value.sort_by(|one, other| other.hours.total_cmp(&one.hours));
        Ok(Answer { value, partial })
    }

    /// The newest reports, and whether there are more.
    async fn reports(&self, period: &Period) -> Result<Answer<(Vec<Record>, bool)>, SearchError> {
        let filters = vec![
            json!({ "terms": { field::EVENT_ACTION: [Action::OrderStuck.name(), Action::OrderOverdue.name()] } }),
            // A record without an order says that the CRM could not check.
            json!({ "exists": { "field": field::ORDER_ID } }),
        ];
        let query = json!({
            "query": matching(filters, period),
            // The order decides between reports of the same nanosecond, so that a page's end is a definite place.
            "sort": [
                { field::TIME: { "order": "desc", "unmapped_type": "date_nanos" } },
                { field::ORDER_ID: { "order": "asc", "unmapped_type": "keyword" } },
            ],
            "_source": FIELDS,
        });
        self.search_pages(period, query, PAGE, REPORTS).await
    }

    /// What CRM and shop recorded last about each order's status (what the MES did counts once the CRM knows), and its last
    /// trouble.
    async fn last_moves(&self, orders: &[&str]) -> Result<Answer<BTreeMap<String, Since>>, SearchError> {
        let last = |filter: Value| {
            let newest = json!({ "top_hits": { "size": 1, "sort": [{ field::TIME: "desc" }], "_source": FIELDS } });
            json!({ "filter": filter, "aggs": { "newest": newest } })
        };
        let moved = json!({ "bool": { "filter": [
            { "term": { field::EVENT_ACTION: Action::OrderStatusChanged.name() } },
            { "term": { field::EVENT_OUTCOME: "success" } },
            { "terms": { field::NAME: [Service::ShopApi.name(), Service::CrmApi.name()] } },
        ] } });
        let trouble = json!({ "bool": {
            "filter": [{ "range": { field::LEVEL: { "gte": Level::Warn.number() } } }],
            // The same as `Record::is_trouble`.
            "must_not": [{ "terms": { field::EVENT_ACTION: NO_TROUBLE.map(Action::name) } }],
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

/// The order of a report as it stands now; none if the report no longer holds.
fn standing(order: String, report: Record, since: Since, now: OffsetDateTime) -> Option<StuckOrder> {
    let (moved, trouble) = since;
    if moved.as_ref().is_some_and(|moved| is_over(&report, moved)) {
        return None;
    }
    // What happened before the order moved last is not the reason why it stands now.
    let trouble = trouble.filter(|trouble| moved.as_ref().is_none_or(|moved| trouble.time() > moved.time()));
    let since_report = report.time().map_or(0.0, |reported| (now - reported).as_seconds_f64() / 3600.0);
    let hours = report.number(field::ORDER_AGE_HOURS).unwrap_or_default() + since_report;
    let status = moved.as_ref().unwrap_or(&report).text(field::ORDER_STATUS).to_owned();
    let action = report.text(field::EVENT_ACTION).to_owned();
    Some(StuckOrder { order, status, action, hours, report, trouble })
}

/// Whether a report no longer holds once the order has moved: an overdue order is closed, a stuck one has left the status of
/// the report. Times don't decide, because another service's record of a change may be later than the report.
pub(crate) fn is_over(report: &Record, moved: &Record) -> bool {
    if report.text(field::EVENT_ACTION) == Action::OrderOverdue.name() {
        return moved.status_place() == Some(ORDER_STATUSES.len() - 1);
    }
    moved.status_place() > report.status_place()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(second: u8, action: &str, status: &str) -> Record {
        Record::new(json!({
            field::TIME: format!("2026-02-03T04:05:{second:02}Z"), field::EVENT_ACTION: action, field::ORDER_STATUS: status,
        }))
    }

    #[test]
    fn a_stuck_order_is_no_longer_stuck_once_it_goes_on_and_an_overdue_one_once_it_is_closed() {
        let is_over = |action: &str, status: &str| {
            is_over(&record(6, action, "SUBMITTED"), &record(7, "order.status_changed", status))
        };
        assert!(!is_over("order.stuck", "FILE_UPLOADED") && !is_over("order.stuck", "SUBMITTED"));
        assert!(is_over("order.stuck", "PRICE_CALCULATED") && is_over("order.stuck", "CLOSED"));
        assert!(!is_over("order.overdue", "PRICE_CALCULATED") && is_over("order.overdue", "CLOSED"));
    }

    #[test]
    fn only_what_went_wrong_since_the_last_move_is_why_an_order_stands() {
        let trouble = |second: u8| {
            let moved = record(5, "order.status_changed", "SUBMITTED");
            let dead = record(second, "message.dead_lettered", "");
            let since = (Some(moved), Some(dead));
            let report = record(9, "order.stuck", "SUBMITTED");
            let order = standing("A-100042".to_owned(), report, since, OffsetDateTime::now_utc());
            order.expect("it stands").trouble
        };
        assert!(trouble(4).is_none() && trouble(6).is_some());
    }
}
