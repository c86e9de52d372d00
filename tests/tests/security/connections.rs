//! Clients that send slowly, read slowly, send too much, or are too many.

use std::time::Duration;

use crm_api::CrmApi;
use mes_api::MesApi;
use reqwest::Method;
use serde_json::{Value, json};
use shop_api::ShopApi;
use testkit::{
    Client, TcpProxy,
    contract::outages::HeldOrders,
    eventually, host_in,
    records::records_with,
    service::{self, RunningService},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
};
use uuid::Uuid;

use crate::{connect, head};

/// Short ones, so that no test waits.
const LIMITS: [&str; 6] = ["--header-seconds", "2", "--stalled-seconds", "1", "--body-seconds", "3"];

async fn shop() -> RunningService {
    service::start::<ShopApi>(&LIMITS).await
}

/// Everything until the service ends the connection.
async fn rest(connection: &mut TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    let read = tokio::time::timeout(Duration::from_secs(60), connection.read_to_end(&mut bytes)).await;
    // A reset is an end as well.
    let _ = read.expect("the service ends the connection");
    bytes
}

/// Sends bytes one by one, some time apart, until the service has answered or hung up; returns what it said.
async fn drip(mut connection: TcpStream, bytes: &[u8]) -> Vec<u8> {
    let (mut reader, mut writer) = connection.split();
    let mut said = Vec::new();
    let write = async {
        for byte in bytes.iter().cycle() {
            if writer.write_all(std::slice::from_ref(byte)).await.is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let read = tokio::time::timeout(Duration::from_secs(60), reader.read_to_end(&mut said));
    tokio::select! { () = write => {}, read = read => drop(read.expect("the service ends the connection")) }
    said
}

/// The status and problem in a response as it came over the wire.
fn parse_problem(response: &[u8]) -> (u16, Value) {
    let text = String::from_utf8_lossy(response);
    let (head, body) = text.split_once("\r\n\r\n").unwrap_or_else(|| panic!("no response: {text:?}"));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status");
    (status, serde_json::from_str(body).unwrap_or_default())
}

#[tokio::test]
async fn connections_without_a_whole_request_end_and_hold_nobody_up() {
    let shop = service::start::<ShopApi>(&[&LIMITS[..], &["--heartbeat-seconds", "1"]].concat()).await;
    let mut silent = Vec::new();
    for _ in 0..50 {
        silent.push(connect(shop.anonymous()).await);
    }
    let slow = connect(shop.anonymous()).await;
    let dripping = tokio::spawn(async move { drip(slow, b"GET /health/live HTTP/1.1\r\nX-Slow: ").await });
    shop.anonymous().get("/health/live").await.expect(200);
    for mut connection in silent {
        assert_eq!(rest(&mut connection).await, b"");
    }
    assert_eq!(dripping.await.expect("it ends"), b"");
    // Whichever service of this process takes the number says it once.
    eventually("heartbeats that say how many connections that were", async || {
        let beats = records_with("event.action", "service.heartbeat");
        let unfinished: u64 = beats.iter().filter_map(|beat| beat["connections.unfinished"].as_u64()).sum();
        if unfinished >= 51 { Ok(()) } else { Err(unfinished) }
    })
    .await;
}

#[tokio::test]
async fn too_many_connections_wait_until_others_end() {
    let shop = service::start::<ShopApi>(&[&LIMITS[..], &["--client-connections", "4"]].concat()).await;
    let mut crowd = Vec::new();
    for _ in 0..40 {
        crowd.push(connect(shop.anonymous()).await);
    }
    // Ten times over, the four places are given back after two seconds of silence.
    let mut late = connect(shop.anonymous()).await;
    late.write_all(b"GET /health/live HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await.expect("it is sent");
    let waited = tokio::time::timeout(Duration::from_millis(500), late.readable()).await;
    assert!(waited.is_err(), "it was answered before its turn");
    assert_eq!(parse_problem(&rest(&mut late).await).0, 200);
}

#[tokio::test]
async fn a_request_keeps_its_place_when_its_client_hangs_up() {
    let shop = service::start::<ShopApi>(&[&LIMITS[..], &["--client-connections", "2"]].concat()).await;
    let ada = shop.customer().await;
    let mut orders = HeldOrders::of(&shop).await;
    for requests in 1..=2 {
        let mut hasty = connect(&ada).await;
        hasty.write_all(head(&Method::GET, "/orders", &ada, "\r\n").as_bytes()).await.expect("it is sent");
        orders.keep_waiting(requests).await;
    }
    let mut late = connect(&ada).await;
    late.write_all(b"GET /health/live HTTP/1.1\r\nHost: shop\r\nConnection: close\r\n\r\n").await.expect("it is sent");
    let waited = tokio::time::timeout(Duration::from_millis(500), late.readable()).await;
    assert!(waited.is_err(), "it was served before its turn");
    orders.release().await;
    assert_eq!(parse_problem(&rest(&mut late).await).0, 200);
}

#[tokio::test]
async fn a_further_upload_waits_until_another_one_ends() {
    let shop = service::start::<ShopApi>(&["--uploads-at-once", "1"]).await;
    let (ada, first) = order(&shop).await;
    let second = ada.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    let second = format!("/orders/{}/model?filename=ring.obj", second["id"].as_str().expect("an id"));
    let model = b"v 0 0 0\nv 1 0 0\nv 0 1 0\nf 1 2 3\n";
    let first = format!("/orders/{first}/model?filename=ring.obj");
    let headers = format!("Content-Length: {}\r\n\r\n", model.len());
    let mut slow = connect(&ada).await;
    slow.write_all(head(&Method::PUT, &first, &ada, &headers).as_bytes()).await.expect("it is sent");
    slow.write_all(&model[..1]).await.expect("it is sent");
    eventually("the first upload to begin", async || {
        let partial = shop.stored_models();
        if partial.is_empty() { Err("no file") } else { Ok(()) }
    })
    .await;
    let mut upload = std::pin::pin!(ada.put_bytes(&second, model.to_vec()));
    let waited = tokio::time::timeout(Duration::from_millis(500), &mut upload).await;
    assert!(waited.is_err(), "it was received before its turn");
    slow.write_all(&model[1..]).await.expect("it is sent");
    upload.await.expect(200);
}

#[tokio::test]
async fn a_connection_to_the_database_that_has_gone_silent_is_replaced() {
    let shop = service::start::<ShopApi>(&[]).await;
    let line = TcpProxy::to(host_in(shop.database_url())).await;
    let url = line.instead_in(shop.database_url());
    let (_stop, replica) = shop.replica::<ShopApi>(&["--database-url", &url]).await;
    let ada = replica.holding(shop.customer().await.token(), None);
    ada.get("/orders").await.expect(200);
    // A connection that was in use a moment ago is trusted.
    tokio::time::sleep(Duration::from_millis(1100)).await;
    line.silence_open();
    ada.get("/orders").await.expect(200);
}

#[test]
fn more_connections_than_there_can_be_file_descriptors_are_refused_at_the_start() {
    let runtime = tokio::runtime::Runtime::new().expect("a runtime");
    let hard = std::fs::read_to_string("/proc/self/limits").expect("this process's limits");
    let files = hard.lines().find(|line| line.starts_with("Max open files")).expect("a line");
    let hard: u64 = files.split_whitespace().nth(4).and_then(|number| number.parse().ok()).expect("a number");
    let connections = (hard / 2 + 1).to_string();
    let settings = common::service::Settings::<ShopApi>::from_flags(["--client-connections", &connections]);
    let settings = settings.expect("a number");
    let build = common::service::Application::build(&settings);
    let error = runtime.block_on(build).err().expect("too many").to_string();
    assert!(error.contains("CLIENT_CONNECTIONS"), "{error}");
}

/// A customer with an order.
async fn order(shop: &RunningService) -> (Client, String) {
    let ada = shop.customer().await;
    let order = ada.post_json("/orders", json!({"material": "gold_585", "quantity": 1})).await.expect(201);
    (ada, order["id"].as_str().expect("a number").to_owned())
}

#[tokio::test]
async fn a_request_ends_where_its_framing_says_and_an_ambiguous_one_is_refused() {
    let shop = shop().await;
    let ada = shop.customer().await;
    let next = "GET /health/live HTTP/1.1\r\nHost: service\r\nConnection: close\r\n\r\n";
    let answers = async |headers: &str, body: &str| {
        let start = head(&Method::POST, "/sessions", &ada, "Content-Type: application/json\r\n");
        let mut connection = connect(&ada).await;
        let sent = format!("{start}{headers}\r\n{body}{next}");
        connection.write_all(sent.as_bytes()).await.expect("it is sent");
        let said = String::from_utf8_lossy(&rest(&mut connection).await).into_owned();
        // A body has no line's end, so a response may begin anywhere.
        let statuses = said.split("HTTP/1.1 ").filter_map(|response| response.split(' ').next()?.parse().ok());
        statuses.collect::<Vec<u16>>()
    };
    assert_eq!(answers("Content-Length: 2\r\n", "{}").await, [422, 200]);
    // By its length, the body would be no JSON. What follows may be anybody's, so the connection ends (RFC 9112, section 6.1).
    let both = "Content-Length: 40\r\nTransfer-Encoding: chunked\r\n";
    assert_eq!(answers(both, "2\r\n{}\r\n0\r\n\r\n").await, [422]);
    for ambiguous in ["Content-Length: 2\r\nContent-Length: 40\r\n", "Transfer-Encoding: chunked, identity\r\n"] {
        assert_eq!(answers(ambiguous, "{}").await, [400], "{ambiguous}");
    }
}

#[tokio::test]
async fn a_body_that_stops_or_drips_is_given_up_and_leaves_nothing() {
    let shop = shop().await;
    let (ada, order) = order(&shop).await;
    let model = format!("/orders/{order}/model?filename=ring.stl");
    for (method, path, media_type) in [
        (Method::PUT, model.as_str(), "application/octet-stream"),
        (Method::POST, "/orders", "application/json"),
        (Method::POST, "/sessions", "application/json"),
    ] {
        for length in ["Content-Length: 10000", "Transfer-Encoding: chunked"] {
            let start = head(&method, path, &ada, &format!("Content-Type: {media_type}\r\n{length}\r\n\r\n"));
            let mut stopped = connect(&ada).await;
            stopped.write_all(start.as_bytes()).await.expect("it is sent");
            let (status, problem) = parse_problem(&rest(&mut stopped).await);
            assert_eq!((status, &problem["code"]), (408, &json!("body_too_slow")), "{path} {length}");

            let mut dripping = connect(&ada).await;
            dripping.write_all(start.as_bytes()).await.expect("it is sent");
            let drops: &[u8] = if length.starts_with('C') { b" " } else { b"1\r\n \r\n" };
            let (status, problem) = parse_problem(&drip(dripping, drops).await);
            assert_eq!((status, &problem["code"]), (408, &json!("body_too_slow")), "{path} {length}");
        }
    }
    assert!(shop.stored_models().is_empty(), "{:?}", shop.stored_models());
    let found = ada.get(&format!("/orders/{order}")).await.expect(200);
    assert_eq!((&found["status"], &found["model"]), (&json!("INITIATED"), &Value::Null));
}

#[tokio::test]
async fn a_partners_form_that_stops_or_drips_is_given_up_and_leaves_nothing() {
    let mes = service::start::<MesApi>(&[&LIMITS[..], &["--price-workers", "0"]].concat()).await;
    let partner = mes.partner().await;
    let headers = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 10000\r\n\r\n";
    let part = "--x\r\nContent-Disposition: form-data; name=\"model\"; filename=\"a.obj\"\r\n\r\nv 0 0 0";
    let start = head(&Method::POST, "/partner/orders", &partner, headers) + part;
    let (mut stopped, mut dripping) = (connect(&partner).await, connect(&partner).await);
    stopped.write_all(start.as_bytes()).await.expect("it is sent");
    dripping.write_all(start.as_bytes()).await.expect("it is sent");
    for said in [rest(&mut stopped).await, drip(dripping, b"0 ").await] {
        let (status, problem) = parse_problem(&said);
        assert_eq!((status, &problem["code"]), (408, &json!("body_too_slow")));
    }
    assert!(mes.stored_models().is_empty(), "{:?}", mes.stored_models());
}

#[tokio::test]
async fn a_form_that_does_not_use_its_boundary_is_refused_long_before_its_end() {
    let mes = service::start::<MesApi>(&["--price-workers", "0"]).await;
    let partner = mes.partner().await;
    let headers = "Content-Type: multipart/form-data; boundary=x\r\nContent-Length: 60000000\r\n\r\n";
    let mut connection = connect(&partner).await;
    let start = head(&Method::POST, "/partner/orders", &partner, headers);
    connection.write_all(start.as_bytes()).await.expect("it is sent");
    connection.write_all(&vec![b'0'; (5 << 20) + 1]).await.expect("it is sent");
    let (status, problem) = parse_problem(&rest(&mut connection).await);
    assert_eq!((status, &problem["code"]), (400, &json!("malformed_request")));
}

/// Whether the service's side of a connection is established, as the kernel's table says (proc(5), `/proc/net/tcp`).
fn is_open_there(client: &TcpStream) -> bool {
    const ESTABLISHED: &str = "01";
    let client = format!(":{:04X}", client.local_addr().expect("an address").port());
    let table = std::fs::read_to_string("/proc/net/tcp").expect("the kernel's table");
    // Number, own address, the peer's address, state.
    table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>())
        .any(|fields| fields.get(2).is_some_and(|peer| peer.ends_with(&client)) && fields.get(3) == Some(&ESTABLISHED))
}

#[tokio::test]
async fn a_client_that_takes_nothing_of_its_response_is_cut_off() {
    let crm = service::start::<CrmApi>(&LIMITS).await;
    let (seller, customer) = (crm.seller().await, crm.customer_account().await);
    let order = json!({"customer_id": customer, "material": "gold_585", "quantity": 1});
    let order = seller.post_json("/orders", order).await.expect(201);
    let path = format!("/orders/{}/model", order["id"].as_str().expect("a number"));
    // Many times what sockets buffer.
    let triangles = 1_200_000_u32;
    let mut model = vec![0; 80];
    model.extend(triangles.to_le_bytes());
    model.resize(84 + 50 * triangles as usize, 0);
    let size = model.len();
    seller.put_bytes(&format!("{path}?filename=ring.stl"), model).await.expect(200);

    let number = format!("slow-{}", Uuid::now_v7().simple());
    let mut slow = connect(&seller).await;
    let request = head(&Method::GET, &path, &seller, &format!("X-Request-Id: {number}\r\n\r\n"));
    slow.write_all(request.as_bytes()).await.expect("it is sent");
    eventually("the request's record", async || {
        records_with("http.request.id", &number).pop().map(drop).ok_or("there is none")
    })
    .await;
    eventually(
        "the service to end the connection",
        async || {
            if is_open_there(&slow) { Err("it is open") } else { Ok(()) }
        },
    )
    .await;
    let got = rest(&mut slow).await.len();
    assert!(got < size, "all {got} bytes came, as if the client had read them");
}

#[tokio::test]
async fn heads_that_are_too_long_are_refused() {
    let shop = shop().await;
    let long = "x".repeat(100_000);
    for request in [
        format!("GET /{long} HTTP/1.1\r\nHost: shop\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: shop\r\nX-Long: {long}\r\n\r\n"),
        format!("GET / HTTP/1.1\r\nHost: shop\r\n{}\r\n", "X-Many: 1\r\n".repeat(500)),
    ] {
        let mut connection = connect(shop.anonymous()).await;
        // The service may hang up before it has read all of it.
        let _ = connection.write_all(request.as_bytes()).await;
        let mut status = [0; 12];
        connection.read_exact(&mut status).await.expect("a response");
        assert!(matches!(&status, b"HTTP/1.1 431" | b"HTTP/1.1 414"), "{}", String::from_utf8_lossy(&status));
    }
    let many = shop.anonymous().get(&format!("/orders?after={}", "x".repeat(20_000))).await;
    many.expect_problem(401, "unauthenticated");
}
