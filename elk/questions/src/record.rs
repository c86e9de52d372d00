//! A record as Elasticsearch returns it.

use catalogue::{Action, ORDER_STATUSES, action::Level, field};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// The actions whose records name an order, but report what a caller did and nothing about the order.
pub(crate) const OF_CALLERS: [Action; 3] = [Action::HttpRequest, Action::AccessDenied, Action::OrdersProbed];
/// The actions whose warnings and errors are no reason why an order stands: the reports that it stands, and those of callers.
pub(crate) const NO_TROUBLE: [Action; 5] =
    [Action::OrderStuck, Action::OrderOverdue, Action::HttpRequest, Action::AccessDenied, Action::OrdersProbed];

/// A record as Elasticsearch returns it. Any field may be missing or be of another type than the catalogue says: what is
/// read here comes from outside.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Record(Value);

impl Record {
    /// A document's source.
    #[must_use]
    pub const fn new(source: Value) -> Self {
        Self(source)
    }

    /// A text field; empty if it is missing.
    #[must_use]
    pub fn text(&self, field: &str) -> &str {
        self.0[field].as_str().unwrap_or_default()
    }

    /// A text field, if it is there and not empty.
    #[must_use]
    pub fn optional(&self, field: &str) -> Option<&str> {
        self.0[field].as_str().filter(|text| !text.is_empty())
    }

    /// A numeric field.
    #[must_use]
    pub fn number(&self, field: &str) -> Option<f64> {
        self.0[field].as_f64()
    }

    /// The record's time.
    #[must_use]
    pub fn time(&self) -> Option<OffsetDateTime> {
        OffsetDateTime::parse(self.text(field::TIME), &Rfc3339).ok()
    }

    /// The record's level: 30, 40 or 50; 0 if it has none.
    #[must_use]
    pub fn level(&self) -> u64 {
        self.0[field::LEVEL].as_u64().unwrap_or_default()
    }

    /// Whether it reports a failure of ours.
    #[must_use]
    pub fn is_error(&self) -> bool {
        self.level() >= Level::Error.number()
    }

    /// Whether it reports something about the order that it names. A request does not, but its record may be the only one
    /// about a failure.
    #[must_use]
    pub fn is_of_trail(&self) -> bool {
        self.text(field::EVENT_ACTION) != Action::HttpRequest.name() || self.is_error()
    }

    /// Whether it is a warning or an error that may be the reason why the order stands.
    pub(crate) fn is_trouble(&self) -> bool {
        let action = Action::from_name(self.text(field::EVENT_ACTION));
        self.level() >= Level::Warn.number() && action.is_none_or(|action| !NO_TROUBLE.contains(&action))
    }

    /// The place of its status among all statuses, if it names one.
    pub(crate) fn status_place(&self) -> Option<usize> {
        ORDER_STATUSES.iter().position(|status| *status == self.text(field::ORDER_STATUS))
    }

    /// All fields, by name.
    #[must_use]
    pub fn fields(&self) -> Option<&Map<String, Value>> {
        self.0.as_object()
    }
}

/// A point in time in an aggregation, which has milliseconds.
pub(crate) fn of_aggregation(value: &Value) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(value["value_as_string"].as_str()?, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn what_a_caller_did_and_a_report_that_an_order_stands_are_no_trouble() {
        let is_trouble = |level: u64, action: &str| {
            Record::new(json!({ field::LEVEL: level, field::EVENT_ACTION: action })).is_trouble()
        };
        for (level, action) in [
            (40, "message.retried"),
            (50, "message.dead_lettered"),
            (50, "order.price_status_changed"),
            (50, "an action that this version does not know"),
        ] {
            assert!(is_trouble(level, action), "{action}");
        }
        assert!(!is_trouble(30, "message.published"));
        for action in NO_TROUBLE {
            assert!(!is_trouble(50, action.name()), "{action}");
        }
        assert!(OF_CALLERS.iter().all(|action| NO_TROUBLE.contains(action)));
    }
}
