//! The state of everything: how many orders are in each status, and how old the newest record is.

use catalogue::{Action, ORDER_STATUSES, Service, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, hits},
    record::Record,
};

/// The orders that are in a status.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StatusCount {
    /// The status.
    pub status: &'static str,
    /// How many orders are in it.
    pub orders: u64,
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
        Ok(self.search(query).await?.map(|response| {
            let count = |side: &str, status: &str| {
                let bucket = buckets(&response["aggregations"], side).find(|bucket| bucket["key"] == status);
                bucket.and_then(|bucket| bucket["doc_count"].as_u64()).unwrap_or_default()
            };
            let orders = |status| count("entered", status).saturating_sub(count("left", status));
            ORDER_STATUSES.map(|status| StatusCount { status, orders: orders(status) }).into()
        }))
    }

    /// The time of the newest record of a service: one search for one document.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn newest_record(&self) -> Result<Answer<Option<OffsetDateTime>>, SearchError> {
        let services: Vec<Value> = Service::APIS.iter().map(|service| service.name().into()).collect();
        let query = json!({
            "size": 1,
            "query": { "bool": { "filter": [
                { "terms": { field::NAME: services } },
                { "range": { field::TIME: { "gte": "now-7d" } } },
            ] } },
            "sort": [{ field::TIME: { "order": "desc", "unmapped_type": "date_nanos" } }],
            "_source": [field::TIME],
        });
        Ok(self.search(query).await?.map(|response| hits(response).first().and_then(Record::time)))
    }
}
