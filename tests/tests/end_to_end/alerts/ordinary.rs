//! Made-up records of ordinary times, by a clock, so that no test has to wait for an hour; and of what isn't ordinary.

use std::ops::Range;

use catalogue::Service;
use local::SystemFile;
use serde_json::{Value, json};
use testkit::plain_http;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};

/// A network that ordinary clients come from.
pub(crate) const NETWORK: &str = "192.0.2.0";

/// Writes records as a shipper does.
pub(crate) struct Writer {
    http: reqwest::Client,
    address: String,
    login: local::Login,
}

impl Writer {
    pub(crate) fn of(system: &SystemFile) -> Self {
        let address = system.elasticsearch.clone().expect("Elasticsearch runs");
        let login = system.accounts.administrator.clone().expect("there is an administrator");
        Self { http: plain_http().build().expect("a client"), address, login }
    }

    async fn post(&self, path: &str, body: String) -> Value {
        let request = self.http.post(format!("{}/{path}", self.address)).header("content-type", "application/x-ndjson");
        let request = request.basic_auth(&self.login.login, Some(&self.login.password)).body(body);
        request.send().await.expect("Elasticsearch responds").json().await.expect("JSON")
    }

    /// Lets everything be found that ElastAlert has noted until now.
    pub(crate) async fn refresh_notes(&self) {
        self.post("elastalert_status*/_refresh", String::new()).await;
    }

    /// Writes the records, which can be found when this returns.
    pub(crate) async fn write(&self, records: Vec<Value>) {
        for some in records.chunks(5_000) {
            let lines = some.iter().map(|record| {
                let name = record["name"].as_str().and_then(Service::from_name).map_or("unknown", Service::name);
                let time = OffsetDateTime::parse(record["time"].as_str().unwrap_or_default(), &Rfc3339);
                let index = elk::index_of(name, time.expect("a time").date());
                format!("{}\n{record}\n", json!({"create": {"_index": index}}))
            });
            let response = self.post("_bulk?refresh=true", lines.collect()).await;
            assert_eq!(response["errors"], false, "{response}");
        }
    }
}

/// A record of this time with these fields.
pub(crate) fn record(at: OffsetDateTime, name: &str, fields: Value) -> Value {
    let time = at.format(&Rfc3339).expect("a time");
    let mut record = json!({"@timestamp": time, "time": time, "name": name, "level": 30, "event.outcome": "success"});
    let Value::Object(fields) = fields else { panic!("{fields} is no object") };
    record.as_object_mut().expect("an object").extend(fields);
    record
}

/// The record of a request that took three milliseconds.
pub(crate) fn request(at: OffsetDateTime, name: &str, [method, route]: [&str; 2], status: u16) -> Value {
    let fields = json!({
        "event.action": "http.request", "http.request.method": method, "http.route": route,
        "http.response.status_code": status, "event.duration": 3_000_000,
    });
    let mut record = record(at, name, fields);
    if (400..500).contains(&status) {
        record["source.ip"] = json!(NETWORK);
    }
    record
}

/// What services write within these seconds before `end` while nothing is wrong: a request a second, an order every four,
/// and now and then a person who mistypes something.
pub(crate) fn ordinary(end: OffsetDateTime, seconds_before: Range<i64>) -> Vec<Value> {
    seconds_before.flat_map(|second| ordinary_second(end - Duration::seconds(second))).collect()
}

fn ordinary_second(at: OffsetDateTime) -> Vec<Value> {
    let second = at.unix_timestamp();
    let every = |seconds: i64| second % seconds == 0;
    let event = |name: &str, action: &str, fields: Value| {
        let mut record = record(at, name, fields);
        record["event.action"] = json!(action);
        record
    };
    let customer = format!("customer-{}", second % 50);
    let order = format!("A-{}", second % 1_000_000);
    let service = ["shop-api", "crm-api", "mes-api"][usize::try_from(second % 3).expect("one of three")];
    let mut records = vec![request(at, service, ["GET", "/orders"], 200)];
    if every(4) {
        records.push(request(at, "shop-api", ["POST", "/orders"], 201));
        records.push(event("shop-api", "order.created", json!({"order.id": order, "customer.id": customer})));
    }
    if every(10) {
        let fields = json!({"order.id": order, "customer.id": customer, "file.size": 40_000});
        records.push(event("shop-api", "order.model_uploaded", fields));
        let priced = json!({
            "order.id": order, "order.status": "PRICE_CALCULATED", "order.status_from": "SUBMITTED",
            "order.status_from_hours": 0.001,
        });
        records.push(event("crm-api", "order.status_changed", priced));
        let approved =
            json!({"order.id": order, "order.status": "MANUFACTURING_APPROVED", "event.duration": 300_000_000});
        records.push(event("mes-api", "order.status_changed", approved));
        for (service, action) in [("crm-api", "message.published"), ("mes-api", "message.consumed")] {
            records.push(event(service, action, json!({"order.id": order})));
        }
    }
    if every(30) {
        records.extend(Service::ALL.map(|service| {
            let fields = json!({"connections.unfinished": 1, "outbox.messages": 2, "outbox.age_seconds": 0.4, "journal.age_seconds": 0.3});
            event(service.name(), "service.heartbeat", fields)
        }));
    }
    if every(45) {
        records.push(request(at, "shop-api", ["GET", "UNMATCHED"], 404));
    }
    if every(60) {
        records.push(request(at, "shop-api", ["POST", "/sessions"], 401));
        let failed = json!({"event.outcome": "failure", "user.id": customer, "source.ip": NETWORK});
        records.push(event("shop-api", "auth.login_failed", failed));
    }
    if every(600) {
        let failed = json!({
            "level": 50, "event.outcome": "failure", "order.id": order, "order.price_status": "FAILED",
            "error.type": "model_not_closed",
        });
        records.push(event("mes-api", "order.price_status_changed", failed));
    }
    if every(1200) {
        // The restart of a server.
        records.push(request(at, "crm-api", ["GET", "/orders"], 500));
        let failed = json!({"level": 50, "event.outcome": "failure", "error.type": "database_unavailable"});
        records.push(event("crm-api", "order.created", failed));
    }
    records
}
