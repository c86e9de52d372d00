//! What operators see and do.

use common::domain::{ModelFormat, OrderId, OrderStatus};
use reqwest::{Method, header::CONTENT_TYPE};
use serde_json::{Value, json};
use testkit::orders::{cube, statuses};
use testkit::records::summary;
use testkit::{Client, Response, records::records_of, service::RunningService};

use crate::support::{NO_PRICES, approved, count, receive, sent, start, submitted};

async fn take(operator: &Client, id: &OrderId) -> Response {
    operator.put(&format!("/orders/{id}/operator")).await
}

async fn move_to(operator: &Client, id: &OrderId, status: &str) -> Response {
    operator.post_json(&format!("/orders/{id}/status"), json!({"status": status})).await
}

#[tokio::test]
async fn an_operator_takes_an_order_and_brings_it_to_the_carrier() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let id = approved(&mes).await;

    let taken = take(&operator, &id).await;
    assert_eq!(
        summary(&records_of(&taken)),
        [
            "order.operator_assigned",
            "order.status_changed MANUFACTURING_APPROVED MANUFACTURING_STARTED",
            "http.request",
        ]
    );
    let taken = taken.expect(200);
    assert_eq!(taken["operator_id"], json!(operator.account()));
    assert_eq!(taken["status"], "MANUFACTURING_STARTED");

    let mut from = "MANUFACTURING_STARTED";
    for to in ["MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"] {
        let moved = move_to(&operator, &id, to).await;
        assert_eq!(
            summary(&records_of(&moved)),
            [format!("order.status_changed {from} {to}"), "http.request".to_owned()]
        );
        assert_eq!(moved.expect(200)["status"], to);
        from = to;
    }

    let order = operator.get(&format!("/orders/{id}")).await.expect(200);
    let history = order["history"].as_array().unwrap();
    assert_eq!(statuses(&order).len(), 9);
    for change in &history[5..] {
        assert_eq!(change["actor"], format!("operator:{}", operator.account()));
        assert_eq!(change["service"], "mes-api");
    }
    assert!(history.windows(2).all(|pair| pair[0]["status"] != pair[1]["status"]));

    let sent = sent(&mes, id.as_str()).await;
    assert!(sent.iter().all(|(message_type, _)| message_type == "order.progressed"));
    let lengths: Vec<_> = sent.iter().map(|(_, facts)| facts.history.len()).collect();
    assert_eq!(lengths, [6, 7, 8, 9]);
    assert_eq!(serde_json::to_value(&sent[3].1.history).unwrap(), order["history"]);
}

#[tokio::test]
async fn metrics_count_no_order_that_was_shipped_as_waiting() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let steps = ["MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"];
    for taken in 1..=steps.len() {
        let id = approved(&mes).await;
        take(&operator, &id).await.expect(200);
        for status in &steps[..taken] {
            move_to(&operator, &id, status).await.expect(200);
        }
    }
    let mut connection = mes.tables().acquire().await.unwrap();
    let standing = mes_api::orders::store::standing(&mut connection).await.unwrap();
    let mut counted: Vec<_> = standing.statuses.iter().map(|of| (of.status, of.orders)).collect();
    counted.sort_unstable();
    assert_eq!(counted, [(OrderStatus::ManufacturingCompleted, 1), (OrderStatus::Packaging, 1)]);
}

#[tokio::test]
async fn of_several_operators_at_once_exactly_one_gets_the_order() {
    let mes = start(&NO_PRICES).await;
    let (ada, grace) = (mes.operator().await, mes.operator().await);
    for _ in 0..10 {
        let id = approved(&mes).await;
        let (ada, grace) = tokio::join!(take(&ada, &id), take(&grace, &id));
        let (winner, loser) = if ada.status == 200 { (ada, grace) } else { (grace, ada) };
        winner.expect(200);
        loser.expect_problem(409, "status_repeated");
    }
    assert_eq!(count(&mes, "SELECT count(*) FROM order_history WHERE status = 'MANUFACTURING_STARTED'").await, 10);
    assert_eq!(count(&mes, "SELECT count(*) FROM outbox").await, 10);
}

#[tokio::test]
async fn only_the_operator_who_has_the_order_moves_it_on() {
    let mes = start(&NO_PRICES).await;
    let (ada, grace) = (mes.operator().await, mes.operator().await);
    let id = approved(&mes).await;
    take(&ada, &id).await.expect(200);
    move_to(&grace, &id, "MANUFACTURING_COMPLETED").await.expect_problem(403, "not_your_order");
    take(&grace, &id).await.expect_problem(409, "status_repeated");
    move_to(&ada, &id, "MANUFACTURING_COMPLETED").await.expect(200);
    move_to(&grace, &id, "PACKAGING").await.expect_problem(403, "not_your_order");
}

#[tokio::test]
async fn no_status_is_skipped_repeated_undone_or_set_for_another_system() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let id = approved(&mes).await;
    move_to(&operator, &id, "MANUFACTURING_COMPLETED").await.expect_problem(409, "status_skipped");
    move_to(&operator, &id, "MANUFACTURING_STARTED").await.expect_problem(409, "status_not_settable");
    take(&operator, &id).await.expect(200);
    take(&operator, &id).await.expect_problem(409, "status_repeated");
    move_to(&operator, &id, "PACKAGING").await.expect_problem(409, "status_skipped");
    move_to(&operator, &id, "MANUFACTURING_STARTED").await.expect_problem(409, "status_repeated");
    move_to(&operator, &id, "PRICE_CALCULATED").await.expect_problem(409, "status_undone");
    for status in ["MANUFACTURING_COMPLETED", "PACKAGING", "SHIPPED"] {
        move_to(&operator, &id, status).await.expect(200);
    }
    move_to(&operator, &id, "CLOSED").await.expect_problem(409, "status_not_settable");

    let waiting = submitted(&mes, &cube(), ModelFormat::Stl);
    receive(&mes, &waiting).await;
    take(&operator, &waiting.order.id).await.expect_problem(409, "status_skipped");
}

#[tokio::test]
async fn a_request_that_makes_no_sense_is_told_so() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let id = approved(&mes).await;
    let path = format!("/orders/{id}/status");
    operator.post_json(&path, json!({"status": "MELTED"})).await.expect_problem(422, "invalid_request");
    operator.post_json(&path, json!({})).await.expect_problem(422, "invalid_request");
    operator.post_json(&path, json!({"status": "SHIPPED", "hurry": true})).await.expect_problem(422, "invalid_request");
    let json = |body: String| operator.request(Method::POST, &path).header(CONTENT_TYPE, "application/json").body(body);
    Response::to(json("{".to_owned())).await.expect_problem(400, "malformed_request");
    let long = format!("{{\"status\": \"{}\"}}", "x".repeat(100_000));
    Response::to(json(long)).await.expect_problem(413, "body_too_large");
    Response::to(operator.request(Method::POST, &path).body("status=SHIPPED"))
        .await
        .expect_problem(415, "unsupported_media_type");

    for unknown in ["A-999999", "P-999999", "ring", "A-1", "%00"] {
        operator.get(&format!("/orders/{unknown}")).await.expect_problem(404, "order_not_found");
        operator.get(&format!("/orders/{unknown}/model")).await.expect_problem(404, "order_not_found");
        operator.put(&format!("/orders/{unknown}/operator")).await.expect_problem(404, "order_not_found");
        operator.post(&format!("/orders/{unknown}/price")).await.expect_problem(404, "order_not_found");
        operator
            .post_json(&format!("/orders/{unknown}/status"), json!({"status": "SHIPPED"}))
            .await
            .expect_problem(404, "order_not_found");
    }
    operator.get("/rings").await.expect_problem(404, "unknown_path");
    operator.delete(&format!("/orders/{id}")).await.expect_problem(405, "method_not_allowed");
    for (query, status, code) in [
        ("limit=0", 422, "invalid_request"),
        ("limit=201", 422, "invalid_request"),
        ("limit=many", 400, "invalid_query"),
        ("after=yesterday", 422, "invalid_request"),
        ("status=MELTED", 400, "invalid_query"),
    ] {
        operator.get(&format!("/orders?{query}")).await.expect_problem(status, code);
    }
}

/// All pages of a list, each asked for by the one before.
async fn pages(operator: &Client, query: &str) -> Vec<Vec<Value>> {
    let mut pages = Vec::new();
    let mut after = String::new();
    loop {
        let page = operator.get(&format!("/orders?{query}{after}")).await.expect(200);
        pages.push(page["items"].as_array().unwrap().iter().map(|order| order["id"].clone()).collect());
        match page["next"].as_str() {
            Some(next) => after = format!("&after={next}"),
            None => return pages,
        }
    }
}

#[tokio::test]
async fn lists_are_newest_first_in_pages_of_any_size() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let mut all = Vec::new();
    for number in 0..7 {
        let id = if number % 3 == 0 {
            let facts = submitted(&mes, &cube(), ModelFormat::Stl);
            receive(&mes, &facts).await;
            facts.order.id
        } else {
            approved(&mes).await
        };
        all.insert(0, json!(id));
    }
    // Two orders of the same instant are in one order as well, and none is listed twice or left out.
    sqlx::query("UPDATE orders SET created_at = (SELECT max(created_at) FROM orders)")
        .execute(mes.tables())
        .await
        .unwrap();

    for limit in [1, 2, 3, 6, 7, 8] {
        let pages = pages(&operator, &format!("limit={limit}")).await;
        assert!(pages.iter().all(|page| page.len() <= limit && !page.is_empty()));
        assert_eq!(pages.concat(), all, "{limit} at a time");
    }
    let submitted = pages(&operator, "limit=2&status=SUBMITTED").await;
    assert_eq!(submitted.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1]);
    assert_eq!(submitted.concat(), [all[0].clone(), all[3].clone(), all[6].clone()]);
    let none = operator.get("/orders?status=SHIPPED").await.expect(200);
    assert_eq!(none, json!({"items": [], "next": null}));

    sqlx::query("UPDATE orders SET created_at = created_at + make_interval(secs => 1) WHERE id = $1")
        .bind(all[6].as_str().unwrap())
        .execute(mes.tables())
        .await
        .unwrap();
    let first = operator.get("/orders?limit=1").await.expect(200);
    assert_eq!(first["items"][0]["id"], all[6]);
    assert_eq!(first["items"][0]["price_status"], "QUEUED");
}

#[tokio::test]
async fn a_model_comes_back_as_it_was_uploaded() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let id = approved(&mes).await;
    let model = operator.get(&format!("/orders/{id}/model")).await;
    assert_eq!(model.header("content-type"), Some("model/stl"));
    assert_eq!(model.header("content-disposition"), Some("attachment; filename*=UTF-8''ring%2Estl"));
    assert_eq!(model.header("content-length"), Some(cube().len().to_string().as_str()));
    assert!(model.bytes == cube());
}

async fn break_off(mes: &RunningService, statement: &'static str) {
    sqlx::raw_sql(statement).execute(mes.tables()).await.expect("it breaks");
}

#[tokio::test]
async fn a_failure_of_ours_is_one_error_record_and_changes_nothing() {
    let mes = start(&NO_PRICES).await;
    let operator = mes.operator().await;
    let id = approved(&mes).await;
    take(&operator, &id).await.expect(200);
    break_off(&mes, "ALTER TABLE outbox RENAME TO gone").await;

    let failed = move_to(&operator, &id, "MANUFACTURING_COMPLETED").await;
    failed.clone().expect_problem(500, "internal_error");
    let records = records_of(&failed);
    let errors: Vec<_> = records.iter().filter(|record| record["level"] == 50).collect();
    let [error] = errors[..] else {
        panic!("one error, not {errors:?}");
    };
    assert_eq!(error["event.action"], "order.status_changed");
    assert_eq!(error["error.type"], "database_error");
    assert_eq!(error["order.id"], json!(id));
    assert!(error.contains_key("customer.id"));
    assert!(error["error.message"].as_str().unwrap().contains("outbox"));
    records.iter().for_each(testkit::records::assert_valid);
    let body = String::from_utf8(failed.bytes).unwrap();
    assert!(!body.contains("outbox"), "{body}");

    break_off(&mes, "ALTER TABLE gone RENAME TO outbox").await;
    let order = operator.get(&format!("/orders/{id}")).await.expect(200);
    assert_eq!(order["status"], "MANUFACTURING_STARTED");
    assert_eq!(statuses(&order).len(), 6);
    move_to(&operator, &id, "MANUFACTURING_COMPLETED").await.expect(200);
}
