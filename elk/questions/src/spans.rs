//! The spans of an order's traces, as APM Server keeps them.

use std::collections::{BTreeMap, BTreeSet};

use catalogue::field;
use serde_json::{Value, json};
use time::OffsetDateTime;

use crate::{
    client::{Answer, Logs, SearchError},
    record::Record,
};

/// APM Server's data streams of spans. Without APM Server there are none.
const INDICES: &str = "traces-apm*";
/// The newest traces of an order's records whose spans are looked for.
const TRACES: usize = 50;
/// The spans at most.
const SPANS: usize = 60;
/// The fields of APM Server's documents (<https://www.elastic.co/docs/solutions/observability/apm/apm-data-types>): a span
/// that begins a service's part is a `transaction`, every other one a `span`, and each has its own names.
const FIELDS: [&str; 12] = [
    field::TRACE_ID,
    "processor.event",
    "transaction.id",
    "span.id",
    "parent.id",
    "transaction.name",
    "span.name",
    "service.name",
    "timestamp.us",
    "transaction.duration.us",
    "span.duration.us",
    field::EVENT_OUTCOME,
];

/// The spans of a trace, each after its parent.
#[derive(Clone, Debug)]
pub struct TraceSpans {
    /// The trace's id.
    pub id: String,
    /// When its first span began.
    pub began: Option<OffsetDateTime>,
    /// From the beginning of its first span to the end of its last one, in microseconds.
    pub length: f64,
    /// The spans.
    pub spans: Vec<Span>,
}

/// A span.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Span {
    /// Its name.
    pub name: String,
    /// The service that it is of.
    pub service: String,
    /// How many spans are above it.
    pub depth: usize,
    /// When it began, in microseconds since the trace's beginning.
    pub after: f64,
    /// How long it took, in microseconds.
    pub duration: f64,
    /// Whether it failed.
    pub has_failed: bool,
}

/// The spans of an order.
#[derive(Clone, Debug, Default)]
pub struct Spans {
    /// By trace, the oldest first.
    pub traces: Vec<TraceSpans>,
    /// Whether there are more than 60.
    pub is_cut: bool,
}

impl Logs {
    /// The spans of the traces that these records of an order name, the newest 50 of them: one search, for at most 60
    /// spans, the oldest first. None where APM Server keeps no spans.
    ///
    /// # Errors
    ///
    /// [`SearchError`].
    pub async fn spans(&self, records: &[Record]) -> Result<Answer<Spans>, SearchError> {
        let mut traces = BTreeSet::new();
        for trace in records.iter().rev().filter_map(|record| record.optional(field::TRACE_ID)) {
            if traces.len() < TRACES {
                traces.insert(trace);
            }
        }
        if traces.is_empty() {
            return Ok(Answer::default());
        }
        let query = json!({
            // One more says whether there are more.
            "size": SPANS + 1,
            "query": { "bool": { "filter": [
                { "terms": { field::TRACE_ID: traces } },
                { "terms": { "processor.event": ["transaction", "span"] } },
            ] } },
            "sort": [{ "timestamp.us": { "order": "asc", "unmapped_type": "long" } }],
            // Flat names, in whatever form the document has them.
            "fields": FIELDS,
            "_source": false,
        });
        Ok(self.search_in(INDICES, query).await?.map(|response| {
            let hits = response["hits"]["hits"].as_array().map_or(&[][..], Vec::as_slice);
            let mut of_trace: BTreeMap<&str, Vec<Node>> = BTreeMap::new();
            for hit in hits.iter().take(SPANS) {
                if let Some((trace, node)) = Node::of(&hit["fields"]) {
                    of_trace.entry(trace).or_default().push(node);
                }
            }
            let mut traces: Vec<_> = of_trace.into_iter().map(|(id, nodes)| trace(id, &nodes)).collect();
            traces.sort_by_key(|trace| trace.began);
            Spans { traces, is_cut: hits.len() > SPANS }
        }))
    }
}

/// A span as the document has it.
struct Node<'a> {
    id: &'a str,
    parent: Option<&'a str>,
    /// In microseconds since 1970.
    began: i64,
    span: Span,
}

impl<'a> Node<'a> {
    /// The trace and the span of these fields. Each may be missing, or of another type than APM Server's.
    fn of(fields: &'a Value) -> Option<(&'a str, Self)> {
        let text = |name: &str| fields[name][0].as_str().filter(|text| !text.is_empty());
        let [id, name, duration] = match text("processor.event")? {
            "transaction" => ["transaction.id", "transaction.name", "transaction.duration.us"],
            _ => ["span.id", "span.name", "span.duration.us"],
        };
        let span = Span {
            name: text(name).unwrap_or_default().to_owned(),
            service: text("service.name").unwrap_or_default().to_owned(),
            duration: fields[duration][0].as_f64().unwrap_or_default().max(0.0),
            has_failed: text(field::EVENT_OUTCOME) == Some("failure"),
            ..Span::default()
        };
        let began = fields["timestamp.us"][0].as_i64()?;
        Some((text(field::TRACE_ID)?, Self { id: text(id)?, parent: text("parent.id"), began, span }))
    }
}

/// The spans of a trace, which are sorted by their beginning, each after its parent and before its parent's next child.
fn trace(id: &str, nodes: &[Node<'_>]) -> TraceSpans {
    let first = nodes.iter().map(|node| node.began).min().unwrap_or_default();
    let after = |node: &Node<'_>| (node.began as f64 - first as f64).max(0.0);
    let place_of = |id: &str| nodes.iter().position(|node| node.id == id);
    let parents: Vec<Option<usize>> = nodes.iter().map(|node| node.parent.and_then(place_of)).collect();
    let mut spans = Vec::with_capacity(nodes.len());
    let mut seen = vec![false; nodes.len()];
    // Those without a known parent come first; then whatever is left, which names itself as an ancestor.
    let roots = (0..nodes.len()).filter(|place| parents[*place].is_none());
    for root in roots.chain(0..nodes.len()) {
        let mut next = vec![(root, 0)];
        while let Some((place, depth)) = next.pop() {
            if std::mem::replace(&mut seen[place], true) {
                continue;
            }
            spans.push(Span { depth, after: after(&nodes[place]), ..nodes[place].span.clone() });
            // The last one that is put there is taken first.
            let children = (0..nodes.len()).rev().filter(|child| parents[*child] == Some(place));
            next.extend(children.map(|child| (child, depth + 1)));
        }
    }
    TraceSpans {
        id: id.to_owned(),
        began: OffsetDateTime::from_unix_timestamp_nanos(i128::from(first) * 1000).ok(),
        length: spans.iter().map(|span| span.after + span.duration).fold(0.0, f64::max),
        spans,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn node<'a>(id: &'a str, parent: Option<&'a str>, began: i64) -> Node<'a> {
        Node { id, parent, began, span: Span { name: id.to_owned(), duration: 10.0, ..Span::default() } }
    }

    fn order(nodes: &[Node<'_>]) -> Vec<(String, usize)> {
        trace("t", nodes).spans.into_iter().map(|span| (span.name, span.depth)).collect()
    }

    #[test]
    fn a_span_comes_after_its_parent_and_before_its_parents_next_child() {
        let nodes = [
            node("request", Some("a caller's"), 100),
            node("first", Some("request"), 110),
            node("second", Some("request"), 120),
            node("child of first", Some("first"), 130),
        ];
        let expected = [("request", 0), ("first", 1), ("child of first", 2), ("second", 1)];
        assert_eq!(order(&nodes), expected.map(|(name, depth)| (name.to_owned(), depth)));
        assert_eq!(trace("t", &nodes).length, 40.0);
    }

    #[test]
    fn spans_that_are_their_own_ancestors_are_shown_once() {
        let nodes = [node("a", Some("b"), 1), node("b", Some("a"), 2), node("c", Some("c"), i64::MIN)];
        let mut names: Vec<_> = order(&nodes).into_iter().map(|(name, _)| name).collect();
        names.sort();
        assert_eq!(names, ["a", "b", "c"]);
    }

    #[test]
    fn a_span_may_have_any_type_in_any_field() {
        let fields = json!({ "processor.event": ["span"], "trace.id": ["t"], "span.id": ["s"], "timestamp.us": [1],
            "span.duration.us": ["long"], "span.name": [7], "parent.id": [] });
        let (trace, node) = Node::of(&fields).unwrap();
        assert_eq!((trace, node.id, node.parent, node.span), ("t", "s", None, Span::default()));
        assert!(Node::of(&json!(null)).is_none() && Node::of(&json!({ "processor.event": ["span"] })).is_none());
    }
}
