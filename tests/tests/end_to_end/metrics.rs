//! Metrics as they are scraped and pushed: they are those of the dictionary, their series are bounded, and they are true.

use std::collections::{BTreeSet, HashMap};

use catalogue::{Metric, ORDER_STATUSES, Service, metric};
use common::domain::OrderStatus::{Closed, PriceCalculated, Shipped, Submitted};
use local::{Sample, Samples};
use reqwest::Method;
use serde_json::json;
use sqlx::PgPool;
use testkit::{Client, Response, eventually, solids};

use crate::{
    runner::{output, runner, text_of},
    support::{
        broker::Message,
        log,
        process::Process,
        secrets,
        site::{OrderActions as _, number, ring},
        spans::Receiver,
        system,
        world::World,
    },
};

const SERVICES: [Service; 3] = Service::APIS;

/// Counted often enough for a test.
fn every_second() -> (&'static str, String) {
    ("METRICS_COUNT_SECONDS", "1".to_owned())
}

async fn scrape(process: &Process) -> Samples {
    Samples::scrape(process.metrics()).await.expect("it can be scraped")
}

/// A customer's order to its end, a seller's with a model, a partner's, a model without a price, a failed login and a dead letter.
async fn a_little_of_everything(world: &World) {
    let (ada, seller) = (world.site.customer().await, world.site.seller().await);
    let order = ada.submit_new().await;
    let without_price = ada.create().await;
    let mut open = solids::cube(4.0);
    open.triangles.pop();
    ada.upload(&without_price, "open.stl", open.to_binary_stl()).await;
    ada.advance(&without_price, Submitted).await;
    world.site.partner().order_as_partner().await;
    let wish = json!({"customer_id": ada.account(), "material": "gold_750", "quantity": 1});
    let of_seller = number(&seller.post_json("/orders", wish).await.expect(201));
    seller.upload(&of_seller, "ring.stl", ring()).await;
    seller.wait_for(&order, PriceCalculated).await;
    world.site.make_and_ship(&order).await;
    seller.wait_for(&order, Shipped).await;
    seller.advance(&order, Closed).await;
    for client in [&world.site.shop, &world.site.crm, &world.site.mes] {
        wrong_login(client).await;
    }
    let wire = world.broker.channel().await;
    for to in ["order.submitted", "order.priced"] {
        wire.publish(&Message::new(to, b"nothing that can be read")).await;
    }
}

async fn wrong_login(client: &Client) {
    let credentials = json!({"login": secrets::new("nobody"), "password": secrets::new("wrong")});
    client.post_json("/sessions", credentials).await.expect_problem(401, "wrong_credentials");
}

/// A metric's name in Prometheus without what a histogram adds to it.
fn base(name: &str) -> &str {
    let histogram = |metric: &&Metric| matches!(metric.kind, metric::Kind::Histogram(_));
    let names = metric::ALL.iter().filter(histogram).map(Metric::prometheus_name);
    let parts = names.flat_map(|name| ["_bucket", "_sum", "_count"].map(|part| format!("{name}{part}")));
    match parts.into_iter().find(|part| part == name) {
        Some(part) => &name[..part.rfind('_').expect("it has a part")],
        None => name,
    }
}

#[tokio::test]
async fn what_is_scraped_is_what_the_dictionary_says() {
    let world = World::start(&[every_second()]).await;
    a_little_of_everything(&world).await;
    for service in SERVICES {
        let process = world.service(service);
        let expected: BTreeSet<_> = metric::ALL
            .iter()
            .filter(|metric| metric.services.contains(&service))
            .map(Metric::prometheus_name)
            .collect();
        let samples = eventually(&format!("all metrics of {service}"), async || {
            let samples = scrape(process).await;
            let names = samples.iter().map(|sample| base(&sample.name).to_owned());
            let names: BTreeSet<_> = names.filter(|name| name != "target_info").collect();
            let difference: Vec<_> = names.symmetric_difference(&expected).cloned().collect();
            if difference.is_empty() { Ok(samples) } else { Err(difference.join(", ")) }
        })
        .await;
        for sample in samples.iter().filter(|sample| sample.name != "target_info") {
            assert!(has_the_labels_of_the_dictionary(sample), "{service}: {sample:?}");
        }
    }
    // The text says of each what it is, as the dictionary does.
    let text = reqwest::get(world.mes.metrics()).await.expect("a response").text().await.expect("a text");
    for metric in metric::ALL.iter().filter(|metric| metric.services.contains(&Service::MesApi)) {
        let name = metric.prometheus_name();
        let kind = match metric.kind {
            metric::Kind::Counter => "counter",
            metric::Kind::Gauge => "gauge",
            metric::Kind::Histogram(_) => "histogram",
        };
        assert!(text.contains(&format!("# TYPE {name} {kind}\n")), "{name} is no {kind}");
        assert!(text.contains(&format!("# HELP {name} {}\n", metric.meaning)), "{name}");
    }
}

fn has_the_labels_of_the_dictionary(sample: &Sample) -> bool {
    let metric = metric::ALL.iter().find(|metric| metric.prometheus_name() == base(&sample.name));
    let metric = metric.expect("a metric of the dictionary");
    let mut labels = sample.labels.clone();
    labels.remove("le");
    let fits = |label: &metric::Label| {
        let Some(value) = labels.remove(&label.name.replace('.', "_")) else { return false };
        match label.values {
            metric::Values::Listed(values) => values.contains(&value.as_str()),
            metric::Values::Routes => value == "UNMATCHED" || value.starts_with('/'),
            metric::Values::StatusCodes => value.parse().is_ok_and(|status| (100..600).contains(&status)),
        }
    };
    metric.labels.iter().all(fits) && labels.is_empty()
}

#[tokio::test]
async fn what_is_made_up_adds_no_series() {
    let world = World::start(&[every_second()]).await;
    let ada = world.site.customer().await;
    let made_up = async |round: usize| {
        let number = round + 100;
        world.site.shop.get(&format!("/made-up-{number}")).await;
        ada.get(&format!("/orders/A-999{number}")).await;
        ada.get(&format!("/orders?status=STATUS{number}")).await;
        let method = Method::from_bytes(format!("BREW{number}").as_bytes()).expect("a method");
        Response::to(world.site.shop.request(method, "/orders")).await;
        wrong_login(&world.site.shop).await;
        let created = ada.create().await;
        ada.upload(&created, &format!("ring-{number}.stl"), ring()).await;
    };
    made_up(0).await;
    let series = async || scrape(&world.shop).await.iter().count();
    let before = eventually("the database to be counted", async || {
        let samples = scrape(&world.shop).await;
        samples.sum(&metric::ORDERS.prometheus_name(), &[]).map(|_| samples.iter().count()).ok_or("not yet")
    })
    .await;
    for round in 1..20 {
        made_up(round).await;
    }
    assert_eq!(series().await, before);
    let text = reqwest::get(world.shop.metrics()).await.expect("a response").text().await.expect("a text");
    for no_label in ["A-9", "made-up", "BREW", "127.0.0.1", "nobody", &ada.account().to_string()] {
        assert!(!text.contains(no_label), "{no_label} is in {text}");
    }
}

/// A counter over all replicas of a service and all their restarts: what is shown at a time is added up, and what is less than
/// before has begun anew.
#[derive(Default)]
struct Total {
    last: f64,
    sum: f64,
}

impl Total {
    fn add(&mut self, now: f64) {
        self.sum += if now < self.last { now } else { now - self.last };
        self.last = now;
    }
}

/// Each service's changes by status, summed up from scrapes.
#[derive(Default)]
struct Changes(HashMap<(Service, &'static str), Total>);

impl Changes {
    /// Scrapes all replicas of each service. A service that is starting shows nothing, or nothing of the database yet.
    async fn scrape(&mut self, replicas: &[(Service, &str)]) {
        let mut shown: HashMap<(Service, &'static str), f64> = HashMap::new();
        for (service, url) in replicas {
            let Ok(samples) = Samples::scrape(url).await else { continue };
            for status in ORDER_STATUSES {
                let of_status = [("order_status", status)];
                if let Some(value) = samples.sum(&metric::STATUS_CHANGES.prometheus_name(), &of_status) {
                    *shown.entry((*service, status)).or_default() += value;
                }
            }
        }
        for (series, value) in shown {
            self.0.entry(series).or_default().add(value);
        }
    }

    fn of(&self, service: Service, status: &'static str) -> f64 {
        self.0.get(&(service, status)).map_or(0.0, |total| total.sum)
    }
}

#[tokio::test]
async fn counters_equal_the_history_and_gauges_the_tables_over_replicas_and_kills() {
    let mut world = World::start(&[every_second(), ("PRICE_LEASE_SECONDS", "2".to_owned())]).await;
    // One more of each, which counts when the first one is gone.
    let (shop, crm, mes) = (world.another_shop().await, world.another_crm().await, world.another_mes().await);
    let others = [(Service::ShopApi, shop), (Service::CrmApi, crm), (Service::MesApi, mes)];
    let mut changes = Changes::default();
    let mut orders = Vec::new();
    for killed in [None, Some(Service::ShopApi), Some(Service::CrmApi), Some(Service::MesApi)] {
        if let Some(service) = killed {
            let before = urls(&world, &others);
            changes.scrape(&as_strs(&before)).await;
            // SIGKILL, and a new process.
            world.replace(service, &[]).await;
        }
        let ada = world.site.customer().await;
        for _ in 0..3 {
            orders.push(ada.submit_new().await);
            changes.scrape(&as_strs(&urls(&world, &others))).await;
        }
        world.site.partner().order_as_partner().await;
    }
    let seller = world.site.seller().await;
    for order in &orders[..4] {
        seller.wait_for(order, PriceCalculated).await;
        world.site.make_and_ship(order).await;
        seller.wait_for(order, Shipped).await;
        changes.scrape(&as_strs(&urls(&world, &others))).await;
        seller.advance(order, Closed).await;
    }
    for order in &orders {
        seller.wait_for(order, PriceCalculated).await;
    }

    eventually("counters that equal the history", async || {
        changes.scrape(&as_strs(&urls(&world, &others))).await;
        let mut wrong = Vec::new();
        for service in SERVICES {
            let tables = if service == Service::MesApi { &world.mes_tables } else { &world.shop_tables };
            for status in ORDER_STATUSES {
                let (counted, made) = (changes.of(service, status), made_by(tables, service, status).await);
                if counted != made as f64 {
                    wrong.push(format!("{service} {status}: {counted} instead of {made}"));
                }
            }
        }
        if wrong.is_empty() { Ok(()) } else { Err(wrong.join("; ")) }
    })
    .await;
    eventually("gauges that equal the tables", async || {
        for (service, tables) in [(Service::CrmApi, &world.shop_tables), (Service::MesApi, &world.mes_tables)] {
            for status in ORDER_STATUSES {
                let counted: i64 = sqlx::query_scalar("SELECT count(*) FROM orders WHERE status = $1")
                    .bind(status)
                    .fetch_one(tables)
                    .await
                    .expect("a count");
                // The MES doesn't count the orders in its last status.
                let counted = if service == Service::MesApi && status == Shipped.name() { 0 } else { counted };
                let shown = shown_by(&world, &others, service, &metric::ORDERS, &[("order_status", status)]).await;
                if shown != Some(counted as f64) {
                    return Err(format!("{service} {status}: {shown:?} instead of {counted}"));
                }
            }
            for (metric, table) in [(&metric::OUTBOX, "outbox"), (&metric::JOURNAL, "journal")] {
                let shown = shown_by(&world, &others, service, metric, &[]).await;
                if shown != Some(0.0) {
                    return Err(format!("{service} {table}: {shown:?} instead of 0"));
                }
            }
        }
        let calculated = [(metric::OUTCOME, metric::CALCULATED)];
        let prices = shown_by(&world, &others, Service::MesApi, &metric::PRICE_CALCULATIONS, &calculated).await;
        // Those of customers and those of the partner.
        if prices == Some((orders.len() + 4) as f64) { Ok(()) } else { Err(format!("prices: {prices:?}")) }
    })
    .await;
}

/// Where all replicas of all services can be scraped.
fn urls(world: &World, others: &[(Service, Process)]) -> Vec<(Service, String)> {
    let first = SERVICES.map(|service| (service, world.service(service).metrics().to_owned()));
    first.into_iter().chain(others.iter().map(|(service, process)| (*service, process.metrics().to_owned()))).collect()
}

fn as_strs(urls: &[(Service, String)]) -> Vec<(Service, &str)> {
    urls.iter().map(|(service, url)| (*service, url.as_str())).collect()
}

/// The sum over all replicas of a service.
async fn shown_by(
    world: &World,
    others: &[(Service, Process)],
    service: Service,
    metric: &Metric,
    labels: &[(&str, &str)],
) -> Option<f64> {
    let mut sum = None;
    for (_, url) in urls(world, others).iter().filter(|(of, _)| *of == service) {
        let value = Samples::scrape(url).await.ok()?.sum(&metric.prometheus_name(), labels);
        sum = value.map(|value| value + sum.unwrap_or_default()).or(sum);
    }
    sum
}

async fn made_by(tables: &PgPool, service: Service, status: &str) -> i64 {
    let count = "SELECT count(*) FROM order_history WHERE service = $1 AND status = $2";
    sqlx::query_scalar(count).bind(service.name()).bind(status).fetch_one(tables).await.expect("a count")
}

#[tokio::test]
async fn dead_letters_are_counted_once_over_all_replicas() {
    let world = World::start(&[every_second()]).await;
    let others = [(Service::MesApi, world.another_mes().await)];
    let wire = world.broker.channel().await;
    for _ in 0..3 {
        wire.publish(&Message::new("order.submitted", b"nothing that can be read")).await;
    }
    eventually("three dead letters", async || {
        let shown = shown_by(&world, &others, Service::MesApi, &metric::DEAD_LETTERS, &[]).await;
        if shown == Some(3.0) { Ok(()) } else { Err(format!("{shown:?}")) }
    })
    .await;
}

#[tokio::test]
async fn metrics_are_on_their_own_listener_and_can_be_switched_off() {
    let world = World::start(&[]).await;
    world.site.shop.get("/metrics").await.expect_problem(404, "unknown_path");
    let health = world.shop.metrics().replace("/metrics", "/health/live");
    assert_eq!(reqwest::get(health).await.expect("a response").status(), 404);
    let silent = world.another(Service::ShopApi, &[("METRICS_ADDR", String::new())]).await;
    assert_eq!(silent.metrics(), "");
}

#[tokio::test]
async fn a_replica_whose_metrics_address_is_taken_serves_all_the_same_and_says_so() {
    let world = World::start(&[]).await;
    let taken = world.shop.metrics().trim_start_matches("http://").trim_end_matches("/metrics");
    let second = world.another(Service::ShopApi, &[("METRICS_ADDR", taken.to_owned())]).await;
    second.client().get("/health/ready").await.expect(200);
    let said = second.records().into_iter().filter(|record| log::has(record, &[("service.state", "degraded")]));
    let said: Vec<_> = said.map(|record| log::text(&record, "error.message").to_owned()).collect();
    assert!(matches!(&said[..], [text] if text.contains("METRICS_ADDR")), "{said:?}");
}

#[tokio::test]
async fn metrics_are_pushed_by_otlp_unless_their_exporter_is_none() {
    let receiver = Receiver::start().await;
    let pushed = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.clone()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
        ("METRICS_ADDR", String::new()),
        every_second(),
    ];
    let shop = Process::start(system::file().await, "shop-api", &pushed).await;
    shop.client().get("/health/ready").await;
    eventually("metrics of the process and of a request", async || {
        let names = receiver.metrics("shop-api");
        let expected = [&metric::MEMORY, &metric::REQUEST_DURATION].map(|metric| metric.name);
        if expected.iter().all(|name| names.contains(*name)) { Ok(()) } else { Err(format!("{names:?}")) }
    })
    .await;
    let known: BTreeSet<_> = metric::ALL.iter().map(|metric| metric.name).collect();
    assert!(receiver.metrics("shop-api").iter().all(|name| known.contains(name.as_str())));

    let receiver = Receiver::start().await;
    let off = [
        ("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.address.clone()),
        ("OTEL_METRIC_EXPORT_INTERVAL", "200".to_owned()),
        ("OTEL_METRICS_EXPORTER", "none".to_owned()),
    ];
    let mut shop = Process::start(system::file().await, "shop-api", &off).await;
    shop.client().get("/health/ready").await;
    // What is pushed at all is pushed at the end at the latest.
    assert!(shop.stop().await.success());
    assert_eq!(receiver.metrics("shop-api"), BTreeSet::new());
}

#[tokio::test]
async fn the_runner_shows_the_numbers_of_all_services_as_one_table() {
    let data = system::system().await.data().to_string_lossy();
    let table = text_of(&output(runner(&["metrics", "--data", &data])).await);
    for status in ORDER_STATUSES {
        assert!(table.contains(&format!("{status}: changes, now, oldest")), "{status} is not in {table}");
    }
    for service in Service::ALL {
        assert!(table.contains(service.name()), "{service} is not in {table}");
    }
    let requests = table.lines().find(|line| line.contains("requests  ")).expect("a row of requests");
    assert!(requests.chars().any(|character| character.is_ascii_digit()), "{table}");
}
