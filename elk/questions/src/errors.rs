//! Which failures there are, and which orders one of them concerns.

use catalogue::{action::Level, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, hits, matching},
    period::Period,
    record::{Record, of_aggregation},
};

/// The classes of errors at most, above the number of those that there are.
const CLASSES: usize = 100;
/// The steps of a class's trend.
const TREND: i32 = 24;
/// The orders of a class at most.
const ORDERS: usize = 200;
/// The newest records of a class.
const NEWEST: usize = 20;
/// What stands for the class of an error without one.
const NO_CLASS: &str = "(none)";

/// The failures of one class.
#[derive(Clone, Debug)]
pub struct ErrorClass {
    /// Their `error.type`.
    pub name: String,
    /// How many there are.
    pub count: u64,
    /// The services that recorded them, the one with most first.
    pub services: Vec<(String, u64)>,
    /// About how many orders they concern.
    pub orders: u64,
    /// When the first one was.
    pub first: Option<OffsetDateTime>,
    /// When the last one was.
    pub last: Option<OffsetDateTime>,
    /// How many there were in each of 24 steps of equal length, the oldest first.
    pub trend: Vec<u64>,
}

/// What one class of failures concerned.
#[derive(Clone, Debug, Default)]
pub struct Occurrences {
    /// The orders with the number of failures and the time of the last, the latest first; at most 200.
    pub orders: Vec<(String, u64, Option<OffsetDateTime>)>,
    /// The newest records; at most 20.
    pub newest: Vec<Record>,
}

impl Logs {
    /// The failures of a period by class, the most frequent first: one search, without documents.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn errors(&self, period: &Period) -> Result<Answer<Vec<ErrorClass>>, SearchError> {
        let (step, end) = period.steps(TREND);
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "term": { field::LEVEL: Level::Error.number() } })], period),
            "aggs": { "types": {
                "terms": { "field": field::ERROR_TYPE, "size": CLASSES, "missing": NO_CLASS },
                "aggs": {
                    "services": { "terms": { "field": field::NAME } },
                    "orders": { "cardinality": { "field": field::ORDER_ID } },
                    "first": { "min": { "field": field::TIME } },
                    "last": { "max": { "field": field::TIME } },
                    "trend": { "date_histogram": {
                        "field": field::TIME, "fixed_interval": format!("{step}s"), "min_doc_count": 1,
                    } },
                },
            } },
        });
        let answer = self.search(period, query).await?;
        Ok(answer.map(|response| {
            buckets(&response["aggregations"], "types").filter_map(|bucket| class(bucket, step, end)).collect()
        }))
    }

    /// What the failures of one class concerned in a period: one search.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn occurrences(&self, class: &str, period: &Period) -> Result<Answer<Occurrences>, SearchError> {
        let of_class = if class == NO_CLASS {
            json!({ "bool": { "must_not": [{ "exists": { "field": field::ERROR_TYPE } }] } })
        } else {
            json!({ "term": { field::ERROR_TYPE: class } })
        };
        let query = json!({
            "size": NEWEST,
            "query": matching(vec![json!({ "term": { field::LEVEL: Level::Error.number() } }), of_class], period),
            "sort": [{ field::TIME: { "order": "desc", "unmapped_type": "date_nanos" } }],
            "aggs": { "orders": {
                "terms": { "field": field::ORDER_ID, "size": ORDERS, "order": { "last": "desc" } },
                "aggs": { "last": { "max": { "field": field::TIME } } },
            } },
        });
        let answer = self.search(period, query).await?;
        Ok(answer.map(|response| {
            let order = |bucket: &Value| {
                let count = bucket["doc_count"].as_u64().unwrap_or_default();
                Some((bucket["key"].as_str()?.to_owned(), count, of_aggregation(&bucket["last"])))
            };
            let orders = buckets(&response["aggregations"], "orders").filter_map(order).collect();
            Occurrences { orders, newest: hits(response) }
        }))
    }
}

fn class(bucket: &Value, step: i64, end: OffsetDateTime) -> Option<ErrorClass> {
    let count = |bucket: &Value| bucket["doc_count"].as_u64().unwrap_or_default();
    let service = |service: &Value| Some((service["key"].as_str()?.to_owned(), count(service)));
    Some(ErrorClass {
        name: bucket["key"].as_str()?.to_owned(),
        count: count(bucket),
        services: buckets(bucket, "services").filter_map(service).collect(),
        orders: bucket["orders"]["value"].as_u64().unwrap_or_default(),
        first: of_aggregation(&bucket["first"]),
        last: of_aggregation(&bucket["last"]),
        trend: trend(bucket, step, end),
    })
}

/// The counts of the steps. A record from outside of the period's time, such as one with a wrong clock, is in none.
fn trend(bucket: &Value, step: i64, end: OffsetDateTime) -> Vec<u64> {
    let mut counts = vec![0; TREND as usize];
    for one in buckets(bucket, "trend") {
        let begin = one["key"].as_i64().unwrap_or_default() / 1000;
        let before_end = (end.unix_timestamp() - begin).div_euclid(step);
        let place = usize::try_from(i64::from(TREND) - 1 - before_end).ok();
        if let Some(count) = place.and_then(|place| counts.get_mut(place)) {
            *count += one["doc_count"].as_u64().unwrap_or_default();
        }
    }
    counts
}
