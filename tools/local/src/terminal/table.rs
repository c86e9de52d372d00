//! Tables in the terminal, one line per row.

use comfy_table::{LineStyle, Table, presets};
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

/// A table with these headings and no rows.
pub(crate) fn with_header<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none())).set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table
}

/// A point in time in UTC, to the second or with this many digits of it.
pub(crate) fn moment(at: Option<OffsetDateTime>, digits: usize) -> String {
    let text = at.and_then(|at| at.format(&Rfc3339).ok()).unwrap_or_default();
    let (whole, fraction) = text.split_at(text.len().min(19));
    let fraction = fraction.trim_start_matches('.').trim_end_matches('Z');
    let point = if digits == 0 { "" } else { "." };
    format!("{}{point}{:0<digits$.digits$}", whole.replace('T', " "), fraction)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_has_as_many_digits_as_asked_for() {
        let at = |text| OffsetDateTime::parse(text, &Rfc3339).ok();
        assert_eq!(moment(at("2026-02-03T04:05:06.789012345Z"), 3), "2026-02-03 04:05:06.789");
        assert_eq!(moment(at("2026-02-03T04:05:06Z"), 3), "2026-02-03 04:05:06.000");
        assert_eq!(moment(at("2026-02-03T04:05:06.789Z"), 0), "2026-02-03 04:05:06");
    }
}
