//! A panel of a dashboard: one question, the records that it is about, and how they are grouped and measured.

use crate::kibana::search::Search;

/// A panel: one question and its view.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What the panel shows.
    pub view: View,
    /// In columns, of which a dashboard has 48.
    pub width: u32,
    /// In rows of 20 pixels.
    pub height: u32,
}

/// What a panel shows.
#[derive(Clone, Debug)]
pub enum View {
    /// A list of records.
    List(&'static Search),
    /// A chart or table of groups of records.
    Chart {
        /// The question.
        title: &'static str,
        /// The exact definition of what is shown, and its limits.
        description: &'static str,
        /// The records, in Lucene's syntax.
        query: String,
        /// The kind of the chart.
        chart: Chart,
        /// The groups.
        buckets: Vec<Bucket>,
        /// The values of each group.
        metrics: Vec<Metric>,
    },
}

/// The kind of a chart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// A table, sorted by its first metric, the largest value first.
    Table,
    /// Bars over the first bucket, split by the second.
    Bars,
    /// Bars over the first bucket, stacked by the second.
    StackedBars,
    /// Lines over the first bucket, split by the second.
    Lines,
}

/// A dimension that records are grouped by.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// The values of a field that have the largest first metric.
    Terms {
        /// The field.
        field: &'static str,
        /// The heading.
        label: &'static str,
        /// The maximum number of values.
        size: u32,
    },
    /// Intervals of time: `auto`, or a length such as `1d`.
    Time(&'static str),
    /// Ranges of a number, each up to the start of the next, the last without an end.
    Ranges {
        /// The field.
        field: &'static str,
        /// The heading.
        label: &'static str,
        /// The start of each range.
        starts: &'static [u64],
    },
}

/// A value of a group.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The heading.
    pub label: String,
    /// The records of the group that it is computed from, in Lucene's syntax; all of them if empty.
    pub query: String,
    /// The computation.
    pub formula: Formula,
}

/// A computation over records.
#[derive(Clone, Debug)]
pub enum Formula {
    /// Their number.
    Count,
    /// Their number per minute.
    PerMinute,
    /// Their number minus the number of those that match another query.
    Less(String),
    /// Their number divided by the number of those that match another query.
    ShareOf(String),
    /// The share of a budget that is left, if this share of those that match another query may be such records.
    BudgetLeft(String, f64),
    /// The number of distinct values of a field.
    Unique(&'static str),
    /// The largest value of a field.
    Max(&'static str),
    /// A percentile of a field, in percent.
    Percentile(&'static str, u8),
}

impl Panel {
    /// A chart of this kind, with its width and height.
    pub(crate) fn chart(
        chart: Chart,
        [width, height]: [u32; 2],
        title: &'static str,
        description: &'static str,
        query: impl Into<String>,
        buckets: impl Into<Vec<Bucket>>,
        metrics: impl Into<Vec<Metric>>,
    ) -> Self {
        let (query, buckets, metrics) = (query.into(), buckets.into(), metrics.into());
        Self { view: View::Chart { title, description, query, chart, buckets, metrics }, width, height }
    }
}

impl Metric {
    /// A metric of all records of a group.
    pub(crate) fn of(label: impl Into<String>, formula: Formula) -> Self {
        Self { label: label.into(), query: String::new(), formula }
    }

    /// The same metric of the records that match `query`.
    pub(crate) fn only(self, query: impl Into<String>) -> Self {
        Self { query: query.into(), ..self }
    }
}
