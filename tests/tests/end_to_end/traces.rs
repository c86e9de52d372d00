//! One trace from the customer's submission to the price in the CRM: in the records, and as spans at an OTLP receiver.

use common::domain::OrderStatus::{PriceCalculated, Submitted};
use opentelemetry_proto::tonic::trace::v1::span::SpanKind;
use reqwest::Method;
use serde_json::json;
use testkit::{Response, eventually};

use crate::support::{
    log::text,
    search::{Search, matching},
    site::OrderActions as _,
    spans::{Exported, Receiver},
    world::World,
};

/// The caller's own trace and span, as a browser or another service would send them.
const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const CALLER: &str = "00f067aa0ba902b7";

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[tokio::test]
async fn one_trace_runs_from_the_submission_through_the_broker_and_the_calculation_back_to_the_crm() {
    let receiver = Receiver::start().await;
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.clone()), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())];
    let world = World::start(&variables).await;
    let ada = world.site.customer().await;
    let order = ada.create_with_model().await;
    let submission = ada.request(Method::POST, &format!("/orders/{order}/status"));
    let submission = submission.header("traceparent", format!("00-{TRACE}-{CALLER}-01"));
    Response::to(submission.json(&json!({"status": Submitted}))).await.expect(200);
    world.site.seller().await.wait_for(&order, PriceCalculated).await;

    let span = async |service: &str, name: &str| -> Exported {
        let of_this_trace = |found: &Exported| hex(&found.span.trace_id) == TRACE;
        eventually(name, async || receiver.find(service, name, of_this_trace)).await
    };
    let request = span("shop-api", "POST /orders/{id}/status").await;
    let submitted = span("crm-api", "publish orders:order.submitted").await;
    let taken = span("mes-api", "process orders:order.submitted:mes-api.orders").await;
    let calculation = span("mes-api", "price.calculate").await;
    let priced = span("mes-api", "publish orders:order.priced").await;
    let known = span("crm-api", "process orders:order.priced:crm-api.orders").await;

    assert_eq!(hex(&request.span.parent_span_id), CALLER);
    let way = [&request, &submitted, &taken, &calculation, &priced, &known];
    for pair in way.windows(2) {
        assert!(pair[1].is_child_of(pair[0]), "{:?} is no child of {:?}", pair[1], pair[0]);
    }
    let kinds = [SpanKind::Server, SpanKind::Producer, SpanKind::Consumer, SpanKind::Internal];
    assert_eq!(way[..4].iter().map(|span| span.kind()).collect::<Vec<_>>(), kinds);
    assert_eq!((priced.kind(), known.kind()), (SpanKind::Producer, SpanKind::Consumer));
    for (consumed, published) in [(&taken, &submitted), (&known, &priced)] {
        assert!(consumed.is_linked_to(published), "{consumed:?}");
        let number = consumed.attribute("messaging.message.id");
        assert!(number.is_some() && number == published.attribute("messaging.message.id"), "{consumed:?}");
    }
    for (span, operation, kind) in [(&submitted, "publish", "send"), (&taken, "process", "process")] {
        let expected = [
            ("messaging.system", "rabbitmq"),
            ("messaging.operation.name", operation),
            ("messaging.operation.type", kind),
            ("messaging.rabbitmq.destination.routing_key", "order.submitted"),
        ];
        for (name, value) in expected {
            assert_eq!(span.attribute(name), Some(value), "{span:?}");
        }
        assert!(span.attribute("messaging.destination.name").is_some(), "{span:?}");
    }
    for span in way {
        assert_eq!(span.attribute("order.id"), Some(&*order), "{span:?}");
    }

    // The records are those of the same trace, the customer's request among them.
    let of_trace = matching(&[("trace.id", TRACE), ("order.id", &order)]);
    let records = Search::as_support().await.at_least(11, &of_trace).await;
    let mut reported: Vec<_> =
        records.iter().map(|record| (text(record, "name"), text(record, "event.action"))).collect();
    reported.sort_unstable();
    let expected = [
        ("crm-api", "message.consumed"),
        ("crm-api", "message.published"),
        ("crm-api", "order.status_changed"),
        ("mes-api", "message.consumed"),
        ("mes-api", "message.published"),
        ("mes-api", "order.price_status_changed"),
        ("mes-api", "order.price_status_changed"),
        ("mes-api", "order.price_status_changed"),
        ("mes-api", "order.status_changed"),
        ("shop-api", "http.request"),
        ("shop-api", "order.status_changed"),
    ];
    assert_eq!(reported, expected);
}

#[tokio::test]
async fn a_failed_calculation_is_a_failed_span_and_production_is_traced_to_the_crm() {
    let receiver = Receiver::start().await;
    let variables =
        [("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.clone()), ("OTEL_BSP_SCHEDULE_DELAY", "100".to_owned())];
    let world = World::start(&variables).await;
    let ada = world.site.customer().await;
    let order = ada.create().await;
    // A triangle is no solid.
    let mut open = testkit::solids::cube(3.0);
    open.triangles.pop();
    ada.upload(&order, "open.stl", open.to_binary_stl()).await;
    ada.advance(&order, Submitted).await;

    let failed = eventually("the failed calculation's span", async || {
        receiver.find("mes-api", "price.calculate", |span| span.attribute("order.id") == Some(&order))
    });
    let failed = failed.await;
    // 2 is OTLP's STATUS_CODE_ERROR.
    assert_eq!(failed.span.status.as_ref().map(|status| status.code), Some(2), "{failed:?}");
    let applied = eventually("the CRM to have the message", async || {
        receiver.find("crm-api", "process orders:order.price_failed:crm-api.orders", |_| true)
    });
    assert_eq!(applied.await.span.trace_id, failed.span.trace_id);
}
