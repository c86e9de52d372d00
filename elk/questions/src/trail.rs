//! What happened to an order, and how long orders usually stay in each status.

use std::collections::BTreeMap;

use catalogue::{Action, Service, field};
use serde_json::{Value, json};
use time::{Duration, OffsetDateTime};

use crate::{
    client::{Answer, Logs, SearchError, buckets, matching},
    period::Period,
    record::Record,
};

/// The records of one request to Elasticsearch at most. Few orders have more, and each index makes room for so many.
const PAGE: usize = 250;
/// The days before today whose orders say how long a status usually lasts.
const USUAL_DAYS: Duration = Duration::days(30);

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
    /// The first `limit` records about an order, by time: one search for each 250 of them.
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
            let mut page = self.search(period, query.clone()).await?;
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

fn by(field: &str, kind: &str) -> Value {
    json!({ field: { "order": "asc", "unmapped_type": kind } })
}
