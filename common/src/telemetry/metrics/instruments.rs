//! The instruments, and what is measured with them where it happens.

use std::{sync::OnceLock, time::Duration};

use catalogue::{Metric, field, metric};
use opentelemetry::{
    KeyValue,
    metrics::{AsyncInstrument, Counter, Histogram, Meter, UpDownCounter},
};

/// The instruments that values are put into. What is read when it is reported is added by [`observe`].
struct Instruments {
    meter: Meter,
    request_duration: Histogram<f64>,
    active_requests: UpDownCounter<i64>,
    unfinished_connections: Counter<u64>,
    published: Counter<u64>,
    process_duration: Histogram<f64>,
    duplicates: Counter<u64>,
    price_duration: Histogram<f64>,
    uploaded_bytes: Histogram<f64>,
    login_failures: Counter<u64>,
    throttled: Counter<u64>,
    unwritten_lines: Counter<u64>,
}

/// Empty as long as no exporter is set up.
static INSTRUMENTS: OnceLock<Instruments> = OnceLock::new();

/// Makes the instruments of a service. The first call counts.
pub(super) fn make(meter: Meter, service: &str) {
    let counter = |metric: &Metric| {
        let counter = meter.u64_counter(metric.name).with_unit(metric.unit).with_description(metric.meaning).build();
        // It is there before the first event: a rate needs a value to begin with.
        if metric.labels.is_empty() && metric.services.iter().any(|of| of.name() == service) {
            counter.add(0, &[]);
        }
        counter
    };
    let histogram = |metric: &Metric| {
        let builder = meter.f64_histogram(metric.name).with_unit(metric.unit).with_description(metric.meaning);
        match metric.kind {
            metric::Kind::Histogram(bounds) => builder.with_boundaries(bounds.to_vec()).build(),
            _ => builder.build(),
        }
    };
    let gauge = |metric: &Metric| {
        meter.i64_up_down_counter(metric.name).with_unit(metric.unit).with_description(metric.meaning).build()
    };
    let instruments = Instruments {
        request_duration: histogram(&metric::REQUEST_DURATION),
        active_requests: gauge(&metric::ACTIVE_REQUESTS),
        unfinished_connections: counter(&metric::UNFINISHED_CONNECTIONS),
        published: counter(&metric::PUBLISHED_MESSAGES),
        process_duration: histogram(&metric::PROCESS_DURATION),
        duplicates: counter(&metric::DUPLICATES),
        price_duration: histogram(&metric::PRICE_DURATION),
        uploaded_bytes: histogram(&metric::UPLOADED_BYTES),
        login_failures: counter(&metric::LOGIN_FAILURES),
        throttled: counter(&metric::THROTTLED),
        unwritten_lines: counter(&metric::UNWRITTEN_LINES),
        meter,
    };
    let _ = INSTRUMENTS.set(instruments);
}

/// Whether anything is reported.
#[must_use]
pub fn are_on() -> bool {
    INSTRUMENTS.get().is_some()
}

/// Values of a metric, each with its label.
pub type Values = Vec<(f64, Option<KeyValue>)>;

/// Adds a metric whose values are read when they are reported.
///
/// A gauge is an up-down counter to OpenTelemetry: of a gauge, the SDK would go on to report values that a process doesn't
/// read any more, because another replica counts now.
pub fn observe(metric: &Metric, values: impl Fn() -> Values + Send + Sync + 'static) {
    let Some(Instruments { meter, .. }) = INSTRUMENTS.get() else { return };
    let read = move |instrument: &dyn AsyncInstrument<f64>| {
        for (value, label) in values() {
            instrument.observe(value, label.as_slice());
        }
    };
    // What is read stays registered when the instrument is dropped.
    if metric.kind == metric::Kind::Counter {
        let builder = meter.f64_observable_counter(metric.name).with_unit(metric.unit);
        let _ = builder.with_description(metric.meaning).with_callback(read).build();
    } else {
        let builder = meter.f64_observable_up_down_counter(metric.name).with_unit(metric.unit);
        let _ = builder.with_description(metric.meaning).with_callback(read).build();
    }
}

/// A request that is being handled, until this is dropped.
#[derive(Debug)]
#[must_use = "the request counts as long as this is there"]
pub struct ActiveRequest(&'static str);

/// Counts a request as being handled.
pub fn request_began(method: &str) -> ActiveRequest {
    let method = known(metric::METHODS, method);
    count_active(method, 1);
    ActiveRequest(method)
}

impl Drop for ActiveRequest {
    fn drop(&mut self) {
        count_active(self.0, -1);
    }
}

fn count_active(method: &'static str, change: i64) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.active_requests.add(change, &[KeyValue::new(field::HTTP_REQUEST_METHOD, method)]);
    }
}

/// Measures a request that got its response. `route` is a template and no path: paths are without bounds.
pub fn request_ended(method: &str, route: &str, status_code: u16, took: Duration) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let labels = [
        KeyValue::new(field::HTTP_REQUEST_METHOD, known(metric::METHODS, method)),
        KeyValue::new(field::HTTP_ROUTE, route.to_owned()),
        KeyValue::new(field::HTTP_RESPONSE_STATUS_CODE, i64::from(status_code)),
    ];
    instruments.request_duration.record(took.as_secs_f64(), &labels);
}

/// Counts a connection that ended without one whole request.
pub fn connection_unfinished() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.unfinished_connections.add(1, &[]);
    }
}

/// Counts a message that the broker has confirmed.
pub fn published(message_type: &str) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.published.add(1, &[of_type(message_type)]);
    }
}

/// Measures a message that took effect, or became a dead letter.
pub fn processed(message_type: &str, took_effect: bool, took: Duration) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let outcome = KeyValue::new(metric::OUTCOME, if took_effect { metric::SUCCESS } else { metric::FAILURE });
    instruments.process_duration.record(took.as_secs_f64(), &[of_type(message_type), outcome]);
}

fn of_type(message_type: &str) -> KeyValue {
    KeyValue::new(field::MESSAGING_MESSAGE_TYPE, known(metric::MESSAGE_TYPES, message_type))
}

/// Counts messages that had their effect before.
pub fn duplicates(count: usize) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.duplicates.add(count as u64, &[]);
    }
}

/// Measures a price calculation that ended.
pub fn price_ended(has_price: bool, took: Duration) {
    let Some(instruments) = INSTRUMENTS.get() else { return };
    let outcome = if has_price { metric::CALCULATED } else { metric::FAILED };
    instruments.price_duration.record(took.as_secs_f64(), &[KeyValue::new(metric::OUTCOME, outcome)]);
}

/// Measures a model that an order has now.
pub fn uploaded(extension: &'static str, bytes: u64) {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.uploaded_bytes.record(bytes as f64, &[KeyValue::new(field::FILE_EXTENSION, extension)]);
    }
}

/// Counts a login that was refused.
pub fn login_failed() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.login_failures.add(1, &[]);
    }
}

/// Counts a login or registration that has to wait.
pub fn throttled() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.throttled.add(1, &[]);
    }
}

/// Counts a line that could not be written.
pub fn line_lost() {
    if let Some(instruments) = INSTRUMENTS.get() {
        instruments.unwritten_lines.add(1, &[]);
    }
}

/// The value if it is one of these, else [`metric::OTHER`].
fn known(values: &'static [&'static str], value: &str) -> &'static str {
    values.iter().copied().find(|known| *known == value).unwrap_or(metric::OTHER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_is_made_up_adds_no_series() {
        assert_eq!(known(metric::METHODS, "GET"), "GET");
        assert_eq!(known(metric::METHODS, "BREW"), metric::OTHER);
        assert_eq!(known(metric::MESSAGE_TYPES, "order.A-100042"), metric::OTHER);
    }
}
