//! The table, and the figures in it.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets::ASCII_MARKDOWN};

/// One line of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// What came out, with its unit.
    pub(crate) measured: String,
    /// What it is held against, and what came out there.
    pub(crate) against: String,
    /// The figure that counts.
    pub(crate) figure: String,
    /// What it is to reach.
    pub(crate) goal: &'static str,
    /// Whether it does.
    pub(crate) reached: bool,
}

/// The table in Markdown, to be read in a terminal as well.
pub(crate) fn of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["what", "measured", "against", "figure (least to most)", "to reach", ""]);
    for Row { what, measured, against, figure, goal, reached } in rows {
        let reached = if *reached { "reached" } else { "missed" };
        table.add_row([what, measured, against, figure, *goal, reached]);
    }
    table
}

/// What came out in several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

impl Spread {
    /// Of at least one round.
    pub(crate) fn of(rounds: impl IntoIterator<Item = f64>) -> Self {
        let mut rounds: Vec<f64> = rounds.into_iter().collect();
        rounds.sort_by(f64::total_cmp);
        let half = rounds.len() / 2;
        let median = match rounds.len() % 2 {
            0 if half > 0 => f64::midpoint(rounds[half - 1], rounds[half]),
            _ => rounds.get(half).copied().unwrap_or(f64::NAN),
        };
        let end = |end: Option<&f64>| end.copied().unwrap_or(f64::NAN);
        Self { median, least: end(rounds.first()), most: end(rounds.last()) }
    }

    /// Of the ratios of rounds that were measured in turns.
    pub(crate) fn of_ratios(measured: &[f64], against: &[f64]) -> Self {
        Self::of(measured.iter().zip(against).map(|(measured, against)| measured / against))
    }
}

/// The median and, in brackets, the least and the most, with the precision that was asked for.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, least, most } = self;
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}
