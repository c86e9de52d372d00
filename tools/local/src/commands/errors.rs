//! Which errors there are: by their class, the most frequent first.

use std::path::Path;

use anyhow::{Context as _, Result};
use catalogue::field;
use serde_json::{Value, json};

use crate::commands::log_flags::LogFlags;
use crate::terminal::print;
use crate::terminal::table;

/// More classes than there are.
const CLASSES: usize = 100;
const ERROR: u64 = 50;

/// Prints them.
pub(crate) async fn errors(data: &Path, flags: &LogFlags) -> Result<()> {
    let mut filters = vec![json!({ "term": { field::LEVEL: ERROR } })];
    filters.extend(flags.since.iter().map(|since| since.filter()));
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
    let answer = flags.open(data)?.search(&query).await?;
    // Before the first record there is no index, and no aggregation either.
    let none = Vec::new();
    let classes = answer["aggregations"]["types"]["buckets"].as_array().unwrap_or(&none);
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
    let text = |value: &Value| value.as_str().map(str::to_owned).context("an answer without a name");
    let services = class["services"]["buckets"].as_array().context("an answer without services")?;
    let services: Vec<String> = services
        .iter()
        .map(|service| Ok(format!("{} {}", text(&service["key"])?, service["doc_count"])))
        .collect::<Result<_>>()?;
    let last = text(&class["last"]["value_as_string"])?;
    let last: String = last.chars().take(19).collect();
    Ok([text(&class["key"])?, class["doc_count"].to_string(), services.join(", "), last.replace('T', " ")])
}
