//! The state of everything: how many orders are in each status, how many are new, and when each service last wrote a record.

use catalogue::{Action, ORDER_STATUSES, Service, field};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    client::{Answer, Logs, SearchError, buckets, matching},
    period::Period,
    record::of_aggregation,
};

/// A service that writes nothing for so long stands, or its records don't arrive: it writes a heartbeat every half minute.
const SILENT: Duration = Duration::minutes(2);

/// The orders that are in a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCount {
    /// The status.
    pub status: &'static str,
    /// How many orders are in it.
    pub orders: u64,
}

/// When a service last wrote a record.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LastHeard {
    /// The service.
    pub service: &'static str,
    /// When; none if it wrote nothing in the period.
    pub at: Option<OffsetDateTime>,
}

/// The orders that were created.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NewOrders {
    /// In the last hour.
    pub hour: u64,
    /// In the last day.
    pub day: u64,
    /// The customer or partner with most of the last hour's, and how many.
    pub most_of: Option<(String, u64)>,
}

impl Logs {
    /// How many orders are in each status: those that entered it less those that left it. One search, without documents,
    /// of which Elasticsearch keeps the results of all days but the present.
    ///
    /// Every change has exactly one record at each service that keeps the order. Shop and CRM count an order of the shop;
    /// the MES counts a partner's, which the CRM closes. An order that left a status within the time that records are kept
    /// and entered it before that would count as less than none, and is left out.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn statuses(&self) -> Result<Answer<Vec<StatusCount>>, SearchError> {
        let prefix = |prefix: &str| json!({ "prefix": { field::ORDER_ID: prefix } });
        let by_mes = json!({ "term": { field::NAME: Service::MesApi.name() } });
        let query = json!({
            "size": 0,
            "query": { "bool": {
                "filter": [
                    { "terms": {
                        field::EVENT_ACTION: [Action::OrderCreated.name(), Action::OrderStatusChanged.name()],
                    } },
                    { "term": { field::EVENT_OUTCOME: "success" } },
                ],
                "should": [
                    { "bool": { "filter": [prefix("A-")], "must_not": [by_mes] } },
                    { "bool": { "filter": [prefix("P-"), by_mes] } },
                    { "bool": { "filter": [prefix("P-"), { "term": { field::ORDER_STATUS: "CLOSED" } }] } },
                ],
                "minimum_should_match": 1,
            } },
            "aggs": {
                "entered": { "terms": { "field": field::ORDER_STATUS, "size": ORDER_STATUSES.len() } },
                "left": { "terms": { "field": field::ORDER_STATUS_FROM, "size": ORDER_STATUSES.len() } },
            },
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            let count = |side: &str, status: &str| {
                let bucket = buckets(&response["aggregations"], side).find(|bucket| bucket["key"] == status);
                bucket.and_then(|bucket| bucket["doc_count"].as_u64()).unwrap_or_default()
            };
            let orders = |status| count("entered", status).saturating_sub(count("left", status));
            ORDER_STATUSES.map(|status| StatusCount { status, orders: orders(status) }).into()
        }))
    }

    /// When each service last wrote a record in a period: one search, without documents.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn last_heard(&self, period: &Period) -> Result<Answer<Vec<LastHeard>>, SearchError> {
        let services: Vec<&str> = Service::APIS.iter().map(|service| service.name()).collect();
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "terms": { field::NAME: services } })], period),
            "aggs": { "services": {
                "terms": { "field": field::NAME, "size": services.len() },
                "aggs": { "last": { "max": { "field": field::TIME } } },
            } },
        });
        Ok(self.search(period, query).await?.map(|response| {
            let of = |service: &str| {
                let bucket = buckets(&response["aggregations"], "services").find(|bucket| bucket["key"] == service);
                bucket.and_then(|bucket| of_aggregation(&bucket["last"]))
            };
            Service::APIS.map(|service| LastHeard { service: service.name(), at: of(service.name()) }).into()
        }))
    }

    /// How many orders were created in the last hour and in the last day, and whose most of the last hour's are: one
    /// search, without documents.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn new_orders(&self) -> Result<Answer<NewOrders>, SearchError> {
        let filters = vec![
            json!({ "term": { field::EVENT_ACTION: Action::OrderCreated.name() } }),
            json!({ "term": { field::EVENT_OUTCOME: "success" } }),
        ];
        let by = |field: &str| json!({ "terms": { "field": field, "size": 1 } });
        let last_day = Period::last("24h").unwrap_or_default();
        let query = json!({
            "size": 0,
            "track_total_hits": true,
            "query": matching(filters, &last_day),
            "aggs": { "hour": {
                "filter": Period::last("1h").unwrap_or_default().filter(),
                "aggs": { "customers": by(field::CUSTOMER_ID), "partners": by(field::PARTNER_ID) },
            } },
        });
        Ok(self.search(&last_day, query).await?.map(|response| {
            let hour = &response["aggregations"]["hour"];
            let owner = |bucket: &Value| Some((bucket["key"].as_str()?.to_owned(), bucket["doc_count"].as_u64()?));
            let owners = buckets(hour, "customers").chain(buckets(hour, "partners")).filter_map(owner);
            NewOrders {
                hour: hour["doc_count"].as_u64().unwrap_or_default(),
                day: response["hits"]["total"]["value"].as_u64().unwrap_or_default(),
                most_of: owners.max_by_key(|(_, count)| *count),
            }
        }))
    }
}

impl LastHeard {
    /// Whether it should have written something since.
    #[must_use]
    pub fn is_silent(&self, now: OffsetDateTime) -> bool {
        self.at.is_none_or(|at| now - at > SILENT)
    }
}

impl NewOrders {
    /// Whether the last hour has far more than the day's other hours: at least 50, and five times as many.
    #[must_use]
    pub fn is_burst(&self) -> bool {
        let others = self.day.saturating_sub(self.hour) / 23;
        self.hour >= 50 && self.hour >= 5 * others
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_service_is_silent_two_minutes_after_its_last_record() {
        let now = OffsetDateTime::now_utc();
        let heard =
            |ago: Option<i64>| LastHeard { service: "mes-api", at: ago.map(|ago| now - Duration::seconds(ago)) };
        assert_eq!([Some(60), Some(121), None].map(|ago| heard(ago).is_silent(now)), [false, true, true]);
    }

    #[test]
    fn a_burst_is_five_times_a_usual_hour() {
        let orders = |hour, day| NewOrders { hour, day, most_of: None };
        assert!(orders(3_000, 3_004).is_burst() && orders(500, 2_800).is_burst());
        assert!(!orders(4, 4).is_burst() && !orders(400, 2_800).is_burst());
    }
}
