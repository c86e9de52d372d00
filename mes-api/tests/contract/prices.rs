//! Prices: calculated from real files, by workers that may die.

use std::path::Path;

use common::domain::{ModelFormat, ModelUnit, OrderFacts};
use mesh::Format;
use serde_json::{Map, Value, json};
use testkit::orders::{cube, open_cube, statuses};
use testkit::records::summary;
use testkit::{Client, eventually, records::records_with, service::RunningService, solids};

use crate::support::{NO_PRICES, PRICES, apply, begin, count, priced, receive, sent, start, store, submitted};

/// Waits for a record about the order's price with this status; there is exactly one.
async fn price_record(facts: &OrderFacts, status: &str) -> Map<String, Value> {
    let customer = facts.order.owner.customer().expect("a customer").to_string();
    let records = eventually("the record", async || {
        let mut records = records_with("customer.id", &customer);
        records.retain(|record| record.get("order.price_status").is_some_and(|found| found == status));
        if records.is_empty() { Err("none yet") } else { Ok(records) }
    })
    .await;
    records.iter().for_each(testkit::records::assert_valid);
    let [record] = &records[..] else {
        panic!("one record, not {records:?}");
    };
    record.clone()
}

/// The cube of 1 cm as an OBJ file whose faces have four corners, and count vertices from the last one.
fn quads_counted_backwards() -> Vec<u8> {
    let corners = (0..8).map(|corner| [corner & 1, corner >> 1 & 1, corner >> 2 & 1].map(|bit| bit * 10));
    let vertices = corners.map(|[x, y, z]| format!("v {x} {y} {z}\n"));
    let quads = [[0, 2, 3, 1], [4, 5, 7, 6], [0, 1, 5, 4], [2, 6, 7, 3], [0, 4, 6, 2], [1, 3, 7, 5]];
    let faces = quads.map(|quad| {
        let [a, b, c, d] = quad.map(|corner| corner - 8);
        format!("f {a} {b} {c} {d}\n")
    });
    vertices.chain(faces).collect::<String>().into_bytes()
}

/// The cube of 1 cm as a 3MF file in inches, whose component makes it as large as it is.
fn inches_with_a_component() -> Vec<u8> {
    let (mesh, scale) = (solids::cube(1.0).to_3mf_mesh(), 10.0 / 25.4);
    let resources = format!(
        "<object id=\"1\" type=\"model\">{mesh}</object><object id=\"2\" type=\"model\"><components>\
         <component objectid=\"1\" transform=\"{scale} 0 0 0 {scale} 0 0 0 {scale} 3 4 5\"/></components></object>"
    );
    solids::model_3mf("inch", &resources, "<item objectid=\"2\"/>")
}

#[tokio::test]
async fn a_solid_costs_the_same_in_every_format() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    // One that a program wrote which begins binary files with «solid» as well.
    let mut misleading = cube();
    misleading[..5].copy_from_slice(b"solid");
    let windows = String::from_utf8(solids::cube(10.0).to_ascii_stl()).unwrap().replace('\n', "\r\n");
    let files = [
        (ModelFormat::Stl, cube()),
        (ModelFormat::Stl, misleading),
        (ModelFormat::Stl, solids::cube(10.0).to_ascii_stl()),
        (ModelFormat::Stl, windows.into_bytes()),
        (ModelFormat::Obj, solids::cube(10.0).to_file(Format::Obj)),
        (ModelFormat::ThreeMf, solids::cube(10.0).to_file(Format::ThreeMf)),
        (ModelFormat::Obj, quads_counted_backwards()),
        (ModelFormat::ThreeMf, inches_with_a_component()),
        // Inside out is as much metal.
        (ModelFormat::Obj, solids::cube(10.0).inside_out().to_file(Format::Obj)),
    ];
    for (format, file) in files {
        let facts = submitted(&mes, &file, format);
        receive(&mes, &facts).await;
        let order = priced(&operator, &facts.order.id).await;
        assert_eq!(order["price"], json!({"amount_minor": 13_680, "currency": "EUR"}), "{order}");
        let record = price_record(&facts, "CALCULATED").await;
        assert_eq!(record["model.triangles"], 12);
        assert!(record["event.duration"].as_u64().unwrap() > 0);
    }
}

#[tokio::test]
async fn what_was_mended_in_a_model_is_in_the_record_and_no_error() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let mut turned = solids::cube(10.0);
    turned.triangles[0].reverse();
    let mut overlapping = solids::cube(10.0);
    let second = solids::cube(10.0).map(|[x, y, z]| [x + 5.0, y + 1.0, z + 2.0]);
    overlapping.vertices.extend(second.vertices);
    overlapping.triangles.extend(second.triangles.iter().map(|triangle| triangle.map(|corner| corner + 8)));
    let files = [(cube(), Value::Null, Value::Null), (turned.to_binary_stl(), json!(["reoriented"]), Value::Null)];
    for (file, mended, overlaps) in files.into_iter().chain([(overlapping.to_binary_stl(), Value::Null, json!(2))]) {
        let facts = submitted(&mes, &file, ModelFormat::Stl);
        receive(&mes, &facts).await;
        let order = priced(&operator, &facts.order.id).await;
        assert_eq!(order["status"], "PRICE_CALCULATED");
        let warnings: Vec<_> = overlaps.as_u64().iter().map(|_| json!("overlapping_bodies")).collect();
        let shown: Vec<_> = order["model"]["warnings"].as_array().unwrap().iter().map(|w| w["code"].clone()).collect();
        assert_eq!(shown, warnings);
        let record = price_record(&facts, "CALCULATED").await;
        assert_eq!(record.get("model.mended").unwrap_or(&Value::Null), &mended, "{record:?}");
        assert_eq!(record.get("model.overlapping_bodies").unwrap_or(&Value::Null), &overlaps, "{record:?}");
    }
}

#[tokio::test]
async fn the_order_shows_what_was_measured_in_the_unit_that_the_file_is_drawn_in() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let box_in_inches = || solids::cube(1.0).map(|[x, y, z]| [x, 2.0 * y, z]);
    for (format, unit, file) in [
        (ModelFormat::Stl, Some(ModelUnit::Inch), box_in_inches().to_binary_stl()),
        (
            ModelFormat::ThreeMf,
            None,
            solids::model_3mf(
                "inch",
                &format!("<object id=\"1\">{}</object>", box_in_inches().to_3mf_mesh()),
                "<item objectid=\"1\"/>",
            ),
        ),
    ] {
        let mut facts = submitted(&mes, &file, format);
        facts.order.model.as_mut().expect("a model").unit = unit;
        receive(&mes, &facts).await;
        let order = priced(&operator, &facts.order.id).await;
        let volume = 2.0 * 25.4_f64.powi(3);
        let model = &order["model"];
        assert_eq!((&model["unit"], &model["warnings"]), (&json!("in"), &json!([])), "{order}");
        let measured = &model["measured"];
        assert_eq!((&measured["triangles"], &measured["bodies"]), (&json!(12), &json!(1)), "{order}");
        assert_eq!(measured["size_mm"], json!([25.4, 50.8, 25.4]), "{order}");
        assert!((measured["volume_mm3"].as_f64().unwrap() - volume).abs() < 1e-3, "{order}");
        assert!((measured["weight_g"].as_f64().unwrap() - volume / 1_000.0 * 10.36).abs() < 1e-3, "{order}");
        let record = price_record(&facts, "CALCULATED").await;
        assert_eq!(record["model.unit"], "in");
        let (_, priced) = sent(&mes, facts.order.id.as_str()).await.remove(0);
        assert_eq!(json!(priced.order.model), *model);
    }
}

#[tokio::test]
async fn the_sizes_that_a_model_may_have_are_settings() {
    let mes = start(&[&PRICES[..], &["--model-smallest-mm", "30", "--model-largest-mm", "40"]].concat()).await;
    let operator = mes.operator().await;
    for (edge, status) in [(29.0, "FAILED"), (30.0, "CALCULATED"), (40.0, "CALCULATED"), (41.0, "FAILED")] {
        let facts = submitted(&mes, &solids::cube(edge).to_binary_stl(), ModelFormat::Stl);
        receive(&mes, &facts).await;
        assert_eq!(priced(&operator, &facts.order.id).await["price_status"], status, "{edge}");
    }
}

#[tokio::test]
async fn a_model_that_is_not_closed_fails_with_a_reason_until_it_is_mended() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &open_cube(), ModelFormat::Stl);
    receive(&mes, &facts).await;
    let order = priced(&operator, &facts.order.id).await;
    assert_eq!(order["price_status"], "FAILED");
    assert_eq!(order["status"], "SUBMITTED");
    assert_eq!(order["price"], Value::Null);
    assert_eq!(order["price_failure"]["code"], "not_closed");
    let reason = order["price_failure"]["detail"].as_str().unwrap();
    assert!(reason.starts_with("The model is not a closed surface: it has a hole at ("), "{reason}");
    assert!(reason.contains("3 edges"), "{reason}");

    let record = price_record(&facts, "FAILED").await;
    assert_eq!(record["level"], 50);
    assert_eq!(record["error.type"], "model_not_closed");
    assert_eq!(record["order.price_status_from"], "CALCULATING");
    let sent_failure = sent(&mes, facts.order.id.as_str()).await.remove(0);
    assert_eq!(sent_failure.0, "order.price_failed");
    let failure = sent_failure.1.price_failure.expect("a reason");
    assert_eq!((failure.code.as_str(), failure.detail.as_str()), ("not_closed", reason));
    let in_russian = operator.get_in("ru", &format!("/orders/{}", facts.order.id)).await;
    assert_eq!(in_russian.expect(200)["price_failure"]["detail"].as_str(), failure.detail_ru.as_deref());

    store(&mes, &facts.model_key, &cube());
    let path = format!("/orders/{}/price", facts.order.id);
    let asked = operator.post(&path).await;
    let in_log = summary(&testkit::records::records_of(&asked));
    assert_eq!(in_log, ["order.price_status_changed FAILED QUEUED", "http.request"]);
    let asked = asked.expect(202);
    assert_eq!(asked["price_status"], "QUEUED");
    assert_eq!(asked["price_failure"], Value::Null);
    let order = priced(&operator, &facts.order.id).await;
    assert_eq!(order["price"]["amount_minor"], 13_680);
    assert_eq!(order["price_failure"], Value::Null);
    operator.post(&path).await.expect_problem(409, "price_not_failed");
    assert_eq!(sent(&mes, facts.order.id.as_str()).await.last().unwrap().1.price_failure, None);
}

#[tokio::test]
async fn what_cannot_be_priced_says_why() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let giant = solids::cube(1_001.0).to_binary_stl();
    let ring_in_metres = solids::cube(0.029).to_binary_stl();
    let dear = solids::cube(999.0).to_binary_stl();
    let broken = cube()[..300].to_vec();
    for (file, class, words) in [
        (giant, "model_too_large", "The model is 1001 mm wide"),
        (ring_in_metres, "model_too_large", "The model is 0.029 mm wide; was it drawn in metres?"),
        (dear, "model_too_large", "too large for an automatic price"),
        (broken, "model_unreadable", "can't be read"),
    ] {
        let facts = submitted(&mes, &file, ModelFormat::Stl);
        receive(&mes, &facts).await;
        let order = priced(&operator, &facts.order.id).await;
        assert_eq!(order["price_status"], "FAILED");
        assert!(order["price_failure"]["detail"].as_str().unwrap().contains(words), "{order}");
        assert_eq!(price_record(&facts, "FAILED").await["error.type"], class);
    }
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    std::fs::remove_file(mes.models().join(&facts.model_key)).unwrap();
    receive(&mes, &facts).await;
    let order = priced(&operator, &facts.order.id).await;
    assert!(order["price_failure"]["detail"].as_str().unwrap().contains("on our side"), "{order}");
    assert_eq!(price_record(&facts, "FAILED").await["error.type"], "model_missing");
}

#[tokio::test]
async fn asking_for_a_price_that_is_queued_is_a_conflict() {
    let mes = start(&NO_PRICES).await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    receive(&mes, &facts).await;
    let path = format!("/orders/{}/price", facts.order.id);
    mes.operator().await.post(&path).await.expect_problem(409, "price_not_failed");
}

/// A message whose job a worker took that died right afterwards; its lease runs for so many seconds yet.
async fn tell_and_die(mes: &RunningService, facts: &OrderFacts, attempts: i32, lease: f64) {
    let mut unit = begin(mes).await;
    apply(&mut unit, facts).await.unwrap();
    sqlx::query(
        "UPDATE price_jobs SET lease = gen_random_uuid(), attempts = $1, available_at = now() + make_interval(secs => $2)",
    )
    .bind(attempts)
    .bind(lease)
    .execute(unit.connection())
    .await
    .unwrap();
    sqlx::query("UPDATE orders SET price_status = 'CALCULATING'").execute(unit.connection()).await.unwrap();
    unit.commit().await.unwrap();
}

#[tokio::test]
async fn the_job_of_a_dead_worker_is_taken_over_when_its_lease_runs_out() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    let died = std::time::Instant::now();
    tell_and_die(&mes, &facts, 1, 1.5).await;
    let order = priced(&operator, &facts.order.id).await;
    assert!(died.elapsed() >= std::time::Duration::from_millis(1_500), "the lease still ran");
    assert_eq!(order["price"]["amount_minor"], 13_680);
    assert_eq!(statuses(&order).len(), 4);
    assert_eq!(count(&mes, "SELECT count(*) FROM price_jobs").await, 0);
    assert_eq!(count(&mes, "SELECT count(*) FROM outbox").await, 1);
}

#[tokio::test]
async fn a_job_that_workers_die_of_ends_as_failed() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    tell_and_die(&mes, &facts, 5, 0.0).await;
    let order = priced(&operator, &facts.order.id).await;
    assert_eq!(order["price_status"], "FAILED");
    assert_eq!(price_record(&facts, "FAILED").await["error.type"], "timeout");
    // Asked for again, it gets all its attempts anew.
    operator.post(&format!("/orders/{}/price", facts.order.id)).await.expect(202);
    assert_eq!(priced(&operator, &facts.order.id).await["price_status"], "CALCULATED");
}

/// A link that leads to itself where the model should be: the store is there, and fails.
fn break_model(mes: &RunningService, facts: &OrderFacts) {
    let path = mes.models().join(&facts.model_key);
    std::fs::remove_file(&path).unwrap();
    std::os::unix::fs::symlink(&path, &path).unwrap();
}

async fn calculating(operator: &Client, facts: &OrderFacts) {
    eventually("a worker to begin", async || {
        let order = operator.get(&format!("/orders/{}", facts.order.id)).await.expect(200);
        match order["price_status"].as_str() {
            Some("CALCULATING") => Ok(()),
            status => Err(format!("{status:?}")),
        }
    })
    .await;
}

fn mend_model(path: &Path) {
    std::fs::remove_file(path).unwrap();
    std::fs::write(path, cube()).unwrap();
}

#[tokio::test]
async fn a_store_that_fails_for_a_moment_is_waited_for() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    break_model(&mes, &facts);
    receive(&mes, &facts).await;
    calculating(&operator, &facts).await;
    mend_model(&mes.models().join(&facts.model_key));
    assert_eq!(priced(&operator, &facts.order.id).await["price_status"], "CALCULATED");
}

#[tokio::test]
async fn a_store_that_keeps_failing_is_an_error_of_ours() {
    let mes = start(&PRICES).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    break_model(&mes, &facts);
    receive(&mes, &facts).await;
    let order = priced(&operator, &facts.order.id).await;
    assert_eq!(order["price_status"], "FAILED");
    assert!(order["price_failure"]["detail"].as_str().unwrap().contains("on our side"), "{order}");
    assert_eq!(price_record(&facts, "FAILED").await["error.type"], "model_store_unavailable");
}

#[tokio::test]
async fn a_worker_that_lost_its_lease_has_no_say_any_more() {
    let mes = start(&["--price-workers", "1", "--price-poll-ms", "20"]).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    // The worker tries for some seconds, and would end with FAILED.
    break_model(&mes, &facts);
    receive(&mes, &facts).await;
    calculating(&operator, &facts).await;
    sqlx::query("UPDATE price_jobs SET lease = gen_random_uuid(), available_at = now() + interval '1 hour'")
        .execute(mes.tables())
        .await
        .unwrap();

    // The only worker comes to the next order only after it is done with the first.
    let next = submitted(&mes, &cube(), ModelFormat::Stl);
    receive(&mes, &next).await;
    assert_eq!(priced(&operator, &next.order.id).await["price_status"], "CALCULATED");
    let order = operator.get(&format!("/orders/{}", facts.order.id)).await.expect(200);
    assert_eq!(order["price_status"], "CALCULATING");
    assert_eq!(count(&mes, "SELECT count(*) FROM price_jobs").await, 1);
    assert!(sent(&mes, facts.order.id.as_str()).await.is_empty());
}

#[tokio::test]
async fn a_lease_is_extended_while_the_work_goes_on() {
    // The store is tried for more than four seconds, the lease is one.
    let mes = start(&["--price-workers", "2", "--price-poll-ms", "20", "--price-lease-seconds", "1"]).await;
    let operator = mes.operator().await;
    let facts = submitted(&mes, &cube(), ModelFormat::Stl);
    break_model(&mes, &facts);
    receive(&mes, &facts).await;
    calculating(&operator, &facts).await;
    let attempts = eventually("the end", async || {
        let attempts = count(&mes, "SELECT coalesce(max(attempts), 0)::bigint FROM price_jobs").await;
        if attempts == 0 {
            return Ok(attempts);
        }
        assert_eq!(attempts, 1, "another worker took the job");
        Err("it is still being calculated")
    })
    .await;
    assert_eq!(attempts, 0);
    assert_eq!(priced(&operator, &facts.order.id).await["price_status"], "FAILED");
}
