//! What people see in Kibana: the data view, the saved searches and the dashboards, as one file that Kibana imports.
//!
//! `elk/kibana/alexandrite.ndjson` is written from here, and a test compares them; `UPDATE_KIBANA=1 cargo test -p elk`
//! writes it anew. Conditions are in Lucene's syntax, because Elasticsearch understands it without Kibana: so tests can
//! ask the very questions that the panels ask.

mod dashboards;
mod lens;

use serde_json::{Value, json};

use catalogue::{action::Level, field};

use crate::INDEX_PATTERN;

pub use dashboards::dashboards;
pub use lens::{Bucket, Chart, Formula, Metric, Panel, View};

/// The data view's id in Kibana.
const DATA_VIEW: &str = "alexandrite";

/// One dashboard.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Its id in Kibana, and so in its address.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// What it is for.
    pub description: &'static str,
    /// How far back it looks at first, such as `now-7d`.
    pub since: &'static str,
    /// Whether an order is chosen at the top.
    pub of_one_order: bool,
    /// From the top left to the bottom right.
    pub panels: Vec<Panel>,
}

/// A list of records with chosen columns.
#[derive(Clone, Copy, Debug)]
pub struct Search {
    /// Its id in Kibana.
    pub id: &'static str,
    /// The question that it answers.
    pub title: &'static str,
    /// What it shows, and its limits.
    pub description: &'static str,
    /// Which records, in Lucene's syntax.
    pub query: &'static str,
    /// The columns beside the time.
    pub columns: &'static [&'static str],
    /// Whether the newest record comes first.
    pub newest_first: bool,
}

/// One order's records, the oldest first.
pub const TRAIL: Search = Search {
    id: "alexandrite-trail",
    title: "What has happened to this order?",
    description: "Every record of one order, the oldest first: choose it at the top, or search for order.id. Requests \
                  are left out unless they failed for a reason of ours.",
    query: "order.id:* AND (NOT event.action:\"http.request\" OR level:>=50)",
    columns: &[
        field::NAME,
        field::EVENT_ACTION,
        field::ORDER_ID,
        field::ORDER_STATUS,
        field::ORDER_PRICE_STATUS,
        field::MESSAGING_MESSAGE_TYPE,
        field::LEVEL,
        field::ERROR_TYPE,
        field::ERROR_MESSAGE,
        field::TRACE_ID,
    ],
    newest_first: false,
};

/// The newest failures of ours.
pub const ERRORS: Search = Search {
    id: "alexandrite-errors",
    title: "What went wrong last?",
    description: "The newest errors with their whole chain of causes.",
    query: "level:>=50",
    columns: &[
        field::NAME,
        field::EVENT_ACTION,
        field::ERROR_TYPE,
        field::ERROR_MESSAGE,
        field::ORDER_ID,
        field::TRACE_ID,
    ],
    newest_first: true,
};

/// Every saved search.
pub const SEARCHES: [Search; 2] = [TRAIL, ERRORS];

/// The whole file: one object a line, those that others refer to first.
#[must_use]
pub fn saved_objects() -> String {
    let searches = SEARCHES.iter().map(Search::object);
    let dashboards = dashboards();
    let dashboards = dashboards.iter().map(Dashboard::object);
    std::iter::once(data_view()).chain(searches).chain(dashboards).map(|object| format!("{object}\n")).collect()
}

/// The records as Kibana shows them: levels as words, durations in fitting units, numbers of orders and traces as links.
fn data_view() -> Value {
    let words = [Level::Info, Level::Warn, Level::Error]
        .map(|level| json!({"key": level.number().to_string(), "value": level.name().to_uppercase()}));
    let duration = |unit: &str| {
        json!({"id": "duration", "params": {
            "inputFormat": unit, "outputFormat": "humanizePrecise", "outputPrecision": 1,
            "useShortSuffix": true, "includeSpaceWithSuffix": true,
        }})
    };
    let link = |template: &str| json!({"id": "url", "params": {"urlTemplate": template, "labelTemplate": "{{value}}"}});
    let one_order =
        "/app/dashboards#/view/alexandrite-one-order?_a=(query:(language:kuery,query:'order.id:%22{{value}}%22'))";
    let formats = json!({
        field::LEVEL: {"id": "static_lookup", "params": {"lookupEntries": words, "unknownKeyValue": null}},
        field::EVENT_DURATION: duration("nanoseconds"),
        field::ORDER_AGE_HOURS: duration("hours"),
        field::ORDER_STATUS_FROM_HOURS: duration("hours"),
        field::FILE_SIZE: {"id": "bytes"},
        field::PID: {"id": "string"},
        field::ORDER_ID: link(one_order),
        field::TRACE_ID: link("/app/apm/link-to/trace/{{value}}"),
    });
    json!({
        "id": DATA_VIEW,
        "type": "index-pattern",
        "attributes": {
            "name": "Alexandrite",
            "title": INDEX_PATTERN,
            "timeFieldName": field::TIMESTAMP,
            "allowNoIndex": true,
            "fieldFormatMap": formats.to_string(),
            "fields": "[]",
            "fieldAttrs": "{}",
            "runtimeFieldMap": "{}",
            "sourceFilters": "[]",
            "typeMeta": "{}",
        },
        "references": [],
        "managed": false,
        "coreMigrationVersion": "8.8.0",
        "typeMigrationVersion": "8.0.0",
    })
}

impl Search {
    fn object(&self) -> Value {
        let source = json!({
            "query": {"language": "lucene", "query": self.query},
            "filter": [],
            "indexRefName": "kibanaSavedObjectMeta.searchSourceJSON.index",
        });
        json!({
            "id": self.id,
            "type": "search",
            "attributes": {
                "title": self.title,
                "description": self.description,
                "columns": self.columns,
                "sort": [[field::TIMESTAMP, if self.newest_first { "desc" } else { "asc" }]],
                "grid": {},
                "hideChart": true,
                "isTextBasedQuery": false,
                "timeRestore": false,
                "kibanaSavedObjectMeta": {"searchSourceJSON": source.to_string()},
            },
            "references": [
                {"id": DATA_VIEW, "name": "kibanaSavedObjectMeta.searchSourceJSON.index", "type": "index-pattern"},
            ],
            "managed": false,
            "coreMigrationVersion": "8.8.0",
            "typeMigrationVersion": "10.5.0",
        })
    }
}

impl Dashboard {
    fn object(&self) -> Value {
        let (mut panels, mut references) = (Vec::new(), Vec::new());
        let mut place = Place::default();
        for (number, panel) in self.panels.iter().enumerate() {
            let index = format!("panel-{number}");
            let (x, y) = place.take(panel.width, panel.height);
            let (mut body, mut own) = panel.object(&index);
            body["panelIndex"] = json!(index);
            body["gridData"] = json!({"x": x, "y": y, "w": panel.width, "h": panel.height, "i": index});
            panels.push(body);
            references.append(&mut own);
        }
        let options = json!({"hidePanelTitles": false, "syncColors": true, "syncCursor": true, "syncTooltips": false, "useMargins": true});
        let source = json!({"query": {"language": "lucene", "query": ""}, "filter": []});
        let mut attributes = json!({
            "title": self.title,
            "description": self.description,
            "panelsJSON": Value::from(panels).to_string(),
            "optionsJSON": options.to_string(),
            "kibanaSavedObjectMeta": {"searchSourceJSON": source.to_string()},
            "timeRestore": true,
            "timeFrom": self.since,
            "timeTo": "now",
            "refreshInterval": {"pause": false, "value": 30_000},
        });
        if self.of_one_order {
            attributes["controlGroupInput"] = choice_of_an_order();
            let name = "controlGroup_order:optionsListDataView";
            references.push(json!({"id": DATA_VIEW, "name": name, "type": "index-pattern"}));
        }
        json!({
            "id": self.id,
            "type": "dashboard",
            "attributes": attributes,
            "references": references,
            "managed": false,
            "coreMigrationVersion": "8.8.0",
            "typeMigrationVersion": "10.2.0",
        })
    }
}

fn choice_of_an_order() -> Value {
    let control = json!({"order": {
        "type": "optionsListControl",
        "order": 0,
        "width": "medium",
        "grow": false,
        "explicitInput": {
            "id": "order",
            "dataViewId": DATA_VIEW,
            "fieldName": field::ORDER_ID,
            "title": "Order",
            "searchTechnique": "prefix",
            "singleSelect": true,
            "selectedOptions": [],
            "sort": {"by": "_key", "direction": "desc"},
        },
    }});
    let ignored =
        json!({"ignoreFilters": false, "ignoreQuery": false, "ignoreTimerange": false, "ignoreValidations": false});
    json!({
        "chainingSystem": "HIERARCHICAL",
        "controlStyle": "oneLine",
        "ignoreParentSettingsJSON": ignored.to_string(),
        "panelsJSON": control.to_string(),
        "showApplySelections": false,
    })
}

/// Where the next panel goes: beside the last one while there is room, else below.
#[derive(Default)]
struct Place {
    x: u32,
    y: u32,
    row: u32,
}

impl Place {
    /// Kibana's grid has so many columns.
    const COLUMNS: u32 = 48;

    fn take(&mut self, width: u32, height: u32) -> (u32, u32) {
        if self.x + width > Self::COLUMNS {
            (self.x, self.y, self.row) = (0, self.y + self.row, 0);
        }
        let place = (self.x, self.y);
        self.x += width;
        self.row = self.row.max(height);
        place
    }
}
