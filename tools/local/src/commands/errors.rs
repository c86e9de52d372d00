//! `errors`: the errors in the logs by class, the most frequent first.

use std::path::Path;

use anyhow::Result;
use questions::ErrorClass;

use crate::commands::log_flags::{LogFlags, warn_if};
use crate::terminal::{print, table, table::moment};

/// Prints the table.
pub(crate) async fn errors(data: &Path, flags: &LogFlags) -> Result<()> {
    let found = flags.open(data)?.errors(&flags.period()).await?;
    warn_if(found.partial);
    if found.value.is_empty() {
        print::out("There are no errors.");
        return Ok(());
    }
    let mut table = table::with_header(["error", "count", "services", "last seen"]);
    table.add_rows(found.value.iter().map(row));
    print::out(table);
    Ok(())
}

fn row(class: &ErrorClass) -> [String; 4] {
    let services: Vec<_> = class.services.iter().map(|(service, count)| format!("{service} {count}")).collect();
    [class.name.clone(), class.count.to_string(), services.join(", "), moment(class.last, 0)]
}
