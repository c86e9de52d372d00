//! A flood of half-open connections, refused logins and bodies that come byte by byte, in a binary of its own: it takes what the
//! machine has. What it costs the others in time is in the benchmark (`bench -- flood`).

use std::time::Duration;

use futures::future::join_all;
use local::{Kind, Options, System};
use testkit::{
    Client,
    flood::Flood,
    memory,
    site::{OrderActions as _, Site},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::Instant,
};

/// Longer than a connection without a request lives (`HEADER_SECONDS`).
const TIME: Duration = Duration::from_secs(25);
/// After this, the shop has the memory that it orders with.
const WARM_UP: Duration = Duration::from_secs(3);
const CUSTOMERS: usize = 10;
/// Bodies that come byte by byte at the same time, each almost as long as one may be.
const DRIPPED: usize = 16;
const DRIPPED_BYTES: usize = 60_000;
/// What the shop may need for it: two passwords that are hashed at the same time, buffers of connections, and the rest.
const MORE_MEMORY_KIB: u64 = 96 << 10;

/// Orders until then; returns how many orders that were.
async fn order_until(customer: &Client, end: Instant) -> usize {
    let mut orders = 0;
    while Instant::now() < end {
        // Each step asserts its response.
        let order = customer.submit_new().await;
        customer.get(&format!("/orders/{order}")).await.expect(200);
        orders += 1;
    }
    orders
}

/// Sends a body byte by byte.
async fn drip(shop: &Client) {
    let host = shop.base().trim_start_matches("http://");
    let mut connection = TcpStream::connect(host).await.expect("the shop listens");
    // Each byte goes on its way by itself.
    connection.set_nodelay(true).expect("a setting");
    let head = format!(
        "POST /customers HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\nContent-Length: {DRIPPED_BYTES}\r\n\
         Connection: close\r\n\r\n"
    );
    connection.write_all(head.as_bytes()).await.expect("it is sent");
    for _ in 0..DRIPPED_BYTES {
        connection.write_all(b" ").await.expect("it is sent");
    }
    let mut response = String::new();
    connection.read_to_string(&mut response).await.expect("a response");
    assert!(response.starts_with("HTTP/1.1 400 "), "{response}");
}

#[tokio::test]
async fn customers_go_on_ordering_in_a_flood_and_memory_stays_bounded() {
    let started =
        tokio::task::spawn_blocking(|| System::start(&Options { only: vec![Kind::Services], ..Options::default() }));
    let system = started.await.expect("no panic").expect("the services start");
    let site = Site::of(system.file());
    let mut customers = Vec::new();
    for _ in 0..CUSTOMERS {
        customers.push(site.customer().await);
    }
    let shop = system.pid("shop-api").expect("the shop runs");
    join_all(customers.iter().map(|customer| order_until(customer, Instant::now() + WARM_UP))).await;
    let peak_memory = || memory(shop, "VmHWM").expect("the shop runs");
    let before = peak_memory();

    join_all((0..DRIPPED).map(|_| drip(&site.shop))).await;
    let dripped = peak_memory() - before;
    let flood = Flood::start(site.shop.base());
    let end = Instant::now() + TIME;
    let orders = join_all(customers.iter().map(|customer| order_until(customer, end))).await;
    let flood = flood.stop().await;
    let more = peak_memory() - before;
    println!(
        "{orders:?} orders in {TIME:?}; {flood:?}; {} MiB more memory at most, {} of it for bodies",
        more >> 10,
        dripped >> 10
    );

    assert!(orders.iter().all(|orders| *orders > 0), "a customer could not order: {orders:?}");
    // How many there are a second, and whether the service is in time with all of them, depends on the machine.
    assert!(flood.refused + flood.throttled > 500 && flood.opened > 200, "that was no flood: {flood:?}");
    assert!(flood.throttled > flood.refused, "the limit of one address did not hold: {flood:?}");
    assert!(more < MORE_MEMORY_KIB, "{} MiB more", more >> 10);
    assert_eq!(system.pid("shop-api").expect("the shop runs"), shop, "the shop was restarted");
}
