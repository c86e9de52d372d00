//! What a person means who types an id.

use std::collections::BTreeMap;

use catalogue::{Action, field};
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError, buckets, hits, matching},
    period::Period,
    record::{OF_CALLERS, Record},
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
    /// Both orders whose numbers have these digits, with the status of each; the one with the newest record first.
    Either(Vec<OrderSummary>),
    /// The orders of a customer or partner, or those that a trace or a request is about, and its records.
    Several {
        /// What the id is.
        meaning: Meaning,
        /// The orders; for a customer or partner with the status of each.
        orders: Vec<OrderSummary>,
        /// The records of a trace or a request, by time; the first 40.
        records: Vec<Record>,
        /// Whether there are more orders or records than these.
        is_cut: bool,
    },
    /// Nothing has this id.
    Nothing,
}

/// An order in a list.
#[derive(Clone, Debug)]
pub struct OrderSummary {
    /// Its number.
    pub order: String,
    /// Its status; empty if the question doesn't say it.
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
    /// trace or a request. One search for the order's number, one for what else it is, and one for what is found then.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn find(&self, text: &str) -> Result<Answer<Found>, SearchError> {
        let text = text.trim();
        let numbers = order_numbers(text);
        if !numbers.is_empty() {
            let answer = self.existing(&numbers).await?;
            if !matches!(answer.value, Found::Nothing) || text.len() > LONGEST {
                return Ok(answer);
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

    /// Which of these orders there are.
    async fn existing(&self, numbers: &[String]) -> Result<Answer<Found>, SearchError> {
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "terms": { field::ORDER_ID: numbers } })], &Period::whole()),
            "aggs": { "orders": by_order(numbers.len()) },
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| meant(&response["aggregations"])))
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
        let query = json!({
            "size": 0,
            "query": matching(vec![json!({ "term": { meaning.field(): id } })], &Period::whole()),
            "aggs": { "orders": by_order(ORDERS) },
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| {
            let orders = buckets(&response["aggregations"], "orders").filter_map(summary).collect();
            let others = response["aggregations"]["orders"]["sum_other_doc_count"].as_u64();
            Found::Several { meaning, orders, records: Vec::new(), is_cut: others.is_some_and(|others| others > 0) }
        }))
    }

    async fn records_of(&self, meaning: Meaning, id: &str) -> Result<Answer<Found>, SearchError> {
        let query = json!({
            // One more says whether there are more.
            "size": RECORDS + 1,
            "query": matching(vec![json!({ "term": { meaning.field(): id } })], &Period::whole()),
            "sort": [{ field::TIME: { "order": "asc", "unmapped_type": "date_nanos" } }],
        });
        Ok(self.search(&Period::whole(), query).await?.map(|response| several_of(meaning, hits(response))))
    }
}

/// Groups of records by order, those with the newest records first, with what [`summary`] reads of each.
fn by_order(size: usize) -> Value {
    let changes = [Action::OrderCreated.name(), Action::OrderStatusChanged.name()];
    json!({
        "terms": { "field": field::ORDER_ID, "size": size, "order": { "last": "desc" } },
        "aggs": {
            "last": { "max": { "field": field::TIME } },
            // Anyone may ask for a number that no order has.
            "known": { "filter": { "bool": { "must_not": [
                { "terms": { field::EVENT_ACTION: OF_CALLERS.map(Action::name) } },
            ] } } },
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
    })
}

/// The order that a number without its letter means, or both orders if there are two. A number that was only asked for has a
/// page as well, which says who asked.
fn meant(aggregations: &Value) -> Found {
    let is_known = |bucket: &&Value| bucket["known"]["doc_count"] != 0;
    let (known, asked_for): (Vec<_>, Vec<_>) = buckets(aggregations, "orders").partition(is_known);
    let known: Vec<_> = known.into_iter().filter_map(summary).collect();
    if known.len() > 1 {
        return Found::Either(known);
    }
    let first = known.into_iter().chain(asked_for.into_iter().filter_map(summary)).next();
    first.map_or(Found::Nothing, |first| Found::Order(first.order))
}

/// The first records of a trace or a request and the orders that they name. They don't say in which status an order is: other
/// traces may have changed it since.
fn several_of(meaning: Meaning, mut records: Vec<Record>) -> Found {
    let is_cut = records.len() > RECORDS;
    records.truncate(RECORDS);
    let mut orders = BTreeMap::new();
    for record in &records {
        if let Some(order) = record.optional(field::ORDER_ID) {
            let summary = OrderSummary { order: order.to_owned(), status: String::new(), last: record.time() };
            orders.insert(order.to_owned(), summary);
        }
    }
    Found::Several { meaning, orders: orders.into_values().collect(), records, is_cut }
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

    /// What is meant if so many records say something of each order itself.
    fn meant_by(orders: &[(&str, u64)]) -> Found {
        let bucket = |(order, known): &(&str, u64)| {
            json!({
                "key": order, "known": { "doc_count": known },
                "changes": { "statuses": { "buckets": [{ "key": "SUBMITTED" }, { "key": "INITIATED" }] } },
            })
        };
        let buckets: Vec<Value> = orders.iter().map(bucket).collect();
        meant(&json!({ "orders": { "buckets": buckets } }))
    }

    #[test]
    fn digits_alone_mean_the_order_that_there_is_or_a_choice_of_two() {
        assert!(matches!(meant_by(&[]), Found::Nothing));
        for (orders, expected) in [
            (&[("A-100042", 0)][..], "A-100042"),
            (&[("A-100042", 2)][..], "A-100042"),
            (&[("A-100042", 0), ("P-100042", 7)][..], "P-100042"),
        ] {
            assert!(matches!(meant_by(orders), Found::Order(order) if order == expected), "{orders:?}");
        }
        let Found::Either(both) = meant_by(&[("P-100042", 7), ("A-100042", 2)]) else { panic!("two orders") };
        let both: Vec<_> = both.iter().map(|one| (one.order.as_str(), one.status.as_str())).collect();
        assert_eq!(both, [("P-100042", "SUBMITTED"), ("A-100042", "SUBMITTED")]);
    }

    #[test]
    fn the_orders_of_a_trace_have_no_status_and_a_cut_list_says_so() {
        let record = || Record::new(json!({ field::ORDER_ID: "A-100042", field::ORDER_STATUS: "SUBMITTED" }));
        for (count, expected) in [(RECORDS, false), (RECORDS + 1, true)] {
            let records = (0..count).map(|_| record()).collect();
            let Found::Several { orders, records, is_cut, .. } = several_of(Meaning::Trace, records) else {
                panic!("a trace")
            };
            assert_eq!((orders.len(), orders[0].status.as_str(), records.len()), (1, "", RECORDS));
            assert_eq!(is_cut, expected);
        }
    }
}
