//! A record as Elasticsearch returns it.

use catalogue::{Action, action::Level, field};
use serde_json::{Map, Value};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

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
