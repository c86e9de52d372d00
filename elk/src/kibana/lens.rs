//! A panel as a saved object, in the format of Kibana's chart editor, Lens.

use catalogue::field::{self, Kind};
use serde_json::{Map, Value, json};

use crate::kibana::{
    data_view,
    panel::{Bucket, Chart, Formula, Metric, Panel, View},
};

/// The panel's object without its position, and the dashboard's references for it.
pub(crate) fn object(panel: &Panel, index: &str) -> (Value, Vec<Value>) {
    match &panel.view {
        View::List(search) => {
            let name = format!("panel_{index}");
            let reference = json!({"id": search.id, "name": format!("{index}:{name}"), "type": "search"});
            let body = json!({"type": "search", "panelRefName": name, "embeddableConfig": {"enhancements": {}}});
            (body, vec![reference])
        }
        View::Chart { title, description, query, chart, buckets, metrics } => {
            let layer = Layer::new(*chart, buckets, metrics);
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
                        "visualizationType": if *chart == Chart::Table { "lnsDatatable" } else { "lnsXY" },
                        "references": [data_view::reference(&name)],
                        "state": {
                            "adHocDataViews": {},
                            "internalReferences": [],
                            "filters": [],
                            "query": lucene(query),
                            "datasourceStates": {"formBased": {"layers": {LAYER: layer.object()}}},
                            "visualization": layer.visualization(*chart),
                        },
                    },
                },
            });
            (body, vec![data_view::reference(&format!("{index}:{name}"))])
        }
    }
}

/// The only layer of a panel.
const LAYER: &str = "records";

fn lucene(query: &str) -> Value {
    json!({"language": "lucene", "query": query})
}

/// The columns of a panel: those that are shown, and the hidden ones that these are computed from.
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
            // A table begins with the largest values; the colours of a chart have to be stable over its intervals.
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
        // Lens computes a formula from hidden columns, and stores its text for display.
        let parts = [0, 1, 2].map(|part| format!("{id}X{part}"));
        let (own, percent) =
            (format!("count(lucene='{}')", metric.query), json!({"id": "percent", "params": {"decimals": 1}}));
        let (name, args, text, other, format) = match &metric.formula {
            Formula::Less(other) => {
                let text = format!("{own} - count(lucene='{other}')");
                ("subtract", json!([parts[0], parts[1]]), text, other, Value::Null)
            }
            Formula::ShareOf(other) => {
                let text = format!("{own} / count(lucene='{other}')");
                ("divide", json!([parts[0], parts[1]]), text, other, percent)
            }
            Formula::BudgetLeft(other, budget) => {
                let text = format!("1 - {own} / count(lucene='{other}') / {budget}");
                let share = json!({"type": "function", "name": "divide", "args": [parts[0], parts[1]]});
                let burnt = json!({"type": "function", "name": "divide", "args": [share, budget]});
                ("subtract", json!([1, burnt]), text, other, percent)
            }
            simple => return self.add(id, simple_column(&metric.label, &metric.query, simple)),
        };
        let label = format!("Part of {}", metric.label);
        let mut params = json!({"formula": text, "isFormulaBroken": false});
        if !format.is_null() {
            params["format"] = format;
        }
        let mut column = metric_column(&metric.label, "formula", params);
        column["references"] = json!([parts[2]]);
        self.add(id, column);
        for (part, query) in parts.iter().zip([&metric.query, other]) {
            let mut column = simple_column(&label, query, &Formula::Count);
            column["params"]["emptyAsNull"] = json!(false);
            self.add(part, column);
        }
        let tree = json!({
            "type": "function", "name": name, "args": args, "text": text,
            "location": {"min": 0, "max": text.chars().count()},
        });
        let mut column = metric_column(&label, "math", json!({"tinymathAst": tree}));
        column["references"] = json!([parts[0], parts[1]]);
        self.add(&parts[2], column);
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

    fn visualization(&self, chart: Chart) -> Value {
        if chart == Chart::Table {
            let columns = self.shown_buckets.iter().chain(&self.shown_metrics);
            let columns: Vec<_> = columns.map(|id| json!({"columnId": id, "isTransposed": false})).collect();
            let mut table = json!({"layerId": LAYER, "layerType": "data", "columns": columns});
            if self.shown_buckets.len() == 1 {
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
    /// The column. Terms are ordered by the column `by`, or alphabetically if it is empty.
    fn column(&self, by: &str) -> Value {
        match self {
            Self::Terms { field, label, size } => {
                let order = if by.is_empty() {
                    json!({"type": "alphabetical", "fallback": true})
                } else {
                    json!({"type": "column", "columnId": by})
                };
                let params = json!({
                    "size": size, "orderBy": order, "orderDirection": if by.is_empty() { "asc" } else { "desc" },
                    "otherBucket": false, "missingBucket": false, "parentFormat": {"id": "terms"},
                    "include": [], "exclude": [], "includeIsRegex": false, "excludeIsRegex": false,
                });
                bucket_column(label, "terms", [data_type(field), "ordinal"], field, params)
            }
            Self::Time(interval) => {
                let params = json!({"interval": interval, "includeEmptyRows": true, "dropPartials": false});
                bucket_column("Time", "date_histogram", ["date", "interval"], field::TIMESTAMP, params)
            }
            Self::Ranges { field, label, starts } => {
                let ranges: Vec<_> = starts
                    .iter()
                    .enumerate()
                    .map(|(number, from)| json!({"from": from, "to": starts.get(number + 1), "label": ""}))
                    .collect();
                let params = json!({
                    "type": "range", "ranges": ranges, "maxBars": "auto",
                    "parentFormat": {"id": "range", "params": {"template": "arrow_right", "replaceInfinity": true}},
                });
                bucket_column(label, "range", ["string", "ordinal"], field, params)
            }
        }
    }
}

fn bucket_column(label: &str, operation: &str, [data_type, scale]: [&str; 2], field: &str, params: Value) -> Value {
    json!({
        "label": label, "customLabel": true, "dataType": data_type, "isBucketed": true, "scale": scale,
        "operationType": operation, "sourceField": field, "params": params,
    })
}

fn metric_column(label: &str, operation: &str, params: Value) -> Value {
    json!({
        "label": label, "customLabel": true, "dataType": "number", "isBucketed": false, "scale": "ratio",
        "operationType": operation, "params": params,
    })
}

/// A metric's column that refers to no other column.
fn simple_column(label: &str, query: &str, formula: &Formula) -> Value {
    let operation = match formula {
        Formula::Count | Formula::PerMinute | Formula::Less(_) | Formula::ShareOf(_) | Formula::BudgetLeft(..) => {
            "count"
        }
        Formula::Unique(_) => "unique_count",
        Formula::Max(_) => "max",
        Formula::Percentile(..) => "percentile",
    };
    let mut column = metric_column(label, operation, json!({"emptyAsNull": true}));
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

/// Kibana's name of a field's type.
fn data_type(name: &str) -> &'static str {
    match field::ALL.iter().find(|field| field.name == name).map(|field| field.kind) {
        Some(Kind::Long | Kind::Double) => "number",
        Some(Kind::DateNanos) => "date",
        Some(Kind::Ip) => "ip",
        Some(Kind::Keyword | Kind::Text) | None => "string",
    }
}
