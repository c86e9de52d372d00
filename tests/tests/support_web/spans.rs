//! Made-up spans in the form in which APM Server and its ingest pipeline leave those that services send by OTLP: what
//! Elastic's own `apm-data` and `traces-apm@pipeline` made of such spans.

use reqwest::Method;
use serde_json::{Value, json};
use testkit::search::Search;
use time::{OffsetDateTime, format_description::well_known::Rfc3339};

use crate::logs::{HOSTILE_TRACE, TRACE, hostile};

/// The backing index's name doesn't matter to a search; this distribution of Elasticsearch has no data streams.
const INDEX: &str = "traces-apm-default";

/// A span of a trace; `kind` as OTLP has it.
struct Sent<'a> {
    trace: &'a str,
    id: &'a str,
    parent: Option<&'a str>,
    name: &'a str,
    kind: &'a str,
    service: &'a str,
    /// In microseconds since 1970.
    began: i64,
    duration: i64,
}

impl Sent<'_> {
    fn document(&self) -> Value {
        let Self { trace, id, parent, name, kind, service, began, duration } = *self;
        let at = OffsetDateTime::from_unix_timestamp_nanos(i128::from(began) * 1000).expect("a time");
        let failed = name == "price.calculate";
        let mut document = json!({
            "@timestamp": at.format(&Rfc3339).expect("a time"),
            "agent": { "name": "opentelemetry/rust", "version": "0.33.1" },
            "data_stream": { "dataset": "apm", "namespace": "default", "type": "traces" },
            "event": { "outcome": if failed { "failure" } else { "success" }, "success_count": i32::from(!failed) },
            "labels": { "order_id": "A-200001" },
            "service": { "framework": { "name": "alexandrite" }, "language": { "name": "rust" }, "name": service },
            "span": { "id": id },
            "timestamp": { "us": began },
            "trace": { "id": trace },
        });
        if let Some(parent) = parent {
            document["parent"] = json!({ "id": parent });
        }
        if ["server", "consumer"].contains(&kind) {
            document["processor"] = json!({ "event": "transaction" });
            document["transaction"] = json!({
                "id": id, "name": name, "duration": { "us": duration }, "representative_count": 1, "sampled": true,
                "type": if kind == "server" { "request" } else { "messaging" }, "result": "Success",
            });
        } else {
            document["processor"] = json!({ "event": "span" });
            let kind = if kind == "producer" { ["messaging", "rabbitmq"] } else { ["app", "internal"] };
            document["span"] = json!({
                "id": id, "name": name, "duration": { "us": duration }, "representative_count": 1,
                "type": kind[0], "subtype": kind[1],
            });
        }
        document
    }
}

/// The spans from a submitted order through RabbitMQ to its price, and hostile ones of another order.
pub(crate) async fn make_up(administrator: &Search) {
    // As Elastic's templates `traces-apm@mappings` and `ecs@mappings` map them.
    let mappings = json!({ "mappings": {
        "date_detection": false,
        "dynamic_templates": [{ "texts": {
            "match_mapping_type": "string", "mapping": { "type": "keyword", "ignore_above": 1024 },
        } }],
    } });
    assert_eq!(administrator.call(Method::PUT, INDEX, Some(&mappings)).await.0, 200);
    let began = i64::try_from(OffsetDateTime::now_utc().unix_timestamp_nanos() / 1000).expect("a time") - 60_000_000;
    let sent = |id, parent, name, kind, service, after, duration| Sent {
        trace: TRACE,
        id,
        parent,
        name,
        kind,
        service,
        began: began + after,
        duration,
    };
    let (publish, process) = ("publish orders:order.submitted", "process orders:order.submitted:mes-api.orders");
    let spans = [
        sent("b7ad6b7169203331", None, "POST /orders/{id}/status", "server", "shop-api", 0, 12_500),
        sent("b7ad6b7169203332", Some("b7ad6b7169203331"), publish, "producer", "crm-api", 20_000, 3_000),
        sent("b7ad6b7169203333", Some("b7ad6b7169203332"), process, "consumer", "mes-api", 24_000, 6_000),
        sent("b7ad6b7169203334", Some("b7ad6b7169203333"), "price.calculate", "internal", "mes-api", 31_000, 400_000),
    ];
    let mut documents: Vec<Value> = spans.iter().map(Sent::document).collect();
    // APM Server cuts what is longer.
    let name: String = hostile().chars().take(1_000).collect();
    let hostile = |id, parent, began, duration| Sent {
        trace: HOSTILE_TRACE,
        id,
        parent: Some(parent),
        name: &name,
        kind: "internal",
        service: &name,
        began,
        duration,
    };
    // Ancestors of themselves, one of which never ends, and more of them than are shown.
    documents.push(hostile("c7ad6b7169203331", "c7ad6b7169203332", began, i64::MAX).document());
    documents.push(hostile("c7ad6b7169203332", "c7ad6b7169203331", began + 1, -5).document());
    documents.extend((0..70).map(|after| hostile("c7ad6b7169203333", "", began + after, 1).document()));

    for (place, document) in documents.iter().enumerate() {
        let path = format!("{INDEX}/_create/{place}");
        let (status, response) = administrator.call(Method::PUT, &path, Some(document)).await;
        assert_eq!(status, 201, "{response}");
    }
    let (status, response) = administrator.call(Method::POST, &format!("{INDEX}/_refresh"), None).await;
    assert_eq!(status, 200, "{response}");
}
