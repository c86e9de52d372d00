//! `errors`: the errors in the logs by class, the most frequent first.

use std::path::Path;

use anyhow::{Context as _, Result};
use catalogue::field;
use serde_json::{Value, json};

use crate::clients::elasticsearch::short_time;
use crate::commands::log_flags::LogFlags;
use crate::terminal::{print, table};

/// The limit of the table, above the number of classes.
const CLASSES: usize = 100;
const ERROR: u64 = 50;

/// Prints the table.
pub(crate) async fn errors(data: &Path, flags: &LogFlags) -> Result<()> {
    let filters = flags.with_time(vec![json!({ "term": { field::LEVEL: ERROR } })]);
    let query = json!({
        "size": 0,
        "query": { "bool": { "filter": filters } },
        "aggs": { "types": {
            "terms": { "field": field::ERROR_TYPE, "size": CLASSES, "missing": "(none)" },
            "aggs": {
                "services": { "terms": { "field": field::NAME } },
                "last": { "max": { "field": field::TIME } },
            },
        } },
    });
    let response = flags.open(data)?.search(&query).await?;
    // Before the first record there is no index, and no aggregation either.
    let none = Vec::new();
    let classes = response["aggregations"]["types"]["buckets"].as_array().unwrap_or(&none);
    if classes.is_empty() {
        print::out("There are no errors.");
        return Ok(());
    }
    let mut table = table::with_header(["error", "count", "services", "last seen"]);
    for class in classes {
        table.add_row(row(class)?);
    }
    print::out(table);
    Ok(())
}

fn row(class: &Value) -> Result<[String; 4]> {
    let text = |value: &Value| value.as_str().map(str::to_owned).context("a response without a name");
    let services = class["services"]["buckets"].as_array().context("a response without services")?;
    let services: Vec<String> = services
        .iter()
        .map(|service| Ok(format!("{} {}", text(&service["key"])?, service["doc_count"])))
        .collect::<Result<_>>()?;
    let last = text(&class["last"]["value_as_string"])?;
    Ok([text(&class["key"])?, class["doc_count"].to_string(), services.join(", "), short_time(&last, 19)])
}
