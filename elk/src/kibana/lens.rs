//! One panel of a dashboard, and Lens's way of writing it down.

use serde_json::{Map, Value, json};

use super::{DATA_VIEW, Search};
use catalogue::field::{self, Kind};

/// A panel: one question, and what answers it.
#[derive(Clone, Debug)]
pub struct Panel {
    /// What answers it.
    pub view: View,
    /// Of 48 columns.
    pub width: u32,
    /// In rows of 20 pixels.
    pub height: u32,
}

/// What answers a panel's question.
#[derive(Clone, Debug)]
pub enum View {
    /// A list of records.
    List(&'static Search),
    /// Records counted and measured.
    Chart {
        /// The question.
        title: &'static str,
        /// What exactly is shown, and its limits.
        description: &'static str,
        /// Which records, in Lucene's syntax.
        query: String,
        /// How it is drawn.
        chart: Chart,
        /// What they are grouped by.
        buckets: Vec<Bucket>,
        /// What is told of each group.
        metrics: Vec<Metric>,
    },
}

/// How numbers are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Chart {
    /// A table, the largest value of its first metric on top.
    Table,
    /// Bars over the first bucket, split by the second.
    Bars,
    /// Bars over the first bucket, those of the second on top of each other.
    StackedBars,
    /// Lines over the first bucket, split by the second.
    Lines,
}

/// What records are grouped by.
#[derive(Clone, Debug)]
pub enum Bucket {
    /// The most frequent or largest values of a field.
    Terms {
        /// The field.
        field: &'static str,
        /// The heading.
        label: &'static str,
        /// How many at most.
        size: u32,
    },
    /// Stretches of time: `auto`, or such as `1d`.
    Time(&'static str),
    /// Stretches of a number, each from its first value on, the last without an end.
    Ranges {
        /// The field.
        field: &'static str,
        /// The heading.
        label: &'static str,
        /// Where each begins.
        starts: &'static [u64],
    },
}

/// What is told of a group.
#[derive(Clone, Debug)]
pub struct Metric {
    /// The heading.
    pub label: String,
    /// Which of the group's records, in Lucene's syntax; all of them if it is empty.
    pub query: String,
    /// What of them.
    pub formula: Formula,
}

/// What is computed from records.
#[derive(Clone, Debug)]
pub enum Formula {
    /// How many there are.
    Count,
    /// How many there are per minute.
    PerMinute,
    /// How many of them, less those of another condition.
    Less(String),
    /// Their share in those of another condition.
    ShareOf(String),
    /// How many values a field has.
    Unique(&'static str),
    /// A field's largest value.
    Max(&'static str),
    /// A field's value that so many percent are below.
    Percentile(&'static str, u8),
}

impl Metric {
    /// A metric of all records of a group.
    pub(super) fn of(label: impl Into<String>, formula: Formula) -> Self {
        Self { label: label.into(), query: String::new(), formula }
    }

    /// The same, of some records only.
    pub(super) fn only(self, query: impl Into<String>) -> Self {
        Self { query: query.into(), ..self }
    }
}

impl Panel {
    /// The panel but for its place, and the dashboard's references for it.
    pub(super) fn object(&self, index: &str) -> (Value, Vec<Value>) {
        match &self.view {
            View::List(search) => {
                let name = format!("panel_{index}");
                let reference = json!({"id": search.id, "name": format!("{index}:{name}"), "type": "search"});
                let body = json!({"type": "search", "panelRefName": name, "embeddableConfig": {"enhancements": {}}});
                (body, vec![reference])
            }
            View::Chart { title, description, query, chart, buckets, metrics } => {
                let layer = Layer::new(*chart, buckets, metrics);
                let reference = |name: String| json!({"id": DATA_VIEW, "name": name, "type": "index-pattern"});
                let name = format!("indexpattern-datasource-layer-{LAYER}");
                let body = json!({
                    "type": "lens",
                    "title": title,
                    "embeddableConfig": {
                        "hidePanelTitles": false,
                        "enhancements": {},
                        "attributes": {
                            "type": "lens",
                            "title": title,
                            "description": description,
                            "visualizationType": chart.visualization_type(),
                            "references": [reference(name.clone())],
                            "state": {
                                "adHocDataViews": {},
                                "internalReferences": [],
                                "filters": [],
                                "query": lucene(query),
                                "datasourceStates": {"formBased": {"layers": {LAYER: layer.object()}}},
                                "visualization": layer.visualization(*chart, buckets.len()),
                            },
                        },
                    },
                });
                (body, vec![reference(format!("{index}:{name}"))])
            }
        }
    }
}

impl Chart {
    const fn visualization_type(self) -> &'static str {
        match self {
            Self::Table => "lnsDatatable",
            Self::Bars | Self::StackedBars | Self::Lines => "lnsXY",
        }
    }
}

/// The only layer of a panel.
const LAYER: &str = "records";

fn lucene(query: &str) -> Value {
    json!({"language": "lucene", "query": query})
}

/// The columns of a panel: those that are shown, and those that they are computed from.
struct Layer {
    shown_buckets: Vec<String>,
    shown_metrics: Vec<String>,
    order: Vec<String>,
    columns: Map<String, Value>,
}

impl Layer {
    fn new(chart: Chart, buckets: &[Bucket], metrics: &[Metric]) -> Self {
        let mut layer =
            Self { shown_buckets: Vec::new(), shown_metrics: Vec::new(), order: Vec::new(), columns: Map::new() };
        let is_table = chart == Chart::Table;
        for (number, bucket) in buckets.iter().enumerate() {
            // A table shows what matters most; a chart's colours stand for the same few values in every stretch.
            let id = format!("bucket-{number}");
            layer.add(&id, bucket.column(if is_table { "metric-0" } else { "" }));
            layer.shown_buckets.push(id);
        }
        if !is_table {
            layer.order.reverse();
        }
        for (number, metric) in metrics.iter().enumerate() {
            let id = format!("metric-{number}");
            layer.add_metric(&id, metric);
            layer.shown_metrics.push(id);
        }
        layer
    }

    fn add(&mut self, id: &str, column: Value) {
        self.order.push(id.to_owned());
        self.columns.insert(id.to_owned(), column);
    }

    fn add_metric(&mut self, id: &str, metric: &Metric) {
        let (name, sign, other, format) = match &metric.formula {
            Formula::Less(other) => ("subtract", "-", other, Value::Null),
            Formula::ShareOf(other) => ("divide", "/", other, json!({"id": "percent", "params": {"decimals": 1}})),
            simple => return self.add(id, simple_column(&metric.label, &metric.query, simple)),
        };
        // Lens computes a formula from hidden columns, and keeps its text for people.
        let text = format!("count(lucene='{}') {sign} count(lucene='{other}')", metric.query);
        let parts = [0, 1, 2].map(|part| format!("{id}X{part}"));
        let label = format!("Part of {}", metric.label);
        let mut params = json!({"formula": text, "isFormulaBroken": false});
        if !format.is_null() {
            params["format"] = format;
        }
        self.add(
            id,
            json!({
                "label": metric.label, "customLabel": true, "dataType": "number", "isBucketed": false, "scale": "ratio",
                "operationType": "formula", "params": params, "references": [parts[2]],
            }),
        );
        for (part, query) in parts.iter().zip([&metric.query, other]) {
            let mut column = simple_column(&label, query, &Formula::Count);
            column["params"]["emptyAsNull"] = json!(false);
            self.add(part, column);
        }
        let tree = json!({
            "type": "function", "name": name, "args": [parts[0], parts[1]], "text": text,
            "location": {"min": 0, "max": text.chars().count()},
        });
        self.add(
            &parts[2],
            json!({
                "label": label, "customLabel": true, "dataType": "number", "isBucketed": false, "scale": "ratio",
                "operationType": "math", "params": {"tinymathAst": tree}, "references": [parts[0], parts[1]],
            }),
        );
    }

    fn object(&self) -> Value {
        json!({
            "columnOrder": self.order,
            "columns": self.columns,
            "incompleteColumns": {},
            "ignoreGlobalFilters": false,
            "sampling": 1,
        })
    }

    fn visualization(&self, chart: Chart, buckets: usize) -> Value {
        if chart == Chart::Table {
            let columns = self.shown_buckets.iter().chain(&self.shown_metrics);
            let columns: Vec<_> = columns.map(|id| json!({"columnId": id, "isTransposed": false})).collect();
            let mut table = json!({"layerId": LAYER, "layerType": "data", "columns": columns});
            if buckets == 1 {
                table["sorting"] = json!({"columnId": "metric-0", "direction": "desc"});
            }
            return table;
        }
        let series = match chart {
            Chart::Lines => "line",
            Chart::StackedBars => "bar_stacked",
            Chart::Bars | Chart::Table => "bar",
        };
        let mut layer = json!({
            "layerId": LAYER, "layerType": "data", "seriesType": series,
            "xAccessor": self.shown_buckets.first(), "accessors": self.shown_metrics,
        });
        if let Some(split) = self.shown_buckets.get(1) {
            layer["splitAccessor"] = json!(split);
        }
        json!({
            "layers": [layer],
            "preferredSeriesType": series,
            "legend": {"isVisible": true, "position": "right"},
            "valueLabels": "hide",
            "axisTitlesVisibilitySettings": {"x": true, "yLeft": true, "yRight": true},
        })
    }
}

impl Bucket {
    /// Ordered by the column `by`, or by the number of records if it is none.
    fn column(&self, by: &str) -> Value {
        match self {
            Self::Terms { field, label, size } => {
                let order = if by.is_empty() {
                    json!({"type": "alphabetical", "fallback": true})
                } else {
                    json!({"type": "column", "columnId": by})
                };
                json!({
                    "label": label, "customLabel": true, "dataType": data_type(field), "isBucketed": true,
                    "scale": "ordinal", "operationType": "terms", "sourceField": field,
                    "params": {
                        "size": size, "orderBy": order, "orderDirection": if by.is_empty() { "asc" } else { "desc" },
                        "otherBucket": false, "missingBucket": false, "parentFormat": {"id": "terms"},
                        "include": [], "exclude": [], "includeIsRegex": false, "excludeIsRegex": false,
                    },
                })
            }
            Self::Time(interval) => json!({
                "label": "Time", "customLabel": true, "dataType": "date", "isBucketed": true, "scale": "interval",
                "operationType": "date_histogram", "sourceField": field::TIMESTAMP,
                "params": {"interval": interval, "includeEmptyRows": true, "dropPartials": false},
            }),
            Self::Ranges { field, label, starts } => {
                let ranges: Vec<_> = starts
                    .iter()
                    .enumerate()
                    .map(|(number, from)| json!({"from": from, "to": starts.get(number + 1), "label": ""}))
                    .collect();
                json!({
                    "label": label, "customLabel": true, "dataType": "string", "isBucketed": true, "scale": "ordinal",
                    "operationType": "range", "sourceField": field,
                    "params": {
                        "type": "range", "ranges": ranges, "maxBars": "auto",
                        "parentFormat": {"id": "range", "params": {"template": "arrow_right", "replaceInfinity": true}},
                    },
                })
            }
        }
    }
}

/// A column that needs no other one.
fn simple_column(label: &str, query: &str, formula: &Formula) -> Value {
    let mut column = json!({
        "label": label, "customLabel": true, "dataType": "number", "isBucketed": false, "scale": "ratio",
        "params": {"emptyAsNull": true},
    });
    let operation = match formula {
        Formula::Count | Formula::PerMinute | Formula::Less(_) | Formula::ShareOf(_) => "count",
        Formula::Unique(_) => "unique_count",
        Formula::Max(_) => "max",
        Formula::Percentile(..) => "percentile",
    };
    column["operationType"] = json!(operation);
    column["sourceField"] = json!("___records___");
    if let Formula::Unique(field) | Formula::Max(field) | Formula::Percentile(field, _) = formula {
        column["sourceField"] = json!(field);
    }
    match formula {
        Formula::PerMinute => column["timeScale"] = json!("m"),
        Formula::Max(field) => column["dataType"] = json!(data_type(field)),
        Formula::Percentile(_, percent) => column["params"]["percentile"] = json!(percent),
        _ => {}
    }
    if !query.is_empty() {
        column["filter"] = lucene(query);
    }
    column
}

/// What Kibana calls a field's type.
fn data_type(name: &str) -> &'static str {
    match field::ALL.iter().find(|field| field.name == name).map(|field| field.kind) {
        Some(Kind::Long | Kind::Double) => "number",
        Some(Kind::DateNanos) => "date",
        Some(Kind::Ip) => "ip",
        Some(Kind::Keyword | Kind::Text) | None => "string",
    }
}
