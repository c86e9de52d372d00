//! Orders of partner companies.

use std::collections::BTreeMap;

use common::domain::OrderId;
use reqwest::{
    Method,
    multipart::{Form, Part},
};
use serde_json::{Value, json};
use testkit::orders::{cube, statuses};
use testkit::records::summary;
use testkit::{
    Client, Response, eventually,
    records::{Record, records_of, records_with},
    solids,
};

use crate::support::{NO_PRICES, PRICES, count, priced, sent, start};

fn file(name: &str, bytes: Vec<u8>) -> Part {
    Part::bytes(bytes).file_name(name.to_owned())
}

fn fields() -> Form {
    Form::new().text("material", "silver_925").text("quantity", "3")
}

fn order() -> Form {
    fields().text("comment", "Für Grace – \u{1F48D}").part("model", file("Würfel 1.stl", cube()))
}

async fn place_with_key(partner: &Client, key: &str, form: Form) -> Response {
    let request = partner.request(Method::POST, "/partner/orders").header("Idempotency-Key", key).multipart(form);
    Response::to(request).await
}

#[tokio::test]
async fn a_partner_orders_and_gets_a_price() {
    let mes = start(&PRICES).await;
    let (partner, operator) = (mes.partner().await, mes.operator().await);
    let placed = partner.post_form("/partner/orders", order()).await;
    let records = records_of(&placed);
    let location = placed.header("location").unwrap().to_owned();
    let placed = placed.expect(202);
    let id: OrderId = placed["id"].as_str().unwrap().parse().unwrap();
    assert!(id.as_str().starts_with("P-"));
    assert_eq!(location, format!("/partner/orders/{id}"));
    assert_eq!(placed["status"], "SUBMITTED");
    assert_eq!(placed["partner_id"], json!(partner.account()));
    assert_eq!(placed.get("customer_id"), None);
    assert_eq!(placed["comment"], "Für Grace – \u{1F48D}");
    assert_eq!(placed["model"]["filename"], "Würfel 1.stl");
    assert_eq!(placed["model"]["format"], "stl");
    assert_eq!(placed["model"]["bytes"], cube().len());
    assert_eq!(placed["model"]["sha256"].as_str().unwrap().len(), 64);
    assert_eq!(placed["price"], Value::Null);
    assert_eq!(placed["price_status"], "QUEUED");
    assert_eq!(statuses(&placed), ["INITIATED", "FILE_UPLOADED", "SUBMITTED"]);
    for change in placed["history"].as_array().unwrap() {
        assert_eq!(change["actor"], format!("partner:{}", partner.account()));
        assert_eq!(change["service"], "mes-api");
    }

    assert_eq!(
        summary(&records),
        [
            "order.created INITIATED",
            "order.model_uploaded",
            "order.status_changed INITIATED FILE_UPLOADED",
            "order.status_changed FILE_UPLOADED SUBMITTED",
            "order.price_status_changed NONE QUEUED",
            "http.request",
        ]
    );
    assert_eq!(records[1]["file.size"], cube().len());
    assert!(records[..5].iter().all(|record| record["partner.id"] == json!(partner.account())));

    priced(&operator, &id).await;
    let order = partner.get(&location).await.expect(200);
    assert_eq!(order["price"], json!({"amount_minor": 13_680, "currency": "EUR"}));
    assert_eq!(order["price_status"], "CALCULATED");
    assert_eq!(order["status"], "PRICE_CALCULATED");
    let types: Vec<_> = sent(&mes, id.as_str()).await.into_iter().map(|(message_type, _)| message_type).collect();
    assert_eq!(types, ["order.partner_submitted", "order.priced"]);

    // The whole calculation belongs to the trace of the partner's request.
    let trace = records[0]["trace.id"].as_str().unwrap();
    let rest = eventually("the last record", async || {
        let mut sent = summary(&records_with("trace.id", trace));
        // There is no broker, and the relay says so.
        sent.retain(|line| !line.starts_with("message."));
        if sent.len() == records.len() + 3 { Ok(sent) } else { Err(format!("{sent:?}")) }
    })
    .await;
    assert_eq!(rest.iter().filter(|line| *line == "order.price_status_changed QUEUED CALCULATING").count(), 1);
    assert_eq!(
        rest[rest.len() - 2..],
        ["order.price_status_changed CALCULATING CALCULATED", "order.status_changed SUBMITTED PRICE_CALCULATED"]
    );
}

#[tokio::test]
async fn each_status_of_a_new_order_has_the_id_of_the_record_that_reports_it() {
    let mes = start(&NO_PRICES).await;
    let placed = mes.partner().await.post_form("/partner/orders", order()).await;
    let records = records_of(&placed);
    let text = |record: &Record, name: &str| record.get(name)?.as_str().map(str::to_owned);
    let reported = records.iter().filter_map(|record| Some((text(record, "order.status")?, text(record, "event.id"))));
    let reported: BTreeMap<_, _> = reported.collect();
    assert_eq!(reported.len(), 3, "{reported:?}");

    let placed = placed.expect(202);
    let kept: Vec<(String, Option<String>)> =
        sqlx::query_as("SELECT status, event_id::text FROM order_history WHERE order_id = $1")
            .bind(placed["id"].as_str().unwrap())
            .fetch_all(mes.tables())
            .await
            .unwrap();
    assert_eq!(BTreeMap::from_iter(kept), reported);
}

#[tokio::test]
async fn the_parts_of_the_form_come_in_any_order() {
    let mes = start(&NO_PRICES).await;
    let partner = mes.partner().await;
    let form = Form::new()
        .part("model", file("a.STL", cube()))
        .text("comment", "")
        .text("quantity", "1000")
        .text("material", "platinum_950");
    let placed = partner.post_form("/partner/orders", form).await.expect(202);
    assert_eq!(placed["comment"], Value::Null);
    assert_eq!(placed["quantity"], 1000);
    assert_eq!(placed["material"], "platinum_950");
}

#[tokio::test]
async fn a_partners_model_has_the_unit_of_the_form_wherever_it_stands() {
    let mes = start(&NO_PRICES).await;
    let partner = mes.partner().await;
    let model = || file("a.stl", cube());
    for (form, unit) in [
        (fields().part("model", model()), "mm"),
        (fields().part("model", model()).text("unit", ""), "mm"),
        (fields().part("model", model()).text("unit", "cm"), "cm"),
        (fields().text("unit", "ft").part("model", model()), "ft"),
    ] {
        let placed = partner.post_form("/partner/orders", form).await.expect(202);
        assert_eq!(placed["model"]["unit"], unit);
        let (_, sent) = sent(&mes, placed["id"].as_str().unwrap()).await.remove(0);
        assert_eq!(json!(sent.order.model), placed["model"]);
    }
    let key = |unit: &str| place_with_key(&partner, "ring", order().text("unit", unit.to_owned()));
    let first = key("in").await.expect(202);
    assert_eq!(key("in").await.expect(202), first);
    key("cm").await.expect_problem(422, "idempotency_key_reused");
}

#[tokio::test]
async fn partners_see_their_own_orders_alone() {
    let mes = start(&NO_PRICES).await;
    let (partner, other) = (mes.partner().await, mes.partner().await);
    let placed = partner.post_form("/partner/orders", order()).await;
    let location = placed.header("location").unwrap().to_owned();
    let customers = crate::support::approved(&mes).await;
    partner.get(&location).await.expect(200);
    other.get(&location).await.expect_problem(404, "order_not_found");
    partner.get(&format!("/partner/orders/{customers}")).await.expect_problem(404, "order_not_found");
    partner.get("/partner/orders/P-999999").await.expect_problem(404, "order_not_found");
    let (anonymous, operator) = (mes.anonymous(), mes.operator().await);
    anonymous.get(&location).await.expect_problem(401, "unauthenticated");
    operator.get(&location).await.expect_problem(403, "forbidden");
    anonymous.post_form("/partner/orders", order()).await.expect_problem(401, "unauthenticated");
    operator.post_form("/partner/orders", order()).await.expect_problem(403, "forbidden");
}

#[tokio::test]
async fn a_repeated_request_places_one_order() {
    let mes = start(&NO_PRICES).await;
    let (partner, other) = (mes.partner().await, mes.partner().await);
    let first = place_with_key(&partner, "order-0001", order()).await;
    let again = place_with_key(&partner, "order-0001", order()).await;
    assert_eq!(again.header("location"), first.header("location"));
    assert_eq!(summary(&records_of(&again)), ["http.request"]);
    assert_eq!(again.expect(202), first.expect(202));
    assert_eq!(mes.stored_models().len(), 1, "the copy is gone");
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, 1);

    let changed = fields().part("model", file("Würfel 1.stl", testkit::orders::open_cube()));
    place_with_key(&partner, "order-0001", changed).await.expect_problem(422, "idempotency_key_reused");
    place_with_key(&partner, "", order()).await.expect_problem(422, "invalid_request");
    assert_eq!(mes.stored_models().len(), 1);

    place_with_key(&other, "order-0001", order()).await.expect(202);
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, 2);
}

#[tokio::test]
async fn a_refused_form_leaves_no_model_behind() {
    let mes = start(&["--price-workers", "0", "--upload-limit-bytes", "5000"]).await;
    let partner = mes.partner().await;
    let model = || file("ring.stl", cube());
    let long = "x".repeat(2_001);
    let very_long = "x".repeat(20_000);
    let forms = [
        (fields(), 422, "invalid_request"),
        (fields().text("model", "solid"), 422, "invalid_request"),
        (Form::new().part("model", model()).text("quantity", "1"), 422, "invalid_request"),
        (Form::new().part("model", model()).text("material", "silver_925"), 422, "invalid_request"),
        (fields().part("model", model()).text("priority", "high"), 422, "invalid_request"),
        (fields().part("model", model()).text("quantity", "4"), 422, "invalid_request"),
        (fields().part("model", model()).text("unit", "inch"), 422, "invalid_request"),
        (fields().part("model", model()).text("unit", "cm").text("unit", "cm"), 422, "invalid_request"),
        (fields().part("model", file("a.3mf", solids::cube(9.0).to_3mf())).text("unit", "in"), 422, "invalid_request"),
        (fields().part("model", model()).part("model", model()), 422, "invalid_request"),
        (fields().part("model", model()).text("comment", long), 422, "invalid_request"),
        (fields().part("model", model()).text("comment", very_long), 422, "invalid_request"),
        (fields().part("model", model()).text("comment", "a\0b"), 422, "invalid_request"),
        (fields().part("model", model()).part("comment", Part::bytes(vec![0xff])), 422, "invalid_request"),
        (Form::new().part("model", model()).text("quantity", "1").text("material", "tin"), 422, "invalid_request"),
        (Form::new().part("model", model()).text("quantity", "0").text("material", "gold_585"), 422, "invalid_request"),
        (
            Form::new().part("model", model()).text("quantity", "two").text("material", "gold_585"),
            422,
            "invalid_request",
        ),
        (fields().part("model", file("ring.stl", Vec::new())), 422, "invalid_request"),
        (fields().part("model", file("ring.step", cube())), 415, "unsupported_model"),
        (fields().part("model", file("ring.3mf", cube())), 415, "unsupported_model"),
        (fields().part("model", file("ring.stl", vec![0; 5_001])), 413, "model_too_large"),
        (fields().part("model", file("ring.stl", vec![0; 200_000])), 413, "model_too_large"),
    ];
    for (form, status, code) in forms {
        partner.post_form("/partner/orders", form).await.expect_problem(status, code);
        assert!(mes.stored_models().is_empty(), "{:?}", mes.stored_models());
    }
    let body = |kind: &str, body: &'static str| {
        partner.request(Method::POST, "/partner/orders").header("content-type", kind).body(body)
    };
    Response::to(body("application/json", "{}")).await.expect_problem(415, "unsupported_media_type");
    Response::to(body("multipart/form-data", "")).await.expect_problem(400, "malformed_request");
    Response::to(body("multipart/form-data; boundary=x", "--x\r\n")).await.expect_problem(400, "malformed_request");
    let cut = "--x\r\nContent-Disposition: form-data; name=\"model\"; filename=\"a.obj\"\r\n\r\nv 0 0 0";
    Response::to(body("multipart/form-data; boundary=x", cut)).await.expect_problem(400, "malformed_request");
    assert!(mes.stored_models().is_empty());
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, 0);
}

#[tokio::test]
async fn a_failure_of_ours_is_recorded_and_leaves_no_model_behind() {
    let mes = start(&NO_PRICES).await;
    let partner = mes.partner().await;
    sqlx::raw_sql("ALTER TABLE price_jobs RENAME TO gone").execute(mes.tables()).await.unwrap();
    let failed = partner.post_form("/partner/orders", order()).await;
    failed.clone().expect_problem(500, "internal_error");
    let records = records_of(&failed);
    let errors: Vec<_> = records.iter().filter(|record| record["level"] == 50).collect();
    let [error] = errors[..] else {
        panic!("one error, not {errors:?}");
    };
    assert_eq!(error["event.action"], "order.created");
    assert_eq!(error["partner.id"], json!(partner.account()));
    records.iter().for_each(testkit::records::assert_valid);
    assert!(mes.stored_models().is_empty());
    assert_eq!(count(&mes, "SELECT count(*) FROM orders").await, 0);
    assert_eq!(count(&mes, "SELECT count(*) FROM outbox").await, 0);
}
