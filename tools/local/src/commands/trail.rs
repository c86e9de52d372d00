//! `trail`: all records about an order, as Support sees them.

use std::path::Path;

use anyhow::{Result, bail};
use catalogue::field;
use comfy_table::Table;
use serde_json::Value;

use crate::clients::elasticsearch::{of_order, short_time, text};
use crate::commands::log_flags::LogFlags;
use crate::terminal::{print, table};

const ERROR: u64 = 50;

/// Prints the order's trail.
pub(crate) async fn trail(data: &Path, order: &str, flags: &LogFlags) -> Result<()> {
    let records = flags.open(data)?.records(&flags.with_time(vec![of_order(order)])).await?;
    if records.is_empty() {
        bail!("the logs know no order {order} (a new record takes about two seconds to be found)");
    }
    print::out(table(&records));
    Ok(())
}

/// The records as a table that fits into 100 columns.
pub(crate) fn table(records: &[Value]) -> Table {
    let mut table = table::with_header(["time", "service", "event", "status", "trace"]);
    table.add_rows(records.iter().filter(|record| is_shown(record)).map(row));
    table
}

/// A request is not an event of the order, but its record may be the only one about a failure.
fn is_shown(record: &Value) -> bool {
    text(record, field::EVENT_ACTION) != "http.request" || level(record) >= ERROR
}

fn row(record: &Value) -> [String; 5] {
    // The time to the millisecond, and as much of the trace's id as distinguishes traces.
    let service = text(record, field::NAME).trim_end_matches("-api").to_owned();
    let trace = text(record, field::TRACE_ID).chars().take(8).collect();
    [
        short_time(text(record, field::TIME), 23),
        service,
        text(record, field::EVENT_ACTION).to_owned(),
        status(record),
        trace,
    ]
}

/// What the event changed or carried, or why it failed.
fn status(record: &Value) -> String {
    let failure = text(record, field::ERROR_TYPE);
    let (order, price) = (text(record, field::ORDER_STATUS), text(record, field::ORDER_PRICE_STATUS));
    if !failure.is_empty() {
        format!("! {failure}")
    } else if !price.is_empty() {
        format!("price {price}")
    } else if !order.is_empty() {
        order.to_owned()
    } else {
        text(record, field::MESSAGING_MESSAGE_TYPE).to_owned()
    }
}

fn level(record: &Value) -> u64 {
    record[field::LEVEL].as_u64().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn record(action: &str, more: Value) -> Value {
        let mut record = json!({
            "time": "2026-02-03T04:05:06.789012345Z", "name": "crm-api", "level": 30,
            "event.action": action, "trace.id": "0af7651916cd43dd8448eb211c80319c",
        });
        if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
            record.extend(more);
        }
        record
    }

    #[test]
    fn the_widest_row_fits_into_100_columns() {
        let statuses = [("order.status", "MANUFACTURING_COMPLETED"), ("error.type", "model_store_unavailable")];
        let rows = statuses.map(|(field, value)| record("order.price_status_changed", json!({ field: value })));
        let widest = table(&rows).to_string();
        assert!(widest.lines().all(|line| line.chars().count() <= 100), "{widest}");
    }

    #[test]
    fn requests_are_left_out_unless_they_failed_for_a_reason_of_ours() {
        let requests = [
            record("http.request", json!({ "http.response.status_code": 409 })),
            record("http.request", json!({ "level": 50, "error.type": "panic" })),
        ];
        let shown = table(&requests).to_string();
        assert_eq!(shown.matches("http.request").count(), 1, "{shown}");
        assert!(shown.contains("! panic"), "{shown}");
    }
}
