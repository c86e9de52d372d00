//! `trail`: all records about an order, as Support sees them.

use std::path::Path;

use anyhow::{Result, bail};
use catalogue::field;
use comfy_table::Table;
use questions::Record;

use crate::commands::log_flags::{LogFlags, warn_if};
use crate::terminal::{print, table, table::moment};

/// The records of an order that are shown at most.
pub(crate) const MOST: usize = 100_000;

/// Prints the order's trail.
pub(crate) async fn trail(data: &Path, order: &str, flags: &LogFlags) -> Result<()> {
    let found = flags.open(data)?.trail(order, &flags.period(), MOST).await?;
    warn_if(found.partial || found.value.is_cut);
    let records = found.value.records;
    if !records.iter().any(Record::is_of_trail) {
        bail!("the logs know no order {order} (a new record takes about two seconds to be found)");
    }
    print::out(table(&records));
    Ok(())
}

/// The records as a table that fits into 100 columns.
pub(crate) fn table(records: &[Record]) -> Table {
    let mut table = table::with_header(["time", "service", "event", "status", "trace"]);
    table.add_rows(records.iter().filter(|record| record.is_of_trail()).map(row));
    table
}

fn row(record: &Record) -> [String; 5] {
    // The time to the millisecond, and as much of the trace's id as distinguishes traces.
    let service = record.text(field::NAME).trim_end_matches("-api").to_owned();
    let trace = record.text(field::TRACE_ID).chars().take(8).collect();
    [moment(record.time(), 3), service, record.text(field::EVENT_ACTION).to_owned(), status(record), trace]
}

/// What the event changed or carried, or why it failed.
fn status(record: &Record) -> String {
    let failure = record.text(field::ERROR_TYPE);
    let (order, price) = (record.text(field::ORDER_STATUS), record.text(field::ORDER_PRICE_STATUS));
    if !failure.is_empty() {
        format!("! {failure}")
    } else if !price.is_empty() {
        format!("price {price}")
    } else if !order.is_empty() {
        order.to_owned()
    } else {
        record.text(field::MESSAGING_MESSAGE_TYPE).to_owned()
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn record(action: &str, more: Value) -> Record {
        let mut record = json!({
            "time": "2026-02-03T04:05:06.789012345Z", "name": "crm-api", "level": 30,
            "event.action": action, "trace.id": "0af7651916cd43dd8448eb211c80319c",
        });
        if let (Some(record), Value::Object(more)) = (record.as_object_mut(), more) {
            record.extend(more);
        }
        Record::new(record)
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
