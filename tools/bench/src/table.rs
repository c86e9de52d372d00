//! The table, and the figures in it.

use std::fmt;

use comfy_table::{ContentArrangement, Table, presets::ASCII_MARKDOWN};

/// A row of the table.
pub(crate) struct Row {
    /// What was measured.
    pub(crate) what: String,
    /// The result, with its unit.
    pub(crate) measured: String,
    /// The baseline and its result.
    pub(crate) against: String,
    /// The figure that has a goal.
    pub(crate) figure: String,
    pub(crate) goal: Goal,
}

/// What a figure should be.
pub(crate) struct Goal {
    pub(crate) text: String,
    pub(crate) is_reached: bool,
}

impl Goal {
    /// At least `bound`, which is printed with the unit.
    pub(crate) fn at_least(bound: f64, unit: &str, figure: f64) -> Self {
        Self { text: format!("≥ {bound}{unit}"), is_reached: figure >= bound }
    }

    /// At most `bound`, which is printed with the unit.
    pub(crate) fn at_most(bound: f64, unit: &str, figure: f64) -> Self {
        Self { text: format!("≤ {bound}{unit}"), is_reached: figure <= bound }
    }
}

/// The table in Markdown.
pub(crate) fn of(rows: &[Row]) -> Table {
    let mut table = Table::new();
    table.load_style(ASCII_MARKDOWN).set_content_arrangement(ContentArrangement::Disabled);
    table.set_header(["what", "measured", "against", "figure (least to most)", "to reach", ""]);
    for Row { what, measured, against, figure, goal } in rows {
        let reached = if goal.is_reached { "reached" } else { "missed" };
        table.add_row([what, measured, against, figure, goal.text.as_str(), reached]);
    }
    table
}

/// The results of several rounds.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Spread {
    pub(crate) median: f64,
    pub(crate) least: f64,
    pub(crate) most: f64,
}

/// A percentile of values that are sorted, the least first; not a number if there are none.
pub(crate) fn percentile(sorted: &[f64], percent: usize) -> f64 {
    let place = (sorted.len() * percent / 100).min(sorted.len().saturating_sub(1));
    sorted.get(place).copied().unwrap_or(f64::NAN)
}

impl Spread {
    /// The spread of a figure over rounds; NaN without rounds.
    pub(crate) fn of<T>(rounds: &[T], figure: impl Fn(&T) -> f64) -> Self {
        let mut figures: Vec<f64> = rounds.iter().map(figure).collect();
        figures.sort_by(f64::total_cmp);
        let half = figures.len() / 2;
        let at = |place: usize| figures.get(place).copied().unwrap_or(f64::NAN);
        let median = match figures.len() % 2 {
            0 if half > 0 => f64::midpoint(at(half - 1), at(half)),
            _ => at(half),
        };
        Self { median, least: at(0), most: at(figures.len().saturating_sub(1)) }
    }
}

/// Prints the median and, in brackets, the least and the most, with the precision of the format.
impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let digits = f.precision().unwrap_or(2);
        let Self { median, least, most } = self;
        write!(f, "{median:.digits$} ({least:.digits$} to {most:.digits$})")
    }
}
