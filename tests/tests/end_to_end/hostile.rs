//! What people type, and what attackers send: none of it gets into a log, and none of it makes a record more or less.

use std::{collections::BTreeMap, fs, path::PathBuf};

use common::domain::OrderStatus::{Closed, PriceCalculated, Shipped, Submitted};
use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use reqwest::{Method, RequestBuilder, header::HeaderValue};
use serde_json::json;
use testkit::{Client, Response};

use crate::{
    shipping::shipped,
    support::{
        log::{self, text},
        process::Process,
        secrets,
        site::{OrderActions as _, number, partner_form, ring},
        system,
    },
};

/// Everything that any part of the system has written for people to read: logs, error output, what the runner said.
async fn whole_output() -> BTreeMap<PathBuf, String> {
    let system = system::system().await;
    let logs = fs::read_dir(&system.file().logs).expect("the folder of logs").map(|item| item.expect("an item").path());
    let runner = system.data().with_extension("runner.txt");
    let read = |path: PathBuf| {
        let bytes = fs::read(&path).expect("a log can be read");
        (path, String::from_utf8_lossy(&bytes).into_owned())
    };
    logs.filter(|path| path.is_file()).chain([runner]).map(read).collect()
}

#[tokio::test]
async fn nothing_secret_of_an_orders_whole_life_is_in_any_parts_log() {
    let site = system::site().await;
    let (login, password) = (secrets::new("customer"), secrets::new("password"));
    let ada = site.shop.register(&login, &password).await;
    secrets::keep(ada.token());
    // What the database refuses, it writes into its own log.
    let taken = json!({"login": login, "password": secrets::new("password")});
    site.shop.post_json("/customers", taken).await.expect_problem(409, "login_taken");
    let wrong = json!({"login": login, "password": secrets::new("wrong")});
    site.shop.post_json("/sessions", wrong).await.expect_problem(401, "wrong_credentials");

    let filename = format!("{}.stl", secrets::new("file"));
    let order = ada.create().await;
    ada.upload(&order, &filename, ring()).await;
    ada.advance(&order, Submitted).await;
    ada.wait_for(&order, PriceCalculated).await;
    site.make_and_ship(&order).await;
    let seller = site.seller().await;
    seller.wait_for(&order, Shipped).await;
    seller.get(&format!("/orders/{order}/model")).await;
    site.carrier().post_json("/deliveries", json!({"order_id": order})).await.expect(200);
    ada.wait_for(&order, Closed).await;
    let of_partner = number(&site.partner().post_form("/partner/orders", partner_form(ring())).await.expect(202));
    seller.wait_for(&of_partner, PriceCalculated).await;
    ada.delete("/sessions/current").await.expect(204);

    let output = whole_output().await;
    let of = |name: &str| {
        let found = output.iter().find(|(path, _)| path.ends_with(name));
        found.unwrap_or_else(|| panic!("no {name} among {:?}", output.keys())).1
    };
    // They do write, so that it means something if nothing is found.
    assert!(of("shop-api.log").contains(&order) && of("mes-api.log").contains(&order));
    assert!(of("postgres.txt").contains("accounts_login_is_unique"), "PostgreSQL doesn't log what it refuses");
    assert!(of("rabbitmq.txt").contains("accepting AMQP connection"), "RabbitMQ doesn't log who comes");
    let secrets = secrets::finder();
    for (path, text) in &output {
        let found = secrets.find(text).map(|found| &text[found.range()]);
        assert_eq!(found, None, "in {}", path.display());
    }
}

/// Texts that would end a line, a string or a record, colour a terminal, or fill a disk.
fn texts() -> Vec<Vec<u8>> {
    let forged = br#"","level":50,"msg":"forged"}"#;
    let record = br#"{"v":0,"name":"shop-api","msg":"forged","level":50,"time":"2026-01-02T03:04:05Z","pid":1}"#;
    let mut texts: Vec<Vec<u8>> = [
        b"line\nbreak",
        &b"\r\n\r\n"[..],
        b"\"",
        b"\\",
        b"\x1b[31mred\x1b[0m\x07",
        b"nul\0nul",
        b"\xff\xfe\xc3\x28",
        "\u{2028}\u{202e}\u{feff}".as_bytes(),
        b"${jndi:ldap://localhost/a} %n%s {{7*7}}",
        forged,
        record,
    ]
    .map(<[u8]>::to_vec)
    .into();
    texts.push([&b"\n"[..], record, b"\n"].concat());
    texts.push(vec![b'x'; 1 << 20]);
    texts
}

/// Requests with a text wherever a text can be.
fn requests(ada: &Client, order: &str, text: &[u8]) -> Vec<RequestBuilder> {
    let lossy = String::from_utf8_lossy(text);
    // No longer than a request's head may be.
    let short = &text[..text.len().min(8000)];
    let encoded = percent_encode(short, NON_ALPHANUMERIC);
    let json = |path: &str, body: serde_json::Value| ada.request(Method::POST, path).json(&body);
    let raw = ada.request(Method::POST, "/orders").header("Content-Type", "application/json").body(text.to_vec());
    let model = format!("/orders/{order}/model?filename={encoded}.stl");
    let mut requests = vec![
        json("/sessions", json!({"login": lossy, "password": lossy})),
        json("/orders", json!({"material": "gold_585", "quantity": 1, "comment": lossy})),
        json("/orders", json!({"material": lossy, "quantity": 1})),
        json(&format!("/orders/{order}/status"), json!({"status": lossy})),
        raw,
        ada.request(Method::PUT, &model).body(ring()),
        ada.request(Method::PUT, &format!("/orders/{order}/model?filename=ring.stl")).body(text.to_vec()),
        ada.request(Method::GET, &format!("/{encoded}")),
        ada.request(Method::GET, &format!("/orders/{encoded}")),
        ada.request(Method::GET, &format!("/orders?after={encoded}")),
    ];
    if let Ok(value) = HeaderValue::from_bytes(short) {
        for name in ["X-Request-Id", "User-Agent", "traceparent", "X-Api-Key", "Idempotency-Key", "X-Forwarded-For"] {
            let order = json!({"material": "gold_585", "quantity": 1});
            requests.push(ada.request(Method::POST, "/orders").header(name, value.clone()).json(&order));
        }
    }
    requests
}

/// What the service has to write about a response.
fn expected(method: &Method, path: &str, status: u16) -> Vec<&'static str> {
    let own = match (method, status) {
        (&Method::POST, 201) => Some("order.created"),
        (&Method::PUT, 200) => Some("order.model_uploaded"),
        (&Method::POST, 401) if path == "/sessions" => Some("auth.login_failed"),
        _ => None,
    };
    own.into_iter().chain(["http.request"]).collect()
}

#[tokio::test]
async fn no_input_forges_splits_or_loses_a_record() {
    // The shared system's folder belongs to its own user.
    let models = format!("file://{}", system::system().await.data().join("models-hostile").display());
    let shop = Process::start(system::file().await, "shop-api", &[("MODEL_STORE_URL", models)]).await;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    let mut count = |action: &'static str| *counts.entry(action).or_default() += 1;
    // Registered elsewhere, so that all records here are counted.
    let ada = shop.client().holding(system::site().await.customer().await.token(), None);
    let order = ada.create().await;
    ada.upload(&order, "ring.stl", ring()).await;
    let uploaded = ["order.created", "http.request", "order.model_uploaded", "order.status_changed", "http.request"];
    uploaded.into_iter().for_each(&mut count);
    let (mut sent, mut unknown_orders) = (0, 0);
    for text in texts() {
        for request in requests(&ada, &order, &text) {
            let built = request.try_clone().and_then(|request| request.build().ok()).expect("a request");
            let (method, path) = (built.method().clone(), built.url().path().to_owned());
            let response = Response::to(request).await;
            assert!(response.status < 500, "{method} {path}: {}", response.json);
            expected(&method, &path, response.status).into_iter().for_each(&mut count);
            if response.json["code"] == "order_not_found" {
                unknown_orders += 1;
                // Ada goes through numbers that are none of hers.
                if unknown_orders >= 3 {
                    count("auth.orders_probed");
                }
            }
            sent += 1;
        }
    }
    assert!(sent > 150, "{sent} requests");
    count("service.lifecycle");

    // It also writes what commands have changed in the database that it shares with the system's own services.
    let pid = log::records(shop.log())[0]["pid"].clone();
    let own = |record: &log::Record| record["pid"] == pid;
    let mut found: BTreeMap<String, usize> = BTreeMap::new();
    for document in shipped(shop.log()).await.into_iter().filter(|document| own(&document.record)) {
        assert_eq!(catalogue::record::violations(&document.record), [""; 0], "{document:?}");
        assert!(!text(&document.record, "msg").contains("forged"), "{document:?}");
        *found.entry(text(&document.record, "event.action").to_owned()).or_default() += 1;
    }
    // As many as the test takes time.
    let heartbeats = found.remove("service.heartbeat").unwrap_or_default();
    let counts: BTreeMap<String, usize> = counts.into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(found, counts);
    assert!(heartbeats > 0, "the service says that it is there");
    let written = log::records(shop.log());
    let is_heartbeat = |record: &log::Record| text(record, "event.action") == "service.heartbeat";
    let counted = written.iter().filter(|record| own(record) && !is_heartbeat(record)).count();
    assert_eq!(counted, counts.values().sum::<usize>());
    println!("{sent} requests, {} records", counts.values().sum::<usize>());
}
