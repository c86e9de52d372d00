//! The dashboard for teams with Prometheus and Grafana: the same questions as Kibana's, asked of the metrics.
//!
//! `deploy/grafana/alexandrite.json` is generated from here, and a test compares them; `UPDATE_GENERATED=1 cargo test -p elk`
//! writes it anew.

use catalogue::metric::{self, Metric};
use serde_json::{Value, json};

use crate::objectives::OBJECTIVES;

/// A question and the queries that answer it.
#[derive(Clone, Debug)]
pub struct Panel {
    /// The question.
    pub title: String,
    /// The unit of the values, as Grafana names it.
    pub unit: &'static str,
    /// Each query in PromQL, with the legend of its series.
    pub queries: Vec<(String, &'static str)>,
}

/// The panels under one heading.
#[derive(Clone, Debug)]
pub struct Row {
    /// The heading.
    pub title: &'static str,
    /// The panels.
    pub panels: Vec<Panel>,
}

fn panel(title: impl Into<String>, unit: &'static str, queries: impl Into<Vec<(String, &'static str)>>) -> Panel {
    Panel { title: title.into(), unit, queries: queries.into() }
}

/// A metric's name with what a histogram adds to it.
fn series(metric: &Metric, part: &str) -> String {
    metric.prometheus_name() + part
}

/// Every row. A job is a service; what replicas of one report is summed up, and of what several services report of the same
/// database, the largest is taken.
#[must_use]
pub fn rows() -> Vec<Row> {
    vec![requests(), orders(), messaging(), logs(), objectives()]
}

fn requests() -> Row {
    let count = series(&metric::REQUEST_DURATION, "_count");
    let buckets = series(&metric::REQUEST_DURATION, "_bucket");
    let failed = format!("sum by (job) (rate({count}{{http_response_status_code=~\"5..\"}}[5m]))");
    let refused =
        format!("sum by (http_response_status_code) (rate({count}{{http_response_status_code=~\"4..\"}}[5m]))");
    let percentile = |share: &str| format!("histogram_quantile({share}, sum by (le, job) (rate({buckets}[5m])))");
    Row {
        title: "Requests",
        panels: vec![
            panel(
                "How many requests a second does each service get?",
                "reqps",
                [(format!("sum by (job) (rate({count}[5m]))"), "{{job}}")],
            ),
            panel(
                "Which share of requests fails because of us?",
                "percentunit",
                [(
                    format!("({failed} or sum by (job) (rate({count}[5m])) * 0) / sum by (job) (rate({count}[5m]))"),
                    "{{job}}",
                )],
            ),
            panel(
                "How long do requests take?",
                "s",
                [(percentile("0.5"), "{{job}} half"), (percentile("0.99"), "{{job}} 99 %")],
            ),
            panel(
                "Which operations are slowest?",
                "s",
                [(
                    format!(
                        "topk(10, histogram_quantile(0.99, sum by (le, job, http_request_method, http_route) (rate({buckets}[5m]))))"
                    ),
                    "{{job}} {{http_request_method}} {{http_route}}",
                )],
            ),
            panel("How many requests a second are refused?", "reqps", [(refused, "{{http_response_status_code}}")]),
            panel(
                "How many logins fail, wait, and how many connections bring no request?",
                "cps",
                [
                    (rate(&metric::LOGIN_FAILURES), "failed logins"),
                    (rate(&metric::THROTTLED), "waiting logins"),
                    (rate(&metric::UNFINISHED_CONNECTIONS), "connections without a request"),
                ],
            ),
        ],
    }
}

fn rate(metric: &Metric) -> String {
    format!("sum(rate({}[5m]))", metric.prometheus_name())
}

/// The largest of what several services report of the same database.
fn largest(metric: &Metric, by: &str) -> String {
    format!("max by ({by}) ({})", metric.prometheus_name())
}

fn orders() -> Row {
    let changes = metric::STATUS_CHANGES.prometheus_name();
    let calculations = series(&metric::PRICE_DURATION, "_bucket");
    Row {
        title: "Orders",
        panels: vec![
            panel(
                "How many orders are in each status now?",
                "short",
                [(largest(&metric::ORDERS, "order_status"), "{{order_status}}")],
            ),
            panel(
                "How long has the oldest order been in each status?",
                "s",
                [(largest(&metric::OLDEST_ORDER, "order_status"), "{{order_status}}")],
            ),
            panel(
                "How many orders enter each status an hour?",
                "short",
                [(format!("sum by (order_status) (rate({changes}[1h])) * 3600"), "{{order_status}}")],
            ),
            panel(
                "How many orders are stuck, and in which status?",
                "short",
                [(largest(&metric::STUCK_ORDERS, "order_status"), "{{order_status}}")],
            ),
            panel(
                "How many prices are calculated an hour, and how many fail?",
                "short",
                [(
                    format!("sum by (outcome) (rate({}[1h])) * 3600", metric::PRICE_CALCULATIONS.prometheus_name()),
                    "{{outcome}}",
                )],
            ),
            panel(
                "How long does a calculation take?",
                "s",
                [(format!("histogram_quantile(0.99, sum by (le) (rate({calculations}[1h])))"), "99 %")],
            ),
        ],
    }
}

fn messaging() -> Row {
    let processed = series(&metric::PROCESS_DURATION, "_bucket");
    Row {
        title: "Messaging",
        panels: vec![
            panel("How many messages wait for the broker?", "short", [(largest(&metric::OUTBOX, "job"), "{{job}}")]),
            panel("How long has the oldest of them waited?", "s", [(largest(&metric::OUTBOX_AGE, "job"), "{{job}}")]),
            panel(
                "How many messages a second are published?",
                "cps",
                [(
                    format!(
                        "sum by (messaging_message_type) (rate({}[5m]))",
                        metric::PUBLISHED_MESSAGES.prometheus_name()
                    ),
                    "{{messaging_message_type}}",
                )],
            ),
            panel(
                "How long does a message take from its delivery to its effect?",
                "s",
                [(format!("histogram_quantile(0.99, sum by (le, job) (rate({processed}[5m])))"), "{{job}} 99 %")],
            ),
            panel(
                "How many messages wait for a person, and how many come twice?",
                "short",
                [
                    (largest(&metric::DEAD_LETTERS, "job"), "{{job}} dead letters"),
                    (
                        format!("sum by (job) (increase({}[1h]))", metric::DUPLICATES.prometheus_name()),
                        "{{job}} duplicates in an hour",
                    ),
                ],
            ),
        ],
    }
}

fn logs() -> Row {
    Row {
        title: "The logs' way",
        panels: vec![
            panel(
                "How many records may not be in the log yet?",
                "short",
                [(largest(&metric::JOURNAL, "job"), "{{job}}")],
            ),
            panel("How long has the oldest of them waited?", "s", [(largest(&metric::JOURNAL_AGE, "job"), "{{job}}")]),
            panel(
                "How many lines could not be written?",
                "short",
                [(
                    format!("sum by (job) (increase({}[1h]))", metric::UNWRITTEN_LINES.prometheus_name()),
                    "{{job}} in an hour",
                )],
            ),
        ],
    }
}

fn objectives() -> Row {
    let shown = OBJECTIVES.iter().filter_map(|objective| Some((objective, objective.share_missed?)));
    let panels = shown.map(|(objective, share)| {
        let left = format!("1 - ({}) / {}", share.replace("WINDOW", "30d"), objective.budget());
        let burns = |window| format!("({}) / {}", share.replace("WINDOW", window), objective.budget());
        panel(
            format!("{} How much of 30 days' budget is left, and how fast does it burn?", objective.promise),
            "short",
            [(left, "budget left"), (burns("1h"), "burn rate, 1 hour"), (burns("5m"), "burn rate, 5 minutes")],
        )
    });
    Row { title: "Objectives", panels: panels.collect() }
}

/// The dashboard as Grafana imports it.
#[must_use]
pub fn dashboard() -> String {
    const WIDTH: usize = 12;
    const HEIGHT: usize = 8;
    let source = json!({"type": "prometheus", "uid": "${datasource}"});
    let (mut panels, mut y) = (Vec::<Value>::new(), 0);
    for row in rows() {
        let id = panels.len() + 1;
        panels.push(json!({
            "id": id, "type": "row", "title": row.title, "collapsed": false, "panels": [],
            "gridPos": {"x": 0, "y": y, "w": 2 * WIDTH, "h": 1},
        }));
        y += 1;
        for (place, panel) in row.panels.iter().enumerate() {
            let target = |(number, (query, legend)): (usize, &(String, &str))| {
                json!({
                    "refId": format!("Q{number}"), "datasource": source, "expr": query, "legendFormat": legend,
                    "editorMode": "code", "range": true,
                })
            };
            let targets: Vec<_> = panel.queries.iter().enumerate().map(target).collect();
            let id = panels.len() + 1;
            panels.push(json!({
                "id": id, "type": "timeseries", "title": panel.title, "datasource": source, "targets": targets,
                "gridPos": {"x": place % 2 * WIDTH, "y": y + place / 2 * HEIGHT, "w": WIDTH, "h": HEIGHT},
                "fieldConfig": {"defaults": {"unit": panel.unit}, "overrides": []},
                "options": {"legend": {"displayMode": "list", "placement": "bottom"}, "tooltip": {"mode": "multi", "sort": "desc"}},
            }));
        }
        y += row.panels.len().div_ceil(2) * HEIGHT;
    }
    let dashboard = json!({
        "uid": "alexandrite",
        "title": "Alexandrite",
        "description": "Requests, orders, messages, the logs' way and the objectives, from the metrics of the services.",
        "schemaVersion": 39,
        "editable": true,
        "refresh": "30s",
        "time": {"from": "now-6h", "to": "now"},
        "templating": {"list": [{
            "name": "datasource", "label": "Prometheus", "type": "datasource", "query": "prometheus", "hide": 0,
        }]},
        "panels": panels,
    });
    format!("{dashboard:#}\n")
}
