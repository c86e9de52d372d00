//! What a person means who types an id.

use std::collections::BTreeMap;

use catalogue::{Action, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, hits, matching},
    period::Period,
    record::Record,
};

/// The orders of a customer or partner that are shown, those with the newest records.
const ORDERS: usize = 100;
/// The records of a trace or a request that are shown.
const RECORDS: usize = 40;
/// The longest id that anything has.
const LONGEST: usize = 64;

/// What an id is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Meaning {
    /// A customer's account.
    Customer,
    /// A partner company's account.
    Partner,
    /// A trace.
    Trace,
    /// A request.
    Request,
}

/// What was found.
#[derive(Clone, Debug)]
pub enum Found {
    /// The order of this number.
    Order(String),
    /// The orders of a customer or partner, or those that a trace or a request is about, and its records.
    Several {
        /// What the id is.
        meaning: Meaning,
        /// The orders; for a customer or partner with the status of each.
        orders: Vec<OrderSummary>,
        /// The records of a trace or a request, by time; the first 40.
        records: Vec<Record>,
    },
    /// Nothing has this id.
    Nothing,
}

/// An order in a list.
#[derive(Clone, Debug)]
pub struct OrderSummary {
    /// Its number.
    pub order: String,
    /// Its status.
    pub status: String,
    /// When its newest record was written.
    pub last: Option<OffsetDateTime>,
}

impl Meaning {
    const ALL: [Self; 4] = [Self::Customer, Self::Partner, Self::Trace, Self::Request];

    /// The field that has such ids.
    #[must_use]
    pub const fn field(self) -> &'static str {
        match self {
            Self::Customer => field::CUSTOMER_ID,
            Self::Partner => field::PARTNER_ID,
            Self::Trace => field::TRACE_ID,
            Self::Request => field::HTTP_REQUEST_ID,
        }
    }
}

/// The order numbers that a person may mean, however they type them: `A-100042`, `a 100042`, `100042`.
#[must_use]
pub fn order_numbers(text: &str) -> Vec<String> {
    let text: String = text.chars().filter(|character| !character.is_whitespace() && *character != '#').collect();
    let text = text.to_uppercase().replace(['–', '—', '‑', '−'], "-");
    let digits = text.trim_start_matches(['A', 'P', 'А', 'Р']).trim_start_matches('-');
    let kinds: &[&str] = match text.chars().next() {
        // The keys of both layouts.
        Some('A' | 'А') => &["A"],
        Some('P' | 'Р') => &["P"],
        _ => &["A", "P"],
    };
    let is_number = (6..=16).contains(&digits.len())
        && digits.bytes().all(|byte| byte.is_ascii_digit())
        && !digits.starts_with('0')
        && text.chars().filter(|character| character.is_alphabetic()).count() <= 1;
    if is_number { kinds.iter().map(|kind| format!("{kind}-{digits}")).collect() } else { Vec::new() }
}

impl Logs {
    /// What this text means: an order, whose number may be typed in many ways, or the exact id of a customer, a partner, a
    /// trace or a request. One search for what it is, and one for a customer's or partner's orders.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn find(&self, text: &str) -> Result<Answer<Found>, SearchError> {
        let text = text.trim();
        let numbers = order_numbers(text);
        if !numbers.is_empty() {
            let answer = self.existing(&numbers).await?;
            if answer.value.is_some() || text.len() > LONGEST {
                return Ok(answer.map(|order| order.map_or(Found::Nothing, Found::Order)));
            }
        }
        if text.is_empty() || text.len() > LONGEST || text.chars().any(char::is_whitespace) {
            return Ok(Answer { value: Found::Nothing, partial: false });
        }
        // Ids are written in lower case; a request's may be the caller's own.
        let lower = text.to_lowercase();
        let meanings = self.meanings(text, &lower).await?;
        let Some(meaning) = meanings.value else { return Ok(meanings.map(|_| Found::Nothing)) };
        let id = if meaning == Meaning::Request { text } else { &lower };
        let answer = match meaning {
            Meaning::Customer | Meaning::Partner => self.orders_of(meaning, id).await?,
            Meaning::Trace | Meaning::Request => self.records_of(meaning, id).await?,
        };
        Ok(Answer { partial: answer.partial || meanings.partial, ..answer })
    }

    /// The first of these orders that has records.
    async fn existing(&self, numbers: &[String]) -> Result<Answer<Option<String>>, SearchError> {
        let query = json!({
            "size": 1,
            "query": matching(vec![json!({ "terms": { field::ORDER_ID: numbers } })], &Period::whole()),
            // Of two orders with the same digits, the shop's is meant more often.
            "sort": [{ field::ORDER_ID: { "order": "asc", "unmapped_type": "keyword" } }],
            "_source": [field::ORDER_ID],
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            hits(response).first().and_then(|record| record.optional(field::ORDER_ID)).map(str::to_owned)
        }))
    }

    /// What an id is.
    async fn meanings(&self, text: &str, lower: &str) -> Result<Answer<Option<Meaning>>, SearchError> {
        let term = |meaning: Meaning| json!({ "terms": { meaning.field(): [text, lower] } });
        let filters: Vec<Value> = Meaning::ALL.into_iter().map(term).collect();
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "bool": { "should": filters } })], &Period::whole()),
            "aggs": { "meanings": { "filters": { "filters": filters } } },
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            let found = buckets(&response["aggregations"], "meanings").map(|bucket| bucket["doc_count"] != 0);
            Meaning::ALL.into_iter().zip(found).find_map(|(meaning, found)| found.then_some(meaning))
        }))
    }

    async fn orders_of(&self, meaning: Meaning, id: &str) -> Result<Answer<Found>, SearchError> {
        let changes = [Action::OrderCreated.name(), Action::OrderStatusChanged.name()];
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "term": { meaning.field(): id } })], &Period::whole()),
            "aggs": { "orders": {
                "terms": { "field": field::ORDER_ID, "size": ORDERS, "order": { "last": "desc" } },
                "aggs": {
                    "last": { "max": { "field": field::TIME } },
                    "changes": {
                        "filter": { "bool": { "filter": [
                            { "terms": { field::EVENT_ACTION: changes } },
                            { "term": { field::EVENT_OUTCOME: "success" } },
                        ] } },
                        "aggs": { "statuses": {
                            "terms": { "field": field::ORDER_STATUS, "size": catalogue::ORDER_STATUSES.len() },
                        } },
                    },
                },
            } },
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            let orders = buckets(&response["aggregations"], "orders").filter_map(summary).collect();
            Found::Several { meaning, orders, records: Vec::new() }
        }))
    }

    async fn records_of(&self, meaning: Meaning, id: &str) -> Result<Answer<Found>, SearchError> {
        let query = json!({
            "size": RECORDS,
            "query": matching(vec![json!({ "term": { meaning.field(): id } })], &Period::whole()),
            "sort": [{ field::TIME: { "order": "asc", "unmapped_type": "date_nanos" } }],
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            let records = hits(response);
            let mut orders = BTreeMap::new();
            for record in &records {
                if let Some(order) = record.optional(field::ORDER_ID) {
                    let status = record.text(field::ORDER_STATUS).to_owned();
                    let summary = OrderSummary { order: order.to_owned(), status, last: record.time() };
                    orders.insert(order.to_owned(), summary);
                }
            }
            Found::Several { meaning, orders: orders.into_values().collect(), records }
        }))
    }
}

fn summary(bucket: &Value) -> Option<OrderSummary> {
    // Statuses are strictly linear: an order is in the furthest one that it has entered.
    let entered: Vec<&str> = buckets(&bucket["changes"], "statuses").filter_map(|one| one["key"].as_str()).collect();
    let status = catalogue::ORDER_STATUSES.into_iter().rev().find(|status| entered.contains(status));
    Some(OrderSummary {
        order: bucket["key"].as_str()?.to_owned(),
        status: status.unwrap_or_default().to_owned(),
        last: crate::record::of_aggregation(&bucket["last"]),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_order_number_may_be_typed_in_many_ways() {
        for text in ["A-100042", "a-100042", " A 100042 ", "a100042", "А-100042", "A–100042", "#A-100 042"] {
            assert_eq!(order_numbers(text), ["A-100042"], "{text}");
        }
        assert_eq!(order_numbers("100042"), ["A-100042", "P-100042"]);
        assert_eq!(order_numbers("p-100007"), ["P-100007"]);
        for text in ["", "*", "A-*", "A-1000", "B-100042", "A-0100042", "AP100042", "0af7651916cd43dd8448eb211c80319c"]
        {
            assert!(order_numbers(text).is_empty(), "{text}");
        }
    }
}
