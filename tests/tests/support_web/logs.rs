//! Made-up records, put into the real Elasticsearch as its administrator: orders of every kind, with known times.

use local::SystemFile;
use reqwest::Method;
use serde_json::{Value, json};
use testkit::search::Search;
use time::{Duration, OffsetDateTime, format_description::well_known::Rfc3339};
use uuid::Uuid;

use crate::spans;

/// An order that has been in production for two hours longer than is usual.
pub(crate) const SLOW: &str = "A-200001";
/// An order whose price could not be calculated.
pub(crate) const UNPRICED: &str = "A-200002";
/// An order that waits for a price, whose message became a dead letter.
pub(crate) const STUCK: &str = "A-200003";
/// An order whose records have HTML, control characters and long words in every field.
pub(crate) const HOSTILE: &str = "A-200004";
/// The trace of [`HOSTILE`]'s records.
pub(crate) const HOSTILE_TRACE: &str = "1af7651916cd43dd8448eb211c80319c";
/// A number without an order, which somebody has asked for.
pub(crate) const ASKED_FOR: &str = "A-299999";
/// A partner's order.
pub(crate) const PARTNERS: &str = "P-300001";
/// An order with 250 records.
pub(crate) const BUSY: &str = "A-200005";
/// An order whose number was asked for 2,100 times before there was the order.
pub(crate) const POLLED: &str = "A-200006";
/// An order that waits for a price, as the store could not deliver its model.
pub(crate) const UNREAD: &str = "A-200007";
/// A partner's order with the digits of [`UNPRICED`].
pub(crate) const TWIN: &str = "P-200002";

pub(crate) const CUSTOMER: &str = "0199aaaa-0000-7000-8000-000000000001";
pub(crate) const PARTNER: &str = "0199aaaa-0000-7000-8000-000000000002";
pub(crate) const OPERATOR: &str = "0199aaaa-0000-7000-8000-000000000003";
pub(crate) const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
pub(crate) const REQUEST: &str = "Customer-Read-This-Out-1";

/// What a field of a hostile record has: HTML, a link, an escape sequence, a mark that turns the direction, a long word.
pub(crate) fn hostile() -> String {
    let mut text = "</td></table><script>document.title='pwned'</script><img src=x onerror=\"document.title='pwned'\">\
                    <a href='javascript:document.title=1'>x</a> javascript:alert(1) \u{1b}[31mred \u{202e}desrever \0 \
                    \"'><svg onload=document.title=1> "
        .to_owned();
    text.push_str(&"w".repeat(10_000));
    text
}

/// Records of one order.
struct Order {
    number: &'static str,
    /// Known for the orders that have spans.
    trace: String,
    owner: (&'static str, &'static str),
    records: Vec<Value>,
}

impl Order {
    fn new(number: &'static str) -> Self {
        let trace = match number {
            SLOW => TRACE.to_owned(),
            HOSTILE => HOSTILE_TRACE.to_owned(),
            _ => Uuid::now_v7().simple().to_string(),
        };
        Self { number, trace, owner: ("customer.id", CUSTOMER), records: Vec::new() }
    }

    fn record(&mut self, at: OffsetDateTime, service: &str, level: u64, action: &str, more: Value) {
        let mut record = json!({
            "v": 0, "name": service, "msg": action, "level": level, "hostname": "made-up", "pid": 1,
            "time": at.format(&Rfc3339).expect("a time"), "trace.id": self.trace, "event.action": action,
            "event.outcome": if level == 50 { "failure" } else { "success" },
            "order.id": self.number, self.owner.0: self.owner.1,
        });
        let (Some(fields), Value::Object(more)) = (record.as_object_mut(), more) else { panic!("objects") };
        fields.extend(more);
        self.records.push(record);
    }

    /// The first `count` statuses, each so long after the one before, the first one at this time. Shop, MES and CRM record
    /// them as they do.
    fn statuses(&mut self, first: OffsetDateTime, steps: &[Duration]) -> OffsetDateTime {
        let mut at = first;
        self.record(at, "shop-api", 30, "order.created", json!({ "order.status": "INITIATED" }));
        for (place, step) in steps.iter().enumerate() {
            at += *step;
            let [from, to] = [place, place + 1].map(|place| catalogue::ORDER_STATUSES[place]);
            let change =
                |hours: f64| json!({ "order.status": to, "order.status_from": from, "order.status_from_hours": hours });
            let hours = step.as_seconds_f64() / 3600.0;
            match place {
                0 | 1 => self.record(at, "shop-api", 30, "order.status_changed", change(hours)),
                3 | 8 => self.record(at, "crm-api", 30, "order.status_changed", change(hours)),
                _ => {
                    self.record(at, "mes-api", 30, "order.status_changed", change(hours));
                    let later = at + Duration::milliseconds(40);
                    self.record(later, "crm-api", 30, "order.status_changed", change(hours));
                }
            }
        }
        at
    }
}

fn orders(now: OffsetDateTime) -> Vec<Order> {
    const HOUR: Duration = Duration::HOUR;
    let mut all = Vec::new();
    // What is usual: production takes about ten hours.
    for number in ["A-210001", "A-210002", "A-210003", "A-210004", "A-210005", "A-210006"] {
        let mut order = Order::new(number);
        let steps = [HOUR, HOUR, Duration::minutes(1), HOUR, HOUR, HOUR * 10, HOUR, HOUR, HOUR * 20];
        order.statuses(now - HOUR * 48, &steps);
        all.push(order);
    }
    let mut slow = Order::new(SLOW);
    let taken = slow.statuses(now - HOUR * 17, &[HOUR, HOUR, Duration::minutes(2), HOUR, HOUR * 2]);
    slow.record(taken, "mes-api", 30, "order.operator_assigned", json!({ "operator.id": OPERATOR }));
    all.push(slow);

    let mut unpriced = Order::new(UNPRICED);
    let submitted = unpriced.statuses(now - Duration::minutes(20), &[Duration::minutes(1), Duration::minutes(1)]);
    let failed = json!({
        "order.price_status": "FAILED", "order.price_status_from": "CALCULATING", "error.type": "model_not_closed",
        "error.message": "the surface has 3 holes", "event.duration": 1_000_000, "model.triangles": 12,
    });
    unpriced.record(submitted + Duration::SECOND, "mes-api", 50, "order.price_status_changed", failed);
    all.push(unpriced);

    let mut unread = Order::new(UNREAD);
    let submitted = unread.statuses(now - HOUR * 5, &[Duration::minutes(1), Duration::minutes(1)]);
    let failed = json!({
        "order.price_status": "FAILED", "order.price_status_from": "CALCULATING",
        "error.type": "model_store_unavailable", "error.message": "connection refused", "event.duration": 1_000_000,
    });
    unread.record(submitted + Duration::SECOND, "mes-api", 50, "order.price_status_changed", failed);
    let report = json!({ "order.status": "SUBMITTED", "order.age_hours": 1.0 });
    unread.record(submitted + HOUR, "crm-api", 40, "order.stuck", report);
    all.push(unread);

    let mut stuck = Order::new(STUCK);
    let submitted = stuck.statuses(now - HOUR * 5, &[Duration::minutes(1), Duration::minutes(1)]);
    let message = |more: Value| {
        let mut fields = json!({ "messaging.message.id": "m-1", "messaging.message.type": "order.submitted" });
        fields.as_object_mut().expect("an object").extend(more.as_object().expect("an object").clone());
        fields
    };
    stuck.record(submitted, "crm-api", 30, "message.published", message(json!({})));
    let cause = json!({ "error.type": "message_unexpected", "error.message": "a gap in the history" });
    stuck.record(submitted + Duration::SECOND, "mes-api", 40, "message.retried", message(cause.clone()));
    stuck.record(submitted + Duration::MINUTE, "mes-api", 50, "message.dead_lettered", message(cause));
    let report = json!({ "order.status": "SUBMITTED", "order.age_hours": 1.0 });
    stuck.record(submitted + HOUR, "crm-api", 40, "order.stuck", report);
    // Says nothing of why it stands.
    stuck.record(submitted + HOUR * 2, "mes-api", 40, "auth.access_denied", json!({ "user.id": OPERATOR }));
    all.push(stuck);

    let mut hostile_order = Order::new(HOSTILE);
    hostile_order.statuses(now - HOUR, &[Duration::MINUTE]);
    let text = hostile();
    let fields = json!({
        "msg": text, "hostname": text, "error.type": text[..4_000], "error.message": text, "event.action": text,
        "messaging.message.type": text, "messaging.message.id": text, "http.route": text, "operator.id": text,
        "order.price_status": text, "name": "mes-api",
    });
    hostile_order.record(now - Duration::minutes(50), "mes-api", 50, "order.price_status_changed", fields);
    all.push(hostile_order);

    for number in [PARTNERS, TWIN] {
        let mut partners = Order { owner: ("partner.id", PARTNER), ..Order::new(number) };
        partners.record(now - HOUR, "mes-api", 30, "order.created", json!({ "order.status": "INITIATED" }));
        all.push(partners);
    }

    let mut polled = Order::new(POLLED);
    for second in 0..2_100 {
        let fields = json!({
            "http.request.id": "unknown", "http.request.method": "GET", "http.route": "/orders/{id}",
            "http.response.status_code": 401, "event.duration": 1_000_000,
        });
        polled.record(now - HOUR * 3 + Duration::seconds(second), "shop-api", 30, "http.request", fields);
    }
    polled.statuses(now - HOUR, &[Duration::MINUTE, Duration::MINUTE, Duration::MINUTE]);
    all.push(polled);

    let mut busy = Order::new(BUSY);
    let at = busy.statuses(now - HOUR * 3, &[Duration::MINUTE]);
    for second in 0..250 {
        let fields = json!({ "messaging.message.id": "m-2", "messaging.message.type": "order.progressed" });
        busy.record(at + Duration::seconds(second), "crm-api", 40, "message.retried", fields);
    }
    all.push(busy);
    all
}

/// Puts all of them into Elasticsearch, each into its service's index of its day.
pub(crate) async fn make_up(file: &SystemFile) {
    let now = OffsetDateTime::now_utc();
    let mut records: Vec<Value> = orders(now).into_iter().flat_map(|order| order.records).collect();
    let mut request = Order::new(SLOW);
    let failed = json!({
        "http.request.id": REQUEST, "http.request.method": "POST", "http.route": "/orders/{id}/status",
        "http.response.status_code": 503, "error.type": "database_unavailable", "error.message": "no connection in time",
        "event.duration": 5_000_000,
    });
    request.record(now - Duration::hours(16), "shop-api", 50, "http.request", failed);
    records.extend(request.records);
    let mut vain = Order::new(ASKED_FOR);
    let unknown = json!({
        "http.request.id": "unknown", "http.request.method": "GET", "http.route": "/orders/{id}",
        "http.response.status_code": 404, "user.id": CUSTOMER, "event.duration": 5_000_000,
    });
    vain.record(now - Duration::hours(1), "shop-api", 30, "http.request", unknown);
    records.extend(vain.records);
    // So that no service is silent, however long the tests take.
    for service in catalogue::Service::APIS {
        let mut heartbeat = Order::new("");
        heartbeat.record(now + Duration::HOUR, service.name(), 30, "service.heartbeat", json!({}));
        records.extend(heartbeat.records);
    }
    let mut logins = Order::new("");
    let failures = json!({ "user.id": OPERATOR, "source.ip": "192.0.2.0", "auth.failures": 7 });
    logins.record(now - Duration::hours(2), "mes-api", 40, "auth.login_failed_repeatedly", failures);
    for login in 0..12 {
        let failure = json!({ "user.hash": format!("hash-{login}"), "source.ip": "198.51.100.0" });
        logins.record(now - Duration::hours(2), "shop-api", 30, "auth.login_failed", failure);
    }
    records.extend(logins.records);

    let mut lines = String::new();
    for record in records {
        let (service, day) =
            (record["name"].as_str().unwrap_or_default(), &record["time"].as_str().unwrap_or_default()[..10]);
        let index = format!("alexandrite-{service}-{}", day.replace('-', "."));
        lines.push_str(&format!("{}\n{record}\n", json!({ "create": { "_index": index } })));
    }
    let administrator = file.accounts.administrator.as_ref().expect("there is one");
    let address = file.elasticsearch.as_deref().expect("Elasticsearch runs");
    let bulk = testkit::plain_http().build().expect("a client").post(format!("{address}/_bulk?refresh=true"));
    let bulk = bulk.basic_auth(&administrator.login, Some(&administrator.password));
    let response = bulk.header("content-type", "application/x-ndjson").body(lines).send().await.expect("a response");
    let body: Value = response.json().await.expect("JSON");
    assert_eq!(body["errors"], false, "{body}");
    let administrator = Search::new(address, administrator);
    alerts(&administrator).await;
    spans::make_up(&administrator).await;
}

/// Alerts, as ElastAlert keeps them.
async fn alerts(administrator: &Search) {
    let at = OffsetDateTime::now_utc().format(&Rfc3339).expect("a time");
    for rule in ["order-stuck", "service-silent-mes-api"] {
        let alert = json!({ "@timestamp": at, "alert_time": at, "rule_name": rule, "alert_sent": true });
        let path = "elastalert_status/_doc?refresh=true";
        assert_eq!(administrator.call(Method::POST, path, Some(&alert)).await.0, 201);
    }
}
