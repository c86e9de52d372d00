//! Uploading 3D models.

use futures::{future::join_all, stream};
use reqwest::{Body, Method, Url};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use shop_api::ShopApi;
use testkit::{
    Client, Response, eventually,
    records::{records_of, records_with},
    service::{self, PASSWORD},
    solids,
};
use tokio::{io::AsyncWriteExt as _, net::TcpStream};
use uuid::Uuid;

use crate::{create_order, create_order_with_model, cube, get_order, set_status, shop, statuses, upload};

fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The path of an order's model with any file name.
fn path(id: &str, filename: &str) -> String {
    let url = Url::parse_with_params("http://shop/", [("filename", filename)]).expect("a URL");
    format!("/orders/{id}/model?{}", url.query().expect("a query"))
}

/// A body without a declared length.
fn chunked(chunks: &[&[u8]]) -> Body {
    let chunks: Vec<_> = chunks.iter().map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
    Body::wrap_stream(stream::iter(chunks))
}

async fn is_untouched(customer: &Client, id: &str) -> bool {
    let order = get_order(customer, id).await;
    order["status"] == "INITIATED" && order["model"].is_null() && statuses(&order) == ["INITIATED"]
}

#[tokio::test]
async fn a_model_can_have_any_of_the_formats() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let torus = solids::torus(9.0, 1.5, 24);
    for (filename, format, file) in [
        ("ring.stl", "stl", torus.to_binary_stl()),
        ("ring-ascii.STL", "stl", torus.to_ascii_stl()),
        ("ring.v2.obj", "obj", torus.to_obj()),
        ("ring.3mf", "3mf", torus.to_3mf()),
    ] {
        let id = create_order(&ada).await;
        let order = ada.put_bytes(&path(&id, filename), file.clone()).await.expect(200);
        assert_eq!(order["status"], "FILE_UPLOADED");
        let unit = if format == "3mf" { Value::Null } else { json!("mm") };
        let described = json!({
            "filename": filename, "format": format, "bytes": file.len(), "sha256": sha256(&file), "unit": unit,
            "measured": null, "warnings": [],
        });
        assert_eq!(order["model"], described);
        let found = get_order(&ada, &id).await;
        assert_eq!(found["model"], described);
        assert_eq!(statuses(&found), ["INITIATED", "FILE_UPLOADED"]);
        let stored = shop.stored_models();
        let is_there = |bytes: Vec<u8>| bytes == file;
        assert!(stored.iter().any(|path| std::fs::read(path).is_ok_and(is_there)), "{filename} is not in the store");
    }
    assert_eq!(shop.stored_models().len(), 4);
}

#[tokio::test]
async fn the_unit_of_a_model_is_kept_and_a_3mf_file_has_its_own() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let in_inches = solids::model_3mf(
        "inch",
        &format!("<object id=\"1\">{}</object>", solids::cube(1.0).to_3mf_mesh()),
        "<item objectid=\"1\"/>",
    );
    let id = create_order(&ada).await;
    let path = |filename, unit: &str| format!("{}&unit={unit}", path(&id, filename));
    for unit in ["mm", "cm", "m", "in", "ft"] {
        for (filename, file) in [("ring.stl", cube()), ("ring.obj", solids::cube(10.0).to_obj())] {
            let uploaded = ada.put_bytes(&path(filename, unit), file).await;
            let event =
                records_of(&uploaded).into_iter().find(|record| record["event.action"] == "order.model_uploaded");
            assert_eq!(event.expect("an event")["model.unit"], unit);
            assert_eq!(uploaded.expect(200)["model"]["unit"], unit);
            assert_eq!(get_order(&ada, &id).await["model"]["unit"], unit);
        }
    }
    let before = get_order(&ada, &id).await["model"].clone();
    for wrong in ["micron", "MM", "inch", ""] {
        ada.put_bytes(&path("ring.stl", wrong), cube()).await.expect_problem(400, "invalid_query");
    }
    for other in ["mm", "ft"] {
        ada.put_bytes(&path("ring.3mf", other), in_inches.clone()).await.expect_problem(422, "invalid_request");
    }
    assert_eq!(get_order(&ada, &id).await["model"], before);
    assert_eq!(shop.stored_models().len(), 1, "a refused model stays");
    let order = ada.put_bytes(&path("ring.3mf", "in"), in_inches).await.expect(200);
    assert_eq!(order["model"]["unit"], "in");
    // What can't be read contradicts nothing; its price says why it can't.
    let broken = ada.put_bytes(&path("ring.3mf", "cm"), b"PK\x03\x04 and no archive".to_vec()).await.expect(200);
    assert_eq!(broken["model"]["unit"], "cm");
}

#[tokio::test]
async fn another_upload_replaces_the_model_and_is_no_status_change() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    let before = get_order(&ada, &id).await;
    let sphere = solids::sphere(5.0, 16).to_obj();
    let order = ada.put_bytes(&path(&id, "sphere.obj"), sphere.clone()).await.expect(200);
    assert_eq!(order["status"], "FILE_UPLOADED");
    assert_eq!(order["model"]["sha256"], sha256(&sphere));
    let after = get_order(&ada, &id).await;
    assert_eq!(after["history"], before["history"]);
    assert_eq!(after["model"], order["model"]);

    let stored = shop.stored_models();
    assert_eq!(stored.len(), 1, "the old file stays: {stored:?}");
    assert_eq!(std::fs::read(&stored[0]).expect("a file"), sphere);
}

#[tokio::test(flavor = "multi_thread")]
async fn of_several_uploads_at_once_one_model_stays_and_it_is_the_orders() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let files: Vec<_> = (1..=8).map(|edge| solids::cube(f64::from(edge)).to_binary_stl()).collect();
    let path = path(&id, "ring.stl");
    for response in join_all(files.iter().map(|file| ada.put_bytes(&path, file.clone()))).await {
        response.expect(200);
    }
    let order = get_order(&ada, &id).await;
    assert_eq!(statuses(&order), ["INITIATED", "FILE_UPLOADED"]);
    let stored = shop.stored_models();
    assert_eq!(stored.len(), 1, "{stored:?}");
    assert_eq!(order["model"]["sha256"], sha256(&std::fs::read(&stored[0]).expect("a file")));
}

#[tokio::test]
async fn a_submitted_orders_model_can_not_be_replaced() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order_with_model(&ada).await;
    set_status(&ada, &id, "SUBMITTED").await.expect(200);
    let before = get_order(&ada, &id).await;
    upload(&ada, &id).await.expect_problem(409, "status_undone");
    assert_eq!(get_order(&ada, &id).await, before);
    assert_eq!(shop.stored_models().len(), 1);
}

#[tokio::test]
async fn a_model_may_be_as_large_as_the_limit_and_no_larger() {
    let file = cube();
    let limit = file.len().to_string();
    let shop = service::start::<ShopApi>(&["--upload-limit-bytes", &limit]).await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let mut larger = file.clone();
    larger.push(0);

    ada.put_bytes(&path(&id, "ring.stl"), larger.clone()).await.expect_problem(413, "model_too_large");
    let (head, tail) = larger.split_at(100);
    let chunks = chunked(&[head, tail]);
    ada.put_bytes(&path(&id, "ring.stl"), chunks).await.expect_problem(413, "model_too_large");
    assert!(is_untouched(&ada, &id).await);
    assert_eq!(shop.stored_models().len(), 0);

    ada.put_bytes(&path(&id, "ring.stl"), file.clone()).await.expect(200);
    let (head, tail) = file.split_at(100);
    let chunks = chunked(&[head, tail]);
    let order = ada.put_bytes(&path(&id, "ring.stl"), chunks).await.expect(200);
    assert_eq!(order["model"]["sha256"], sha256(&file));
}

#[tokio::test]
async fn a_model_is_larger_than_other_bodies_may_be() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let file = solids::sphere(5.0, 150).to_binary_stl();
    assert!(file.len() > 1_000_000);
    let order = ada.put_bytes(&path(&id, "ring.stl"), file.clone()).await.expect(200);
    assert_eq!(order["model"]["bytes"], file.len());
}

#[tokio::test]
async fn a_format_that_we_do_not_know_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for filename in ["ring.step", "ring", "stl", "ring.stl.exe", "ring.", "ring stl"] {
        ada.put_bytes(&path(&id, filename), cube()).await.expect_problem(415, "unsupported_model");
    }
    assert!(is_untouched(&ada, &id).await);
}

#[tokio::test]
async fn content_that_contradicts_the_name_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let solid = solids::cube(10.0);
    let picture = [&b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"[..], &[0; 200]].concat();
    for (filename, content) in [
        ("ring.stl", solid.to_3mf()),
        ("ring.stl", solid.to_obj()),
        ("ring.stl", picture.clone()),
        ("ring.stl", b"<!DOCTYPE html><html></html>".to_vec()),
        ("ring.obj", solid.to_binary_stl()),
        ("ring.obj", picture.clone()),
        ("ring.3mf", solid.to_binary_stl()),
        ("ring.3mf", picture),
    ] {
        ada.put_bytes(&path(&id, filename), content).await.expect_problem(415, "unsupported_model");
    }
    assert!(is_untouched(&ada, &id).await);
    assert_eq!(shop.stored_models().len(), 0);
}

#[tokio::test]
async fn an_empty_file_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for filename in ["ring.stl", "ring.obj", "ring.3mf"] {
        ada.put_bytes(&path(&id, filename), Vec::new()).await.expect_problem(422, "invalid_request");
        ada.put_bytes(&path(&id, filename), chunked(&[])).await.expect_problem(422, "invalid_request");
    }
    assert!(is_untouched(&ada, &id).await);
    assert_eq!(shop.stored_models().len(), 0);
}

#[tokio::test]
async fn a_file_needs_a_name_that_can_be_shown() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    for filename in ["", "ring\n.stl", "ring\0.stl", "\u{7f}.stl", &format!("{}.stl", "r".repeat(252))] {
        ada.put_bytes(&path(&id, filename), cube()).await.expect_problem(422, "invalid_request");
    }
    ada.put_bytes(&format!("/orders/{id}/model"), cube()).await.expect_problem(400, "invalid_query");
    assert!(is_untouched(&ada, &id).await);
}

#[tokio::test]
async fn a_file_name_is_shown_as_it_is_and_never_becomes_a_path() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let longest = format!("{}.stl", "r".repeat(251));
    let names = [
        "../../../escaped.stl",
        "/tmp/escaped.stl",
        "..\\escaped.stl",
        "a \"quoted\" & 'escaped' ring;.stl",
        "кольцо 💍.stl",
        "%2e%2e%2fescaped.stl",
        "%00.stl",
        ".stl",
        &longest,
    ];
    for filename in names {
        let id = create_order(&ada).await;
        ada.put_bytes(&path(&id, filename), cube()).await.expect(200);
        assert_eq!(get_order(&ada, &id).await["model"]["filename"], filename);
    }
    let stored = shop.stored_models();
    assert_eq!(stored.len(), names.len());
    for path in stored {
        let name = path.file_name().and_then(|name| name.to_str()).expect("a name");
        assert!(name.strip_suffix(".stl").is_some_and(|id| id.parse::<Uuid>().is_ok()), "{}", path.display());
    }
}

/// Begins an upload and hangs up in the middle of it. `promise` is the header that says what is to come.
async fn break_off(customer: &Client, id: &str, number: &str, promise: &str, first_bytes: &[u8]) {
    let url = customer.request(Method::GET, "/").build().expect("a request").url().clone();
    let mut connection = TcpStream::connect(&*url.socket_addrs(|| None).expect("an address")).await.expect("the shop");
    let (path, token) = (path(id, "ring.stl"), customer.token());
    let head =
        format!("PUT {path} HTTP/1.1\r\nHost: shop\r\nAuthorization: Bearer {token}\r\nX-Request-Id: {number}\r\n");
    let head = format!("{head}{promise}\r\n\r\n");
    connection.write_all(&[head.as_bytes(), first_bytes].concat()).await.expect("it is sent");
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_neither_a_file_nor_a_status() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let id = create_order(&ada).await;
    let file = cube();
    let chunk = [b"c8\r\n", &file[..200], b"\r\n"].concat();
    let promised = format!("Content-Length: {}", file.len());
    for (promise, first_bytes) in [(promised.as_str(), &file[..200]), ("Transfer-Encoding: chunked", &chunk)] {
        let number = Uuid::now_v7().to_string();
        break_off(&ada, &id, &number, promise, first_bytes).await;
        let record = eventually("the request's record", async || {
            records_with("http.request.id", &number).pop().ok_or("there is none")
        })
        .await;
        assert_eq!((&record["event.action"], &record["level"]), (&json!("http.request"), &json!(30)));
        assert!(is_untouched(&ada, &id).await);
        assert_eq!(shop.stored_models().len(), 0);
    }
    upload(&ada, &id).await.expect(200);
}

#[tokio::test]
async fn the_content_type_of_a_model_does_not_matter() {
    let shop = shop().await;
    let ada = shop.anonymous().register("ada", PASSWORD).await;
    let id = create_order(&ada).await;
    for content_type in ["model/stl", "application/json", "text/plain"] {
        let request =
            ada.request(Method::PUT, &path(&id, "ring.stl")).header("Content-Type", content_type).body(cube());
        Response::to(request).await.expect(200);
    }
    Response::to(ada.request(Method::PUT, &path(&id, "ring.stl")).body(cube())).await.expect(200);
}
