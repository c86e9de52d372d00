//! A dashboard as a saved object.

use catalogue::field;
use serde_json::{Value, json};

use crate::kibana::{data_view, lens, panel::Panel};

/// A dashboard: panels under one title.
#[derive(Clone, Debug)]
pub struct Dashboard {
    /// Its id in Kibana, which is also in its address.
    pub id: &'static str,
    /// Its title.
    pub title: &'static str,
    /// Its purpose.
    pub description: &'static str,
    /// The start of the time range when it is opened, such as `now-7d`.
    pub since: &'static str,
    /// Whether it has a control to choose an order.
    pub of_one_order: bool,
    /// The panels, from the top left to the bottom right.
    pub panels: Vec<Panel>,
}

impl Dashboard {
    pub(crate) fn object(&self) -> Value {
        let (mut panels, mut references) = (Vec::new(), Vec::new());
        let mut position = Position::default();
        for (number, panel) in self.panels.iter().enumerate() {
            let index = format!("panel-{number}");
            let (x, y) = position.take(panel.width, panel.height);
            let (mut body, mut own) = lens::object(panel, &index);
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
            attributes["controlGroupInput"] = order_control();
            references.push(data_view::reference("controlGroup_order:optionsListDataView"));
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

fn order_control() -> Value {
    let control = json!({"order": {
        "type": "optionsListControl",
        "order": 0,
        "width": "medium",
        "grow": false,
        "explicitInput": {
            "id": "order",
            "dataViewId": data_view::ID,
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

/// The position of the next panel: to the right of the last one while there is room, else below.
#[derive(Default)]
struct Position {
    x: u32,
    y: u32,
    row: u32,
}

impl Position {
    /// The width of Kibana's grid.
    const COLUMNS: u32 = 48;

    fn take(&mut self, width: u32, height: u32) -> (u32, u32) {
        if self.x + width > Self::COLUMNS {
            (self.x, self.y, self.row) = (0, self.y + self.row, 0);
        }
        let position = (self.x, self.y);
        self.x += width;
        self.row = self.row.max(height);
        position
    }
}
