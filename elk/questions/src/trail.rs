//! What happened to an order, and how long orders usually stay in each status.

use std::collections::BTreeMap;

use catalogue::{Action, Service, action::Level, field};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    client::{Answer, Logs, SearchError, buckets, hits, matching},
    period::Period,
    record::Record,
};

/// The records of one request to Elasticsearch at most. Few orders have more, and each index makes room for so many.
const PAGE: usize = 250;
/// The days before today whose orders say how long a status usually lasts.
const USUAL_DAYS: Duration = Duration::days(30);

/// Records about an order, by time.
#[derive(Clone, Debug, Default)]
pub struct Trail {
    /// The records.
    pub records: Vec<Record>,
    /// Whether there are more than these.
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
    /// The first `limit` records about an order, by time: one search for each 250 of them. Requests are left out unless their
    /// records report a failure: a client may ask any number of times, also for an order that isn't there yet.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn trail(&self, order: &str, period: &Period, limit: usize) -> Result<Answer<Trail>, SearchError> {
        // The same as `Record::is_of_trail`.
        let of_trail = json!({ "bool": { "should": [
            { "bool": { "must_not": [of_requests()] } },
            { "range": { field::LEVEL: { "gte": Level::Error.number() } } },
        ] } });
        let query = json!({
            "query": matching(vec![json!({ "term": { field::ORDER_ID: order } }), of_trail], period),
            // The later ones decide between records of the same nanosecond, so that a page's end is a definite place.
            "sort": [by(field::TIME, "date_nanos"), by(field::NAME, "keyword"), by(field::EVENT_ACTION, "keyword")],
        });
        let found = self.search_pages(period, query, PAGE, limit).await?;
        Ok(found.map(|(records, is_cut)| Trail { records, is_cut }))
    }

    /// The last `limit` requests for an order's number, by time: one search.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn requests(&self, order: &str, period: &Period, limit: usize) -> Result<Answer<Trail>, SearchError> {
        let query = json!({
            // One more says whether there are more.
            "size": limit + 1,
            "query": matching(vec![json!({ "term": { field::ORDER_ID: order } }), of_requests()], period),
            "sort": [{ field::TIME: { "order": "desc", "unmapped_type": "date_nanos" } }],
        });
        Ok(self.search(period, query).await?.map(|response| {
            let mut records = hits(response);
            let is_cut = records.len() > limit;
            records.truncate(limit);
            records.reverse();
            Trail { records, is_cut }
        }))
    }

    /// How long orders stayed in each status that they left in the last 30 days, as shop and CRM recorded it: one search,
    /// whose result Elasticsearch keeps for all days that are over.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn usual_stays(&self) -> Result<Answer<BTreeMap<String, Stay>>, SearchError> {
        let filters = vec![
            json!({ "term": { field::EVENT_ACTION: Action::OrderStatusChanged.name() } }),
            json!({ "terms": { field::NAME: [Service::ShopApi.name(), Service::CrmApi.name()] } }),
        ];
        // Without `now`, and the same all day: Elasticsearch keeps the result of each index.
        let first = (OffsetDateTime::now_utc().date() - USUAL_DAYS).to_string();
        let period = Period::days(Some(&first), None).unwrap_or_default();
        let query = json!({
            "size": 0,
            "query": matching(filters, &period),
            "aggs": { "statuses": {
                "terms": { "field": field::ORDER_STATUS_FROM, "size": catalogue::ORDER_STATUSES.len() },
                "aggs": { "stay": { "percentiles": {
                    "field": field::ORDER_STATUS_FROM_HOURS, "percents": [50, 90], "keyed": false,
                    // Coarser than by default: right to some hundredths, and four times as cheap to add up.
                    "tdigest": { "compression": 20 },
                } } },
            } },
        });
        let answer = self.search(&period, query).await?;
        Ok(answer.map(|response| buckets(&response["aggregations"], "statuses").filter_map(stay).collect()))
    }
}

fn stay(bucket: &Value) -> Option<(String, Stay)> {
    let value = |place: usize| bucket["stay"]["values"][place]["value"].as_f64();
    Some((bucket["key"].as_str()?.to_owned(), Stay { median: value(0)?, ninth_decile: value(1)? }))
}

fn of_requests() -> Value {
    json!({ "term": { field::EVENT_ACTION: Action::HttpRequest.name() } })
}

fn by(field: &str, kind: &str) -> Value {
    json!({ field: { "order": "asc", "unmapped_type": kind } })
}
