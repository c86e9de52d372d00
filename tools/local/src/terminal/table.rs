//! Tables in the terminal, one line per row.

use comfy_table::{LineStyle, Table, presets};

/// A table with these headings and no rows.
pub(crate) fn with_header<const COLUMNS: usize>(headings: [&str; COLUMNS]) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY.row_separator(LineStyle::none())).set_header(headings);
    for column in table.column_iter_mut() {
        column.set_padding((0, 1));
    }
    table
}
