//! The dashboards' questions, asked of what the services really logged: of Elasticsearch, as Kibana would.

use std::collections::BTreeMap;

use common::domain::OrderStatus;
use elk::kibana::{Bucket, Formula, Metric, SEARCHES, View, dashboards};
use reqwest::Method;
use serde_json::{Map, Value, json};
use testkit::order_lifecycle;

use crate::support::{search::Search, system};

#[tokio::test]
async fn a_closed_order_is_counted_where_it_is_and_once_in_each_status_that_it_left() {
    let (site, support) = (system::site().await, Search::as_support().await);
    for order in [
        order_lifecycle::a_customers_order(&site, &support).await,
        order_lifecycle::a_sellers_order(&site, &support).await,
        order_lifecycle::a_partners_order(&site, &support).await,
    ] {
        let stands = Question::find("How many orders are in each status now?").about(&order).numbers(&support).await;
        let closed =
            OrderStatus::ALL.map(|status| (status.name().to_owned(), i64::from(status == OrderStatus::Closed)));
        assert_eq!(stands, BTreeMap::from(closed), "{order}");

        let left = Question::find("How long do orders stay in each status?").about(&order).groups(&support).await;
        let all_but_the_last = OrderStatus::ALL.into_iter().filter(|status| *status != OrderStatus::Closed);
        assert_eq!(left, all_but_the_last.map(|status| (status.name().to_owned(), 1)).collect(), "{order}");

        let waiting = Question::find("How many prices are waited for now?").about(&order).numbers(&support).await;
        assert!(waiting.values().all(|number| *number == 0), "{order}: {waiting:?}");
        let priced = Question::find("How does the duration grow with the model?").about(&order).groups(&support).await;
        assert_eq!(priced.values().sum::<u64>(), 1, "{order}: {priced:?}");
    }
}

#[tokio::test]
async fn support_gets_an_response_to_every_question() {
    let (site, support) = (system::site().await, Search::as_support().await);
    // Without any record there is no index to ask.
    order_lifecycle::a_customers_order(&site, &support).await;
    let panels = dashboards().into_iter().flat_map(|dashboard| dashboard.panels);
    for question in panels.filter_map(|panel| Question::of(panel.view)) {
        question.ask(&support).await;
    }
    for list in SEARCHES {
        search(&support, &json!({"query": lucene(list.query), "_source": list.columns})).await;
    }
}

/// A panel that counts or measures.
struct Question {
    title: &'static str,
    query: String,
    buckets: Vec<Bucket>,
    metrics: Vec<Metric>,
}

impl Question {
    fn of(view: View) -> Option<Self> {
        match view {
            View::List(_) => None,
            View::Chart { title, query, buckets, metrics, .. } => Some(Self { title, query, buckets, metrics }),
        }
    }

    fn find(title: &str) -> Self {
        let panels = dashboards().into_iter().flat_map(|dashboard| dashboard.panels);
        let found = panels.filter_map(|panel| Self::of(panel.view)).find(|question| question.title == title);
        found.expect("a panel asks this")
    }

    fn about(self, order: &str) -> Self {
        Self { query: format!("({}) AND order.id:\"{order}\"", self.query), ..self }
    }

    async fn ask(&self, support: &Search) -> Value {
        let numbers: Map<_, _> =
            self.metrics.iter().enumerate().flat_map(|(place, metric)| asked(place, metric)).collect();
        // Every group has the numbers, because groups are ordered by the first of them.
        let aggregations = self.buckets.iter().rev().fold(numbers.clone(), |inner, bucket| {
            let mut groups = grouped(bucket, &self.metrics[0]);
            groups["aggs"] = inner.into();
            numbers.clone().into_iter().chain([("groups".to_owned(), groups)]).collect()
        });
        search(support, &json!({"size": 0, "query": lucene(&self.query), "aggs": aggregations})).await
    }

    /// How many records each group has.
    async fn groups(&self, support: &Search) -> BTreeMap<String, u64> {
        let response = self.ask(support).await;
        let groups = response["aggregations"]["groups"]["buckets"].as_array().expect("groups");
        let count = |group: &Value| group["doc_count"].as_u64().expect("a count");
        groups.iter().map(|group| (group["key"].as_str().unwrap_or_default().to_owned(), count(group))).collect()
    }

    /// The differences, by their headings, that a panel without groups shows.
    async fn numbers(&self, support: &Search) -> BTreeMap<String, i64> {
        let response = self.ask(support).await;
        let count = |name: String| response["aggregations"][name]["doc_count"].as_i64().expect("a count");
        let number =
            |(place, metric): (usize, &Metric)| (metric.label.clone(), count(name(place, 0)) - count(name(place, 1)));
        self.metrics.iter().enumerate().map(number).collect()
    }
}

async fn search(support: &Search, request: &Value) -> Value {
    let (status, response) = support.call(Method::POST, "alexandrite-*/_search", Some(request)).await;
    assert_eq!((status, &response["_shards"]["failed"]), (200, &json!(0)), "{request}: {response}");
    response
}

fn lucene(query: &str) -> Value {
    json!({"query_string": {"query": if query.is_empty() { "*" } else { query }}})
}

fn name(place: usize, part: usize) -> String {
    format!("number-{place}-{part}")
}

/// A number, or the two that it is computed from.
fn asked(place: usize, metric: &Metric) -> Vec<(String, Value)> {
    let counted = |query: &str| json!({"filter": lucene(query)});
    let parts = match &metric.formula {
        Formula::Count | Formula::PerMinute => vec![counted(&metric.query)],
        Formula::Less(other) | Formula::ShareOf(other) | Formula::BudgetLeft(other, _) => {
            vec![counted(&metric.query), counted(other)]
        }
        Formula::Unique(field) => vec![json!({"cardinality": {"field": field}})],
        Formula::Max(field) => vec![json!({"max": {"field": field}})],
        Formula::Percentile(field, percent) => vec![json!({"percentiles": {"field": field, "percents": [percent]}})],
    };
    parts.into_iter().enumerate().map(|(part, aggregation)| (name(place, part), aggregation)).collect()
}

fn grouped(bucket: &Bucket, first: &Metric) -> Value {
    match bucket {
        Bucket::Terms { field, size, .. } => {
            let by = if let Formula::Max(_) = first.formula { name(0, 0) } else { "_count".to_owned() };
            json!({"terms": {"field": field, "size": size, "order": {by: "desc"}}})
        }
        Bucket::Time("auto") => json!({"date_histogram": {"field": "@timestamp", "fixed_interval": "30m"}}),
        Bucket::Time(interval) => json!({"date_histogram": {"field": "@timestamp", "calendar_interval": interval}}),
        Bucket::Ranges { field, starts, .. } => {
            let end = |place: usize| starts.get(place + 1);
            let ranges = starts.iter().enumerate().map(|(place, from)| json!({"from": from, "to": end(place)}));
            json!({"range": {"field": field, "ranges": ranges.collect::<Vec<_>>()}})
        }
    }
}
