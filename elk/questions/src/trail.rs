//! What happened to an order, and how long orders usually stay in each status.

use std::collections::BTreeMap;

use catalogue::{Action, Service, field};
use serde_json::{Value, json};

use crate::{
    client::{Answer, Logs, SearchError, buckets, matching},
    period::Period,
    record::Record,
};

/// The records of one request to Elasticsearch at most: its own limit.
const PAGE: usize = 10_000;
/// The days whose orders say how long a status usually lasts.
const USUAL_DAYS: &str = "30d";

/// The records about an order, by time.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more than were asked for.
    pub is_cut: bool,
}

/// How long orders stay in a status, in hours.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Stay {
    /// Half of the orders leave it sooner.
    pub median: f64,
    /// Nine of ten orders leave it sooner.
    pub ninth_decile: f64,
}

impl Logs {
    /// The first `limit` records about an order, by time: one search for each 10,000 of them.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn trail(&self, order: &str, period: &Period, limit: usize) -> Result<Answer<Trail>, SearchError> {
        let mut query = json!({
            "query": matching(vec![json!({ "term": { field::ORDER_ID: order } })], period),
            // The later ones decide between records of the same nanosecond, so that a page's end is a definite place.
            "sort": [by(field::TIME, "date_nanos"), by(field::NAME, "keyword"), by(field::EVENT_ACTION, "keyword")],
        });
        let mut answer = Answer::<Trail>::default();
        loop {
            // One more says whether there are more.
            let size = PAGE.min(limit + 1 - answer.value.records.len());
            query["size"] = size.into();
            let mut page = self.search(query.clone()).await?;
            answer.partial |= page.partial;
            let Value::Array(hits) = page.value["hits"]["hits"].take() else { return Ok(answer) };
            let last = hits.last().map(|hit| hit["sort"].clone());
            let is_last = hits.len() < size;
            answer.value.records.extend(hits.into_iter().map(|mut hit| Record::new(hit["_source"].take())));
            if answer.value.records.len() > limit {
                answer.value.records.truncate(limit);
                answer.value.is_cut = true;
            }
            match last {
                Some(last) if !is_last && !answer.value.is_cut => query["search_after"] = last,
                _ => return Ok(answer),
            }
        }
    }

    /// How long orders stayed in each status that they left in the last 30 days, as shop and CRM recorded it: one search,
    /// whose result Elasticsearch keeps for a day.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn usual_stays(&self) -> Result<Answer<BTreeMap<String, Stay>>, SearchError> {
        let query = json!({
            "size": 0,
            "query": { "bool": { "filter": [
                { "term": { field::EVENT_ACTION: Action::OrderStatusChanged.name() } },
                { "terms": { field::NAME: [Service::ShopApi.name(), Service::CrmApi.name()] } },
                // Whole days: the query is the same all day, and Elasticsearch keeps its result.
                { "range": { field::TIME: { "gte": format!("now-{USUAL_DAYS}/d") } } },
            ] } },
            "aggs": { "statuses": {
                "terms": { "field": field::ORDER_STATUS_FROM, "size": catalogue::ORDER_STATUSES.len() },
                "aggs": { "stay": { "percentiles": {
                    "field": field::ORDER_STATUS_FROM_HOURS, "percents": [50, 90], "keyed": false,
                } } },
            } },
        });
        let answer = self.search(query).await?;
        Ok(answer.map(|response| buckets(&response["aggregations"], "statuses").filter_map(stay).collect()))
    }
}

fn stay(bucket: &Value) -> Option<(String, Stay)> {
    let value = |place: usize| bucket["stay"]["values"][place]["value"].as_f64();
    Some((bucket["key"].as_str()?.to_owned(), Stay { median: value(0)?, ninth_decile: value(1)? }))
}

fn by(field: &str, kind: &str) -> Value {
    json!({ field: { "order": "asc", "unmapped_type": kind } })
}
