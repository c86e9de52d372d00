//! `stuck`: the orders that were reported as stuck or overdue and have not moved since.

use std::path::Path;

use anyhow::Result;
use catalogue::field;
use questions::Record;

use crate::commands::log_flags::{LogFlags, warn_if};
use crate::terminal::{print, table, table::moment};

/// Prints the table, the longest-waiting first.
pub(crate) async fn stuck(data: &Path, flags: &LogFlags) -> Result<()> {
    let found = flags.open(data)?.stuck(&flags.period()).await?;
    warn_if(found.partial);
    if found.value.is_empty() {
        print::out("No order is stuck or overdue.");
        return Ok(());
    }
    let mut table = table::with_header(["order", "status", "what", "for", "reported", "whose"]);
    for one in found.value {
        let what = one.action.trim_start_matches("order.").to_owned();
        let reported = moment(one.report.time(), 0);
        let whose = customer_or_partner(&one.report);
        table.add_row([one.order, one.status, what, waited(one.hours), reported, whose]);
    }
    print::out(table);
    Ok(())
}

/// A length of time in a unit that fits.
fn waited(hours: f64) -> String {
    match hours {
        ..1.0 => format!("{:.0} min", hours * 60.0),
        ..48.0 => format!("{hours:.1} h"),
        _ => format!("{:.1} d", hours / 24.0),
    }
}

fn customer_or_partner(report: &Record) -> String {
    match report.optional(field::CUSTOMER_ID) {
        Some(customer) => format!("customer {customer}"),
        None => format!("partner {}", report.text(field::PARTNER_ID)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_said_in_a_unit_that_fits() {
        assert_eq!([0.76, 3.04, 60.0].map(waited), ["46 min", "3.0 h", "2.5 d"]);
    }
}
