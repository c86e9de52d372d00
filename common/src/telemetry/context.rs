//! The trace that a piece of work belongs to, across HTTP, the outbox and RabbitMQ.

use std::collections::HashMap;

use opentelemetry::{
    Context,
    propagation::{Extractor, Injector},
    trace::TraceContextExt as _,
};
use tracing::Span;
use tracing_opentelemetry::OpenTelemetrySpanExt as _;

/// A span's identity in W3C form (<https://www.w3.org/TR/trace-context/>), as headers and the outbox keep it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TraceContext {
    /// The `traceparent` header.
    pub traceparent: Option<String>,
    /// The `tracestate` header, if it isn't empty.
    pub tracestate: Option<String>,
}

/// `00-` and the trace's and the span's ids.
const TRACEPARENT_WITHOUT_FLAGS: usize = 52;
/// What every propagator has to pass on (W3C Trace Context, section 3.3.1.1).
const LONGEST_TRACESTATE: usize = 512;

impl TraceContext {
    /// What a request from outside carries. Its trace continues here, but whether the trace is recorded is decided here: the
    /// sampled flag (<https://www.w3.org/TR/trace-context/#sampled-flag>) is always set.
    #[must_use]
    pub fn from_outside(traceparent: Option<&str>, tracestate: Option<&str>) -> Self {
        let sampled = |traceparent: &str| Some(format!("{}-01", traceparent.get(..TRACEPARENT_WITHOUT_FLAGS)?));
        Self {
            traceparent: traceparent.and_then(sampled),
            tracestate: tracestate.filter(|state| state.len() <= LONGEST_TRACESTATE).map(str::to_owned),
        }
    }

    /// Of the current span.
    #[must_use]
    pub fn current() -> Self {
        Self::of(&Span::current())
    }

    /// Of this span.
    #[must_use]
    pub fn of(span: &Span) -> Self {
        let mut headers = Headers::default();
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.inject_context(&span.context(), &mut headers);
        });
        let mut take = |name| headers.0.remove(name).filter(|value| !value.is_empty());
        Self { traceparent: take("traceparent"), tracestate: take("tracestate") }
    }

    /// The span as one in another process.
    #[must_use]
    pub fn remote(&self) -> Context {
        let pair = |name: &str, value: &Option<String>| value.clone().map(|value| (name.to_owned(), value));
        let headers = [pair("traceparent", &self.traceparent), pair("tracestate", &self.tracestate)];
        let headers = Headers(headers.into_iter().flatten().collect());
        opentelemetry::global::get_text_map_propagator(|propagator| {
            propagator.extract_with_context(&Context::new(), &headers)
        })
    }
}

#[derive(Default)]
struct Headers(HashMap<String, String>);

impl Extractor for Headers {
    fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    fn keys(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }
}

impl Injector for Headers {
    fn set(&mut self, key: &str, value: String) {
        self.0.insert(key.to_owned(), value);
    }
}

/// Makes `span` a child of `parent` (a new trace if there is none) and puts the trace's id on each of its records.
///
/// The span must be new: nothing has entered it, and it has no children. It must declare the field `trace.id` as empty.
pub fn adopt(span: &Span, parent: &TraceContext) {
    // Refused only for a span that was entered before.
    let _ = span.set_parent(parent.remote());
    span.record(catalogue::field::TRACE_ID, trace_id(span));
}

/// The id of the trace that the span belongs to, 32 hex digits.
#[must_use]
pub fn trace_id(span: &Span) -> String {
    span.context().span().span_context().trace_id().to_string()
}

/// Sets an attribute of the span that isn't inherited by its records: they name their order themselves, and a line must not
/// have a field twice.
pub fn identify(span: &Span, field: &'static str, value: impl ToString) {
    span.set_attribute(field, value.to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_can_not_switch_tracing_off() {
        let context = TraceContext::from_outside(Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"), None);
        let sampled = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert_eq!(context.traceparent.as_deref(), Some(sampled));
    }

    #[test]
    fn malformed_headers_are_dropped() {
        let context = TraceContext::from_outside(Some("nonsense"), Some(&"x".repeat(1000)));
        assert_eq!(context, TraceContext::default());
    }
}
