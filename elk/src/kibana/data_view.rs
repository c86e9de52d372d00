//! The data view: Kibana's name for the indices of the records, with the formats of their fields.

use catalogue::{action::Level, field};
use serde_json::{Value, json};

use crate::elasticsearch::INDEX_PATTERN;

/// The data view's id in Kibana.
pub(crate) const ID: &str = "alexandrite";

/// A reference to the data view from another saved object, under this name.
pub(crate) fn reference(name: &str) -> Value {
    json!({"id": ID, "name": name, "type": "index-pattern"})
}

/// The data view of the records: levels as words, durations in fitting units, and the ids of orders and traces as links.
pub(crate) fn object() -> Value {
    let words = [Level::Info, Level::Warn, Level::Error]
        .map(|level| json!({"key": level.number().to_string(), "value": level.name().to_uppercase()}));
    let link = |template: &str| json!({"id": "url", "params": {"urlTemplate": template, "labelTemplate": "{{value}}"}});
    let one_order =
        "/app/dashboards#/view/alexandrite-one-order?_a=(query:(language:kuery,query:'order.id:%22{{value}}%22'))";
    let formats = json!({
        field::LEVEL: {"id": "static_lookup", "params": {"lookupEntries": words, "unknownKeyValue": null}},
        field::EVENT_DURATION: duration("nanoseconds"),
        field::ORDER_AGE_HOURS: duration("hours"),
        field::ORDER_STATUS_FROM_HOURS: duration("hours"),
        field::FILE_SIZE: {"id": "bytes"},
        field::PID: {"id": "string"},
        field::ORDER_ID: link(one_order),
        field::TRACE_ID: link("/app/apm/link-to/trace/{{value}}"),
    });
    of_indices(ID, "Alexandrite", INDEX_PATTERN, &formats)
}

/// The format of a duration in this unit.
pub(crate) fn duration(unit: &str) -> Value {
    json!({"id": "duration", "params": {
        "inputFormat": unit, "outputFormat": "humanizePrecise", "outputPrecision": 1,
        "useShortSuffix": true, "includeSpaceWithSuffix": true,
    }})
}

/// A data view of the indices of this pattern.
pub(crate) fn of_indices(id: &str, name: &str, pattern: &str, formats: &Value) -> Value {
    json!({
        "id": id,
        "type": "index-pattern",
        "attributes": {
            "name": name,
            "title": pattern,
            "timeFieldName": field::TIMESTAMP,
            "allowNoIndex": true,
            "fieldFormatMap": formats.to_string(),
            "fields": "[]",
            "fieldAttrs": "{}",
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
            "typeMeta": "{}",
        },
        "references": [],
        "managed": false,
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.0.0",
    })
}
